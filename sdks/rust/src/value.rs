//! What is sent and what arrives: JSON or bytes (spec/daemon-api, "Rules for all routes"), and paths.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use crate::error::{Error, ErrorKind, Result};

/// What a message or a call carries: a JSON value or bytes, up to 1 MiB.
///
/// ```
/// # use p4_client::Value;
/// let text = Value::from("hello");
/// let bytes = Value::from(vec![1_u8, 2]);
/// let json = Value::from(serde_json::json!({"on": true}));
/// assert_eq!(text.as_str(), Some("hello"));
/// # let _ = (bytes, json);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Any JSON value, also null.
    Json(Json),
    /// Bytes.
    Bytes(Bytes),
}

impl Value {
    /// Any value of Rust that serde can write, as JSON.
    pub fn json(value: &impl Serialize) -> Result<Self> {
        serde_json::to_value(value).map(Self::Json).map_err(|error| {
            let text = format!("The value cannot be written as JSON: {error}. Nothing was sent.");
            Error::new(ErrorKind::Input, "bad-value", text)
        })
    }

    /// The value as a type of Rust that serde can read. Fails with `bad-body` if it is not of that form.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T> {
        let bad = |reason: String| Error::new(ErrorKind::Remote, "bad-body", reason);
        match self {
            Self::Json(value) => {
                T::deserialize(value).map_err(|error| bad(format!("It has another form: {error}.")))
            }
            Self::Bytes(_) => Err(bad("It is bytes, and not JSON.".into())),
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Json(value) => value.as_str(),
            Self::Bytes(_) => None,
        }
    }

    /// The JSON value, if it is one.
    #[must_use]
    pub fn as_json(&self) -> Option<&Json> {
        match self {
            Self::Json(value) => Some(value),
            Self::Bytes(_) => None,
        }
    }

    /// The bytes, if they are.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Json(_) => None,
            Self::Bytes(bytes) => Some(bytes),
        }
    }

    /// As members of a request: an object with `value` or `base64`.
    pub(crate) fn encoded(self) -> Json {
        match self {
            Self::Json(value) => json!({"value": value}),
            Self::Bytes(bytes) => json!({"base64": STANDARD.encode(bytes)}),
        }
    }

    /// From the members of an answer. Fails with `bad-body` if the contact's program sent what is no JSON.
    pub(crate) fn decoded(entry: &mut Json) -> Result<Self> {
        if let Some(text) = entry["base64"].as_str() {
            let bytes = STANDARD.decode(text).map_err(Error::not_understood)?;
            return Ok(Self::Bytes(bytes.into()));
        }
        if let Some(value) = entry.get_mut("value") {
            return Ok(Self::Json(value.take()));
        }
        let problem = entry["problem"].as_str().unwrap_or("It has neither a JSON value nor bytes.");
        Err(Error::new(ErrorKind::Remote, "bad-body", problem))
    }
}

impl Default for Value {
    fn default() -> Self {
        Self::Json(Json::Null)
    }
}

macro_rules! from_json {
    ($($kind:ty),*) => {$(
        impl From<$kind> for Value {
            fn from(value: $kind) -> Self {
                Self::Json(value.into())
            }
        }
    )*};
}
from_json!(Json, &str, String, bool, i32, i64, u32, u64, f64, ());

macro_rules! from_bytes {
    ($($kind:ty),*) => {$(
        impl From<$kind> for Value {
            fn from(bytes: $kind) -> Self {
                Self::Bytes(bytes.into())
            }
        }
    )*};
}
from_bytes!(Bytes, Vec<u8>);

impl From<&[u8]> for Value {
    fn from(bytes: &[u8]) -> Self {
        Self::Bytes(Bytes::copy_from_slice(bytes))
    }
}

/// Unreserved characters (RFC 3986, section 2.3) stand for themselves.
const QUOTED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A name or id as one part of a path. Fails with `bad-name` if a path cannot hold it.
pub(crate) fn quoted(part: &str) -> Result<String> {
    if matches!(part, "" | "." | "..") || part.contains('/') {
        let text = format!(
            "{part:?} cannot be part of an address. Nothing was done. A contact can also be meant by the \
             beginning of its id."
        );
        return Err(Error::new(ErrorKind::Input, "bad-name", text));
    }
    Ok(utf8_percent_encode(part, QUOTED).to_string())
}

/// A path with a query; what is empty is left out.
pub(crate) fn with_query(path: &str, query: &[(&str, &str)]) -> String {
    let mut whole = path.to_owned();
    for (name, value) in query.iter().filter(|(_, value)| !value.is_empty()) {
        whole.push(if whole.contains('?') { '&' } else { '?' });
        whole.push_str(name);
        whole.push('=');
        whole.extend(utf8_percent_encode(value, QUOTED));
    }
    whole
}

/// An answer as a record. Fails with `bad-answer` if something is missing.
pub(crate) fn record<T: DeserializeOwned>(data: &[u8]) -> Result<T> {
    serde_json::from_slice(data).map_err(Error::not_understood)
}

/// One member of an answer as a record.
pub(crate) fn member<T: DeserializeOwned>(data: &[u8], name: &str) -> Result<T> {
    let mut answer: Json = record(data)?;
    serde_json::from_value(answer[name].take()).map_err(Error::not_understood)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_paths() {
        assert_eq!(quoted("Ännas phone?").unwrap(), "%C3%84nnas%20phone%3F");
        assert_eq!(quoted("a/b").unwrap_err().code(), "bad-name");
        assert_eq!(with_query("/v1/x", &[("a", "1 2"), ("b", ""), ("c", "&")]), "/v1/x?a=1%202&c=%26");
    }

    #[test]
    fn values_there_and_back() {
        for value in [Value::from("x"), Value::from(()), Value::from(vec![0, 255]), Value::from(1.5)] {
            assert_eq!(Value::decoded(&mut value.clone().encoded()).unwrap(), value);
        }
        let error = Value::decoded(&mut json!({"problem": "No JSON."})).unwrap_err();
        assert_eq!((error.code(), error.message()), ("bad-body", "No JSON."));
    }
}
