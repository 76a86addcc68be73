//! One contact, through the daemon.

use std::fmt;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value as Json, json};

use crate::client::Client;
use crate::connection::Ask;
use crate::error::Result;
use crate::limits;
use crate::messages::Messages;
use crate::outbox;
use crate::receipts::Receipt;
use crate::records::{ChatEntry, ContactStatus, Verification};
use crate::streams::Stream;
use crate::value::{Value, member, quoted, record};

/// A contact by its name, its id, or a unique beginning of its id. Made by [`Client::contact`]; asks nothing by
/// itself. Everything fails with `unknown` or `ambiguous` if no contact is meant by it.
#[derive(Clone)]
pub struct Contact {
    client: Client,
    reference: String,
    path: String,
}

/// How a message is to be kept until it arrives.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct SendOptions {
    ttl: Option<Duration>,
    latest: String,
}

impl SendOptions {
    /// After this it is of no use any more, and is dropped.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// It replaces earlier ones with the same key that have not arrived yet.
    pub fn latest(mut self, key: impl Into<String>) -> Self {
        self.latest = key.into();
        self
    }
}

impl Contact {
    pub(crate) fn new(client: Client, reference: &str) -> Result<Self> {
        let path = format!("/v1/contacts/{}", quoted(reference)?);
        Ok(Self { client, reference: reference.into(), path })
    }

    /// How it is now.
    pub async fn status(&self) -> Result<ContactStatus> {
        record(&self.client.connection.request(Ask::get(&self.path)).await?)
    }

    /// The round trip through the contact's program.
    pub async fn ping(&self) -> Result<Duration> {
        let answer: Json = record(&self.ask(Method::POST, "/ping", None, true).await?)?;
        let seconds = answer["round_trip"].as_f64().unwrap_or_default();
        Ok(Duration::try_from_secs_f64(seconds).unwrap_or_default())
    }

    /// Cuts the link, which comes back by itself; false if there was none.
    pub async fn drop_link(&self) -> Result<bool> {
        member(&self.ask(Method::POST, "/drop", None, false).await?, "dropped")
    }

    /// Calls it something else. Fails with `name-taken`.
    pub async fn rename(&self, name: &str) -> Result<ContactStatus> {
        record(&self.ask(Method::PATCH, "", Some(json!({"name": name})), true).await?)
    }

    /// Forgets it, and what waits for it and from it.
    pub async fn remove(&self) -> Result<()> {
        self.ask(Method::DELETE, "", None, false).await.map(drop)
    }

    /// Which paths to it may be used: `direct`, `relay-only` or `lan-only`.
    pub async fn set_policy(&self, policy: &str) -> Result<()> {
        self.ask(Method::PUT, "/policy", Some(json!({"policy": policy})), true).await.map(drop)
    }

    /// Refuses links with it, or is its contact again; on disk when this returns.
    pub async fn set_blocked(&self, blocked: bool) -> Result<()> {
        self.ask(Method::PUT, "/block", Some(json!({"blocked": blocked})), true).await.map(drop)
    }

    /// The words that two people compare.
    pub async fn verification(&self) -> Result<Verification> {
        record(&self.ask(Method::GET, "/verification", None, true).await?)
    }

    /// A person compared the words for this key, or takes that back. Fails with `changed-key` if the contact
    /// has another key by now.
    pub async fn verify(&self, public_key: &str, verified: bool) -> Result<Verification> {
        let body = json!({"verified": verified, "public_key": public_key});
        record(&self.ask(Method::PUT, "/verification", Some(body), true).await?)
    }

    // -- what it may use here

    /// The services of this device that it may use.
    pub async fn grants(&self) -> Result<Vec<String>> {
        member(&self.ask(Method::GET, "/grants", None, true).await?, "grants")
    }

    /// Lets it use these too; gives all that it may use then. On disk when this returns.
    pub async fn grant(&self, services: &[&str]) -> Result<Vec<String>> {
        let body = json!({"services": services});
        member(&self.ask(Method::POST, "/grants", Some(body), true).await?, "grants")
    }

    /// Lets it use this no more. Fails with `unknown` for what it does not have.
    pub async fn revoke(&self, service: &str) -> Result<()> {
        let path = format!("/grants/{}", quoted(service)?);
        self.ask(Method::DELETE, &path, None, false).await.map(drop)
    }

