"""Envelopes: form, then trust (spec/envelope.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from vectors.generate.common import (
    ALICE,
    BOB,
    CAROL,
    DAY_MS,
    NOW_MS,
    Person,
    Vector,
    b64,
    canonical,
    raw,
    text,
)

NONCE = "000102030405060708090a0b0c0d0e0f"
PING = {"type": "ping", "session_id": "s1"}
FORM = "the v1 core does not check the form of this field"


def fields(**changes: Any) -> dict[str, Any]:
    """The signed part of an ordinary envelope from Alice to Bob."""
    return {
        "protocol_version": 1,
        "sender_peer_id": ALICE.peer_id,
        "recipient_peer_id": BOB.peer_id,
        "timestamp_ms": NOW_MS,
        "nonce": NONCE,
        "payload": PING,
        **changes,
    }


def signed(content: dict[str, Any], signer: Person = ALICE) -> dict[str, Any]:
    return {**content, "signature_b64": signer.sign(canonical(content))}


def vectors() -> Iterator[Vector]:
    yield from _accepted()
    yield from _form()
    yield from _trust()


def _accepted() -> Iterator[Vector]:
    yield _ok("ok_ping", "an ordinary envelope", signed(fields()))
    yield _ok(
        "ok_extended_payload",
        "unknown keys inside the payload are signed and kept",
        signed(fields(payload={**PING, "p4": {"v": 2}, "é": ["\U0001f600"]})),
    )
    yield _ok("ok_empty_payload", "the payload's content is another layer's", signed(fields(payload={})))
    yield _ok("ok_oldest", "exactly as old as accepted", signed(fields()), now_ms=NOW_MS + DAY_MS)
    yield _ok("ok_newest", "exactly as far ahead as accepted", signed(fields()), now_ms=NOW_MS - DAY_MS)
    yield _ok(
        "ok_unknown_key",
        "an unknown top-level key is ignored: nothing signs it",
        {**signed(fields()), "x": 1},
    )
    yield _ok(
        "ok_reordered", "order of keys and white space mean nothing", _reversed(signed(fields())), indent=1
    )


def _form() -> Iterator[Vector]:
    whole = signed(fields())
    for key in whole:
        rest = {name: value for name, value in whole.items() if name != key}
        yield _bad(f"missing_{key}", f"{key} is missing", rest, "form", "missing-field")
    for name, comment, changes, looser in (
        ("nonce_short", "15 bytes", {"nonce": NONCE[2:]}, True),
        ("nonce_long", "17 bytes", {"nonce": NONCE + "00"}, True),
        ("nonce_upper_case", "hex in upper case: two spellings of one nonce", {"nonce": NONCE.upper()}, True),
        ("nonce_number", "a number", {"nonce": 1}, False),
        ("timestamp_text", "a string of digits", {"timestamp_ms": str(NOW_MS)}, False),
        ("timestamp_negative", "before 1970", {"timestamp_ms": -1}, False),
        ("timestamp_null", "null", {"timestamp_ms": None}, False),
        ("version_true", "true is not 1", {"protocol_version": True}, False),
        ("version_text", "a string", {"protocol_version": "1"}, False),
        ("payload_text", "a string as payload", {"payload": "x"}, True),
        ("payload_array", "an array as payload", {"payload": [1]}, True),
        ("recipient_upper_case", "not in lower case", {"recipient_peer_id": BOB.peer_id.upper()}, True),
        ("recipient_short", "23 digits", {"recipient_peer_id": BOB.peer_id[1:]}, True),
        ("recipient_newline", "a newline after the id", {"recipient_peer_id": BOB.peer_id + "\n"}, True),
        ("sender_upper_case", "not in lower case", {"sender_peer_id": ALICE.peer_id.upper()}, False),
    ):
        envelope = signed(fields(**changes))
        yield _bad(name, comment, envelope, "form", "bad-field", v1_looser=FORM if looser else "")
    signature = whole["signature_b64"]
    for name, comment, value in (
        ("signature_no_padding", "base64 without padding", signature.rstrip("=")),
        ("signature_trailing_bits", "unused bits of the last character are set", _trailing_bits(signature)),
        ("signature_63_bytes", "one byte too few", b64(bytes(63))),
        ("signature_white_space", "a space after it", signature + " "),
        ("signature_null", "null", None),
    ):
        yield _bad(name, comment, {**whole, "signature_b64": value}, "form", "bad-field")
    yield _bad("version_2", "a later version", signed(fields(protocol_version=2)), "form", "bad-version")
    yield _bad(
        "version_2_alone",
        "of a later version no other key is known",
        {"protocol_version": 2},
        "form",
        "bad-version",
    )

    line = json.dumps(whole)
    for name, comment, content, code, looser_reason in (
        (
            "timestamp_float",
            "a float with the right value",
            line.replace(str(NOW_MS), f"{NOW_MS}.0"),
            "bad-field",
            "",
        ),
        (
            "duplicate_nonce",
            "a key twice: two readers could take different ones",
            line[:-1] + f', "nonce": "{NONCE}"}}',
            "duplicate-key",
            "",
        ),
        (
            "duplicate_unknown_key",
            "the same for a key that is ignored",
            line[:-1] + ', "x": 1, "x": 2}',
            "duplicate-key",
            "the v1 core skips unknown keys unread",
        ),
        ("trailing_text", "something after the object", line + "x", "not-json", ""),
        ("byte_order_mark", "a byte order mark", "\ufeff" + line, "not-json", ""),
        (
            "not_an_object",
            "an array of the fields",
            json.dumps(list(whole.values())),
            "not-object",
            "the v1 core reads an array as the fields in their order",
        ),
    ):
        layer = "form" if code == "bad-field" else "json"
        yield _line(name, comment, text(content), layer, code, v1_looser=looser_reason)
    yield _line("bad_utf8", "a byte that is not UTF-8", raw(b"\xff" + line.encode()), "json", "not-utf8")
    long = json.dumps(signed(fields(payload={"sdp": "x" * 65536})))
    yield _line(
        "too_long",
        "longer than a signaling line",
        text(long),
        "line",
        "too-long",
        v1_looser="the v1 core leaves the length of lines to its node",
    )


def _trust() -> Iterator[Vector]:
    whole = signed(fields())
    yield _bad("wrong_sender", "Carol's key, Alice's id", whole, "trust", "wrong-sender", signer=CAROL)
    yield _bad(
        "foreign_id",
        "Carol signs in Alice's name",
        signed(fields(), CAROL),
        "trust",
        "wrong-sender",
        signer=CAROL,
    )
    yield _bad("signed_by_other", "signed by Carol", signed(fields(), CAROL), "trust", "bad-signature")
    yield _bad(
        "wrong_recipient",
        "Bob passes on to Carol what Alice wrote to him",
        whole,
        "trust",
        "wrong-recipient",
        me=CAROL,
        v1_looser="the v1 core does not know who is asking",
    )
    yield _bad(
        "too_old", "a millisecond older than accepted", whole, "trust", "bad-time", now_ms=NOW_MS + DAY_MS + 1
    )
    yield _bad(
        "too_new", "a millisecond too far ahead", whole, "trust", "bad-time", now_ms=NOW_MS - DAY_MS - 1
    )
    yield _bad("timestamp_zero", "1970", signed(fields(timestamp_ms=0)), "trust", "bad-time")
    for name, changes in (
        ("changed_payload", {"payload": {**PING, "session_id": "s2"}}),
        ("changed_nonce", {"nonce": "ff" * 16}),
        ("changed_timestamp", {"timestamp_ms": NOW_MS + 1}),
        ("payload_key_added", {"payload": {**PING, "p4": {"v": 2}}}),
    ):
        tampered = {**whole, **changes}
        yield _bad(name, "changed after signing", tampered, "trust", "bad-signature")
    moved = {**whole, "recipient_peer_id": CAROL.peer_id}
    yield _bad("changed_recipient", "changed after signing", moved, "trust", "bad-signature", me=CAROL)
    yield _bad(
        "unknown_key_signed",
        "a signature that covers an unknown top-level key is not version 1's",
        signed(fields(x=1)),
        "trust",
        "bad-signature",
    )
    zero = {**whole, "signature_b64": b64(bytes(64))}
    yield _bad("signature_zero", "64 zero bytes", zero, "trust", "bad-signature")


def _reversed(envelope: dict[str, Any]) -> dict[str, Any]:
    return dict(reversed(envelope.items()))


def _trailing_bits(signature: str) -> str:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    return signature[:85] + alphabet[alphabet.index(signature[85]) | 1] + "=="


def _ok(
    name: str, comment: str, envelope: dict[str, Any], *, now_ms: int = NOW_MS, indent: int | None = None
) -> Vector:
    value = {
        "sender": envelope["sender_peer_id"],
        "timestamp_ms": envelope["timestamp_ms"],
        "nonce_hex": envelope["nonce"],
        "payload": envelope["payload"],
    }
    line = text(json.dumps(envelope, indent=indent))
    return Vector("envelope", name, comment, "verify", _input(line, now_ms=now_ms), "trust", value=value)


def _bad(
    name: str,
    comment: str,
    envelope: dict[str, Any],
    layer: str,
    code: str,
    *,
    signer: Person = ALICE,
    me: Person = BOB,
    now_ms: int = NOW_MS,
    v1_looser: str = "",
) -> Vector:
    given = _input(text(json.dumps(envelope)), signer=signer, me=me, now_ms=now_ms)
    return Vector("envelope", name, comment, "verify", given, layer, code, v1_looser=v1_looser)


def _line(
    name: str, comment: str, line: dict[str, str], layer: str, code: str, v1_looser: str = ""
) -> Vector:
    return Vector("envelope", name, comment, "verify", _input(line), layer, code, v1_looser=v1_looser)


def _input(
    line: dict[str, str], *, signer: Person = ALICE, me: Person = BOB, now_ms: int = NOW_MS
) -> dict[str, Any]:
    return {
        "line": line,
        "public_key_b64": signer.public_key_b64,
        "me": me.peer_id,
        "now_ms": now_ms,
        "max_skew_ms": DAY_MS,
    }
