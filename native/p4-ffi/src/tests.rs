//! The boundary as a caller sees it.

use std::ffi::{CStr, CString, c_char};
use std::ptr;

use crate::boundary::{MAX_INPUT_BYTES, guard};
use crate::{
    p4_free_string, p4_generate_identity_json, p4_last_error_message, p4_peer_id_from_public_key_b64,
    p4_sign_envelope_json, p4_verify_envelope_json,
};

const SEED: &CStr = c"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const KEY: &CStr = c"A6EHv/POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg=";
const SENDER: &CStr = c"56475aa75463474c0285df5d";
const RECIPIENT: &CStr = c"24f6ed6acbfe1009c030d7ca";

fn take(pointer: *mut c_char) -> Option<String> {
    if pointer.is_null() {
        return None;
    }
    let text = unsafe { CStr::from_ptr(pointer) }.to_str().expect("results are UTF-8").to_owned();
    unsafe { p4_free_string(pointer) };
    Some(text)
}

fn last_error() -> String {
    take(p4_last_error_message()).expect("there is always a message")
}

fn peer_id(key: &CStr) -> Option<String> {
    take(unsafe { p4_peer_id_from_public_key_b64(key.as_ptr()) })
}

fn sign(payload: &CStr, timestamp_ms: u64, nonce: &CStr) -> Option<CString> {
    take(unsafe {
        p4_sign_envelope_json(
            SEED.as_ptr(),
            SENDER.as_ptr(),
            RECIPIENT.as_ptr(),
            payload.as_ptr(),
            timestamp_ms,
            nonce.as_ptr(),
        )
    })
    .map(|text| CString::new(text).expect("no NUL inside"))
}

fn verify(envelope: &CStr, now_ms: u64, max_skew_ms: u64) -> u8 {
    unsafe { p4_verify_envelope_json(envelope.as_ptr(), KEY.as_ptr(), now_ms, max_skew_ms) }
}

#[test]
fn a_new_identity_signs_and_verifies() {
    let json = take(p4_generate_identity_json()).expect("an identity");
    let quoted: Vec<_> = json.split('"').collect();
    assert_eq!((quoted[1], quoted[5], quoted[9]), ("private_key_b64", "public_key_b64", "peer_id"));
    let [seed, key, id] = [quoted[3], quoted[7], quoted[11]].map(|text| CString::new(text).expect("no NUL"));
    assert_eq!(peer_id(&key).as_deref(), id.to_str().ok());
    let envelope = unsafe {
        p4_sign_envelope_json(seed.as_ptr(), id.as_ptr(), id.as_ptr(), c"{}".as_ptr(), 5, c"n1".as_ptr())
    };
    assert_eq!(unsafe { p4_verify_envelope_json(envelope, key.as_ptr(), 5, 0) }, 1);
    unsafe { p4_free_string(envelope) };
    assert_ne!(take(p4_generate_identity_json()), Some(json));
}

#[test]
fn the_payload_is_signed_in_canonical_form() {
    let envelope = sign(c" { \"b\" : 1.0 , \"a\" : \"\\u00e9\" } ", 7, c"n1").expect("an envelope");
    assert!(
        envelope.to_str().expect("UTF-8").starts_with("{\"nonce\":\"n1\",\"payload\":{\"a\":\"é\",\"b\":1},")
    );
    assert_eq!(verify(&envelope, 7, 0), 1);
    assert_eq!(last_error(), "");
}

#[test]
fn each_failure_has_its_reason() {
    let envelope = sign(c"{}", 1000, c"n1").expect("an envelope");
    assert_eq!(verify(&envelope, 1011, 10), 0);
    assert!(last_error().starts_with("bad-time: "));
    assert_eq!(verify(&envelope, u64::MAX, u64::MAX), 1);
    let changed = envelope.to_str().expect("UTF-8").replace("\"n1\"", "\"n2\"");
    assert_eq!(verify(&CString::new(changed).expect("no NUL"), 1000, 0), 0);
    assert!(last_error().starts_with("bad-signature: "));
    let other = envelope.to_str().expect("UTF-8").replace("56475aa7", "00000000");
    assert_eq!(verify(&CString::new(other).expect("no NUL"), 1000, 0), 0);
    assert!(last_error().starts_with("wrong-sender: "));
    for (payload, code) in [
        (c"", "not-json"),
        (c"[]", "not-object"),
        (c"{\"a\":1,\"a\":1}", "duplicate-key"),
        (c"{\"a\":9007199254740992}", "bad-number"),
        (c"{\"a\":\"\\ud800\"}", "bad-string"),
        (c"{\"a\":\"\xff\"}", "not-utf8"),
    ] {
        assert_eq!(sign(payload, 1, c"n"), None);
        assert!(last_error().starts_with(&format!("{code}: ")), "{payload:?}: {}", last_error());
    }
    assert_eq!(sign(c"{}", 1 << 53, c"n"), None);
    assert!(last_error().starts_with("bad-number: "));
}

