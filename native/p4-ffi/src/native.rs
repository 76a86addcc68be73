//! `include/p4_native.h`: what the core offers beyond version 1's interface. What callers may rely on is written there.
//!
//! What is unsafe about bytes and handles is in [`crate::memory`], but for the taking back of handles.

use std::ffi::{c_char, c_uchar};
use std::ptr;

use p4::json::{self, Object, Value};
use p4::{
    Code, Error, Identity, Invite, PeerId, PublicKey, RendezvousAddress, ReplayWindow, Transport, envelope,
};

use crate::boundary::{Argument, Failure, guard, hand_out};
use crate::memory::{boxed, fill, fixed, flag, handle, handle_mut, slice};

type Result<T> = std::result::Result<T, Failure>;

fn text_of(members: Vec<(String, Value)>) -> Result<*mut c_char> {
    hand_out(&json::canonical(&Object::from_members(members)?.into())?)
}

fn member(name: &str, value: impl Into<Value>) -> (String, Value) {
    (name.to_owned(), value.into())
}

fn number(value: u64) -> Result<Value> {
    let value = i64::try_from(value).map_err(|_| Failure::new("bad-number", "A number is beyond 2^53-1."))?;
    Ok(value.into())
}

fn peer_id(argument: &Argument<'_>) -> Result<PeerId> {
    let refused = |_: Error| Failure::new("bad-field", "A peer id is 24 hex digits in lower case.");
    argument.text()?.parse().map_err(refused)
}

/// A new identity.
#[unsafe(no_mangle)]
pub extern "C" fn p4_identity_generate() -> *mut Identity {
    boxed(|| Ok(Identity::generate()?))
}

/// The identity of a seed.
///
/// # Safety
/// NULL or 32 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_identity_from_seed(seed: *const u8) -> *mut Identity {
    // SAFETY: promised by the caller.
    boxed(|| Ok(Identity::from_seed(unsafe { fixed("seed", seed) }?)))
}

/// Wipes and frees an identity.
///
/// # Safety
/// NULL or an identity of this library that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_identity_free(identity: *mut Identity) {
    if !identity.is_null() {
        // SAFETY: promised by the caller; all our handles come from `Box::into_raw`.
        drop(unsafe { Box::from_raw(identity) });
    }
}

/// The seed of an identity.
///
/// # Safety
/// NULL or an identity; NULL or room for 32 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_identity_seed(identity: *const Identity, seed: *mut u8) -> c_uchar {
    // SAFETY: promised by the caller.
    flag(|| unsafe { fill("seed", seed, handle("identity", identity)?.seed().as_slice()) })
}

/// The public key of an identity.
///
/// # Safety
/// NULL or an identity; NULL or room for 32 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_identity_public_key(identity: *const Identity, public_key: *mut u8) -> c_uchar {
    // SAFETY: promised by the caller.
    flag(|| unsafe { fill("public_key", public_key, handle("identity", identity)?.public_key().as_bytes()) })
}

/// The signature of a message.
///
/// # Safety
/// NULL or an identity; NULL or `length` bytes; NULL or room for 64 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_identity_sign(
    identity: *const Identity,
    message: *const u8,
    length: usize,
    signature: *mut u8,
) -> c_uchar {
    // SAFETY: promised by the caller.
    flag(|| unsafe {
        let signed = handle("identity", identity)?.sign(slice("message", message, length)?);
        fill("signature", signature, &signed)
    })
}

/// The id that belongs to a public key.
///
/// # Safety
/// NULL or 32 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_public_key_peer_id(public_key: *const u8) -> *mut c_char {
    guard(ptr::null_mut(), || {
        // SAFETY: promised by the caller.
        let key = PublicKey::from_bytes(unsafe { fixed("public_key", public_key) }?)?;
        hand_out(&key.peer_id().to_string())
    })
}

/// Whether a signature is the key's.
///
/// # Safety
/// NULL or 32 bytes; NULL or `length` bytes; NULL or 64 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_public_key_verify(
    public_key: *const u8,
    message: *const u8,
    length: usize,
    signature: *const u8,
) -> c_uchar {
    // SAFETY: promised by the caller.
    flag(|| unsafe {
        let key = PublicKey::from_bytes(fixed("public_key", public_key)?)?;
        if key.verifies(slice("message", message, length)?, fixed("signature", signature)?) {
            return Ok(());
        }
        Err(Failure::new(Code::BadSignature.as_str(), "The signature is not that of the key."))
    })
}

