//! Signed, addressed, timed payloads.
//!
//! Bytes become [`Unverified`] by [`parse`], and [`Verified`] only by [`Unverified::verify`]. Code that needs
//! trust takes `Verified` and nothing else.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::identity::hex;
use crate::json::{Object, Value, parse_object, write_object, write_string};
use crate::{Code, Error, Identity, PeerId, PublicKey};

/// The version that every envelope carries.
pub const PROTOCOL_VERSION: i64 = 1;

/// The longest line of an envelope with its end, in bytes.
pub const LINE_BYTES: usize = 64 * 1024;

/// By how much the clocks of two devices may differ, either way, in milliseconds: 24 hours. Replays are stopped
/// by memory ([`ReplayWindow`](crate::ReplayWindow)), not by the clock.
pub const MAX_SKEW_MS: u64 = 24 * 60 * 60 * 1000;

/// A well-formed envelope of which nothing is proven. It serves to look up the sender's key, no more.
#[derive(Clone, Debug, PartialEq)]
pub struct Unverified {
    sender: PeerId,
    recipient: PeerId,
    timestamp_ms: u64,
    nonce: [u8; 16],
    payload: Object,
    signature: [u8; 64],
}

/// A payload that its sender signed for us, recently. Only [`Unverified::verify`] makes one.
///
/// It proves neither that the envelope is new (ask the [`ReplayWindow`](crate::ReplayWindow)) nor that the
/// payload makes sense.
#[derive(Clone, Debug, PartialEq)]
pub struct Verified {
    sender: PeerId,
    timestamp_ms: u64,
    nonce: [u8; 16],
    payload: Object,
}

/// Reads an envelope and checks its form. Keys beside the seven are dropped: nothing signs them.
///
/// # Errors
/// In this order: `too-long`; a code of [`parse_object`]; `bad-version`, `missing-field` or `bad-field`.
pub fn parse(line: &[u8]) -> Result<Unverified, Error> {
    if line.len() >= LINE_BYTES {
        let message = format!("The line is longer than {LINE_BYTES} bytes with its end.");
        return Err(Error::new(Code::TooLong, message));
    }
    let mut fields = parse_object(line)?;
    check_version(&fields)?;
    let sender = peer_id(&fields, "sender_peer_id")?;
    let recipient = peer_id(&fields, "recipient_peer_id")?;
    let timestamp_ms = timestamp(&fields)?;
    let nonce = hex(string(&fields, "nonce")?).ok_or_else(|| bad_field("nonce"))?;
    let payload = payload(&mut fields)?;
    let signature = signature(&fields)?;
    Ok(Unverified { sender, recipient, timestamp_ms, nonce, payload, signature })
}

/// Signs a payload for one recipient.
///
/// `timestamp_ms` is Unix time, `nonce` was never used before. The result is one line of canonical JSON without
/// its end.
///
/// # Errors
/// `bad-number` or `too-deep`: payload or time has no canonical form. `too-long`: nobody would read the line.
pub fn seal(
    identity: &Identity,
    recipient: PeerId,
    payload: &Object,
    timestamp_ms: u64,
    nonce: [u8; 16],
) -> Result<String, Error> {
    let (sender, recipient) = (identity.peer_id().to_string(), recipient.to_string());
    let nonce = nonce_text(nonce);
    let fields =
        Fields { sender: &sender, recipient: &recipient, timestamp_ms, nonce: &nonce, payload, depth: 1 };
    let line = fields.sealed_by(identity)?;
    if line.len() >= LINE_BYTES {
        let message = format!("An envelope of {} bytes does not fit into a signaling line.", line.len());
        return Err(Error::new(Code::TooLong, message));
    }
    Ok(line)
}

impl Unverified {
    /// Proves that the owner of the key sent this to us at about this time.
    ///
    /// `me` is our own id, `now_ms` Unix time, `max_skew_ms` usually [`MAX_SKEW_MS`]. Next, the caller asks the
    /// sender's [`ReplayWindow`](crate::ReplayWindow), and acts only when the changed window is on disk.
    ///
    /// # Errors
    /// In this order: `wrong-sender`, `wrong-recipient`, `bad-time`, `bad-signature`.
    pub fn verify(
        self,
        key: &PublicKey,
        me: PeerId,
        now_ms: u64,
        max_skew_ms: u64,
    ) -> Result<Verified, Error> {
        self.verify_contact(key, key.peer_id(), me, now_ms, max_skew_ms)
    }

    /// As [`verify`](Self::verify), for a contact whose key changed: it keeps the id of its first key.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn verify_contact(
        self,
        key: &PublicKey,
        contact: PeerId,
        me: PeerId,
        now_ms: u64,
        max_skew_ms: u64,
    ) -> Result<Verified, Error> {
        if self.sender != contact {
            return Err(wrong_sender());
        }
        if self.recipient != me {
            // A contact could pass on to us what somebody signed for it.
            return Err(Error::new(Code::WrongRecipient, "The envelope is addressed to somebody else."));
        }
        let (sender, recipient) = (self.sender.to_string(), self.recipient.to_string());
        let nonce = nonce_text(self.nonce);
        let fields = Fields {
            sender: &sender,
            recipient: &recipient,
            timestamp_ms: self.timestamp_ms,
            nonce: &nonce,
            payload: &self.payload,
            depth: 1,
        };
        fields.check(key, &self.signature, now_ms, max_skew_ms)?;
        let Self { sender, timestamp_ms, nonce, payload, .. } = self;
        Ok(Verified { sender, timestamp_ms, nonce, payload })
    }

    /// Who is said to have sent it.
    #[must_use]
    pub const fn sender(&self) -> PeerId {
        self.sender
    }

    /// Whom it is addressed to.
    #[must_use]
    pub const fn recipient(&self) -> PeerId {
        self.recipient
    }
}

