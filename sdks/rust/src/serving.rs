//! Answering calls of contacts (spec/daemon-api, "Calls").

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use crate::records::ContactName;
use crate::socket::{self, Arrived, Receiver, Sender};
use crate::value::{Value, quoted};

/// A contact asks.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct IncomingCall {
    /// Who.
    pub contact: ContactName,
    /// Which service was meant, of those that the handler serves: itself or one below it.
    pub service: String,
    /// What it is asked.
    pub argument: Value,
    /// Until the caller gives up, when the call arrived.
    pub remaining: Duration,
}

/// A service that is answered, also over restarts of the daemon, until this is dropped.
pub struct Serving {
    failed: oneshot::Receiver<Error>,
    running: AbortHandle,
}

impl Serving {
    pub(crate) async fn start<H, F, V>(
        connection: &Arc<Connection>,
        service: &str,
        handler: H,
    ) -> Result<Self>
    where
        H: Fn(IncomingCall) -> F + Send + Sync + 'static,
        F: Future<Output = Result<V>> + Send + 'static,
        V: Into<Value>,
    {
        let path = format!("/v1/services/{}/serve", quoted(service)?);
        let first = begin(connection, &path).await?;
        let (sender, failed) = oneshot::channel();
        let connection = Arc::clone(connection);
        let handler = Arc::new(handler);
        let running = tokio::spawn(async move {
            let mut socket = first;
            loop {
                let outcome = match answer_all(socket, &handler).await {
                    Ok(()) => again(&connection, &path).await,
                    Err(error) => Err(error),
                };
                match outcome {
                    Ok(next) => socket = next,
                    Err(error) => {
                        let _ = sender.send(error); // nobody need wait for it
                        return;
                    }
                }
            }
        });
        Ok(Self { failed, running: running.abort_handle() })
    }

    /// Waits until the service cannot be answered any more, and gives the reason: the daemon is gone and does not
    /// come back, another program serves it, the token was revoked.
    pub async fn failed(&mut self) -> Error {
        (&mut self.failed).await.unwrap_or_else(|_| Error::closed())
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.running.abort();
    }
}

async fn begin(connection: &Connection, path: &str) -> Result<(Sender, Receiver)> {
    let (sender, mut receiver) = socket::open(connection, path).await?;
    loop {
        match receiver.next().await? {
            Arrived::Json(word) if word["type"] == "serving" => return Ok((sender, receiver)),
            Arrived::End(_) => return Err(Error::connection_lost()),
            _ => {}
        }
    }
}

/// Begins once more. A daemon that ends may take a moment to notice what it has lost.
async fn again(connection: &Connection, path: &str) -> Result<(Sender, Receiver)> {
    loop {
        sleep(limits::FIRST_PAUSE).await;
        match begin(connection, path).await {
            Err(error) if error.code() == "connection-lost" => {}
            outcome => return outcome,
        }
    }
}

/// Answers what comes over one socket, until that ends.
async fn answer_all<H, F, V>((mut sender, mut receiver): (Sender, Receiver), handler: &Arc<H>) -> Result<()>
where
    H: Fn(IncomingCall) -> F + Send + Sync + 'static,
    F: Future<Output = Result<V>> + Send + 'static,
    V: Into<Value>,
{
    let mut calls: JoinSet<(String, Result<Value>)> = JoinSet::new(); // dropped with all in it
    let mut cancels: HashMap<String, AbortHandle> = HashMap::new();
    let mut names: HashMap<tokio::task::Id, String> = HashMap::new();
    loop {
        tokio::select! {
            arrived = receiver.next() => match arrived? {
                Arrived::Json(word) if word["type"] == "call" => {
                    let (id, call) = read(word)?;
                    let handler = Arc::clone(handler);
                    let call_id = id.clone();
                    let handle = calls.spawn(async move {
                        let result = match call {
                            Ok(call) => handler(call).await.map(Into::into),
                            Err(error) => Err(Error::call_failed("bad-body", error.message(), Json::Null)),
                        };
                        (call_id, result)
                    });
                    names.insert(handle.id(), id.clone());
                    cancels.insert(id, handle);
                }
                Arrived::Json(word) if word["type"] == "cancel" => {
                    if let Some(handle) = word["id"].as_str().and_then(|id| cancels.remove(id)) {
                        handle.abort();
                    }
                }
                Arrived::End(_) => return Ok(()),
                _ => {}
            },
            Some(ended) = calls.join_next_with_id() => {
                let reply = match ended {
                    Ok((task, (id, result))) => {
                        names.remove(&task);
                        Some((id, result))
                    }
                    // A handler's panic must not end the service; a cancelled call needs no reply.
                    Err(error) => names.remove(&error.id()).filter(|_| error.is_panic()).map(|id| {
                        (id, Err(Error::new(ErrorKind::Other, "internal", "The handler panicked.")))
                    }),
                };
                if let Some((id, result)) = reply {
                    cancels.remove(&id);
                    if sender.json(&reply_to(&id, result)).await.is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }
}

fn read(mut word: Json) -> Result<(String, Result<IncomingCall>)> {
    let id = word["id"].as_str().unwrap_or_default().to_owned();
    let contact = serde_json::from_value(word["contact"].take()).map_err(Error::not_understood)?;
    let service = word["service"].as_str().unwrap_or_default().to_owned();
    let remaining = word["remaining"].as_f64().and_then(|left| Duration::try_from_secs_f64(left).ok());
    let remaining = remaining.unwrap_or(limits::CALL);
    let argument = Value::decoded(&mut word);
    Ok((id, argument.map(|argument| IncomingCall { contact, service, argument, remaining })))
}

fn reply_to(id: &str, result: Result<Value>) -> Json {
    let mut reply = match result {
        Ok(value) => {
            let mut reply = value.encoded();
            reply["type"] = "result".into();
            reply
        }
        Err(error) if error.kind() == ErrorKind::CallFailed => json!({
            "type": "failed", "code": error.code(), "message": error.message(), "data": error.data(),
        }),
        // Its text is the program's own.
        Err(_) => json!({
            "type": "failed", "code": "internal", "data": null,
            "message": "The service failed; its own log knows more.",
        }),
    };
    reply["id"] = id.into();
    reply
}