    // -- messages

    /// Hands over a message. It is on disk when this returns, and arrives once, in order.
    ///
    /// What several tasks hand over at a time goes to the daemon together, which is many times as fast; each has
    /// its own receipt, or error. Dropping the future before its turn came takes the message back.
    ///
    /// Fails with `connection-lost` if the daemon ended in this moment: it may have been accepted.
    pub async fn send(&self, service: &str, value: impl Into<Value>) -> Result<Receipt> {
        self.send_with(service, value, SendOptions::default()).await
    }

    /// As [`send`](Contact::send), with options.
    pub async fn send_with(
        &self,
        service: &str,
        value: impl Into<Value>,
        options: SendOptions,
    ) -> Result<Receipt> {
        let (connection, path) = (&self.client.connection, format!("{}/messages", self.path));
        let alone = !options.latest.is_empty();
        let entry = outbox::send(connection, path, service, value.into(), options.members(), alone).await?;
        Ok(Receipt::new(connection, entry))
    }

    /// Hands over several messages, all or none, with one write to disk.
    pub async fn send_many<V: Into<Value>>(
        &self,
        service: &str,
        values: impl IntoIterator<Item = V>,
    ) -> Result<Vec<Receipt>> {
        let values: Vec<Json> = values.into_iter().map(|value| value.into().encoded()).collect();
        let body = json!({"service": service, "values": values});
        let data = self.ask(Method::POST, "/messages/batch", Some(body), false).await?;
        let entries: Vec<_> = member(&data, "receipts")?;
        Ok(entries.into_iter().map(|entry| Receipt::new(&self.client.connection, entry)).collect())
    }

    /// Says something to a person: it stands in the history that `p4 chat` and the web page show.
    pub async fn say(&self, text: &str) -> Result<ChatEntry> {
        self.client.chat().say(&self.reference, text).await
    }

    /// Its messages for a service; see [`Messages`].
    pub fn messages(&self, service: &str) -> Result<Messages> {
        Messages::new(&self.client.connection, service, &self.reference, limits::WINDOW)
    }

    // -- calls and streams

    /// Asks a service of the contact and waits at most 30 s for its reply. It is executed at most once.
    ///
    /// Fails with an error that tells whether it [may have been executed](crate::Error::may_have_run). Dropping
    /// the future cancels the call.
    pub async fn call(&self, service: &str, argument: impl Into<Value>) -> Result<Value> {
        self.call_within(service, argument, limits::CALL).await
    }

    /// As [`call`](Contact::call), with another deadline.
    pub async fn call_within(
        &self,
        service: &str,
        argument: impl Into<Value>,
        deadline: Duration,
    ) -> Result<Value> {
        let mut body = argument.into().encoded();
        body["deadline"] = deadline.as_secs_f64().into();
        let path = format!("{}/calls/{}", self.path, quoted(service)?);
        let ask = Ask::post(path, body).patience(deadline.saturating_add(limits::WAIT));
        Value::decoded(&mut record(&self.client.connection.request(ask).await?)?)
    }

    /// A byte stream to a service: the one of this name, if it was opened before.
    ///
    /// Fails with `not-granted` or `too-many`.
    pub async fn stream(&self, service: &str, name: &str) -> Result<Stream> {
        Stream::open(&self.client.connection, &self.path, service, name).await
    }

    /// The next stream that it opens to a service of this device; see [`Client::next_stream`].
    pub async fn next_stream(&self, service: &str) -> Result<Stream> {
        Stream::incoming(&self.client.connection, service, &self.reference).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Json>,
        repeatable: bool,
    ) -> Result<bytes::Bytes> {
        let mut ask = Ask::new(method, format!("{}{path}", self.path)).repeatable(repeatable);
        if let Some(body) = body {
            ask = ask.body(body);
        }
        self.client.connection.request(ask).await
    }
}

impl SendOptions {
    /// As members of an object that has one before.
    fn members(&self) -> String {
        let ttl = self.ttl.map(|ttl| format!(",\"ttl\":{}", Json::from(ttl.as_secs_f64())));
        let latest = (!self.latest.is_empty()).then(|| format!(",\"latest\":{}", Json::from(&*self.latest)));
        [ttl, latest].into_iter().flatten().collect()
    }
}

impl fmt::Debug for Contact {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Contact({:?})", self.reference)
    }
}
