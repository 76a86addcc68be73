//! No line makes the reader panic, and none verifies that its sender did not sign.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use p4::{Identity, envelope, v1};

static SENDER: LazyLock<Identity> = LazyLock::new(|| Identity::from_seed(&[1; 32]));

fuzz_target!(|line: &[u8]| {
    let key = SENDER.public_key();
    if let Ok(unverified) = envelope::parse(line) {
        let (contact, me) = (unverified.sender(), unverified.recipient());
        let verified = unverified.verify_contact(&key, contact, me, 0, u64::MAX);
        assert!(verified.is_err(), "the key signed nothing");
    }
    assert!(v1::verify(line, &key, 0, u64::MAX).is_err());
});
