//! The one error type: what the daemon says, and what can go wrong on the way to it.

use std::fmt;

use serde_json::Value as Json;

/// What kind of thing went wrong: the class of the error in the daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// Something on this machine: `no-daemon`, `no-answer`, `connection-lost`, `in-use`, …
    Local,
    /// What was asked cannot be done so; nothing was done.
    Input,
    /// No contact is meant by this: `unknown`, `ambiguous`, `name-taken`, …
    Contact,
    /// An invite cannot be used.
    Invite,
    /// The state directory: a full disk, damage, permissions.
    State,
    /// Tor does not work.
    Tor,
    /// Not allowed: `no-token`, `bad-token`, `not-granted`, `owner-only`, …
    Access,
    /// A message that never will arrive.
    Delivery,
    /// Pairing did not come about; the code says why.
    Pairing,
    /// The other device sent what cannot be used.
    Remote,
    /// The other device cannot be reached.
    Unreachable,
    /// A stream that was ended, or cannot be opened.
    Stream,
    /// Copying files.
    Transfer,
    /// A call has no result; see [`Error::may_have_run`].
    Call,
    /// The service of the contact answered a call with this error; `data` is its own.
    CallFailed,
    /// A kind that this version does not know.
    Other,
}

impl ErrorKind {
    fn of(class: &str, status: u16) -> Self {
        match class {
            "LocalError" => Self::Local,
            "InputError" => Self::Input,
            "ContactError" => Self::Contact,
            "InviteError" | "WordError" => Self::Invite,
            "StateError" | "PermissionsError" | "CorruptFileError" | "AlreadyRunningError" => Self::State,
            "TorError" => Self::Tor,
            "AccessError" => Self::Access,
            "DeliveryError" => Self::Delivery,
            "PairingError" => Self::Pairing,
            "RemoteError" | "EnvelopeError" | "SignalingError" | "FrameError" => Self::Remote,
            "UnreachableError" | "RendezvousError" | "LinkError" => Self::Unreachable,
            "StreamError" => Self::Stream,
            "TransferError" => Self::Transfer,
            "CallFailed" => Self::CallFailed,
            "CallError"
            | "CallRefusedError"
            | "CallDeadlineError"
            | "CallCancelledError"
            | "OutcomeUnknownError" => Self::Call,
            _ => match status {
                400 | 409 | 413 | 422 => Self::Input,
                401 | 403 => Self::Access,
                404 => Self::Contact,
                503 => Self::Local,
                _ => Self::Other,
            },
        }
    }
}

/// What went wrong: a code for programs, a sentence for a person, and data.
///
/// Match on [`kind`](Error::kind) and [`code`](Error::code), never on the message.
#[derive(Clone)]
pub struct Error(Box<Parts>);

#[derive(Clone)]
struct Parts {
    kind: ErrorKind,
    code: String,
    message: String,
    data: Json,
    status: Option<u16>,
}

/// What almost everything in this crate gives.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An error of a program's own making.
    pub fn new(kind: ErrorKind, code: impl Into<String>, message: impl Into<String>) -> Self {
        let (code, message) = (code.into(), message.into());
        Self(Box::new(Parts { kind, code, message, data: Json::Null, status: None }))
    }

    /// What a handler of calls answers with, if it has no result: it reaches the caller as it is.
    ///
    /// `code` and `data` are the service's own vocabulary.
    pub fn call_failed(code: impl Into<String>, message: impl Into<String>, data: Json) -> Self {
        let mut error = Self::new(ErrorKind::CallFailed, code, message);
        error.0.data = data;
        error
    }

    /// The class of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Short, stable, in kebab-case: for programs.
    #[must_use]
    pub fn code(&self) -> &str {
        &self.0.code
    }

    /// Whole sentences for a person: what happened, what is safe, what to do.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What else the daemon told, an object; of [`ErrorKind::CallFailed`] the data of the service.
    #[must_use]
    pub fn data(&self) -> &Json {
        &self.0.data
    }

    /// The HTTP status of the answer, if it was one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        self.0.status
    }

    /// Whether what was asked may have been done all the same. If not, it is safe to ask again.
    #[must_use]
    pub fn may_have_run(&self) -> bool {
        match self.0.kind {
            ErrorKind::CallFailed => true,
            ErrorKind::Call => self.0.data["may_have_run"].as_bool().unwrap_or(true),
            ErrorKind::Local => matches!(self.code(), "connection-lost" | "no-answer"),
            _ => false,
        }
    }

    /// The error of an HTTP answer, whatever its body is.
    pub(crate) fn of_answer(status: u16, body: &[u8]) -> Self {
        let mut error = serde_json::from_slice::<Json>(body)
            .ok()
            .and_then(|answer| Self::of_object(&answer["error"], status))
            .unwrap_or_else(|| {
                let text = format!(
                    "The daemon answered with status {status} and without a reason. What was accepted before \
                     is safe. Look into its log: p4 log"
                );
                Self::new(ErrorKind::Local, format!("status-{status}"), text)
            });
        error.0.status = Some(status);
        error
    }

    /// The error that `{"code", "message", "data"}` describes.
    pub(crate) fn of_object(entry: &Json, status: u16) -> Option<Self> {
        let (code, message) = (entry["code"].as_str()?, entry["message"].as_str()?);
        let data = &entry["data"];
        let kind = ErrorKind::of(data["type"].as_str().unwrap_or_default(), status);
        let mut error = Self::new(kind, code, message);
        error.0.data = if kind == ErrorKind::CallFailed { data["data"].clone() } else { data.clone() };
        Some(error)
    }

    pub(crate) fn no_daemon(place: impl fmt::Display) -> Self {
        let text = format!("No P4 daemon answers for {place}. Nothing was done. Start it: p4 up --detach");
        Self::new(ErrorKind::Local, "no-daemon", text)
    }

    pub(crate) fn connection_lost() -> Self {
        let text =
            "The daemon ended while it worked on this. It may have been done: look before you repeat it.";
        Self::new(ErrorKind::Local, "connection-lost", text)
    }

    pub(crate) fn closed() -> Self {
        Self::new(ErrorKind::Local, "closed", "This has been closed. Nothing was done.")
    }

    /// The daemon said what this version of the client cannot read.
    pub(crate) fn not_understood(what: impl fmt::Display) -> Self {
        let text = format!(
            "The daemon's answer was not understood: {what}. Perhaps it is of another version: p4 version"
        );
        Self::new(ErrorKind::Local, "bad-answer", text)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?} {}: {}", self.0.kind, self.0.code, self.0.message)
    }
}

impl std::error::Error for Error {}

impl From<Error> for std::io::Error {
    fn from(error: Error) -> Self {
        let kind = match error.code() {
            "connection-lost" | "no-daemon" => std::io::ErrorKind::NotConnected,
            "closed" | "ended" => std::io::ErrorKind::BrokenPipe,
            _ => std::io::ErrorKind::Other,
        };
        Self::new(kind, error)
    }
}
