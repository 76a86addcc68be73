//! Pairing: invites of this device, and taking those of others.

use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use serde_json::json;
use tokio::time::sleep;

use crate::connection::{Ask, Connection};
use crate::error::{Error, ErrorKind, Result};
use crate::records::{ContactName, ContactStatus, Invite};
use crate::value::{member, quoted, record, with_query};

const INVITES: &str = "/v1/invites";
/// How long one request waits for an invite; then it is sent again.
const WAIT_SECONDS: &str = "25";
/// What the daemon may need beyond the patience of its user.
const MARGIN: Duration = Duration::from_secs(30);

/// Pairing of the daemon's device; see [`Client::pairing`](crate::Client::pairing).
///
/// ```no_run
/// # async fn example(me: p4_client::Client) -> p4_client::Result<()> {
/// let invite = me.pairing().invite().await?;
/// println!("On the other device: p4 add {}", invite.text);
/// let phone = me.pairing().paired(&invite.id).await?;
/// println!("Paired with {}.", phone.label());
/// # Ok(())
/// # }
/// ```
pub struct Pairing {
    connection: Arc<Connection>,
}

/// What kind of invite it shall be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum InviteKind {
    /// A link: to send, or to show as a QR code.
    #[default]
    Link,
    /// Eight words: to say.
    Words,
    /// Two words, for a device on the same local network.
    LocalWords,
}

impl Pairing {
    pub(crate) fn new(connection: Arc<Connection>) -> Self {
        Self { connection }
    }

    /// Makes a link that one device can use within ten minutes; on the daemon's disk when this returns.
    pub async fn invite(&self) -> Result<Invite> {
        self.invite_with(InviteKind::Link, Duration::from_secs(600), "").await
    }

    /// As [`invite`](Pairing::invite), of another kind or for another time. `name` is what the guest shall be
    /// called; empty for what it calls itself.
    pub async fn invite_with(&self, kind: InviteKind, lifetime: Duration, name: &str) -> Result<Invite> {
        let kind = match kind {
            InviteKind::Link => "link",
            InviteKind::Words => "words",
            InviteKind::LocalWords => "local-words",
        };
        let body = json!({"kind": kind, "lifetime": lifetime.as_secs_f64(), "name": name});
        record(&self.connection.request(Ask::post(INVITES, body)).await?)
    }

    /// The open invites, the oldest first.
    pub async fn invites(&self) -> Result<Vec<Invite>> {
        member(&self.connection.request(Ask::get(INVITES)).await?, "invites")
    }

    /// Waits until a guest would find this device by an invite, or the invite has ended.
    pub async fn findable(&self, id: &str) -> Result<Invite> {
        loop {
            let invite = self.read(id, "findable").await?;
            if invite.findable || !invite.is_open() {
                return Ok(invite);
            }
        }
    }

    /// Waits until both sides are paired, and gives the guest. Goes on over restarts of the daemon.
    ///
    /// Fails with an [`ErrorKind::Pairing`] if the invite ended otherwise, with the reason as its code.
    pub async fn paired(&self, id: &str) -> Result<ContactName> {
        loop {
            let invite = self.read(id, "ended").await?;
            match invite.contact {
                Some(contact) => return Ok(contact),
                // The daemon ends; its next run has the invite.
                None if invite.state == "closed" => sleep(Duration::from_secs(1)).await,
                None if invite.is_open() => {}
                None => return Err(Error::new(ErrorKind::Pairing, invite.state, invite.message)),
            }
        }
    }

    /// Takes an invite back; one that has ended stays as it is.
    pub async fn cancel(&self, id: &str) -> Result<()> {
        let path = format!("{INVITES}/{}", quoted(id)?);
        self.connection.request(Ask::new(Method::DELETE, path)).await.map(drop)
    }

    /// Takes the invite of another device: a link, words, or the JSON of version 1. Gives the contact when both
    /// sides have each other on disk; looks for the other device for two minutes.
    ///
    /// `name` is what it shall be called here; empty for what it calls itself.
    pub async fn add(&self, invite: &str, name: &str) -> Result<ContactStatus> {
        self.add_within(invite, name, Duration::from_secs(120)).await
    }

    /// As [`add`](Pairing::add), with another patience.
    pub async fn add_within(&self, invite: &str, name: &str, patience: Duration) -> Result<ContactStatus> {
        let body = json!({"invite": invite, "name": name, "patience": patience.as_secs_f64()});
        // To be paired twice by the same link is to be paired.
        let ask = Ask::post("/v1/pairings", body).repeatable(true).patience(patience.saturating_add(MARGIN));
        record(&self.connection.request(ask).await?)
    }

    async fn read(&self, id: &str, wait: &str) -> Result<Invite> {
        let path = format!("{INVITES}/{}", quoted(id)?);
        let path = with_query(&path, &[("wait", wait), ("timeout", WAIT_SECONDS)]);
        record(&self.connection.request(Ask::get(path)).await?)
    }
}
