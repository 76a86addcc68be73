//! Randomness of the operating system.

use crate::{Code, Error};

/// # Errors
/// `no-randomness`
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(bytes)
        .map_err(|_| Error::new(Code::NoRandomness, "The operating system gave no random bytes. Try again."))
}

/// A nonce for an envelope: 16 bytes that were never used before.
///
/// # Errors
/// `no-randomness`
pub fn nonce() -> Result<[u8; 16], Error> {
    let mut bytes = [0; 16];
    fill(&mut bytes)?;
    Ok(bytes)
}
