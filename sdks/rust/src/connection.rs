//! Requests to the daemon, wherever it is at the moment. Goes on by itself when it restarts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use serde_json::Value as Json;
use tokio::time::{Instant, sleep, timeout};

use crate::endpoint::{Endpoint, Finder};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use crate::outbox::Outbox;
use crate::transport::{Answer, Failure, Transport};

/// Speaks HTTP with a daemon.
pub(crate) struct Connection {
    finder: Finder,
    restart: Duration,
    /// Whether the daemon ever answered: one that was never there is not restarting.
    reached: AtomicBool,
    transport: Mutex<Option<Arc<Transport>>>,
    pub(crate) outbox: Outbox,
}

/// One request. Built by the methods that ask, sent by [`Connection::request`].
pub(crate) struct Ask {
    method: Method,
    path: String,
    body: Option<Bytes>,
    /// Whether it may reach the daemon twice, if that restarts (RFC 9110, section 9.2.2).
    repeatable: bool,
    patience: Duration,
}

impl Ask {
    pub(crate) fn new(method: Method, path: impl Into<String>) -> Self {
        let repeatable = method.is_idempotent();
        Self { method, path: path.into(), body: None, repeatable, patience: limits::ANSWER }
    }

    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn post(path: impl Into<String>, body: Json) -> Self {
        Self::new(Method::POST, path).body(body)
    }

    #[expect(clippy::needless_pass_by_value, reason = "whoever asks makes it for this")]
    pub(crate) fn body(self, body: Json) -> Self {
        self.text(body.to_string())
    }

    /// A body that is JSON text already.
    pub(crate) fn text(mut self, body: String) -> Self {
        self.body = Some(body.into());
        self
    }

    pub(crate) fn repeatable(mut self, repeatable: bool) -> Self {
        self.repeatable = repeatable;
        self
    }

    pub(crate) fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

impl Connection {
    pub(crate) fn new(finder: Finder, restart: Duration) -> Self {
        Self {
            finder,
            restart,
            reached: AtomicBool::new(false),
            transport: Mutex::default(),
            outbox: Outbox::default(),
        }
    }

    /// Sends a request, and waits for a daemon that restarts meanwhile. Gives the body of the answer.
    pub(crate) async fn request(&self, ask: Ask) -> Result<Bytes> {
        let mut attempts = Attempts::new(self);
        loop {
            let transport = attempts.next().await?;
            let request = build(&transport.endpoint, &ask.method, &ask.path, ask.body.as_ref());
            let exchange = async { finish(Arc::clone(&transport).send(request).await?).await };
            match timeout(ask.patience, exchange).await {
                Ok(Ok((status, data))) => {
                    self.reached.store(true, Ordering::Relaxed);
                    return if status.as_u16() < 400 {
                        Ok(data)
                    } else {
                        Err(Error::of_answer(status.as_u16(), &data))
                    };
                }
                Ok(Err(Failure::NotSent)) => {}
                Ok(Err(Failure::Broken)) if ask.repeatable => {}
                Ok(Err(Failure::Broken)) => return Err(Error::connection_lost()),
                Err(_) => {
                    let text = format!(
                        "The daemon did not answer within {} s. It may still do what was asked. \
                         Look at how it is: p4 status",
                        ask.patience.as_secs_f64()
                    );
                    return Err(Error::new(ErrorKind::Local, "no-answer", text));
                }
            }
            self.forget(&transport);
        }
    }

    /// Opens a path whose answer goes on: server-sent events.
    pub(crate) async fn open_events(&self, path: &str) -> Result<Answer> {
        let accept = [(ACCEPT.as_str(), "text/event-stream")];
        self.open(path, &accept, StatusCode::OK).await
    }

    /// Sends a request of a GET with headers, and gives its answer if it has the status that is wanted.
    pub(crate) async fn open(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        wanted: StatusCode,
    ) -> Result<Answer> {
        let mut attempts = Attempts::new(self);
        loop {
            let transport = attempts.next().await?;
            let mut request = build(&transport.endpoint, &Method::GET, path, None);
            for (name, value) in headers {
                let (name, value) = (name.parse(), value.parse());
                let (Ok::<hyper::header::HeaderName, _>(name), Ok(value)) = (name, value) else { continue };
                request.headers_mut().insert(name, value);
            }
            if let Ok(answer) = Arc::clone(&transport).send(request).await {
                self.reached.store(true, Ordering::Relaxed);
                if answer.response.status() == wanted {
                    return Ok(answer);
                }
                if let Ok(Ok((status, data))) = timeout(limits::ANSWER, finish(answer)).await {
                    return Err(Error::of_answer(status.as_u16(), &data));
                }
            }
            self.forget(&transport);
        }
    }

    fn current(&self) -> Result<Arc<Transport>> {
        let mut known = self.transport.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(transport) = &*known {
            return Ok(Arc::clone(transport));
        }
        Ok(Arc::clone(known.insert(Arc::new(Transport::new(self.finder.find()?)))))
    }

    /// The daemon was not there: it may be elsewhere next time.
    fn forget(&self, gone: &Arc<Transport>) {
        let mut known = self.transport.lock().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_some_and(|transport| Arc::ptr_eq(transport, gone)) {
            *known = None;
        }
    }
}

/// One attempt after the other, with pauses, until the daemon has been away for too long.
struct Attempts<'a> {
    connection: &'a Connection,
    deadline: Instant,
    pause: Duration,
    last: Option<Arc<Transport>>,
}

impl<'a> Attempts<'a> {
    fn new(connection: &'a Connection) -> Self {
        let patience =
            if connection.reached.load(Ordering::Relaxed) { connection.restart } else { Duration::ZERO };
        let deadline = Instant::now() + patience;
        Self { connection, deadline, pause: Duration::ZERO, last: None }
    }

    async fn next(&mut self) -> Result<Arc<Transport>> {
        loop {
            let first = self.pause.is_zero();
            if !first {
                if Instant::now() + self.pause >= self.deadline {
                    return Err(match &self.last {
                        Some(transport) => Error::no_daemon(&transport.endpoint),
                        None => self.connection.finder.find().err().unwrap_or_else(Error::connection_lost),
                    });
                }
                sleep(self.pause).await;
            }
            self.pause = if first { limits::FIRST_PAUSE } else { limits::LONGEST_PAUSE.min(2 * self.pause) };
            if let Ok(transport) = self.connection.current() {
                self.last = Some(Arc::clone(&transport));
                return Ok(transport);
            }
        }
    }
}

fn build(endpoint: &Endpoint, method: &Method, path: &str, body: Option<&Bytes>) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(body.cloned().unwrap_or_default()));
    *request.method_mut() = method.clone();
    // Paths are made of quoted parts, so they are always valid; anything else gets the daemon's 404.
    *request.uri_mut() = path.parse().unwrap_or_default();
    let headers = request.headers_mut();
    if let Ok(host) = endpoint.host().parse() {
        headers.insert(HOST, host);
    }
    if let (false, Ok(value)) = (endpoint.token.is_empty(), format!("Bearer {}", endpoint.token).parse()) {
        let mut value: hyper::header::HeaderValue = value;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    if body.is_some() {
        headers.insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static("application/json"));
    }
    request
}

async fn finish(mut answer: Answer) -> Result<(StatusCode, Bytes), Failure> {
    let status = answer.response.status();
    let body = Limited::new(answer.response.body_mut(), limits::ANSWER_BYTES);
    let data = body.collect().await.map_err(|_| Failure::Broken)?.to_bytes();
    answer.finished();
    Ok((status, data))
}
