//! The one error type: a code for programs and a sentence for people.

use std::borrow::Cow;
use std::fmt;

/// Why something was refused. The codes are those of the specification and of the shared vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Code {
    /// The text is not UTF-8 (of an invite: nor UTF-16).
    NotUtf8,
    /// The text is not JSON.
    NotJson,
    /// The outermost JSON value is not an object.
    NotObject,
    /// An object has the same key twice.
    DuplicateKey,
    /// A number is not finite, or beyond 2^53-1.
    BadNumber,
    /// A string has half of a surrogate pair.
    BadString,
    /// More than [`MAX_DEPTH`](crate::json::MAX_DEPTH) levels of objects and arrays.
    TooDeep,
    /// The line of an envelope is too long.
    TooLong,
    /// The text of an invite is too large.
    TooLarge,
    /// A required key is missing.
    MissingField,
    /// A field has the wrong form.
    BadField,
    /// An envelope of another protocol version.
    BadVersion,
    /// The envelope's sender is not the owner of the key.
    WrongSender,
    /// The envelope is addressed to somebody else.
    WrongRecipient,
    /// The clocks differ too much.
    BadTime,
    /// The signature is not the key's.
    BadSignature,
    /// The envelope was accepted before, or is too old to tell.
    Replayed,
    /// Not a usable Ed25519 key.
    BadKey,
    /// The peer id does not belong to the key.
    WrongId,
    /// An unknown kind of rendezvous.
    BadTransport,
    /// The port is not an integer from 1 to 65535.
    BadPort,
    /// The address does not fit its transport.
    BadAddress,
    /// The operating system gave no random bytes.
    NoRandomness,
}

impl Code {
    /// The code as it stands in the specification and in the vectors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotUtf8 => "not-utf8",
            Self::NotJson => "not-json",
            Self::NotObject => "not-object",
            Self::DuplicateKey => "duplicate-key",
            Self::BadNumber => "bad-number",
            Self::BadString => "bad-string",
            Self::TooDeep => "too-deep",
            Self::TooLong => "too-long",
            Self::TooLarge => "too-large",
            Self::MissingField => "missing-field",
            Self::BadField => "bad-field",
            Self::BadVersion => "bad-version",
            Self::WrongSender => "wrong-sender",
            Self::WrongRecipient => "wrong-recipient",
            Self::BadTime => "bad-time",
            Self::BadSignature => "bad-signature",
            Self::Replayed => "replayed",
            Self::BadKey => "bad-key",
            Self::WrongId => "wrong-id",
            Self::BadTransport => "bad-transport",
            Self::BadPort => "bad-port",
            Self::BadAddress => "bad-address",
            Self::NoRandomness => "no-randomness",
        }
    }

    /// Whether the text already failed as JSON, before anybody looked at what it says.
    #[must_use]
    pub const fn is_json(self) -> bool {
        matches!(
            self,
            Self::NotUtf8
                | Self::NotJson
                | Self::NotObject
                | Self::DuplicateKey
                | Self::BadNumber
                | Self::BadString
                | Self::TooDeep
        )
    }
}

impl fmt::Display for Code {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A refusal: its [`Code`], and a sentence that tells a person what is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    code: Code,
    message: Cow<'static, str>,
}

impl Error {
    pub(crate) fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into() }
    }

    /// What programs decide by.
    #[must_use]
    pub const fn code(&self) -> Code {
        self.code
    }

    /// One or more sentences for a person. They hold no secret and may change between versions.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
