//! No file makes the reader panic, and what it takes it also writes and reads again.
#![no_main]

use libfuzzer_sys::fuzz_target;
use p4::Invite;

fuzz_target!(|file: &[u8]| {
    if let Ok(invite) = Invite::parse(file) {
        assert_eq!(Invite::parse(invite.to_text().as_bytes()), Ok(invite));
    }
});
