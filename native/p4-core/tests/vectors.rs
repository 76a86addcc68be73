//! Every file of `vectors/`: the layer, the code and the value must be as it says.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p4_core::json::{self, Value as P4Value};
use p4_core::{Code, Error, Identity, Invite, PublicKey, ReplayWindow, envelope};
use serde_json::{Map, Value, json};

/// The kinds that this crate implements; those of other parts of the project are only listed.
const KINDS: &[&str] = &["canonical", "envelope", "identity", "invite", "replay"];

/// Layer, code, and with `ok` the value.
type Outcome = (&'static str, &'static str, Value);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../vectors")
}

fn directories() -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(root())
        .expect("the tests run inside the repository")
        .map(|entry| entry.expect("a readable directory"))
        .filter(|entry| entry.file_type().expect("a type").is_dir())
        .map(|entry| entry.file_name().into_string().expect("a plain name"))
        .filter(|name| !matches!(name.as_str(), "generate" | "__pycache__"))
        .collect();
    names.sort();
    names
}

fn vectors(kind: &str) -> Vec<(String, Map<String, Value>)> {
    let mut paths: Vec<_> = fs::read_dir(root().join(kind))
        .expect("a directory for each kind")
        .map(|entry| entry.expect("a readable directory").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    paths.sort();
    let load = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a readable file");
        let Value::Object(vector) = serde_json::from_str(&text).expect("JSON") else {
            panic!("{} is not an object", path.display())
        };
        (path.display().to_string(), vector)
    };
    paths.into_iter().map(load).collect()
}

fn keys(object: &Map<String, Value>) -> BTreeSet<&str> {
    object.keys().map(String::as_str).collect()
}

/// Runs all vectors of a kind; `expected_inputs` are the known operations with the keys of their input.
fn run(kind: &str, expected_inputs: &[(&str, &[&str])], outcome: fn(&str, &Map<String, Value>) -> Outcome) {
    let all = vectors(kind);
    assert!(all.len() >= 10, "only {} vectors of {kind}", all.len());
    for (path, vector) in all {
        let required = BTreeSet::from(["kind", "operation", "comment", "input", "expect"]);
        let marks = BTreeSet::from(["v1_deviates", "v1_looser"]);
        let known: BTreeSet<_> = required.union(&marks).copied().collect();
        assert!(keys(&vector).is_superset(&required) && keys(&vector).is_subset(&known), "keys of {path}");
        assert_eq!(vector["kind"], kind, "{path}");
        let operation = vector["operation"].as_str().expect("a name");
        let (_, inputs) = expected_inputs
            .iter()
            .find(|(name, _)| *name == operation)
            .unwrap_or_else(|| panic!("operation {operation} of {path} is unknown"));
        let input = vector["input"].as_object().expect("an object");
        assert_eq!(keys(input), inputs.iter().copied().collect(), "input of {path}");
        let expect = vector["expect"].as_object().expect("an object");
        let (layer, code, value) = outcome(operation, input);
        assert_eq!((Some(layer), Some(code)), (expect["layer"].as_str(), expect["code"].as_str()), "{path}");
        if code == "ok" {
            assert_eq!(keys(expect), BTreeSet::from(["layer", "code", "value"]), "expect of {path}");
            assert_eq!(value, expect["value"], "{path}");
        } else {
            assert_eq!(keys(expect), BTreeSet::from(["layer", "code"]), "expect of {path}");
        }
    }
}

fn text<'input>(input: &'input Map<String, Value>, key: &str) -> &'input str {
    input[key].as_str().unwrap_or_else(|| panic!("{key} is not text"))
}

fn number(input: &Map<String, Value>, key: &str) -> u64 {
    input[key].as_u64().unwrap_or_else(|| panic!("{key} is not a number"))
}

fn hex(text: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(&text[at..at + 2], 16).expect("hex");
    (0..text.len()).step_by(2).map(pair).collect()
}

/// Input bytes, written as text or in hex, and zeros after them.
fn bytes(input: &Map<String, Value>, key: &str) -> Vec<u8> {
    let given = input[key].as_object().expect("an object");
    let mut content = match (given.get("text"), given.get("hex")) {
        (Some(Value::String(text)), None) => text.clone().into_bytes(),
        (None, Some(Value::String(digits))) => hex(digits),
        _ => panic!("bytes are text or hex"),
    };
    let zeros = given.get("zeros").map_or(0, |zeros| zeros.as_u64().expect("a number"));
    assert_eq!(given.len(), 1 + usize::from(given.contains_key("zeros")), "unknown keys in {key}");
    content.resize(content.len() + usize::try_from(zeros).expect("not that many"), 0);
    content
}

/// Our value through our writer and the other reader.
fn other(value: &P4Value) -> Value {
    let text = json::canonical(value).expect("a canonical form");
    serde_json::from_str(&text).expect("JSON")
}

fn refused(layer: &'static str, error: &Error) -> Outcome {
    (layer, error.code().as_str(), Value::Null)
}

#[test]
fn all_our_kinds_are_there() {
    let (ours, foreign): (Vec<_>, Vec<_>) =
        directories().into_iter().partition(|kind| KINDS.contains(&kind.as_str()));
    println!("not for this crate: {}", foreign.join(", "));
    assert_eq!(ours, KINDS);
}

