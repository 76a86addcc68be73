//! The client of one daemon.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper::Method;
use serde_json::{Value as Json, json};

use crate::chat::Chat;
use crate::connection::{Ask, Connection};
use crate::contact::Contact;
use crate::datagrams::Datagrams;
use crate::endpoint::{Finder, default_directory};
use crate::error::{Error, ErrorKind, Result};
use crate::events::Events;
use crate::limits;
use crate::messages::Messages;
use crate::pairing::Pairing;
use crate::records::{ContactStatus, DeviceIdentity, DeviceStatus, Service, Token};
use crate::serving::{IncomingCall, Serving};
use crate::streams::Stream;
use crate::value::{Value, member, quoted, record};

/// How a program reaches the daemon. Without any choice: that of `~/.p4`.
#[derive(Clone, Debug)]
#[must_use]
pub struct Options {
    state_dir: Option<PathBuf>,
    address: Option<(String, Secret)>,
    restart: Duration,
}

#[derive(Clone)]
struct Secret(String);

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("…")
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { state_dir: None, address: None, restart: limits::RESTART }
    }
}

impl Options {
    /// The daemon of this state directory, found by what it wrote there; as the device's owner.
    pub fn state_dir(mut self, directory: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(directory.into());
        self
    }

    /// The daemon at an address, `http://127.0.0.1:PORT`, with the token of an app (`p4 token new`).
    pub fn address(mut self, url: impl Into<String>, token: impl Into<String>) -> Self {
        self.address = Some((url.into(), Secret(token.into())));
        self
    }

    /// How long everything waits for a daemon that has gone: 20 s.
    pub fn restart_patience(mut self, patience: Duration) -> Self {
        self.restart = patience;
        self
    }

    /// Connects. Fails with `no-daemon` if none runs; `p4 up` starts one.
    pub async fn connect(self) -> Result<Client> {
        let finder = match (self.state_dir, self.address) {
            (Some(_), Some(_)) => {
                let text = "Give either a state directory, or an address and a token.";
                return Err(Error::new(ErrorKind::Input, "bad-endpoint", text));
            }
            (None, Some((url, token))) => Finder::url(&url, &token.0)?,
            (Some(directory), None) => Finder::StateDirectory(directory),
            (None, None) => Finder::StateDirectory(default_directory()?),
        };
        let client = Client { connection: Arc::new(Connection::new(finder, self.restart)) };
        client.identity().await?;
        Ok(client)
    }
}

/// Connects to the daemon of `~/.p4`; [`Options`] for others.
pub async fn connect() -> Result<Client> {
    Options::default().connect().await
}

/// A connection to the daemon. Cheap to clone; use it from as many tasks as you like, within one runtime.
///
/// It goes on by itself when the daemon restarts. Whatever is asked while the daemon is away waits for it, 20 s
/// if not told otherwise, and then fails with `no-daemon`. What changes something is never sent twice: if the
/// daemon ended while it worked on it, that fails with `connection-lost`.
#[derive(Clone)]
pub struct Client {
    pub(crate) connection: Arc<Connection>,
}

impl fmt::Debug for Client {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Client").finish_non_exhaustive()
    }
}

impl Client {
    /// Who this device is.
    pub async fn identity(&self) -> Result<DeviceIdentity> {
        record(&self.connection.request(Ask::get("/v1/identity")).await?)
    }

    /// Calls this device otherwise towards those it pairs with from now on; empty for the machine's name.
    pub async fn rename_device(&self, name: &str) -> Result<DeviceIdentity> {
        let ask = Ask::new(Method::PATCH, "/v1/identity").body(json!({"name": name})).repeatable(true);
        record(&self.connection.request(ask).await?)
    }

    /// How the node and all its contacts are.
    pub async fn status(&self) -> Result<DeviceStatus> {
        record(&self.connection.request(Ask::get("/v1/status")).await?)
    }

    /// Who serves and reads what in this daemon.
    pub async fn services(&self) -> Result<Vec<Service>> {
        member(&self.connection.request(Ask::get("/v1/services")).await?, "services")
    }

    /// What happens in the daemon from now on: `&["link.up"]`, or `&[]` for everything.
    #[must_use]
    pub fn events(&self, kinds: &[&str]) -> Events {
        Events::new(&self.connection, kinds)
    }

    /// Asks the daemon to end. What was accepted is on disk.
    pub async fn shutdown(&self) -> Result<()> {
        self.connection.request(Ask::new(Method::POST, "/v1/shutdown")).await.map(drop)
    }

