//! Where the signaling of a peer can be reached.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use sha3::{Digest, Sha3_256};

use crate::{Code, Error};

/// The kinds of rendezvous an invite can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Transport {
    /// A version-3 onion service.
    Onion,
    /// A TCP listener.
    Direct,
}

impl Transport {
    /// The name as it stands in invites.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Onion => "onion",
            Self::Direct => "direct",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Onion, Self::Direct].into_iter().find(|transport| transport.as_str() == name)
    }
}

/// A checked address.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RendezvousAddress {
    transport: Transport,
    host: String,
    port: u16,
}

impl RendezvousAddress {
    /// Checks an address.
    ///
    /// # Errors
    /// `bad-port`: zero. `bad-address`: the host does not fit the transport.
    pub fn new(transport: Transport, host: impl Into<String>, port: u16) -> Result<Self, Error> {
        if port == 0 {
            return Err(bad_port());
        }
        let host = host.into();
        let valid = match transport {
            Transport::Onion => is_onion(&host),
            Transport::Direct => is_host(&host),
        };
        if !valid {
            let message = format!("The address of the invite is not a valid {} address.", transport.as_str());
            return Err(Error::new(Code::BadAddress, message));
        }
        Ok(Self { transport, host, port })
    }

    /// The kind of rendezvous.
    #[must_use]
    pub const fn transport(&self) -> Transport {
        self.transport
    }

    /// 56 characters and `.onion`, or a host name or IP address.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// TCP port; of an onion service its virtual port. Never zero.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }
}

impl fmt::Display for RendezvousAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (before, after) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(formatter, "{}://{before}{}{after}:{}", self.transport.as_str(), self.host, self.port)
    }
}

pub(crate) fn bad_port() -> Error {
    Error::new(Code::BadPort, "The port of the invite is not a whole number from 1 to 65535.")
}

/// Base32 of key, checksum and version (Tor's rend-spec-v3, section ENCODING-ONION-ADDRESS).
fn is_onion(host: &str) -> bool {
    let Some(raw) = host.strip_suffix(".onion").and_then(base32) else {
        return false;
    };
    let (key, rest) = raw.split_at(32);
    let (checksum, version) = rest.split_at(2);
    let expected =
        Sha3_256::new().chain_update(b".onion checksum").chain_update(key).chain_update(version).finalize();
    version == [3] && *checksum == expected[..2]
}

/// The 35 bytes of 56 characters (RFC 4648 section 6, in lower case).
fn base32(text: &str) -> Option<[u8; 35]> {
    let characters = text.as_bytes();
    if characters.len() != 56 {
        return None;
    }
    let mut bytes = [0; 35];
    for (eight, five) in characters.chunks_exact(8).zip(bytes.chunks_exact_mut(5)) {
        let mut bits = 0_u64;
        for character in eight {
            let value = match character {
                b'a'..=b'z' => character - b'a',
                b'2'..=b'7' => character - b'2' + 26,
                _ => return None,
            };
            bits = bits << 5 | u64::from(value);
        }
        five.copy_from_slice(&bits.to_be_bytes()[3..]);
    }
    Some(bytes)
}

fn is_host(host: &str) -> bool {
    host.parse::<Ipv4Addr>().is_ok() || is_ipv6(host) || is_name(host)
}

/// With or without the zone of a link-local address (RFC 4007 section 11).
fn is_ipv6(host: &str) -> bool {
    let (address, zone) = host.split_once('%').unwrap_or((host, "0"));
    let zone_is_plain =
        zone.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'~'));
    address.parse::<Ipv6Addr>().is_ok() && !zone.is_empty() && zone_is_plain
}

/// RFC 1123, underscores allowed.
fn is_name(host: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let name = host.strip_suffix('.').unwrap_or(host);
    // A last label of digits would be a mistyped IPv4 address, never a usable name.
    let ends_in_digits =
        name.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit()));
    host.len() <= 253 && name.split('.').all(is_label) && !ends_in_digits
}