impl Verified {
    /// Who sent it.
    #[must_use]
    pub const fn sender(&self) -> PeerId {
        self.sender
    }

    /// The sender's clock, Unix milliseconds.
    #[must_use]
    pub const fn timestamp_ms(&self) -> u64 {
        self.timestamp_ms
    }

    /// What makes it unlike any other envelope of the sender.
    #[must_use]
    pub const fn nonce(&self) -> &[u8; 16] {
        &self.nonce
    }

    /// What was sent.
    #[must_use]
    pub const fn payload(&self) -> &Object {
        &self.payload
    }

    /// What was sent, for keeps.
    #[must_use]
    pub fn into_payload(self) -> Object {
        self.payload
    }
}

/// What is signed.
pub(crate) struct Fields<'envelope> {
    pub(crate) sender: &'envelope str,
    pub(crate) recipient: &'envelope str,
    pub(crate) timestamp_ms: u64,
    pub(crate) nonce: &'envelope str,
    pub(crate) payload: &'envelope Object,
    /// How many levels around the payload count: the envelope itself, or none for version 1's programs.
    pub(crate) depth: usize,
}

impl Fields<'_> {
    pub(crate) fn sealed_by(&self, identity: &Identity) -> Result<String, Error> {
        let signature = identity.sign(self.canonical(None)?.as_bytes());
        self.canonical(Some(&STANDARD.encode(signature)))
    }

    pub(crate) fn check(
        &self,
        key: &PublicKey,
        signature: &[u8; 64],
        now_ms: u64,
        max_skew_ms: u64,
    ) -> Result<(), Error> {
        let skew_ms = now_ms.abs_diff(self.timestamp_ms);
        if skew_ms > max_skew_ms {
            let message = format!(
                "The sender's clock and ours differ by {} s; at most {} s are accepted. Correct the clock that \
                 is wrong.",
                skew_ms / 1000,
                max_skew_ms / 1000
            );
            return Err(Error::new(Code::BadTime, message));
        }
        if !key.verifies(self.canonical(None)?.as_bytes(), signature) {
            return Err(Error::new(Code::BadSignature, "The signature is not the sender's."));
        }
        Ok(())
    }

    /// The canonical form, written in one go: the order of the seven keys is known.
    fn canonical(&self, signature_b64: Option<&str>) -> Result<String, Error> {
        if self.timestamp_ms > crate::json::SAFE_INTEGER.unsigned_abs() {
            return Err(Error::new(Code::BadNumber, "The time of the envelope is beyond 2^53-1."));
        }
        let mut out = String::with_capacity(512);
        out.push_str("{\"nonce\":");
        write_string(&mut out, self.nonce);
        out.push_str(",\"payload\":");
        write_object(&mut out, self.payload, self.depth)?;
        // Writing to a String cannot fail.
        let _ = write!(out, ",\"protocol_version\":{PROTOCOL_VERSION},\"recipient_peer_id\":");
        write_string(&mut out, self.recipient);
        out.push_str(",\"sender_peer_id\":");
        write_string(&mut out, self.sender);
        if let Some(signature_b64) = signature_b64 {
            let _ = write!(out, ",\"signature_b64\":\"{signature_b64}\"");
        }
        let _ = write!(out, ",\"timestamp_ms\":{}}}", self.timestamp_ms);
        Ok(out)
    }
}

pub(crate) fn wrong_sender() -> Error {
    Error::new(Code::WrongSender, "The envelope names another sender than the key belongs to.")
}

fn nonce_text(nonce: [u8; 16]) -> String {
    format!("{:032x}", u128::from_be_bytes(nonce))
}

fn field<'fields>(fields: &'fields Object, key: &str) -> Result<&'fields Value, Error> {
    fields.get(key).ok_or_else(|| Error::new(Code::MissingField, format!("The envelope has no {key}.")))
}

fn bad_field(key: &str) -> Error {
    Error::new(Code::BadField, format!("The {key} of the envelope has the wrong form."))
}

/// First of all: of an unknown version no other field is known.
pub(crate) fn check_version(fields: &Object) -> Result<(), Error> {
    let key = "protocol_version";
    match field(fields, key)?.as_integer() {
        Some(PROTOCOL_VERSION) => Ok(()),
        Some(version) => Err(Error::new(
            Code::BadVersion,
            format!("The envelope is of protocol version {version}; this program speaks {PROTOCOL_VERSION}."),
        )),
        None => Err(bad_field(key)),
    }
}

pub(crate) fn string<'fields>(fields: &'fields Object, key: &str) -> Result<&'fields str, Error> {
    field(fields, key)?.as_str().ok_or_else(|| bad_field(key))
}

fn peer_id(fields: &Object, key: &str) -> Result<PeerId, Error> {
    string(fields, key)?.parse().map_err(|_| bad_field(key))
}

pub(crate) fn timestamp(fields: &Object) -> Result<u64, Error> {
    let key = "timestamp_ms";
    let number = field(fields, key)?.as_integer().ok_or_else(|| bad_field(key))?;
    u64::try_from(number).map_err(|_| bad_field(key))
}

pub(crate) fn payload(fields: &mut Object) -> Result<Object, Error> {
    let key = "payload";
    match fields.remove(key) {
        Some(Value::Object(payload)) => Ok(payload),
        Some(_) => Err(bad_field(key)),
        None => field(fields, key).and(Err(bad_field(key))),
    }
}

pub(crate) fn signature(fields: &Object) -> Result<[u8; 64], Error> {
    let key = "signature_b64";
    let bytes = STANDARD.decode(string(fields, key)?).map_err(|_| bad_field(key))?;
    bytes.try_into().map_err(|_| bad_field(key))
}
