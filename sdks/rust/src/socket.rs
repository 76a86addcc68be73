//! WebSockets of the daemon: JSON objects, bytes, errors, and the end.
//!
//! The handshake is made by hyper, as every other request, so a refusal comes with the reason in its body.

use bytes::Bytes;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hyper::StatusCode;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::Value as Json;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::connection::Connection;
use crate::error::{Error, Result};

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// The half that reads.
pub(crate) struct Receiver {
    half: SplitStream<Socket>,
    /// The connection ends when this is dropped.
    _open: Box<dyn Send>,
}

/// The half that writes.
pub(crate) struct Sender(SplitSink<Socket, Message>);

/// What arrives.
pub(crate) enum Arrived {
    Json(Json),
    Bytes(Bytes),
    /// The socket has ended; with the code, if it was closed well.
    End(Option<u16>),
}

/// The connection has ended.
pub(crate) struct Lost;

/// Opens a WebSocket; it ends with the daemon.
pub(crate) async fn open(connection: &Connection, path: &str) -> Result<(Sender, Receiver)> {
    let key = generate_key();
    let headers = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", &key),
    ];
    let answer = connection.open(path, &headers, StatusCode::SWITCHING_PROTOCOLS).await?;
    let accepted = answer.response.headers().get("Sec-WebSocket-Accept");
    if accepted.is_none_or(|accepted| accepted.as_bytes() != derive_accept_key(key.as_bytes()).as_bytes()) {
        return Err(Error::not_understood("it is no WebSocket"));
    }
    let (upgraded, open) = answer.upgraded().await.map_err(|_| Error::connection_lost())?;
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, None).await;
    let (sink, half) = socket.split();
    Ok((Sender(sink), Receiver { half, _open: Box::new(open) }))
}

impl Sender {
    pub(crate) async fn json(&mut self, word: &Json) -> Result<(), Lost> {
        self.0.send(Message::text(word.to_string())).await.map_err(|_| Lost)
    }

    pub(crate) async fn bytes(&mut self, data: Bytes) -> Result<(), Lost> {
        self.0.send(Message::binary(data)).await.map_err(|_| Lost)
    }

    /// Says goodbye; the daemon answers with its own.
    pub(crate) async fn close(&mut self) {
        let _ = self.0.close().await; // it may be closed already
    }
}

impl Receiver {
    /// What comes next. Fails with what an `error` message says.
    pub(crate) async fn next(&mut self) -> Result<Arrived> {
        loop {
            match self.half.next().await {
                Some(Ok(Message::Binary(data))) => return Ok(Arrived::Bytes(data)),
                Some(Ok(Message::Text(text))) => {
                    let word: Json = serde_json::from_str(&text).map_err(Error::not_understood)?;
                    if word["type"] == "error" {
                        let told = Error::of_object(&word["error"], 400);
                        return Err(told.unwrap_or_else(|| Error::not_understood("an error without a code")));
                    }
                    return Ok(Arrived::Json(word));
                }
                Some(Ok(Message::Close(frame))) => {
                    return Ok(Arrived::End(frame.map(|frame| frame.code.into())));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Ok(Arrived::End(None)),
            }
        }
    }
}
