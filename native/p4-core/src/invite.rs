//! What one person gives another so that their devices find each other.

use crate::address::bad_port;
use crate::json::{Object, Value, parse_object};
use crate::{Code, Error, PeerId, PublicKey, RendezvousAddress, Transport};

/// The longest invite that is read, in bytes; a real one has about 300.
pub const INVITE_BYTES: usize = 16 * 1024;

/// Who a peer is, and where its signaling answers. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invite {
    /// The key of the peer.
    pub public_key: PublicKey,
    /// Where its signaling answers.
    pub rendezvous: RendezvousAddress,
}

impl Invite {
    /// Reads an invite from a file or from pasted text: UTF-8, or UTF-16 as redirects of Windows shells write
    /// it, with or without byte order mark.
    ///
    /// # Errors
    /// In this order: `too-large`; `not-utf8`; a code of [`parse_object`]; `missing-field` or `bad-field`;
    /// `bad-key`; `wrong-id`; `bad-transport`, `bad-port`, `bad-address`.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > INVITE_BYTES {
            let message = format!("This is longer than {INVITE_BYTES} bytes and cannot be an invite.");
            return Err(Error::new(Code::TooLarge, message));
        }
        let text = decode(bytes).ok_or_else(|| {
            Error::new(Code::NotUtf8, "The text of the invite is neither UTF-8 nor UTF-16.")
        })?;
        // Pasted along: marks and white space that JSON does not know.
        let object = text.trim_matches(['\u{feff}', ' ', '\t', '\r', '\n', '\x0b', '\x0c', '\u{a0}']);
        Self::from_object(&parse_object(object.as_bytes())?)
    }

    /// Checks the JSON object of an invite. Unknown keys are ignored.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), from `missing-field` on.
    pub fn from_object(fields: &Object) -> Result<Self, Error> {
        let (peer_id, key) = (string(fields, "peer_id")?, string(fields, "public_key_b64")?);
        let rendezvous = field(fields, "rendezvous")?
            .as_object()
            .ok_or_else(|| Error::new(Code::BadField, "The rendezvous of the invite is not an object."))?;
        let public_key = PublicKey::from_base64(key)?;
        if peer_id != public_key.peer_id().to_string() {
            return Err(Error::new(
                Code::WrongId,
                "The peer id of the invite does not belong to its key. Somebody changed it on the way, or it \
                 was copied in part. Ask for it again over another way.",
            ));
        }
        let (name, host) = (string(rendezvous, "transport")?, string(rendezvous, "address")?);
        let port = field(rendezvous, "port")?;
        let transport = Transport::named(name).ok_or_else(|| {
            Error::new(
                Code::BadTransport,
                "The invite names a transport that this program does not know. It may be from a newer version.",
            )
        })?;
        let port = port.as_integer().and_then(|port| u16::try_from(port).ok()).ok_or_else(bad_port)?;
        Ok(Self { public_key, rendezvous: RendezvousAddress::new(transport, host, port)? })
    }

    /// The id that belongs to the key.
    #[must_use]
    pub fn peer_id(&self) -> PeerId {
        self.public_key.peer_id()
    }

    /// The invite as it is given to people: JSON, indented by two blanks, without a final line end.
    #[must_use]
    pub fn to_text(&self) -> String {
        // Nothing here needs escapes: ids, keys and addresses are checked ASCII.
        format!(
            "{{\n  \"peer_id\": \"{}\",\n  \"public_key_b64\": \"{}\",\n  \"rendezvous\": {{\n    \
             \"transport\": \"{}\",\n    \"address\": \"{}\",\n    \"port\": {}\n  }}\n}}",
            self.peer_id(),
            self.public_key.to_base64(),
            self.rendezvous.transport().as_str(),
            self.rendezvous.host(),
            self.rendezvous.port()
        )
    }
}

fn field<'fields>(fields: &'fields Object, key: &str) -> Result<&'fields Value, Error> {
    let missing =
        || Error::new(Code::MissingField, format!("The invite has no {key}. It may be copied in part."));
    fields.get(key).ok_or_else(missing)
}

fn string<'fields>(fields: &'fields Object, key: &str) -> Result<&'fields str, Error> {
    let wrong = || Error::new(Code::BadField, format!("The {key} of the invite is not a string."));
    field(fields, key)?.as_str().ok_or_else(wrong)
}

/// Without a mark, a zero byte beside the first character, which is ASCII, gives UTF-16 away.
fn decode(bytes: &[u8]) -> Option<String> {
    match bytes {
        [0xff, 0xfe, text @ ..] => utf16(text, u16::from_le_bytes),
        [0xfe, 0xff, text @ ..] => utf16(text, u16::from_be_bytes),
        [0, _, ..] => utf16(bytes, u16::from_be_bytes),
        [_, 0, ..] => utf16(bytes, u16::from_le_bytes),
        _ => String::from_utf8(bytes.to_vec()).ok(),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let pairs = bytes.chunks_exact(2);
    if !pairs.remainder().is_empty() {
        return None;
    }
    char::decode_utf16(pairs.map(|pair| unit([pair[0], pair[1]]))).collect::<Result<_, _>>().ok()
}
