//! What people say to each other (spec/daemon-api, "Chat").

use std::sync::Arc;

use hyper::Method;
use serde_json::{Value as Json, json};

use crate::connection::{Ask, Connection};
use crate::error::{Error, ErrorKind, Result};
use crate::events::{Events, FEED_OPENED};
use crate::records::{ChatEntry, ChatPage, Conversation};
use crate::value::{member, quoted, record, with_query};

/// The chat of the daemon's device; see [`Client::chat`](crate::Client::chat).
///
/// What is new comes as the [events](crate::Client::events) `chat.message` and `chat.receipt`.
pub struct Chat {
    connection: Arc<Connection>,
}

/// The states of what this device says, in their order.
const PROGRESS: [&str; 5] = ["sending", "queued", "delivered", "consumed", "seen"];

impl Chat {
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        Self { connection }
    }

    /// Every contact's history in short.
    pub async fn conversations(&self) -> Result<Vec<Conversation>> {
        member(&self.connection.request(Ask::get("/v1/chat")).await?, "conversations")
    }

    /// At most `limit` (1 to 200) entries of the history with a contact: those before an entry, or the latest.
    pub async fn page(&self, contact: &str, before: Option<&str>, limit: u16) -> Result<ChatPage> {
        let limit = limit.to_string();
        let query = [("before", before.unwrap_or_default()), ("limit", &limit)];
        record(&self.connection.request(Ask::get(with_query(&path(contact)?, &query))).await?)
    }

    /// Says something; on disk when this returns.
    pub async fn say(&self, contact: &str, text: &str) -> Result<ChatEntry> {
        record(&self.connection.request(Ask::post(path(contact)?, json!({"text": text}))).await?)
    }

    /// Waits until what was said has come so far: `delivered`, `consumed` or `seen`. Also after restarts.
    ///
    /// Fails with [`ErrorKind::Delivery`] if the contact does not take it.
    pub async fn wait(&self, contact: &str, entry: &ChatEntry, state: &str) -> Result<()> {
        let place = |state: &str| PROGRESS.iter().position(|other| *other == state);
        let mut events = Events::new(&self.connection, &[FEED_OPENED, "chat.receipt"]);
        let after = entry.id.parse::<u64>().ok().map(|id| (id + 1).to_string());
        loop {
            let event = events.next().await.unwrap_or_else(|| Err(Error::closed()))?;
            let entries: Vec<ChatEntry> = match event.data {
                Json::Object(mut data) => {
                    let entries = data.remove("entries").unwrap_or_default();
                    serde_json::from_value(entries).map_err(Error::not_understood)?
                }
                // It may have come further while nobody told.
                _ => self.page(contact, after.as_deref(), 1).await?.entries,
            };
            for now in entries.iter().filter(|now| now.message_id == entry.message_id && now.mine) {
                if now.state == "failed" {
                    return Err(Error::new(ErrorKind::Delivery, "refused", &now.reason));
                }
                if place(&now.state).is_some_and(|place_now| Some(place_now) >= place(state)) {
                    return Ok(());
                }
            }
        }
    }

    /// A person was shown everything up to this entry (its `id`); the contact is told.
    pub async fn mark_read(&self, contact: &str, through: &str) -> Result<()> {
        let ask = Ask::post(format!("{}/read", path(contact)?), json!({"through": through})).repeatable(true);
        self.connection.request(ask).await.map(drop)
    }

    /// A person is writing; say it as often as you like.
    pub async fn typing(&self, contact: &str) -> Result<()> {
        self.connection.request(Ask::new(Method::POST, format!("{}/typing", path(contact)?))).await.map(drop)
    }

    /// Forgets the history, here only.
    pub async fn clear(&self, contact: &str) -> Result<()> {
        self.connection.request(Ask::new(Method::DELETE, path(contact)?)).await.map(drop)
    }
}

fn path(contact: &str) -> Result<String> {
    Ok(format!("/v1/chat/{}", quoted(contact)?))
}
