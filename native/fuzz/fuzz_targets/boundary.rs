//! The C functions with whatever bytes; every result is freed.
#![no_main]

use std::ffi::{CStr, CString, c_char};

use libfuzzer_sys::fuzz_target;

// The boundary's own source: the library has no Rust interface to call.
#[path = "../../p4-ffi/src/lib.rs"]
mod library;

fn text(bytes: &[u8]) -> CString {
    CString::new(bytes.split(|byte| *byte == 0).next().unwrap_or_default()).expect("cut at the first NUL")
}

fn release(pointer: *mut c_char) {
    if !pointer.is_null() {
        assert!(unsafe { CStr::from_ptr(pointer) }.to_str().is_ok());
        unsafe { library::p4_free_string(pointer) };
    }
}

fuzz_target!(|bytes: &[u8]| {
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let (whole, first, second) = (text(bytes), text(first), text(second));
    let seed = c"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    // A key that signed none of the vectors: test 2 of RFC 8032.
    let key = c"PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=";
    unsafe {
        release(library::p4_peer_id_from_public_key_b64(whole.as_ptr()));
        release(library::p4_sign_envelope_json(
            seed.as_ptr(),
            first.as_ptr(),
            second.as_ptr(),
            whole.as_ptr(),
            7,
            first.as_ptr(),
        ));
        assert_eq!(library::p4_verify_envelope_json(whole.as_ptr(), key.as_ptr(), 0, u64::MAX), 0);
        release(library::p4_last_error_message());
        assert_eq!(library::p4_verify_envelope_json(first.as_ptr(), second.as_ptr(), 0, u64::MAX), 0);
    }
    release(library::p4_last_error_message());
});
