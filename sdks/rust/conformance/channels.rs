//! L1: what lives on between requests: subscriptions, served calls, streams, datagrams, events.

use std::collections::HashMap;
use std::time::Duration;

use p4_client::{
    Client, Datagrams, Error, Events, FEED_OPENED, IncomingCall, Message, Messages, Serving, Stream, Value,
};
use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;

use crate::protocol::{Answer, Arguments, Handles, Problem, base64, contact_entry, members, within};

/// Until the daemon must have begun to tell events.
const FEED_PATIENCE: Duration = Duration::from_secs(30);

struct Subscription {
    messages: Messages,
    taken: HashMap<(String, String), Message>,
}

struct Served {
    _serving: Serving,
    cancelled: mpsc::UnboundedReceiver<()>,
}

struct HeldStream {
    stream: Stream,
    /// Read before a time limit, and not given yet.
    rest: Vec<u8>,
}

pub(crate) struct Channels {
    messages: Handles<Subscription>,
    serving: Handles<Served>,
    streams: Handles<HeldStream>,
    datagrams: Handles<Datagrams>,
    events: Handles<Events>,
}

impl Channels {
    pub(crate) fn new() -> Self {
        Self {
            messages: Handles::new("messages"),
            serving: Handles::new("serving"),
            streams: Handles::new("stream"),
            datagrams: Handles::new("datagrams"),
            events: Handles::new("events"),
        }
    }

    pub(crate) async fn answer(
        &mut self,
        clients: &mut Handles<Client>,
        operation: &str,
        given: &Arguments,
    ) -> Answer {
        match operation.split('.').next().unwrap_or_default() {
            "messages" => self.messages(clients, operation, given).await,
            "serving" => self.serving(clients, operation, given).await,
            "stream" => self.stream(clients, operation, given).await,
            "datagrams" => self.datagrams(clients, operation, given).await,
            "events" => self.events(clients, operation, given).await,
            _ => Err(Problem::Unknown),
        }
    }

    async fn messages(
        &mut self,
        clients: &mut Handles<Client>,
        operation: &str,
        given: &Arguments,
    ) -> Answer {
        match operation {
            "messages.open" => {
                let (client, service) = (clients.get(given)?, given.text("service")?);
                let messages = match given.text_or_empty("contact") {
                    "" => client.messages(service)?,
                    contact => client.contact(contact)?.messages(service)?,
                };
                self.messages.insert(given, Subscription { messages, taken: HashMap::new() })?;
                Ok(json!({}))
            }
            "messages.next" => {
                let subscription = self.messages.get(given)?;
                let next = within(given.seconds("timeout_seconds")?, subscription.messages.next()).await?;
                let message = next.ok_or_else(|| Problem::failed("there is no next message"))??;
                let mut result = members(message.value()?);
                result["contact"] = contact_entry(&message.contact);
                result["id"] = json!(message.id);
                result["service"] = json!(message.service);
                result["key"] = json!(message.key);
                subscription.taken.insert((message.contact.id.clone(), message.id.clone()), message);
                Ok(result)
            }
            "messages.done" => {
                let key = (given.text("contact_id")?.to_owned(), given.text("message_id")?.to_owned());
                let message = self.messages.get(given)?.taken.remove(&key);
                message.ok_or_else(|| Problem::failed("there was no such message"))?.done().await?;
                Ok(json!({}))
            }
            "messages.close" => {
                self.messages.take(given)?.messages.close().await?;
                Ok(json!({}))
            }
            _ => Err(Problem::Unknown),
        }
    }

    async fn serving(&mut self, clients: &mut Handles<Client>, operation: &str, given: &Arguments) -> Answer {
        match operation {
            "serving.open" => {
                let (sender, cancelled) = mpsc::unbounded_channel();
                let handler = move |call| handle(call, sender.clone());
                let serving = clients.get(given)?.serve(given.text("service")?, handler).await?;
                self.serving.insert(given, Served { _serving: serving, cancelled })?;
            }
            "serving.cancelled" => {
                let patience = given.seconds("timeout_seconds")?;
                within(patience, self.serving.get(given)?.cancelled.recv()).await?;
            }
            "serving.close" => drop(self.serving.take(given)?),
            _ => return Err(Problem::Unknown),
        }
        Ok(json!({}))
    }

