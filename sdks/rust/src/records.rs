//! What the daemon tells, as in spec/daemon-api/openapi.json. Members that this version does not know are left out.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

macro_rules! records {
    ($($(#[$about:meta])* $name:ident { $($(#[$note:meta])* $field:ident: $kind:ty,)* })*) => {$(
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$note])* pub $field: $kind,)*
        }
    )*};
}

records! {
    /// Who a contact is.
    ContactName {
        /// Follows from its key; stays when it is renamed.
        id: String,
        /// As the user calls it; may be empty.
        name: String,
    }

    /// A contact and how it is at the moment.
    ContactStatus {
        /// Follows from its key.
        id: String,
        /// As the user calls it; may be empty.
        name: String,
        /// Whether there is a link.
        connected: bool,
        /// `connected`, `connecting`, `away`, … as `p4 status` shows it.
        state: String,
        /// Protocol version of the link; 0 without one.
        protocol: i64,
        /// Which paths may be used: `direct`, `relay-only`, `lan-only`.
        policy: String,
        /// The services of this device that it may use.
        grants: Vec<String>,
        /// Which way the link goes.
        path: Option<Path>,
        /// Seconds.
        round_trip: Option<f64>,
        /// Bytes a second.
        sending: Option<f64>,
        /// Bytes a second.
        receiving: Option<f64>,
        /// Messages that have not arrived yet.
        queued_messages: Option<i64>,
        /// Their size.
        queued_bytes: Option<i64>,
        /// Streams with it that are not over.
        open_streams: i64,
        /// Unix milliseconds; 0 for never.
        last_seen_ms: i64,
        /// Why there is no link, in a sentence.
        why_not: String,
        /// When the next attempt is made, Unix milliseconds.
        next_attempt_ms: Option<i64>,
        /// How the lanes of the link are.
        lanes: String,
        /// `no`, `verified`, or `verified-before-rotation`.
        verification: String,
        /// Whether links with it are refused.
        blocked: bool,
    }

    /// Which way a link goes.
    Path {
        /// `direct`, `relay`, …
        kind: String,
        /// `udp` or `tcp`.
        protocol: String,
        /// Kind of our end.
        local: String,
        /// Kind of its end.
        remote: String,
        /// Address of our end.
        local_address: String,
        /// Address of its end.
        remote_address: String,
        /// Bytes over this path.
        bytes_sent: i64,
        /// Bytes over this path.
        bytes_received: i64,
        /// Seconds.
        round_trip: Option<f64>,
    }

    /// Who this device is.
    DeviceIdentity {
        /// Follows from its key.
        id: String,
        /// What it calls itself towards those it pairs with.
        name: String,
        /// Raw Ed25519 key in base64.
        public_key: String,
        /// The newest that it speaks.
        protocol_version: i64,
    }

    /// The whole node at one moment.
    DeviceStatus {
        /// Of the device.
        id: String,
        /// When this was so, Unix milliseconds.
        moment_ms: i64,
        /// Since when the daemon runs, Unix milliseconds.
        started_ms: i64,
        /// Process of the daemon.
        pid: u32,
        /// Where the device is kept.
        state_directory: String,
        /// Whether others can find it.
        reachable: bool,
        /// How, in a sentence.
        reachability: String,
        /// When that was looked at, Unix milliseconds.
        checked_ms: Option<i64>,
        /// Under which it can be found.
        addresses: Vec<String>,
        /// TCP port where contacts call in direct mode; 0 for none.
        port: u16,
        /// On the local network.
        local_addresses: Vec<String>,
        /// Ports that a router gave.
        mappings: Vec<String>,
        /// Whether contacts are looked for on the local network.
        lan: bool,
        /// Of the programs.
        versions: BTreeMap<String, String>,
        /// Every contact.
        contacts: Vec<ContactStatus>,
    }

    /// Who serves and reads what in the daemon.
    Service {
        /// Its name.
        service: String,
        /// Whether calls are answered.
        serves_calls: bool,
        /// Programs that read its messages.
        reads_messages: i64,
        /// Programs that wait for its streams.
        accepts_streams: i64,
    }

    /// The words that two people compare.
    Verification {
        /// Whose they are.
        contact: ContactName,
        /// Six; the contact's device shows the same.
        words: Vec<String>,
        /// For which they are, base64.
        public_key: String,
        /// `no`, `verified`, or `verified-before-rotation`.
        verification: String,
        /// Whether links with it are refused.
        blocked: bool,
    }

    /// A part of what was said with a contact.
    ChatPage {
        /// Oldest first.
        entries: Vec<ChatEntry>,
        /// Asks for the page before this one; none at the beginning.
        before: Option<String>,
        /// How many were not shown to a person yet.
        unread: i64,
    }

    /// A contact's history in short.
    Conversation {
        /// With whom.
        contact: ContactName,
        /// Whether there is a link.
        connected: bool,
        /// How many were not shown to a person yet.
        unread: i64,
        /// The latest.
        last: Option<ChatEntry>,
    }

    /// One thing that was said. Its text is a stranger's.
    ChatEntry {
        /// Its place in the history, rising.
        id: String,
        /// The same on both devices.
        message_id: String,
        /// Whether this device said it.
        mine: bool,
        /// `text`, `file`, `data` or `unreadable`.
        kind: String,
        /// What was said.
        text: String,
        /// `name`, `size` and `transfer`, if it speaks of a file.
        file: Option<Json>,
        /// By its sender's clock, Unix milliseconds.
        sent_ms: i64,
        /// When it came into the history, Unix milliseconds.
        kept_ms: i64,
        /// `sending`, `queued`, `delivered`, `consumed`, `seen` or `failed`; of theirs `received`.
        state: String,
        /// Why it failed.
        reason: String,
    }
}