#[test]
fn null_is_named_and_harmless() {
    assert!(take(unsafe { p4_peer_id_from_public_key_b64(ptr::null()) }).is_none());
    assert_eq!(last_error(), "null-pointer: public_key_b64 is NULL.");
    let good = [SEED, SENDER, RECIPIENT, c"{}", c"n"];
    let names = ["private_key_b64", "sender_peer_id", "recipient_peer_id", "payload_json", "nonce"];
    for (index, name) in names.iter().enumerate() {
        let mut given = good.map(CStr::as_ptr);
        given[index] = ptr::null();
        let [key, sender, recipient, payload, nonce] = given;
        assert!(take(unsafe { p4_sign_envelope_json(key, sender, recipient, payload, 1, nonce) }).is_none());
        assert_eq!(last_error(), format!("null-pointer: {name} is NULL."));
    }
    assert_eq!(unsafe { p4_verify_envelope_json(ptr::null(), KEY.as_ptr(), 1, 1) }, 0);
    assert_eq!(last_error(), "null-pointer: envelope_json is NULL.");
    assert_eq!(unsafe { p4_verify_envelope_json(c"{}".as_ptr(), ptr::null(), 1, 1) }, 0);
    assert_eq!(last_error(), "null-pointer: signer_public_key_b64 is NULL.");
    unsafe { p4_free_string(ptr::null_mut()) };
}

#[test]
fn bytes_that_are_no_text_and_text_without_end_in_sight() {
    assert!(peer_id(c"\xff\xfe").is_none());
    assert_eq!(last_error(), "not-utf8: public_key_b64 is not valid UTF-8.");
    let huge = CString::new(vec![b'['; MAX_INPUT_BYTES + 1]).expect("no NUL");
    assert!(sign(&huge, 1, c"n").is_none());
    assert!(last_error().starts_with("too-long: payload_json"));
    assert_eq!(verify(&huge, 1, 1), 0);
    assert!(last_error().starts_with("too-long: envelope_json"));
    let deep = CString::new(vec![b'['; MAX_INPUT_BYTES]).expect("no NUL");
    assert!(sign(&deep, 1, c"n").is_none());
    assert!(last_error().starts_with("too-deep: "));
    let large = CString::new(format!("{{\"a\":\"{}\"}}", "x".repeat(1 << 20))).expect("no NUL");
    let envelope = sign(&large, 1, c"n").expect("version 1 knows no limit of lines");
    assert_eq!(verify(&envelope, 1, 0), 1);
}

#[test]
fn the_reason_is_kept_per_thread_until_the_next_call() {
    assert!(peer_id(c"?").is_none());
    let reason = last_error();
    assert!(reason.starts_with("bad-key: "));
    assert_eq!(std::thread::spawn(last_error).join().expect("no panic"), "");
    assert_eq!(last_error(), reason);
    assert_eq!(peer_id(KEY).as_deref(), SENDER.to_str().ok());
    assert_eq!(last_error(), "");
}

#[test]
fn many_threads_at_once() {
    let work = |index: u64| {
        for round in 0..50 {
            let now_ms = index * 1000 + round;
            let envelope = sign(c"{\"x\":[1,2,3]}", now_ms, c"n").expect("an envelope");
            assert_eq!(verify(&envelope, now_ms, 0), 1);
            assert_eq!(verify(&envelope, now_ms + 1, 0), 0);
            assert!(last_error().starts_with("bad-time: "));
        }
    };
    let threads: Vec<_> = (0..8).map(|index| std::thread::spawn(move || work(index))).collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
}

#[test]
fn no_panic_crosses() {
    assert_eq!(guard(7, || panic!("planted")), 7);
    assert!(last_error().starts_with("internal-error: "));
}
