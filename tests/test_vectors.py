"""Every file of vectors/ against our core: the layer, the code and the value must be as it says."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from tests.files_vectors import files_decode
from tests.frame_vectors import frame_assemble, frame_body, frame_decode
from tests.lan_vectors import lan_announce, lan_meeting, lan_pair, lan_recognise, lan_txt
from tests.pairing_vectors import pairing_derive, pairing_exchange, pairing_link, pairing_words
from tests.punch_vectors import punch_keys, punch_packet, punch_role
from tests.stream_transcripts import session_stream
from tests.transcript_vectors import session_messages
from vectors.generate.__main__ import files

from p4.apps.chat.entry import ChatKind
from p4.apps.chat.values import read_value
from p4.core import envelope
from p4.core.canonical import canonical_bytes, parse_object
from p4.core.identity import (
    Identity,
    PeerId,
    decode_key,
    encode_key,
    is_usable_key,
    peer_id_of,
    verify_signature,
)
from p4.core.invite import Invite
from p4.core.replay import ReplayWindow
from p4.core.rotation import RotationStatement
from p4.core.sealing import open_payload, x25519_private_key, x25519_public_key
from p4.core.session.binding import Binding, Role
from p4.core.signaling import UnsignedFailure, parse_payload, parse_reply, sdp_fingerprint
from p4.core.veil import is_veiled, unveil
from p4.core.verification import comparison_indices
from p4.errors import EnvelopeError, InviteError, P4Error, RemoteError

ROOT = Path(__file__).resolve().parent.parent / "vectors"
PATHS = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("*/*.json"))

REQUIRED_KEYS = {"kind", "operation", "comment", "input", "expect"}
OPTIONAL_KEYS = {"v1_deviates", "v1_looser"}
INPUT_KEYS = {
    ("identity", "derive"): {"seed_b64"},
    ("identity", "key"): {"public_key_b64"},
    ("identity", "verify"): {"public_key_b64", "message_hex", "signature_b64"},
    ("canonical", "parse"): {"bytes"},
    ("envelope", "verify"): {"line", "public_key_b64", "me", "now_ms", "max_skew_ms"},
    ("replay", "steps"): {"capacity", "steps"},
    ("invite", "parse"): {"bytes"},
    ("signaling", "payload"): {"payload"},
    ("signaling", "sdp"): {"sdp"},
    ("signaling", "reply"): {"line"},
    ("x25519", "private"): {"seed_b64"},
    ("x25519", "public"): {"public_key_hex"},
    ("veiled", "open"): {"line", "recipient_seed_b64"},
    ("sealed", "open"): {"payload", "sender_public_key_b64", "recipient_seed_b64"},
    ("binding", "verify"): {
        *("offerer", "offerer_fingerprint_hex", "offerer_nonce_hex"),
        *("answerer", "answerer_fingerprint_hex", "answerer_nonce_hex"),
        *("session_id", "signer", "public_key_b64", "signature_b64"),
    },
    ("lan", "pair"): {"seed_b64", "public_key_b64"},
    ("lan", "recognise"): {"seed_b64", "contacts_b64", "period", "tags_hex"},
    ("lan", "announce"): {"seed_b64", "contacts_b64", "period"},
    ("lan", "meeting"): {"seed_b64", "period"},
    ("lan", "txt"): {"bytes"},
    ("punch", "key"): {"offer_nonce_hex", "answer_nonce_hex", "session_id"},
    ("punch", "packet"): {"key_hex", "receiver", "bytes"},
    ("punch", "role"): {"ours", "theirs"},
    ("pairing", "link"): {"text"},
    ("pairing", "words"): {"text"},
    ("pairing", "derive"): {"text"},
    ("pairing", "exchange"): {"side", "text", "seed_b64", "name", "random_hex", "receives"},
    ("rotation", "statement"): {"statement_b64"},
    ("verification", "code"): {"ours_b64", "theirs_b64"},
    ("chat", "read"): {"value"},
    ("files", "decode"): {"bytes"},
    ("frame", "decode"): {"bytes"},
    ("frame", "assemble"): {"messages"},
    ("frame", "body"): {"kind", "bytes"},
    ("session", "messages"): {"state", "grants", "fresh_epochs_hex", "steps"},
    ("session", "stream"): {"steps"},
}
JSON_CODES = {"not-utf8", "not-json", "not-object", "duplicate-key", "bad-number", "bad-string", "too-deep"}

Outcome = tuple[str, str, Any]  # layer, code, value


def load(path: str) -> dict[str, Any]:
    vector: dict[str, Any] = json.loads((ROOT / path).read_text(encoding="utf-8"))
    return vector


def content(given: dict[str, str]) -> bytes:
    """Input bytes, written in a vector as text or in hex."""
    ((form, value),) = given.items()
    return {"text": str.encode, "hex": bytes.fromhex}[form](value)


def test_the_directory_is_what_the_scripts_generate() -> None:
    generated = files()
    assert {
        path: (ROOT / path).read_text(encoding="utf-8") for path in [*PATHS, "manifest.json"]
    } == generated
    assert json.loads(generated["manifest.json"])["vectors"] == PATHS
    assert len(PATHS) >= 60


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize("path", PATHS)
def test_vector(path: str) -> None:
    vector = load(path)
    assert vector.keys() >= REQUIRED_KEYS
    assert vector.keys() <= REQUIRED_KEYS | OPTIONAL_KEYS
    assert vector["kind"] == path.split("/", maxsplit=1)[0]
    operation = (vector["kind"], vector["operation"])
    assert vector["input"].keys() == INPUT_KEYS[operation]
    expected = vector["expect"]
    good = expected["code"] == "ok"
    assert expected.keys() == ({"layer", "code", "value"} if good else {"layer", "code"})
    layer, code, value = RUN[operation](vector["input"])
    assert (layer, code) == (expected["layer"], expected["code"])
    if good:
        assert value == expected["value"]


def identity_derive(given: dict[str, Any]) -> Outcome:
    identity = Identity(decode_key(given["seed_b64"]))
    value = {"public_key_b64": encode_key(identity.public_key), "peer_id": identity.peer_id}
    return "identity", "ok", value


def identity_key(given: dict[str, Any]) -> Outcome:
    try:
        key = decode_key(given["public_key_b64"])
    except ValueError:
        return "identity", "bad-key", None
    return (
        ("identity", "ok", {"peer_id": peer_id_of(key)})
        if is_usable_key(key)
        else ("identity", "bad-key", None)
    )


def identity_verify(given: dict[str, Any]) -> Outcome:
    good = verify_signature(
        decode_key(given["public_key_b64"]),
        base64.b64decode(given["signature_b64"]),
        bytes.fromhex(given["message_hex"]),
    )
    return "identity", "ok" if good else "bad-signature", {}


def canonical_parse(given: dict[str, Any]) -> Outcome:
    try:
        value = parse_object(content(given["bytes"]))
    except RemoteError as error:
        return "json", error.code, None
    return "json", "ok", {"canonical": canonical_bytes(value).decode()}


def envelope_verify(given: dict[str, Any]) -> Outcome:
    try:
        unverified = envelope.parse(content(given["line"]))
    except EnvelopeError as error:
        return form_layer(error), error.code, None
    try:
        verified = unverified.verify(
            decode_key(given["public_key_b64"]),
            me=PeerId(given["me"]),
            now_ms=given["now_ms"],
            max_skew_ms=given["max_skew_ms"],
        )
    except EnvelopeError as error:
        return "trust", error.code, None
    value = {
        "sender": verified.sender,
        "timestamp_ms": verified.timestamp_ms,
        "nonce_hex": verified.nonce.hex(),
        "payload": dict(verified.payload),
    }
    return "trust", "ok", value


def form_layer(error: P4Error) -> str:
    if error.code == "too-long":
        return "line"
    return "json" if error.code in JSON_CODES else "form"


def replay_steps(given: dict[str, Any]) -> Outcome:
    window = ReplayWindow(capacity=given["capacity"])
    for position, step in enumerate(given["steps"], start=1):
        if step == {"restart": True}:
            window = ReplayWindow(window.floor_ms, window.entries, given["capacity"])
        elif step.keys() == {"prune_now_ms"}:
            window = window.prune(step["prune_now_ms"])
        else:
            assert step.keys() == {"nonce_hex", "timestamp_ms"}
            try:
                window = window.accept(bytes.fromhex(step["nonce_hex"]), step["timestamp_ms"])
            except EnvelopeError as error:
                assert position == len(given["steps"]), "only the last step may be refused"
                return "replay", error.code, None
    return "replay", "ok", {"floor_ms": window.floor_ms, "entries": len(window.entries)}


def invite_parse(given: dict[str, Any]) -> Outcome:
    try:
        invite = Invite.parse(content(given["bytes"]))
    except InviteError as error:
        if error.code in {"too-large", "not-utf8"}:
            return "text", error.code, None
        return "json" if error.code in JSON_CODES else "invite", error.code, None
    value = {
        "peer_id": invite.peer_id,
        "public_key_b64": encode_key(invite.public_key),
        "transport": invite.rendezvous.transport.value,
        "address": invite.rendezvous.host,
        "port": invite.rendezvous.port,
    }
    assert Invite.parse(invite.to_text()) == invite
    return "invite", "ok", value


def signaling_payload(given: dict[str, Any]) -> Outcome:
    try:
        message = parse_payload(given["payload"])
    except RemoteError as error:
        return "payload", error.code, None
    return "payload", "ok", message.to_payload()


def signaling_sdp(given: dict[str, Any]) -> Outcome:
    try:
        return "sdp", "ok", {"fingerprint_hex": sdp_fingerprint(given["sdp"]).hex()}
    except RemoteError as error:
        return "sdp", error.code, None


def signaling_reply(given: dict[str, Any]) -> Outcome:
    try:
        reply = parse_reply(content(given["line"]))
    except EnvelopeError as error:
        return form_layer(error), error.code, None
    if isinstance(reply, UnsignedFailure):
        return "reply", "ok", {"unsigned_failure": reply.error}
    return "reply", "ok", {"envelope_from": reply.sender}


def x25519_private(given: dict[str, Any]) -> Outcome:
    key = x25519_private_key(decode_key(given["seed_b64"]))
    return "x25519", "ok", {"private_key_hex": key.hex()}


def x25519_public(given: dict[str, Any]) -> Outcome:
    try:
        key = x25519_public_key(bytes.fromhex(given["public_key_hex"]))
    except ValueError:
        return "x25519", "bad-key", None
    return "x25519", "ok", {"x25519_public_key_hex": key.hex()}


def sealed_open(given: dict[str, Any]) -> Outcome:
    recipient = Identity(decode_key(given["recipient_seed_b64"]))
    sender_key = decode_key(given["sender_public_key_b64"])
    try:
        return "sealed", "ok", open_payload(given["payload"], sender_key=sender_key, recipient=recipient)
    except RemoteError as error:
        return "sealed", error.code, None


def veiled_open(given: dict[str, Any]) -> Outcome:
    recipient, line = Identity(decode_key(given["recipient_seed_b64"])), content(given["line"])
    assert is_veiled(line)
    try:
        return "veiled", "ok", {"line": unveil(line, recipient).decode()}
    except RemoteError as error:
        return "veiled", error.code, None


def binding_verify(given: dict[str, Any]) -> Outcome:
    binding = Binding(
        PeerId(given["offerer"]),
        PeerId(given["answerer"]),
        bytes.fromhex(given["offerer_fingerprint_hex"]),
        bytes.fromhex(given["answerer_fingerprint_hex"]),
        bytes.fromhex(given["offerer_nonce_hex"]),
        bytes.fromhex(given["answerer_nonce_hex"]),
        given["session_id"],
    )
    signer = Role[given["signer"].upper()]
    signature = base64.b64decode(given["signature_b64"])
    if not binding.verify(decode_key(given["public_key_b64"]), signature, signer):
        return "binding", "bad-signature", None
    return "binding", "ok", {"statement_hex": binding.statement(signer).hex()}


def rotation_statement(given: dict[str, Any]) -> Outcome:
    try:
        statement = RotationStatement.parse(base64.b64decode(given["statement_b64"]))
    except RemoteError as error:
        return "rotation", error.code, None
    keys = {"old_key_b64": encode_key(statement.old_key), "new_key_b64": encode_key(statement.new_key)}
    return "rotation", "ok", {**keys, "made_ms": statement.made_ms}


def chat_read(given: dict[str, Any]) -> Outcome:
    said = read_value(given["value"])
    shown: dict[str, Any] = {"kind": said.kind.value}
    if said.kind is not ChatKind.DATA:
        shown["text"] = said.text
    if said.file is not None:
        shown["file"] = asdict(said.file)
    return "chat", "ok", shown


def verification_code(given: dict[str, Any]) -> Outcome:
    code = comparison_indices(decode_key(given["ours_b64"]), decode_key(given["theirs_b64"]))
    return "verification", "ok", {"indices": list(code)}


RUN: dict[tuple[str, str], Callable[[dict[str, Any]], Outcome]] = {
    ("identity", "derive"): identity_derive,
    ("identity", "key"): identity_key,
    ("identity", "verify"): identity_verify,
    ("canonical", "parse"): canonical_parse,
    ("envelope", "verify"): envelope_verify,
    ("replay", "steps"): replay_steps,
    ("invite", "parse"): invite_parse,
    ("signaling", "payload"): signaling_payload,
    ("signaling", "sdp"): signaling_sdp,
    ("signaling", "reply"): signaling_reply,
    ("x25519", "private"): x25519_private,
    ("x25519", "public"): x25519_public,
    ("sealed", "open"): sealed_open,
    ("veiled", "open"): veiled_open,
    ("binding", "verify"): binding_verify,
    ("lan", "pair"): lan_pair,
    ("lan", "recognise"): lan_recognise,
    ("lan", "announce"): lan_announce,
    ("lan", "meeting"): lan_meeting,
    ("lan", "txt"): lan_txt,
    ("punch", "key"): punch_keys,
    ("punch", "packet"): punch_packet,
    ("punch", "role"): punch_role,
    ("pairing", "link"): pairing_link,
    ("pairing", "words"): pairing_words,
    ("pairing", "derive"): pairing_derive,
    ("pairing", "exchange"): pairing_exchange,
    ("rotation", "statement"): rotation_statement,
    ("verification", "code"): verification_code,
    ("chat", "read"): chat_read,
    ("files", "decode"): files_decode,
    ("frame", "decode"): frame_decode,
    ("frame", "assemble"): frame_assemble,
    ("frame", "body"): frame_body,
    ("session", "messages"): session_messages,
    ("session", "stream"): session_stream,
}
