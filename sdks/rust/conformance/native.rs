//! L2: what needs no daemon.

use p4_client::core::json::{self, Object};
use p4_client::core::{Identity, Invite, PublicKey, RendezvousAddress, ReplayWindow, Transport, envelope};
use serde_json::{Value as Json, json};

use crate::protocol::{Answer, Arguments, Problem, base64, hex};

pub(crate) fn answer(operation: &str, given: &Arguments) -> Answer {
    match operation {
        "identity.derive" => Ok(entry(&identity(given)?)),
        "identity.key" => {
            let key = PublicKey::from_base64(given.text("public_key_b64")?)?;
            Ok(json!({"peer_id": key.peer_id().to_string()}))
        }
        "identity.verify" => {
            let key = PublicKey::from_base64(given.text("public_key_b64")?)?;
            let signature = given.bytes("signature_b64")?;
            let signature = signature.as_slice().try_into().map_err(Problem::failed)?;
            if key.verifies(&given.hex("message_hex")?, signature) {
                Ok(json!({}))
            } else {
                Err(Problem::refused("bad-signature", "The signature is not that of the key."))
            }
        }
        "identity.generate" => {
            let identity = Identity::generate()?;
            let mut result = entry(&identity);
            result["seed_b64"] = json!(*identity.seed_base64());
            Ok(result)
        }
        "identity.sign" => {
            let signature = identity(given)?.sign(&given.hex("message_hex")?);
            Ok(json!({"signature_b64": base64(&signature)}))
        }
        "canonical.parse" => {
            let object = json::parse_object(&given.bytes("bytes_b64")?)?;
            Ok(json!({"canonical": json::canonical(&object.into())?}))
        }
        "envelope.verify" => verify(given),
        "envelope.seal" => seal(given),
        "replay.steps" => replay(given),
        "invite.parse" => {
            let invite = Invite::parse(&given.bytes("bytes_b64")?)?;
            Ok(json!({
                "peer_id": invite.peer_id().to_string(),
                "public_key_b64": invite.public_key.to_base64(),
                "transport": invite.rendezvous.transport().as_str(),
                "address": invite.rendezvous.host(),
                "port": invite.rendezvous.port(),
            }))
        }
        "invite.write" => {
            let transport = match given.text("transport")? {
                "onion" => Transport::Onion,
                _ => Transport::Direct,
            };
            let port = u16::try_from(given.number("port")?).map_err(Problem::failed)?;
            let rendezvous = RendezvousAddress::new(transport, given.text("address")?, port)?;
            let public_key = PublicKey::from_base64(given.text("public_key_b64")?)?;
            Ok(json!({"text": Invite { public_key, rendezvous }.to_text()}))
        }
        _ => Err(Problem::Unknown),
    }
}

fn identity(given: &Arguments) -> Result<Identity, Problem> {
    Ok(Identity::from_base64(given.text("seed_b64")?)?)
}

fn entry(identity: &Identity) -> Json {
    let key = identity.public_key().to_base64();
    json!({"public_key_b64": key, "peer_id": identity.peer_id().to_string()})
}

fn verify(given: &Arguments) -> Answer {
    let unverified = envelope::parse(&given.bytes("line_b64")?)?;
    let key = PublicKey::from_base64(given.text("public_key_b64")?)?;
    let me = given.text("me")?.parse()?;
    let verified = unverified.verify(&key, me, given.number("now_ms")?, given.number("max_skew_ms")?)?;
    let mut result = json!({
        "sender": verified.sender().to_string(),
        "timestamp_ms": verified.timestamp_ms(),
        "nonce_hex": format!("{:032x}", u128::from_be_bytes(*verified.nonce())),
    });
    let payload = json::canonical(&verified.into_payload().into())?;
    result["payload"] = serde_json::from_str(&payload)?;
    Ok(result)
}

fn seal(given: &Arguments) -> Answer {
    let payload: Object = json::parse_object(given.json("payload")?.to_string().as_bytes())?;
    let nonce = given.hex("nonce_hex")?.try_into().map_err(|_| Problem::failed("a nonce has 16 bytes"))?;
    let recipient = given.text("recipient")?.parse()?;
    let line = envelope::seal(&identity(given)?, recipient, &payload, given.number("now_ms")?, nonce)?;
    Ok(json!({"line_b64": base64(line.as_bytes())}))
}

fn replay(given: &Arguments) -> Answer {
    let capacity = usize::try_from(given.number("capacity")?).map_err(Problem::failed)?;
    let mut window = ReplayWindow::new(capacity);
    for step in given.json("steps")?.as_array().into_iter().flatten() {
        if step["restart"] == true {
            let entries: Vec<_> = window.entries().copied().collect();
            window = ReplayWindow::restore(window.floor_ms(), entries, capacity);
        } else if let Some(now_ms) = step["prune_now_ms"].as_u64() {
            window.prune(now_ms);
        } else {
            let nonce = hex(step["nonce_hex"].as_str().unwrap_or_default())?;
            let nonce = nonce.try_into().map_err(|_| Problem::failed("a nonce has 16 bytes"))?;
            window.accept(nonce, step["timestamp_ms"].as_u64().unwrap_or_default())?;
        }
    }
    Ok(json!({"floor_ms": window.floor_ms(), "entries": window.entries().len()}))
}
