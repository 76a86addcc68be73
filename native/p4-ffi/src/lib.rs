//! The C library: `include/p4_core.h` and `include/p4_native.h` over `p4-core`. What callers may rely on is written in
//! the headers.
//!
//! This is the only crate with unsafe code. For strings it is kept to three acts, each in one place: reading a caller's
//! string ([`Argument`]), handing a string out ([`hand_out`]), and taking it back ([`p4_free_string`]); for bytes and
//! handles see [`memory`].

mod boundary;
mod memory;
pub mod native;
#[cfg(test)]
mod native_tests;
#[cfg(test)]
mod tests;

use std::ffi::{CString, c_char, c_uchar};
use std::ptr;

use p4::{Identity, PublicKey, v1};
use zeroize::{Zeroize, Zeroizing};

use boundary::{Argument, Failure, guard, hand_out, last_error};

/// A new identity as JSON.
#[unsafe(no_mangle)]
pub extern "C" fn p4_generate_identity_json() -> *mut c_char {
    guard(ptr::null_mut(), || {
        let identity = Identity::generate()?;
        let key = identity.public_key();
        // Nothing is left behind by growth: it is allocated once.
        let mut json = Zeroizing::new(String::with_capacity(256));
        json.push_str("{\"private_key_b64\":\"");
        json.push_str(&identity.seed_base64());
        json.push_str("\",\"public_key_b64\":\"");
        json.push_str(&key.to_base64());
        json.push_str("\",\"peer_id\":\"");
        json.push_str(&key.peer_id().to_string());
        json.push_str("\"}");
        hand_out(&json)
    })
}

/// The id that belongs to a public key.
///
/// # Safety
/// The argument is NULL or a string that ends with NUL and is not changed during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_peer_id_from_public_key_b64(public_key_b64: *const c_char) -> *mut c_char {
    // SAFETY: promised by the caller.
    let key = unsafe { Argument::new("public_key_b64", public_key_b64) };
    guard(ptr::null_mut(), || hand_out(&PublicKey::from_base64(key.text()?)?.peer_id().to_string()))
}

/// Signs a payload and returns the envelope as JSON.
///
/// # Safety
/// Each pointer is NULL or a string that ends with NUL and is not changed during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_sign_envelope_json(
    private_key_b64: *const c_char,
    sender_peer_id: *const c_char,
    recipient_peer_id: *const c_char,
    payload_json: *const c_char,
    timestamp_ms: u64,
    nonce: *const c_char,
) -> *mut c_char {
    // SAFETY: promised by the caller.
    let (key, sender, recipient, payload, nonce) = unsafe {
        (
            Argument::new("private_key_b64", private_key_b64),
            Argument::new("sender_peer_id", sender_peer_id),
            Argument::new("recipient_peer_id", recipient_peer_id),
            Argument::new("payload_json", payload_json),
            Argument::new("nonce", nonce),
        )
    };
    guard(ptr::null_mut(), || {
        let identity = Identity::from_base64(key.text()?)?;
        let (sender, recipient) = (sender.text()?, recipient.text()?);
        hand_out(&v1::sign(&identity, sender, recipient, payload.bytes()?, timestamp_ms, nonce.text()?)?)
    })
}

/// 1 if the owner of the key signed the envelope at about this time, otherwise 0.
///
/// # Safety
/// Each pointer is NULL or a string that ends with NUL and is not changed during the call.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_verify_envelope_json(
    envelope_json: *const c_char,
    signer_public_key_b64: *const c_char,
    now_ms: u64,
    max_skew_ms: u64,
) -> c_uchar {
    // SAFETY: promised by the caller.
    let (envelope, key) = unsafe {
        (
            Argument::new("envelope_json", envelope_json),
            Argument::new("signer_public_key_b64", signer_public_key_b64),
        )
    };
    guard(0, || {
        let envelope = envelope.bytes()?;
        let key = PublicKey::from_base64(key.text()?)?;
        v1::verify(envelope, &key, now_ms, max_skew_ms)?;
        Ok::<_, Failure>(1)
    })
}

/// Why the last call of this thread failed, or an empty string.
#[unsafe(no_mangle)]
pub extern "C" fn p4_last_error_message() -> *mut c_char {
    last_error()
}

/// Wipes and frees a string of this library. NULL is ignored.
///
/// # Safety
/// The pointer is NULL, or it came from this library, was not freed and what it points to was not changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn p4_free_string(ptr: *mut c_char) {
    if !ptr.is_null() {
        // SAFETY: promised by the caller; all our strings come from `CString::into_raw`.
        let string = unsafe { CString::from_raw(ptr) };
        // It may hold a private key.
        string.into_bytes_with_nul().zeroize();
    }
}
