//! Keys, peer ids and signatures (RFC 8032).

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, Verifier, VerifyingKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::{Code, Error};

const PEER_ID_BYTES: usize = 12;

/// What names a device: the first 96 bits of SHA-256 over its public key, 24 hex digits in lower case.
///
/// It is never trusted alone: whoever holds an id beside a key checks that they belong together.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId([u8; PEER_ID_BYTES]);

impl PeerId {
    /// The 12 bytes that the digits stand for.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; PEER_ID_BYTES] {
        &self.0
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl fmt::Debug for PeerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PeerId({self})")
    }
}

impl FromStr for PeerId {
    type Err = Error;

    /// Reads 24 hex digits in lower case.
    ///
    /// # Errors
    /// `bad-field`
    fn from_str(text: &str) -> Result<Self, Error> {
        hex(text)
            .map(Self)
            .ok_or_else(|| Error::new(Code::BadField, "A peer id has 24 hex digits in lower case."))
    }
}

/// Bytes from exactly as many hex digits in lower case.
pub(crate) fn hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

/// A public key that can prove something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Checks a raw key.
    ///
    /// # Errors
    /// `bad-key`: a second spelling of another key, not on the curve, or of small order (anybody could sign for
    /// it).
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, Error> {
        let unsafe_key = || Error::new(Code::BadKey, "This is not a safe Ed25519 public key.");
        // y must be below 2^255-19; the top bit is the sign of x. The library would reduce it.
        let canonical = bytes[0] < 0xed || bytes[1..31] != [0xff; 30] || bytes[31] & 0x7f != 0x7f;
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| unsafe_key())?;
        if canonical && !key.is_weak() { Ok(Self(key)) } else { Err(unsafe_key()) }
    }

    /// Reads a key in standard padded base64.
    ///
    /// # Errors
    /// `bad-key`
    pub fn from_base64(text: &str) -> Result<Self, Error> {
        Self::from_bytes(&decode_key(text)?)
    }

    /// The raw key.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// The key in standard padded base64.
    #[must_use]
    pub fn to_base64(&self) -> String {
        STANDARD.encode(self.as_bytes())
    }

    /// The id that belongs to the key.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        let digest = Sha256::digest(self.as_bytes());
        let mut id = [0; PEER_ID_BYTES];
        id.copy_from_slice(&digest[..PEER_ID_BYTES]);
        PeerId(id)
    }

    /// Whether the signature over the message is the key's.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({})", self.to_base64())
    }
}

/// A device's own key pair. Its memory is wiped when it goes, and `Debug` does not show it.
#[derive(Clone)]
pub struct Identity {
    key: SigningKey,
    peer_id: PeerId,
}

impl Identity {
    /// The identity of a 32-byte seed, the private key of RFC 8032.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let key = SigningKey::from_bytes(seed);
        let peer_id = PublicKey(key.verifying_key()).peer_id();
        Self { key, peer_id }
    }

    /// Reads a seed in standard padded base64.
    ///
    /// # Errors
    /// `bad-key`
    pub fn from_base64(seed: &str) -> Result<Self, Error> {
        Ok(Self::from_seed(&Zeroizing::new(decode_key(seed)?)))
    }

    /// A new identity.
    ///
    /// # Errors
    /// `no-randomness`
    #[cfg(feature = "random")]
    pub fn generate() -> Result<Self, Error> {
        let mut seed = Zeroizing::new([0; 32]);
        crate::random::fill(&mut *seed)?;
        Ok(Self::from_seed(&seed))
    }

    /// The same key, known to contacts by another id: that of its first key. A contact keeps its id when its
    /// key changes.
    #[must_use]
    pub fn known_as(self, peer_id: PeerId) -> Self {
        Self { peer_id, ..self }
    }

    /// The private key. Keep it where nobody else reads it; the copy is wiped when it goes.
    #[must_use]
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.key.to_bytes())
    }

    /// The private key in standard padded base64; wiped when it goes.
    #[must_use]
    pub fn seed_base64(&self) -> Zeroizing<String> {
        Zeroizing::new(STANDARD.encode(*self.seed()))
    }

    /// The public half.
    #[must_use]
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.key.verifying_key())
    }

    /// The id of the key, or what it is known as.
    #[must_use]
    pub const fn peer_id(&self) -> PeerId {
        self.peer_id
    }

    /// The Ed25519 signature over the message.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.key.sign(message).to_bytes()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Identity").field("peer_id", &self.peer_id).finish_non_exhaustive()
    }
}

fn decode_key(text: &str) -> Result<[u8; 32], Error> {
    // The engine refuses white space, missing padding and unused bits that are set: two spellings of one key
    // would be two contacts.
    let bytes = Zeroizing::new(
        STANDARD
            .decode(text)
            .map_err(|_| Error::new(Code::BadKey, "The key is not in standard padded base64."))?,
    );
    <[u8; 32]>::try_from(bytes.as_slice())
        .map_err(|_| Error::new(Code::BadKey, format!("A key has 32 bytes, not {}.", bytes.len())))
}