    // -- contacts

    /// A contact by its name, its id, or a unique beginning of its id; it is looked up when it is used.
    pub fn contact(&self, reference: &str) -> Result<Contact> {
        Contact::new(self.clone(), reference)
    }

    /// All contacts, and how each is.
    pub async fn contacts(&self) -> Result<Vec<ContactStatus>> {
        member(&self.connection.request(Ask::get("/v1/contacts")).await?, "contacts")
    }

    /// Invites, and taking those of others.
    #[must_use]
    pub fn pairing(&self) -> Pairing {
        Pairing::new(Arc::clone(&self.connection))
    }

    /// What people say to each other.
    #[must_use]
    pub fn chat(&self) -> Chat {
        Chat::new(Arc::clone(&self.connection))
    }

    // -- what contacts send and ask

    /// The messages of contacts for a service, each once: see [`Messages`].
    ///
    /// Reading fails with `in-use` for services that the daemon's own apps read, such as `chat`.
    pub fn messages(&self, service: &str) -> Result<Messages> {
        self.messages_within(service, limits::WINDOW)
    }

    /// As [`messages`](Client::messages), but so many (1 to 256) come before one must be done.
    pub fn messages_within(&self, service: &str, window: u16) -> Result<Messages> {
        Messages::new(&self.connection, service, "", window)
    }

    /// The next byte stream that a contact opens to a service; waits for it, also over restarts of the daemon.
    ///
    /// One that was not finished comes again: go on at its [`position`](Stream::position).
    pub async fn next_stream(&self, service: &str) -> Result<Stream> {
        Stream::incoming(&self.connection, service, "").await
    }

    /// Datagrams of a service, from and to all contacts.
    pub async fn datagrams(&self, service: &str) -> Result<Datagrams> {
        Datagrams::open(&self.connection, service).await
    }

    /// Answers the calls for a service, from when this returns until what it gives is dropped.
    ///
    /// The handler gives the result, or [`Error::call_failed`], which reaches the caller as it is; of any other
    /// error the caller learns `internal` only. Its future is dropped when nobody waits for the result any more.
    /// Fails with `already-served` if another program serves it.
    pub async fn serve<H, F, V>(&self, service: &str, handler: H) -> Result<Serving>
    where
        H: Fn(IncomingCall) -> F + Send + Sync + 'static,
        F: Future<Output = Result<V>> + Send + 'static,
        V: Into<Value>,
    {
        Serving::start(&self.connection, service, handler).await
    }

    // -- who else may use the daemon

    /// The tokens of apps, without their secrets.
    pub async fn tokens(&self) -> Result<Vec<Token>> {
        member(&self.connection.request(Ask::get("/v1/tokens")).await?, "tokens")
    }

    /// Makes a token for an app; its `token` is told this once.
    ///
    /// `services` and `contacts` name what it may use and whom it may reach, none for all; it expires after
    /// `lifetime`, none for never.
    pub async fn new_token(
        &self,
        app: &str,
        services: Option<&[&str]>,
        contacts: Option<&[&str]>,
        lifetime: Option<Duration>,
    ) -> Result<Token> {
        let expires_in = lifetime.map(|lifetime| lifetime.as_secs_f64());
        let body = json!({"app": app, "services": services, "contacts": contacts, "expires_in": expires_in});
        record(&self.connection.request(Ask::post("/v1/tokens", body)).await?)
    }

    /// Ends a token, and what is under way with it.
    pub async fn revoke_token(&self, id: &str) -> Result<()> {
        let ask = Ask::new(Method::DELETE, format!("/v1/tokens/{}", quoted(id)?)).repeatable(false);
        self.connection.request(ask).await.map(drop)
    }

    // -- everything else

    /// Asks any route of the daemon, such as `GET /v1/transfers`; see its openapi.json.
    ///
    /// Gives the JSON of the answer, null for an empty one. Waits for a daemon that restarts; what may not be
    /// sent twice by its method (POST, PATCH) is not.
    pub async fn request(&self, method: &str, path: &str, body: Option<Json>) -> Result<Json> {
        let method: Method = method.parse().map_err(|_| {
            Error::new(ErrorKind::Input, "bad-method", "That is no method of HTTP. Nothing was done.")
        })?;
        let mut ask = Ask::new(method, path);
        if let Some(body) = body {
            ask = ask.body(body);
        }
        let data = self.connection.request(ask).await?;
        if data.is_empty() { Ok(Json::Null) } else { record(&data) }
    }
}
