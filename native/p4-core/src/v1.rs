//! Envelopes for programs that were written against version 1's core: its rules where they are harmless.
//!
//! Its programs choose nonces such as `n1` and any text as the recipient, their lines have no limit, and a payload
//! may have 32 levels by itself. Those freedoms stay: signatures are as good with them. All else is as strict as in
//! [`envelope`](crate::envelope), which new programs use: the JSON profile and RFC 8785, the key, the time.

use crate::envelope::{Fields, check_version, payload, signature, string, timestamp, wrong_sender};
use crate::json::{MAX_DEPTH, parse_object, parse_object_within};
use crate::{Error, Identity, PublicKey};

/// Signs a payload, given as JSON text. The result is canonical JSON.
///
/// `sender` need not be the id of the key: a device keeps the id of its first key.
///
/// # Errors
/// A code of [`parse_object`] about the payload; `bad-number` about the time; `too-deep`.
pub fn sign(
    identity: &Identity,
    sender: &str,
    recipient: &str,
    payload: &[u8],
    timestamp_ms: u64,
    nonce: &str,
) -> Result<String, Error> {
    let payload = &parse_object(payload)?;
    Fields { sender, recipient, timestamp_ms, nonce, payload, depth: 0 }.sealed_by(identity)
}

/// Proves that the owner of the key signed the envelope at about this time.
///
/// The recipient is not looked at. A program that has an id of its own compares it, or uses
/// [`Unverified::verify`](crate::envelope::Unverified::verify).
///
/// # Errors
/// In this order: a code of [`parse_object`]; `bad-version`, `missing-field` or `bad-field`; `wrong-sender`;
/// `bad-time`; `bad-signature`.
pub fn verify(envelope: &[u8], key: &PublicKey, now_ms: u64, max_skew_ms: u64) -> Result<(), Error> {
    let mut fields = parse_object_within(envelope, MAX_DEPTH + 1)?;
    check_version(&fields)?;
    let payload = &payload(&mut fields)?;
    let sender = string(&fields, "sender_peer_id")?;
    let recipient = string(&fields, "recipient_peer_id")?;
    let timestamp_ms = timestamp(&fields)?;
    let nonce = string(&fields, "nonce")?;
    let signature = signature(&fields)?;
    if sender != key.peer_id().to_string() {
        return Err(wrong_sender());
    }
    Fields { sender, recipient, timestamp_ms, nonce, payload, depth: 0 }.check(
        key,
        &signature,
        now_ms,
        max_skew_ms,
    )
}