impl ContactName {
    /// The name, or the id of a contact that has none.
    #[must_use]
    pub fn label(&self) -> &str {
        if self.name.is_empty() { &self.id } else { &self.name }
    }
}

impl ContactStatus {
    /// The name, or the id of a contact that has none.
    #[must_use]
    pub fn label(&self) -> &str {
        if self.name.is_empty() { &self.id } else { &self.name }
    }
}

/// A token of an app.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Token {
    /// Names it; no secret.
    pub id: String,
    /// Whose it is.
    pub app: String,
    /// What it may use, each covering all below it; none for all.
    pub services: Option<Vec<String>>,
    /// Ids of those whom it may reach; none for all.
    pub contacts: Option<Vec<String>>,
    /// Unix milliseconds.
    pub created_ms: i64,
    /// Unix milliseconds; none for never.
    pub expires_ms: Option<i64>,
    /// The secret: only in the answer to making it.
    pub token: String,
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Token({} of {:?})", self.id, self.app) // never the secret
    }
}

/// An invite at one moment.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Invite {
    /// Names it; no secret.
    pub id: String,
    /// `link`, `words` or `local-words`.
    pub kind: String,
    /// The link or the words, secret; empty once it has ended.
    pub text: String,
    /// What the guest shall be called; empty for what it calls itself.
    pub name: String,
    /// Unix milliseconds.
    pub created_ms: i64,
    /// Unix milliseconds.
    pub expires_at_ms: i64,
    /// `open`, `claimed`, `paired`, or the code of why it ended.
    pub state: String,
    /// Whether a guest would find the device now.
    pub findable: bool,
    /// Why it ended, in sentences.
    pub message: String,
    /// Who is paired by it.
    pub contact: Option<ContactName>,
}

impl Invite {
    /// Whether a guest can still come.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self.state.as_str(), "open" | "claimed")
    }
}

impl fmt::Debug for Invite {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Invite({} {})", self.id, self.state) // never the secret
    }
}
