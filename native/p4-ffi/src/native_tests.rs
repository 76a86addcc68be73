//! The second interface as a caller sees it.

use std::ffi::{CStr, c_char};
use std::ptr;

use crate::native::*;
use crate::{p4_free_string, p4_last_error_message};

const NONCE: [u8; 16] = [7; 16];
const NOW: u64 = 1_700_000_000_000;

fn take(pointer: *mut c_char) -> String {
    assert!(!pointer.is_null(), "{}", take(p4_last_error_message()));
    let text = unsafe { CStr::from_ptr(pointer) }.to_str().expect("results are UTF-8").to_owned();
    unsafe { p4_free_string(pointer) };
    text
}

fn last_code() -> String {
    take(p4_last_error_message()).split(':').next().unwrap_or_default().to_owned()
}

#[test]
fn an_envelope_is_sealed_read_and_opened_once() {
    let (mut seed, mut key, mut signature) = ([0_u8; 32], [0_u8; 32], [0_u8; 64]);
    let text = unsafe {
        let identity = p4_identity_generate();
        assert_eq!(p4_identity_seed(identity, seed.as_mut_ptr()), 1);
        let again = p4_identity_from_seed(seed.as_ptr());
        p4_identity_free(identity);
        assert_eq!(p4_identity_public_key(again, key.as_mut_ptr()), 1);
        assert_eq!(p4_identity_sign(again, b"hi".as_ptr(), 2, signature.as_mut_ptr()), 1);
        assert_eq!(p4_public_key_verify(key.as_ptr(), b"hi".as_ptr(), 2, signature.as_ptr()), 1);
        assert_eq!(p4_public_key_verify(key.as_ptr(), b"ho".as_ptr(), 2, signature.as_ptr()), 0);
        assert_eq!(last_code(), "bad-signature");
        let payload = br#"{"text":"hi"}"#;
        let me = c"24f6ed6acbfe1009c030d7ca";
        let line = p4_envelope_seal(again, me.as_ptr(), payload.as_ptr().cast(), 13, NOW, NONCE.as_ptr());
        let line = take(line);
        p4_identity_free(again);
        let about = take(p4_envelope_read(line.as_ptr().cast(), line.len()));
        assert!(about.contains(&take(p4_public_key_peer_id(key.as_ptr()))), "{about}");
        let other = c"000000000000000000000000";
        let open = |me: &CStr, now| {
            p4_envelope_open(line.as_ptr().cast(), line.len(), key.as_ptr(), me.as_ptr(), now, 1)
        };
        assert!(open(other, NOW).is_null());
        assert_eq!(last_code(), "wrong-recipient");
        assert!(open(me, NOW + 2).is_null());
        assert_eq!(last_code(), "bad-time");
        assert!(open(c"x", NOW).is_null());
        assert_eq!(last_code(), "bad-field");
        take(open(me, NOW))
    };
    assert!(text.contains(r#""payload":{"text":"hi"}"#) && text.contains("0707"), "{text}");
}

#[test]
fn a_replay_window_is_stored_and_restored() {
    unsafe {
        let window = p4_replay_window_new(2);
        assert_eq!(p4_replay_window_accept(window, NONCE.as_ptr(), NOW), 1);
        assert_eq!(p4_replay_window_accept(window, NONCE.as_ptr(), NOW + 1), 0);
        assert_eq!(last_code(), "replayed");
        assert_eq!(p4_replay_window_count(window), 1);
        let (mut times, mut nonces) = ([0_u64; 1], [0_u8; 16]);
        assert_eq!(p4_replay_window_entries(window, times.as_mut_ptr(), nonces.as_mut_ptr()), 1);
        assert_eq!((times, nonces), ([NOW], NONCE));
        let restored = p4_replay_window_restore(5, times.as_ptr(), nonces.as_ptr(), 1, 2);
        assert_eq!(p4_replay_window_accept(restored, NONCE.as_ptr(), NOW), 0);
        assert_eq!(p4_replay_window_floor_ms(restored), 5);
        assert_eq!(p4_replay_window_prune(restored, u64::MAX), 1);
        assert_eq!((p4_replay_window_count(restored), p4_replay_window_floor_ms(restored)), (0, NOW));
        p4_replay_window_free(window);
        p4_replay_window_free(restored);
    }
}

#[test]
fn an_invite_is_written_and_read() {
    let key = p4_key();
    let write = |transport: &CStr, port| unsafe {
        p4_invite_write(key.as_ptr(), transport.as_ptr(), c"192.0.2.1".as_ptr(), port)
    };
    let text = take(write(c"direct", 443));
    let read = take(unsafe { p4_invite_read(text.as_ptr().cast(), text.len()) });
    assert!(read.contains(r#""address":"192.0.2.1""#) && read.contains(r#""port":443"#), "{read}");
    assert!(write(c"pigeon", 443).is_null());
    assert_eq!(last_code(), "bad-transport");
    assert!(write(c"direct", 0).is_null());
    assert_eq!(last_code(), "bad-port");
}

fn p4_key() -> [u8; 32] {
    let (identity, mut key) = (p4_identity_generate(), [0_u8; 32]);
    unsafe {
        assert_eq!(p4_identity_public_key(identity, key.as_mut_ptr()), 1);
        p4_identity_free(identity);
    }
    key
}

#[test]
fn null_and_huge_inputs_are_refused_everywhere() {
    let (no_bytes, mut room) = (ptr::null(), [0_u8; 64]);
    let key = p4_key();
    unsafe {
        p4_identity_free(ptr::null_mut());
        p4_replay_window_free(ptr::null_mut());
        let missing = [
            p4_identity_from_seed(no_bytes).is_null(),
            p4_identity_seed(ptr::null(), room.as_mut_ptr()) == 0,
            p4_identity_public_key(ptr::null(), room.as_mut_ptr()) == 0,
            p4_identity_sign(ptr::null(), no_bytes, 0, room.as_mut_ptr()) == 0,
            p4_public_key_peer_id(no_bytes).is_null(),
            p4_public_key_verify(key.as_ptr(), no_bytes, 1, room.as_ptr()) == 0,
            p4_canonical_json(ptr::null(), 1).is_null(),
            p4_envelope_seal(ptr::null(), ptr::null(), ptr::null(), 0, 0, no_bytes).is_null(),
            p4_envelope_read(ptr::null(), 1).is_null(),
            p4_envelope_open(ptr::null(), 1, no_bytes, ptr::null(), 0, 0).is_null(),
            p4_invite_read(ptr::null(), 1).is_null(),
            p4_invite_write(key.as_ptr(), ptr::null(), ptr::null(), 1).is_null(),
            p4_replay_window_restore(0, ptr::null(), no_bytes, 1, 1).is_null(),
            p4_replay_window_accept(ptr::null_mut(), NONCE.as_ptr(), 0) == 0,
            p4_replay_window_prune(ptr::null_mut(), 0) == 0,
            p4_replay_window_floor_ms(ptr::null()) == 0,
            p4_replay_window_count(ptr::null()) == 0,
            p4_replay_window_entries(ptr::null(), ptr::null_mut(), ptr::null_mut()) == 0,
        ];
        assert_eq!(missing, [true; 18]);
        assert_eq!(last_code(), "null-pointer");
        assert!(p4_canonical_json(key.as_ptr().cast(), usize::MAX).is_null());
        assert_eq!(last_code(), "too-long");
        assert!(p4_canonical_json(ptr::null(), 0).is_null());
        assert_eq!(last_code(), "not-json");
    }
}
