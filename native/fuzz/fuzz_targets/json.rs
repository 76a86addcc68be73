//! What is read can be written, reads back as the same, and is JSON to another reader too.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p4::{Code, json};

fuzz_target!(|bytes: &[u8]| {
    let other = serde_json::from_slice::<serde_json::Value>(bytes);
    match json::parse(bytes) {
        Ok(value) => {
            assert!(other.is_ok());
            let text = json::canonical(&value).expect("what is read can be written");
            let again = json::parse(text.as_bytes()).expect("what is written can be read");
            assert_eq!(json::canonical(&again).as_deref(), Ok(text.as_str()));
        }
        Err(error) if error.code() == Code::NotJson => assert!(other.is_err()),
        Err(_) => {}
    }
});