/// The canonical form of a JSON object.
///
/// # Safety
/// NULL or `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_canonical_json(json: *const c_char, length: usize) -> *mut c_char {
    guard(ptr::null_mut(), || {
        // SAFETY: promised by the caller.
        let object = json::parse_object(unsafe { slice("json", json.cast(), length) }?)?;
        hand_out(&json::canonical(&object.into())?)
    })
}

/// A sealed envelope.
///
/// # Safety
/// NULL or an identity; NULL or a string that ends with NUL; NULL or `payload_length` bytes; NULL or 16 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_envelope_seal(
    identity: *const Identity,
    recipient_peer_id: *const c_char,
    payload_json: *const c_char,
    payload_length: usize,
    timestamp_ms: u64,
    nonce: *const u8,
) -> *mut c_char {
    // SAFETY: promised by the caller.
    let recipient = unsafe { Argument::new("recipient_peer_id", recipient_peer_id) };
    guard(ptr::null_mut(), || {
        // SAFETY: promised by the caller.
        let (identity, payload, nonce) = unsafe {
            let payload = slice("payload_json", payload_json.cast(), payload_length)?;
            (handle("identity", identity)?, payload, *fixed("nonce", nonce)?)
        };
        let payload = json::parse_object(payload)?;
        hand_out(&envelope::seal(identity, peer_id(&recipient)?, &payload, timestamp_ms, nonce)?)
    })
}

/// Who an envelope is said to be from, and for whom.
///
/// # Safety
/// NULL or `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_envelope_read(line: *const c_char, length: usize) -> *mut c_char {
    guard(ptr::null_mut(), || {
        // SAFETY: promised by the caller.
        let read = envelope::parse(unsafe { slice("line", line.cast(), length) }?)?;
        let sender = member("sender", read.sender().to_string());
        text_of(vec![sender, member("recipient", read.recipient().to_string())])
    })
}

/// What a verified envelope says.
///
/// # Safety
/// NULL or `length` bytes; NULL or 32 bytes; NULL or a string that ends with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_envelope_open(
    line: *const c_char,
    length: usize,
    signer_public_key: *const u8,
    me_peer_id: *const c_char,
    now_ms: u64,
    max_skew_ms: u64,
) -> *mut c_char {
    // SAFETY: promised by the caller.
    let me = unsafe { Argument::new("me_peer_id", me_peer_id) };
    guard(ptr::null_mut(), || {
        // SAFETY: promised by the caller.
        let (line, key) =
            unsafe { (slice("line", line.cast(), length)?, fixed("signer_public_key", signer_public_key)?) };
        let unverified = envelope::parse(line)?;
        let verified = unverified.verify(&PublicKey::from_bytes(key)?, peer_id(&me)?, now_ms, max_skew_ms)?;
        let nonce = format!("{:032x}", u128::from_be_bytes(*verified.nonce()));
        text_of(vec![
            member("sender", verified.sender().to_string()),
            member("timestamp_ms", number(verified.timestamp_ms())?),
            member("nonce_hex", nonce),
            member("payload", verified.into_payload()),
        ])
    })
}

/// What an invite says.
///
/// # Safety
/// NULL or `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_invite_read(text: *const c_char, length: usize) -> *mut c_char {
    guard(ptr::null_mut(), || {
        // SAFETY: promised by the caller.
        let invite = Invite::parse(unsafe { slice("text", text.cast(), length) }?)?;
        text_of(vec![
            member("peer_id", invite.peer_id().to_string()),
            member("public_key_b64", invite.public_key.to_base64()),
            member("transport", invite.rendezvous.transport().as_str()),
            member("address", invite.rendezvous.host()),
            member("port", number(invite.rendezvous.port().into())?),
        ])
    })
}