    async fn stream(&mut self, clients: &mut Handles<Client>, operation: &str, given: &Arguments) -> Answer {
        match operation {
            "stream.open" => {
                let contact = clients.get(given)?.contact(given.text("contact")?)?;
                let stream = contact.stream(given.text("service")?, given.text("name")?).await?;
                let result =
                    json!({"id": stream.id(), "written": stream.written(), "position": stream.position()});
                self.streams.insert(given, HeldStream { stream, rest: Vec::new() })?;
                return Ok(result);
            }
            "stream.accept" => {
                let (client, service) = (clients.get(given)?, given.text("service")?);
                let patience = given.seconds("timeout_seconds")?;
                let stream = match given.text_or_empty("contact") {
                    "" => within(patience, client.next_stream(service)).await??,
                    contact => within(patience, client.contact(contact)?.next_stream(service)).await??,
                };
                let result = json!({
                    "id": stream.id(),
                    "contact": contact_entry(stream.contact()),
                    "name": stream.name(),
                    "written": stream.written(),
                    "position": stream.position(),
                });
                self.streams.insert(given, HeldStream { stream, rest: Vec::new() })?;
                return Ok(result);
            }
            "stream.reset" => {
                self.streams.take(given)?.stream.reset(given.text("reason")?).await?;
                return Ok(json!({}));
            }
            "stream.detach" => {
                // What was written is the daemon's before it is let go of.
                self.streams.take(given)?.stream.flush().await?;
                return Ok(json!({}));
            }
            _ => {}
        }
        let held = self.streams.get(given)?;
        match operation {
            "stream.write" => held.stream.write_all(&given.bytes("bytes_b64")?).await?,
            "stream.flush" => {
                held.stream.sync().await?;
                return Ok(json!({"written": held.stream.written()}));
            }
            "stream.end" => held.stream.shutdown().await?,
            "stream.read" => {
                let length = usize::try_from(given.number("length")?).map_err(Problem::failed)?;
                let at_end = within(given.seconds("timeout_seconds")?, fill(held, length)).await??;
                let bytes = std::mem::take(&mut held.rest);
                return Ok(json!({"bytes_b64": base64(&bytes), "at_end": at_end}));
            }
            "stream.resume" => {
                let (written, position) = (held.stream.written(), held.stream.position());
                return Ok(json!({"written": written, "position": position}));
            }
            "stream.confirmed" => {
                let (offset, patience) = (given.number("offset")?, given.seconds("timeout_seconds")?);
                within(patience, held.stream.wait_confirmed(offset)).await??;
            }
            "stream.done" => within(given.seconds("timeout_seconds")?, held.stream.finished()).await??,
            _ => return Err(Problem::Unknown),
        }
        Ok(json!({}))
    }

    async fn datagrams(
        &mut self,
        clients: &mut Handles<Client>,
        operation: &str,
        given: &Arguments,
    ) -> Answer {
        match operation {
            "datagrams.open" => {
                let datagrams = clients.get(given)?.datagrams(given.text("service")?).await?;
                self.datagrams.insert(given, datagrams)?;
            }
            "datagrams.send" => {
                self.datagrams.get(given)?.send(given.text("contact")?, &given.bytes("bytes_b64")?)?;
            }
            "datagrams.next" => {
                let patience = given.seconds("timeout_seconds")?;
                let found = within(patience, self.datagrams.get(given)?.recv()).await??;
                let contact = contact_entry(&found.contact);
                return Ok(json!({"contact": contact, "bytes_b64": base64(&found.data)}));
            }
            "datagrams.close" => drop(self.datagrams.take(given)?),
            _ => return Err(Problem::Unknown),
        }
        Ok(json!({}))
    }

    async fn events(&mut self, clients: &mut Handles<Client>, operation: &str, given: &Arguments) -> Answer {
        match operation {
            "events.open" => {
                let mut kinds = given.texts("types")?.unwrap_or_default();
                kinds.push(FEED_OPENED);
                let mut events = clients.get(given)?.events(&kinds);
                next_event(&mut events, FEED_PATIENCE).await?;
                self.events.insert(given, events)?;
                Ok(json!({}))
            }
            "events.next" => {
                let patience = given.seconds("timeout_seconds")?;
                let events = self.events.get(given)?;
                loop {
                    let (kind, data) = next_event(events, patience).await?;
                    if kind != FEED_OPENED {
                        return Ok(json!({"type": kind, "data": data}));
                    }
                }
            }
            "events.close" => self.events.take(given).map(|_| json!({})),
            _ => Err(Problem::Unknown),
        }
    }
}

async fn next_event(events: &mut Events, patience: Duration) -> Result<(String, Json), Problem> {
    let next = within(patience, events.next()).await?;
    let event = next.ok_or_else(|| Problem::failed("there is no next event"))??;
    Ok((event.kind, event.data))
}

/// Reads until there are so many bytes; gives whether the end came before.
async fn fill(held: &mut HeldStream, length: usize) -> Result<bool, Problem> {
    let mut piece = vec![0; 64 * 1024];
    while held.rest.len() < length {
        let wanted = piece.len().min(length - held.rest.len());
        let count = held.stream.read(&mut piece[..wanted]).await?;
        if count == 0 {
            return Ok(true);
        }
        held.rest.extend_from_slice(&piece[..count]);
    }
    Ok(false)
}

/// Says that a call was cancelled, when its future is dropped.
struct WhenDropped(mpsc::UnboundedSender<()>);

impl Drop for WhenDropped {
    fn drop(&mut self) {
        let _ = self.0.send(()); // at the end of the program nobody listens
    }
}

async fn handle(call: IncomingCall, cancelled: mpsc::UnboundedSender<()>) -> p4_client::Result<Value> {
    match call.service.rsplit('.').next().unwrap_or_default() {
        "echo" => Ok(call.argument),
        "who" => Ok(call.contact.name.into()),
        "fail" => Err(Error::call_failed("too-hot", "It burns.", json!({"degrees": 99}))),
        "slow" => {
            let _told = WhenDropped(cancelled);
            std::future::pending().await
        }
        _ => panic!("private"),
    }
}
