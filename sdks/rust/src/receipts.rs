//! What becomes of a message.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;

use crate::connection::{Ask, Connection};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use crate::records::ContactName;
use crate::value::{quoted, record, with_query};

/// How far a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum MessageState {
    /// On this device's disk.
    Queued,
    /// On the contact's disk.
    Delivered,
    /// The contact's program has dealt with it.
    Consumed,
    /// It will not arrive.
    Dropped,
}

#[derive(Clone, Deserialize)]
pub(crate) struct Entry {
    id: String,
    contact: ContactName,
    state: MessageState,
    #[serde(default)]
    reason: String,
}

/// One accepted message and what becomes of it.
///
/// The daemon remembers receipts until it ends; after that waiting fails with `unknown`, and the message arrives
/// all the same.
#[derive(Clone)]
pub struct Receipt {
    connection: Arc<Connection>,
    entry: Entry,
}

impl Receipt {
    pub(crate) fn new(connection: &Arc<Connection>, entry: Entry) -> Self {
        Self { connection: Arc::clone(connection), entry }
    }

    /// Names the message for ever; the contact's program sees the same.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.entry.id
    }

    /// For whom it is.
    #[must_use]
    pub fn contact(&self) -> &ContactName {
        &self.entry.contact
    }

    /// How far it had come when this receipt was last told.
    #[must_use]
    pub fn state(&self) -> MessageState {
        self.entry.state
    }

    /// Waits until it is on the contact's disk. Fails with an [`ErrorKind::Delivery`] if it never will be.
    pub async fn delivered(&mut self) -> Result<()> {
        self.wait(MessageState::Delivered, "delivered").await
    }

    /// Waits until the contact's program has dealt with it.
    pub async fn consumed(&mut self) -> Result<()> {
        self.wait(MessageState::Consumed, "consumed").await
    }

    async fn wait(&mut self, wanted: MessageState, name: &str) -> Result<()> {
        let path =
            format!("/v1/contacts/{}/receipts/{}", quoted(&self.entry.contact.id)?, quoted(&self.entry.id)?);
        let seconds = limits::WAIT.as_secs().to_string();
        let path = with_query(&path, &[("wait", name), ("timeout", &seconds)]);
        while self.entry.state < wanted {
            let ask = Ask::get(&path).patience(2 * limits::WAIT);
            self.entry = record(&self.connection.request(ask).await?)?;
        }
        if self.entry.state == MessageState::Dropped {
            let reason = &self.entry.reason;
            let text = format!("The message will not arrive: {reason}.");
            return Err(Error::new(ErrorKind::Delivery, reason, text));
        }
        Ok(())
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Receipt({} {:?})", self.entry.id, self.entry.state)
    }
}
