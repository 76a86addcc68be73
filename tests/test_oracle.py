"""Version 1's published core as a second judge of the vectors (test dependency only).

A vector marked ``v1_deviates`` or ``v1_looser`` must really divide us: a mark cannot outlive its cause.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.test_vectors import PATHS, content, load

from p4.core import envelope
from p4.core.canonical import parse_object
from p4.core.identity import Identity, encode_key, verify_signature
from p4.errors import RemoteError

p4_core = pytest.importorskip("p4_core", reason="version 1's core has no build for this platform")

CORE = p4_core.P4Core()
SIGNER = Identity(bytes(range(32)))
RECIPIENT = Identity(bytes(range(32, 64)))
NONCE = "00" * 16

CANNOT_JUDGE = {
    *("replay", "signaling", "x25519", "sealed", "veiled", "binding"),
    *("lan", "punch", "pairing", "rotation", "verification", "chat", "files", "frame", "session"),
}
"""Kinds that version 1 does in its node, not in its core, or does not have."""


def refused(call: Callable[[], Any]) -> bool:
    """Whether the published core refuses; its only way to say so is an exception."""
    try:
        call()
    except p4_core.P4CoreError:
        return True
    return False


def v1_verifies(line: bytes, public_key_b64: str, now_ms: int, max_skew_ms: int) -> bool:
    """Call the C function itself: the Python wrapper would parse and write the line anew."""
    native = CORE._lib  # the wrapper offers no access to raw text
    return bool(native.p4_verify_envelope_json(line, public_key_b64.encode(), now_ms, max_skew_ms) == 1)


def v1_signs(payload: bytes) -> str | None:
    """The signature that version 1 puts under a payload given as JSON text; None if it refuses the text."""
    pointer = CORE._lib.p4_sign_envelope_json(
        encode_key(SIGNER.seed).encode(),
        SIGNER.peer_id.encode(),
        RECIPIENT.peer_id.encode(),
        payload,
        1,
        NONCE.encode(),
    )
    if not pointer:
        return None
    signature: str = json.loads(CORE._take_string(pointer))["signature_b64"]
    return signature


def signed_text(canonical_payload: str) -> bytes:
    """What is signed for that payload, put together by hand in RFC 8785's order of keys."""
    return (
        f'{{"nonce":"{NONCE}","payload":{canonical_payload},"protocol_version":1,'
        f'"recipient_peer_id":"{RECIPIENT.peer_id}","sender_peer_id":"{SIGNER.peer_id}","timestamp_ms":1}}'
    ).encode()


def judge_identity(vector: dict[str, Any]) -> bool | None:
    given, expected = vector["input"], vector["expect"]
    if vector["operation"] == "derive":
        derived = expected["value"]
        signed = CORE.sign_envelope(given["seed_b64"], derived["peer_id"], RECIPIENT.peer_id, {}, NONCE, 1)
        return not refused(lambda: CORE.verify_envelope(signed, derived["public_key_b64"], 1, 1))
    if vector["operation"] == "key":
        if refused(lambda: CORE.peer_id_from_public_key_b64(given["public_key_b64"])):
            return bool(expected["code"] != "ok")
        peer_id = CORE.peer_id_from_public_key_b64(given["public_key_b64"])
        return bool(expected["code"] == "ok" and peer_id == expected["value"]["peer_id"])
    return None  # it verifies envelopes, not plain messages


def judge_canonical(vector: dict[str, Any]) -> bool | None:
    expected = vector["expect"]
    if expected["code"] == "not-object":
        return None  # to it any JSON value is a payload
    given = content(vector["input"]["bytes"])
    if b"\0" in given:
        return None  # a C string ends there
    signature = v1_signs(given)
    if signature is None or expected["code"] != "ok":
        return bool((signature is None) == (expected["code"] != "ok"))
    return verify_signature(
        SIGNER.public_key, base64.b64decode(signature), signed_text(expected["value"]["canonical"])
    )


def judge_envelope(vector: dict[str, Any]) -> bool | None:
    given = vector["input"]
    good = v1_verifies(content(given["line"]), given["public_key_b64"], given["now_ms"], given["max_skew_ms"])
    return bool(good == (vector["expect"]["code"] == "ok"))


def judge_invite(vector: dict[str, Any]) -> bool | None:
    """Of an invite the core knows the key and the id that belongs to it."""
    if vector["expect"]["code"] not in {"ok", "bad-key", "wrong-id"}:
        return None
    try:
        fields = parse_object(content(vector["input"]["bytes"]))
    except RemoteError:
        return None  # file encodings are its node's
    try:
        belongs = CORE.peer_id_from_public_key_b64(fields["public_key_b64"]) == fields["peer_id"]
    except p4_core.P4CoreError:
        belongs = False
    return bool(belongs == (vector["expect"]["code"] == "ok"))


JUDGES: dict[str, Callable[[dict[str, Any]], bool | None]] = {
    "identity": judge_identity,
    "canonical": judge_canonical,
    "envelope": judge_envelope,
    "invite": judge_invite,
}
JUDGED = [path for path in PATHS if path.split("/", maxsplit=1)[0] not in CANNOT_JUDGE]


@pytest.mark.parametrize("path", JUDGED)
def test_version_1_agrees_or_the_vector_says_why_not(path: str) -> None:
    vector = load(path)
    agrees = JUDGES[vector["kind"]](vector)
    marked = vector.get("v1_deviates") or vector.get("v1_looser")
    if agrees is None:
        assert not marked, "a mark that nobody can confirm"
    else:
        assert agrees is (not marked)


def test_it_judges_most_of_what_it_could() -> None:
    """Guards against a judge that has fallen silent."""
    verdicts = [JUDGES[vector["kind"]](vector) for vector in map(load, JUDGED)]
    assert sum(verdict is not None for verdict in verdicts) >= 120


def test_only_the_two_known_deviations_from_the_rfc() -> None:
    reasons = {vector["v1_deviates"] for vector in map(load, JUDGED) if "v1_deviates" in vector}
    assert len(reasons) == 2


def test_version_1_verifies_what_we_seal() -> None:
    payload = {"type": "offer", "session_id": "é", "p4": {"v": 2, "caps": [], "x": [1.5, None, True]}}
    line = envelope.seal(
        SIGNER, RECIPIENT.peer_id, payload, timestamp_ms=1_700_000_000_000, nonce=bytes(range(16))
    )
    assert v1_verifies(line, encode_key(SIGNER.public_key), 1_700_000_000_000, 0)


def test_we_verify_what_version_1_seals() -> None:
    sealed = CORE.sign_envelope(
        encode_key(SIGNER.seed), SIGNER.peer_id, RECIPIENT.peer_id, {"type": "ping", "x": 0.1}, NONCE, 77
    )
    verified = envelope.parse(json.dumps(sealed).encode()).verify(
        SIGNER.public_key, me=RECIPIENT.peer_id, now_ms=77
    )
    assert verified.payload == {"type": "ping", "x": 0.1}
