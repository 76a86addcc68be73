//! Messages of contacts, each once, across restarts of the daemon (spec/daemon-api, "Messages").

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;
use serde_json::Value as Json;
use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;

use crate::acknowledge::{Ledger, Seen};
use crate::connection::Connection;
use crate::error::{Error, Result};
use crate::limits;
use crate::records::ContactName;
use crate::sse::{EventSource, Told};
use crate::value::{Value, quoted, with_query};

/// A message of a contact, which stays on the daemon's disk until it is [`done`](Message::done).
pub struct Message {
    /// Who sent it.
    pub contact: ContactName,
    /// Names it for ever among the messages of this contact.
    pub id: String,
    /// For which it is: the one that is read, or one below it.
    pub service: String,
    /// Of a latest-value message; empty for others.
    pub key: String,
    /// Its place among the messages of this contact.
    pub number: u64,
    /// By its sender's clock, Unix milliseconds.
    pub sent_ms: i64,
    /// Unix milliseconds.
    pub received_ms: i64,
    value: Result<Value>,
    ledger: Arc<Ledger>,
}

impl Message {
    /// What was sent. Fails with `bad-body` if the sender claimed JSON and sent none.
    pub fn value(&self) -> Result<&Value> {
        self.value.as_ref().map_err(Clone::clone)
    }

    /// The program has dealt with it: it will not come again.
    ///
    /// Await what this gives to know that the daemon has noted it; nobody need. Many messages are noted
    /// together, so say `done` for each as soon as it is.
    pub fn done(&self) -> Done {
        Done(self.ledger.done(self.contact.id.clone(), self.id.clone()))
    }

    fn read(entry: &mut Json, ledger: &Arc<Ledger>) -> Result<Self> {
        let contact: ContactName =
            serde_json::from_value(entry["contact"].take()).map_err(Error::not_understood)?;
        let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
        let (id, service, key) = (text("id"), text("service"), text("key"));
        if id.is_empty() || contact.id.is_empty() {
            return Err(Error::not_understood("a message without an id"));
        }
        Ok(Self {
            number: entry["number"].as_u64().unwrap_or_default(),
            sent_ms: entry["sent_ms"].as_i64().unwrap_or_default(),
            received_ms: entry["received_ms"].as_i64().unwrap_or_default(),
            value: Value::decoded(entry),
            ledger: Arc::clone(ledger),
            contact,
            id,
            service,
            key,
        })
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Message({} to {:?} from {:?})", self.id, self.service, self.contact.label())
    }
}

/// The daemon's word that a message will not come again; see [`Message::done`].
pub struct Done(oneshot::Receiver<Result<()>>);

impl Future for Done {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context).map(|told| told.unwrap_or_else(|_| Err(Error::closed())))
    }
}

/// The messages of a service, each once: a [`Stream`] that ends only with an error.
///
/// A message that was [`done`](Message::done) does not come again, whatever restarts: if the daemon ended
/// before it had noted that, it is told once more. One that was not comes to the next subscription, of this
/// program or another. When this is dropped, other readers get what is not done; what is done is still noted.
pub struct Messages {
    arriving: mpsc::UnboundedReceiver<Result<Message>>,
    reading: AbortHandle,
    ledger: Arc<Ledger>,
}

impl Messages {
    pub(crate) fn new(
        connection: &Arc<Connection>,
        service: &str,
        contact: &str,
        window: u16,
    ) -> Result<Self> {
        let path = format!("/v1/messages/{}", quoted(service)?);
        let ledger = Ledger::start(Arc::clone(connection), format!("{path}/done"));
        let window = window.clamp(1, limits::LARGEST_WINDOW).to_string();
        let path = with_query(&path, &[("contact", contact), ("window", &window)]);
        let events = EventSource::new(Arc::clone(connection), path);
        // The daemon's window is the bound: it hands out no more before some are done.
        let (sender, arriving) = mpsc::unbounded_channel();
        let reading = tokio::spawn(read(events, sender, Arc::clone(&ledger))).abort_handle();
        Ok(Self { arriving, reading, ledger })
    }

    /// The next message, after waiting for it. None after an error. Safe to cancel.
    pub async fn next(&mut self) -> Option<Result<Message>> {
        self.arriving.recv().await
    }

    /// Reads no more, and waits until the daemon has noted all that is done.
    pub async fn close(self) -> Result<()> {
        self.reading.abort();
        self.ledger.settled().await
    }
}

impl Stream for Messages {
    type Item = Result<Message>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.arriving.poll_recv(context)
    }
}

impl Drop for Messages {
    fn drop(&mut self) {
        self.reading.abort();
        self.ledger.leave();
    }
}

async fn read(mut events: EventSource, sender: mpsc::UnboundedSender<Result<Message>>, ledger: Arc<Ledger>) {
    loop {
        let message = match events.next().await {
            Ok(Told::Event(event)) if event.kind == "message" => serde_json::from_str::<Json>(&event.data)
                .map_err(Error::not_understood)
                .and_then(|mut entry| Message::read(&mut entry, &ledger)),
            Ok(_) => continue,
            Err(error) => Err(error),
        };
        let last = message.is_err();
        if let Ok(message) = &message {
            if ledger.arrived(&message.contact.id, &message.id) == Seen::Before {
                continue;
            }
        }
        if sender.send(message).is_err() || last {
            return;
        }
    }
}
