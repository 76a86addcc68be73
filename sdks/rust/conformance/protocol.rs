//! What all operations have in common: arguments, results and errors (conformance/README.md).

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p4_client::{ContactName, Error, ErrorKind, Value};
use serde_json::{Map, Value as Json, json};

/// Why an operation has no result.
pub(crate) enum Problem {
    /// The SDK's error, as the protocol tells it.
    Refused(Json),
    /// Anything else: a bug.
    Failed(String),
    /// The command does not know the operation.
    Unknown,
}

pub(crate) type Answer = Result<Json, Problem>;

impl Problem {
    pub(crate) fn refused(code: &str, message: impl fmt::Display) -> Self {
        Self::Refused(json!({"code": code, "message": message.to_string()}))
    }

    pub(crate) fn failed(message: impl fmt::Display) -> Self {
        Self::Failed(message.to_string())
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let mut entry = json!({"code": error.code(), "message": error.message()});
        let kind = error.kind();
        if kind == ErrorKind::CallFailed {
            entry["type"] = json!("CallFailed");
            entry["service_data"] = error.data().clone();
        } else if let Some(name) = error.data()["type"].as_str() {
            entry["type"] = json!(name);
        } else if matches!(kind, ErrorKind::Contact | ErrorKind::Delivery | ErrorKind::Stream) {
            entry["type"] = json!(format!("{kind:?}Error"));
        }
        if matches!(kind, ErrorKind::Call | ErrorKind::CallFailed) {
            entry["may_have_run"] = json!(error.may_have_run());
        }
        Self::Refused(entry)
    }
}

impl From<io::Error> for Problem {
    fn from(error: io::Error) -> Self {
        match error.downcast::<Error>() {
            Ok(error) => error.into(),
            Err(error) => Self::failed(error),
        }
    }
}

impl From<p4_client::core::Error> for Problem {
    fn from(error: p4_client::core::Error) -> Self {
        Self::refused(error.code().as_str(), error.message())
    }
}

impl From<serde_json::Error> for Problem {
    fn from(error: serde_json::Error) -> Self {
        Self::failed(error)
    }
}

/// The arguments of a request.
pub(crate) struct Arguments(pub(crate) Map<String, Json>);

impl Arguments {
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn json(&self, name: &str) -> Result<&Json, Problem> {
        self.0.get(name).ok_or_else(|| Problem::failed(format!("{name} is missing")))
    }

    pub(crate) fn text(&self, name: &str) -> Result<&str, Problem> {
        self.json(name)?.as_str().ok_or_else(|| Problem::failed(format!("{name} is no text")))
    }

    /// A text that may be missing; then it is empty.
    pub(crate) fn text_or_empty(&self, name: &str) -> &str {
        self.0.get(name).and_then(Json::as_str).unwrap_or_default()
    }

    /// A list of texts; none for null.
    pub(crate) fn texts(&self, name: &str) -> Result<Option<Vec<&str>>, Problem> {
        let list = self.json(name)?.as_array();
        Ok(list.map(|texts| texts.iter().filter_map(Json::as_str).collect()))
    }

    pub(crate) fn number(&self, name: &str) -> Result<u64, Problem> {
        self.json(name)?.as_u64().ok_or_else(|| Problem::failed(format!("{name} is no whole number")))
    }

    pub(crate) fn seconds(&self, name: &str) -> Result<Duration, Problem> {
        let seconds = self.json(name)?.as_f64().unwrap_or(-1.0);
        Duration::try_from_secs_f64(seconds).map_err(Problem::failed)
    }

    pub(crate) fn bytes(&self, name: &str) -> Result<Vec<u8>, Problem> {
        STANDARD.decode(self.text(name)?).map_err(Problem::failed)
    }

    pub(crate) fn hex(&self, name: &str) -> Result<Vec<u8>, Problem> {
        hex(self.text(name)?)
    }

    pub(crate) fn value(&self) -> Result<Value, Problem> {
        value_of(&self.0)
    }
}

/// The value among members: JSON, or bytes.
pub(crate) fn value_of(members: &Map<String, Json>) -> Result<Value, Problem> {
    match (members.get("base64").and_then(Json::as_str), members.get("value")) {
        (Some(text), _) => Ok(STANDARD.decode(text).map_err(Problem::failed)?.into()),
        (None, Some(value)) => Ok(value.clone().into()),
        (None, None) => Err(Problem::failed("there is no value")),
    }
}

/// A value as members of a result.
pub(crate) fn members(value: &Value) -> Json {
    match value.as_bytes() {
        Some(bytes) => json!({"base64": STANDARD.encode(bytes)}),
        None => json!({"value": value.as_json()}),
    }
}

/// A contact in a result.
pub(crate) fn contact_entry(contact: &ContactName) -> Json {
    json!({"id": contact.id, "name": contact.name})
}

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

pub(crate) fn hex(text: &str) -> Result<Vec<u8>, Problem> {
    let digits = |at| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
    (0..text.len())
        .step_by(2)
        .map(digits)
        .collect::<Option<_>>()
        .ok_or_else(|| Problem::failed("this is no hex"))
}

/// Waits at most so long.
pub(crate) async fn within<T>(patience: Duration, future: impl Future<Output = T>) -> Result<T, Problem> {
    let late = |_| Problem::refused("timeout", format!("Nothing came within {patience:?}."));
    tokio::time::timeout(patience, future).await.map_err(late)
}

/// Things by their handles.
pub(crate) struct Handles<T> {
    kind: &'static str,
    things: HashMap<String, T>,
}

impl<T> Handles<T> {
    pub(crate) fn new(kind: &'static str) -> Self {
        Self { kind, things: HashMap::new() }
    }

    pub(crate) fn insert(&mut self, given: &Arguments, thing: T) -> Result<(), Problem> {
        self.things.insert(given.text(self.kind)?.to_owned(), thing);
        Ok(())
    }

    pub(crate) fn get(&mut self, given: &Arguments) -> Result<&mut T, Problem> {
        let name = given.text(self.kind)?;
        self.things
            .get_mut(name)
            .ok_or_else(|| Problem::refused("no-handle", format!("There is no {} {name}.", self.kind)))
    }

    pub(crate) fn take(&mut self, given: &Arguments) -> Result<T, Problem> {
        let name = given.text(self.kind)?;
        self.things
            .remove(name)
            .ok_or_else(|| Problem::refused("no-handle", format!("There is no {} {name}.", self.kind)))
    }
}