/// The text of an invite.
///
/// # Safety
/// NULL or 32 bytes; NULL or strings that end with NUL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_invite_write(
    public_key: *const u8,
    transport: *const c_char,
    address: *const c_char,
    port: u16,
) -> *mut c_char {
    // SAFETY: promised by the caller.
    let (transport, address) =
        unsafe { (Argument::new("transport", transport), Argument::new("address", address)) };
    guard(ptr::null_mut(), || {
        // SAFETY: promised by the caller.
        let public_key = PublicKey::from_bytes(unsafe { fixed("public_key", public_key) }?)?;
        let name = transport.text()?;
        let transport =
            [Transport::Onion, Transport::Direct].into_iter().find(|known| known.as_str() == name);
        let transport = transport.ok_or_else(|| {
            Failure::new(Code::BadTransport.as_str(), "The transport of an invite is onion or direct.")
        })?;
        let rendezvous = RendezvousAddress::new(transport, address.text()?, port)?;
        hand_out(&Invite { public_key, rendezvous }.to_text())
    })
}

/// An empty replay window.
#[unsafe(no_mangle)]
pub extern "C" fn p4_replay_window_new(capacity: usize) -> *mut ReplayWindow {
    boxed(|| Ok(ReplayWindow::new(capacity)))
}

/// A stored replay window.
///
/// # Safety
/// NULL or `count` times; NULL or 16 times as many bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_replay_window_restore(
    floor_ms: u64,
    times_ms: *const u64,
    nonces: *const u8,
    count: usize,
    capacity: usize,
) -> *mut ReplayWindow {
    boxed(|| {
        // SAFETY: promised by the caller; arrays of bytes have no alignment.
        let (times, nonces) = unsafe {
            (slice("times_ms", times_ms, count)?, slice("nonces", nonces.cast::<[u8; 16]>(), count)?)
        };
        let entries = times.iter().copied().zip(nonces.iter().copied());
        Ok(ReplayWindow::restore(floor_ms, entries, capacity))
    })
}

/// Frees a replay window.
///
/// # Safety
/// NULL or a replay window of this library that was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_replay_window_free(window: *mut ReplayWindow) {
    if !window.is_null() {
        // SAFETY: promised by the caller; all our handles come from `Box::into_raw`.
        drop(unsafe { Box::from_raw(window) });
    }
}

/// Accepts an envelope once.
///
/// # Safety
/// NULL or a replay window that nobody else uses; NULL or 16 bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_replay_window_accept(
    window: *mut ReplayWindow,
    nonce: *const u8,
    timestamp_ms: u64,
) -> c_uchar {
    // SAFETY: promised by the caller.
    flag(|| unsafe {
        let nonce = *fixed("nonce", nonce)?;
        Ok(handle_mut("window", window)?.accept(nonce, timestamp_ms)?)
    })
}

/// Forgets what is too old.
///
/// # Safety
/// NULL or a replay window that nobody else uses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_replay_window_prune(window: *mut ReplayWindow, now_ms: u64) -> c_uchar {
    flag(|| {
        // SAFETY: promised by the caller.
        unsafe { handle_mut("window", window) }?.prune(now_ms);
        Ok(())
    })
}

/// The floor of a replay window.
///
/// # Safety
/// NULL or a replay window that nobody changes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_replay_window_floor_ms(window: *const ReplayWindow) -> u64 {
    // SAFETY: promised by the caller.
    guard(0, || Ok(unsafe { handle("window", window) }?.floor_ms()))
}

/// How many entries a replay window has.
///
/// # Safety
/// NULL or a replay window that nobody changes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_replay_window_count(window: *const ReplayWindow) -> usize {
    // SAFETY: promised by the caller.
    guard(0, || Ok(unsafe { handle("window", window) }?.entries().len()))
}

/// The entries of a replay window.
///
/// # Safety
/// NULL or a replay window that nobody changes; NULL or room for its number of times and nonces.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_replay_window_entries(
    window: *const ReplayWindow,
    times_ms: *mut u64,
    nonces: *mut u8,
) -> c_uchar {
    // SAFETY: promised by the caller; arrays of bytes have no alignment.
    flag(|| unsafe {
        let (times, values): (Vec<u64>, Vec<[u8; 16]>) = handle("window", window)?.entries().copied().unzip();
        fill("times_ms", times_ms, &times)?;
        fill("nonces", nonces.cast::<[u8; 16]>(), &values)
    })
}
