//! Connections to one daemon: HTTP/1.1 over a unix socket or TCP, kept for the next request.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;

use crate::endpoint::{Address, Endpoint};
use crate::limits;

/// Where one daemon listens, and the idle connections to it.
pub(crate) struct Transport {
    pub(crate) endpoint: Endpoint,
    idle: Mutex<Vec<(Connection, Instant)>>,
}

/// A connection. It is closed when this is dropped, whatever it was doing.
struct Connection {
    sender: SendRequest<Full<Bytes>>,
    driving: AbortHandle,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driving.abort();
    }
}

/// Why a request has no answer.
pub(crate) enum Failure {
    /// It did not leave: whatever it was, nothing has come of it.
    NotSent,
    /// There was a connection and it ended: it may have been done.
    Broken,
}

/// An answer whose body is still to come, over a connection that nobody else uses meanwhile.
pub(crate) struct Answer {
    pub(crate) response: Response<Incoming>,
    connection: Connection,
    transport: Arc<Transport>,
}

impl Answer {
    /// Its body has been read: the connection is free.
    pub(crate) fn finished(self) {
        let Self { connection, transport, .. } = self;
        let mut idle = transport.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < limits::IDLE_CONNECTIONS && !connection.sender.is_closed() {
            idle.push((connection, Instant::now()));
        }
    }

    /// The socket itself, after an answer of 101, and what keeps it open.
    pub(crate) async fn upgraded(self) -> Result<(hyper::upgrade::Upgraded, impl Send), Failure> {
        let Self { response, connection, .. } = self;
        let upgraded = hyper::upgrade::on(response).await.map_err(|_| Failure::Broken)?;
        Ok((upgraded, connection))
    }
}

impl Transport {
    pub(crate) fn new(endpoint: Endpoint) -> Self {
        Self { endpoint, idle: Mutex::default() }
    }

    /// Sends a request over a connection that is idle, or over a new one.
    pub(crate) async fn send(self: Arc<Self>, mut request: Request<Full<Bytes>>) -> Result<Answer, Failure> {
        while let Some(mut connection) = self.take_idle() {
            if connection.sender.ready().await.is_err() {
                continue;
            }
            match connection.sender.try_send_request(request).await {
                Ok(response) => return Ok(Answer { response, connection, transport: self }),
                // An idle connection that had ended meanwhile says nothing about the daemon.
                Err(mut error) => request = error.take_message().ok_or(Failure::Broken)?,
            }
        }
        let mut connection = self.open().await.map_err(|_| Failure::NotSent)?;
        match connection.sender.try_send_request(request).await {
            Ok(response) => Ok(Answer { response, connection, transport: self }),
            Err(mut error) => {
                Err(if error.take_message().is_some() { Failure::NotSent } else { Failure::Broken })
            }
        }
    }

    fn take_idle(&self) -> Option<Connection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(connection, since)| !connection.sender.is_closed() && since.elapsed() < limits::IDLE);
        idle.pop().map(|(connection, _)| connection)
    }

    async fn open(&self) -> std::io::Result<Connection> {
        match &self.endpoint.address {
            #[cfg(unix)]
            Address::Unix(path) => shake_hands(tokio::net::UnixStream::connect(path).await?).await,
            #[cfg(not(unix))]
            Address::Unix(_) => Err(std::io::ErrorKind::Unsupported.into()),
            Address::Tcp(address) => {
                let socket = tokio::net::TcpStream::connect(address).await?;
                socket.set_nodelay(true)?;
                shake_hands(socket).await
            }
        }
    }
}

async fn shake_hands<S>(socket: S) -> std::io::Result<Connection>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(socket)).await.map_err(std::io::Error::other)?;
    let driving = tokio::spawn(async move { drop(connection.with_upgrades().await) }).abort_handle();
    let mut connection = Connection { sender, driving };
    connection.sender.ready().await.map_err(std::io::Error::other)?;
    Ok(connection)
}