#[test]
fn identity() {
    let operations: &[(&str, &[&str])] = &[
        ("derive", &["seed_b64"]),
        ("key", &["public_key_b64"]),
        ("verify", &["public_key_b64", "message_hex", "signature_b64"]),
    ];
    run("identity", operations, |operation, input| match operation {
        "derive" => {
            let identity = Identity::from_base64(text(input, "seed_b64")).expect("a seed");
            let key = identity.public_key().to_base64();
            ("identity", "ok", json!({"public_key_b64": key, "peer_id": identity.peer_id().to_string()}))
        }
        "key" => match PublicKey::from_base64(text(input, "public_key_b64")) {
            Ok(key) => ("identity", "ok", json!({"peer_id": key.peer_id().to_string()})),
            Err(error) => refused("identity", &error),
        },
        _ => {
            let key = PublicKey::from_base64(text(input, "public_key_b64")).expect("a key");
            let signature = STANDARD.decode(text(input, "signature_b64")).expect("base64");
            let signature = signature.as_slice().try_into().expect("64 bytes");
            let good = key.verifies(&hex(text(input, "message_hex")), signature);
            ("identity", if good { "ok" } else { "bad-signature" }, json!({}))
        }
    });
}

#[test]
fn canonical() {
    run("canonical", &[("parse", &["bytes"])], |_, input| match json::parse_object(&bytes(input, "bytes")) {
        Ok(object) => {
            let canonical = json::canonical(&object.into()).expect("what is read can be written");
            ("json", "ok", json!({ "canonical": canonical }))
        }
        Err(error) => refused("json", &error),
    });
}

#[test]
fn envelopes() {
    let inputs: &[&str] = &["line", "public_key_b64", "me", "now_ms", "max_skew_ms"];
    run("envelope", &[("verify", inputs)], |_, input| {
        let unverified = match envelope::parse(&bytes(input, "line")) {
            Ok(unverified) => unverified,
            Err(error) if error.code() == Code::TooLong => return refused("line", &error),
            Err(error) if error.code().is_json() => return refused("json", &error),
            Err(error) => return refused("form", &error),
        };
        let key = PublicKey::from_base64(text(input, "public_key_b64")).expect("a key");
        let me = text(input, "me").parse().expect("a peer id");
        match unverified.verify(&key, me, number(input, "now_ms"), number(input, "max_skew_ms")) {
            Ok(verified) => (
                "trust",
                "ok",
                json!({
                    "sender": verified.sender().to_string(),
                    "timestamp_ms": verified.timestamp_ms(),
                    "nonce_hex": format!("{:032x}", u128::from_be_bytes(*verified.nonce())),
                    "payload": other(&verified.into_payload().into()),
                }),
            ),
            Err(error) => refused("trust", &error),
        }
    });
}

#[test]
fn replay() {
    run("replay", &[("steps", &["capacity", "steps"])], |_, input| {
        let capacity = usize::try_from(number(input, "capacity")).expect("small");
        let steps = input["steps"].as_array().expect("a list");
        let mut window = ReplayWindow::new(capacity);
        for (index, step) in steps.iter().enumerate() {
            let step = step.as_object().expect("an object");
            if keys(step) == BTreeSet::from(["restart"]) {
                let entries: Vec<_> = window.entries().copied().rev().collect();
                let restored = ReplayWindow::restore(window.floor_ms(), entries, capacity);
                assert_eq!(restored, window);
                window = restored;
            } else if keys(step) == BTreeSet::from(["prune_now_ms"]) {
                window.prune(number(step, "prune_now_ms"));
            } else {
                assert_eq!(keys(step), BTreeSet::from(["nonce_hex", "timestamp_ms"]));
                let nonce = hex(text(step, "nonce_hex")).try_into().expect("16 bytes");
                let before = window.clone();
                if let Err(error) = window.accept(nonce, number(step, "timestamp_ms")) {
                    assert_eq!(index + 1, steps.len(), "only the last step may be refused");
                    assert_eq!(window, before);
                    return refused("replay", &error);
                }
            }
        }
        ("replay", "ok", json!({"floor_ms": window.floor_ms(), "entries": window.entries().len()}))
    });
}

#[test]
fn invites() {
    run("invite", &[("parse", &["bytes"])], |_, input| {
        let invite = match Invite::parse(&bytes(input, "bytes")) {
            Ok(invite) => invite,
            Err(error) if matches!(error.code(), Code::TooLarge | Code::NotUtf8) => {
                return refused("text", &error);
            }
            Err(error) if error.code().is_json() => return refused("json", &error),
            Err(error) => return refused("invite", &error),
        };
        assert_eq!(Invite::parse(invite.to_text().as_bytes()).as_ref(), Ok(&invite));
        let value = json!({
            "peer_id": invite.peer_id().to_string(),
            "public_key_b64": invite.public_key.to_base64(),
            "transport": invite.rendezvous.transport().as_str(),
            "address": invite.rendezvous.host(),
            "port": invite.rendezvous.port(),
        });
        ("invite", "ok", value)
    });
}
