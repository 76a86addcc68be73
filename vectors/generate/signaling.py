"""Payloads, session descriptions and replies (spec/signaling.md)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from vectors.generate.common import ALICE, BOB, Vector, text
from vectors.generate.envelope import fields, signed

SESSION = "3f2b8c1e-0d4a-4f6b-9a57-1c2d3e4f5a6b"
BOOT = "0123456789abcdef"
NONCE = "00112233445566778899aabbccddeeff"
FINGERPRINT = ":".join(f"{byte:02X}" for byte in range(32))

# The shape that libwebrtc and Chromium write; addresses are of the documentation ranges.
SDP_LINES = (
    "v=0",
    "o=- 4611731400430051336 2 IN IP4 127.0.0.1",
    "s=-",
    "t=0 0",
    "a=group:BUNDLE 0",
    "a=extmap-allow-mixed",
    "a=msid-semantic: WMS",
    "m=application 50000 UDP/DTLS/SCTP webrtc-datachannel",
    "c=IN IP4 192.0.2.7",
    "a=candidate:1 1 udp 2122260223 192.0.2.7 50000 typ host generation 0 network-id 1",
    "a=candidate:2 1 udp 1686052607 198.51.100.9 50000 typ srflx raddr 192.0.2.7 rport 50000 generation 0",
    "a=ice-ufrag:Zx9+",
    "a=ice-pwd:0123456789/bcdefghijklmn",
    "a=ice-options:trickle",
    f"a=fingerprint:sha-256 {FINGERPRINT}",
    "a=setup:actpass",
    "a=mid:0",
    "a=sctp-port:5000",
    "a=max-message-size:262144",
)


def sdp(lines: tuple[str, ...] = SDP_LINES, end: str = "\r\n") -> str:
    return "".join(line + end for line in lines)


def without(prefix: str) -> tuple[str, ...]:
    return tuple(line for line in SDP_LINES if not line.startswith(prefix))


def replaced(prefix: str, by: str) -> tuple[str, ...]:
    return tuple(by if line.startswith(prefix) else line for line in SDP_LINES)


def vectors() -> Iterator[Vector]:
    yield from _payloads()
    yield from _candidates()
    yield from _announcements()
    yield from _descriptions()
    yield from _replies()


def described(kind: str = "offer", **changes: Any) -> dict[str, Any]:
    return {"type": kind, "session_id": SESSION, "sdp": "v=0\r\n", "sdp_type": kind, **changes}


def _payloads() -> Iterator[Vector]:
    for kind in ("offer", "answer"):
        content = described(kind)
        yield _payload(f"ok_{kind}_v1", f"an {kind} as version 1 writes it", content, value=content)
    for kind in ("ping", "pong", "cancel", "busy"):
        content = {"type": kind, "session_id": SESSION}
        yield _payload(f"ok_{kind}", f"a {kind}", content, value=content)
    yield _payload("ok_unknown_key", "unknown keys are ignored", described(later=True), value=described())
    longest = {"type": "ping", "session_id": "~" * 64}
    yield _payload("ok_session_id_64", "the longest session_id", longest, value=longest)
    for name, comment, content, code in (
        ("type_missing", "no type", {"session_id": SESSION}, "bad-type"),
        ("type_unknown", "a type of the future", {"type": "trickle", "session_id": SESSION}, "bad-type"),
        ("type_array", "not a string", {"type": ["ping"], "session_id": SESSION}, "bad-type"),
        ("session_id_missing", "no session_id", {"type": "ping"}, "bad-session-id"),
        ("session_id_empty", "empty", {"type": "ping", "session_id": ""}, "bad-session-id"),
        ("session_id_65", "one too long", {"type": "ping", "session_id": "x" * 65}, "bad-session-id"),
        ("session_id_number", "a number", {"type": "ping", "session_id": 1}, "bad-session-id"),
        ("session_id_space", "a space", {"type": "ping", "session_id": "a b"}, "bad-session-id"),
        (
            "session_id_newline",
            "a newline at the end",
            {"type": "ping", "session_id": "a\n"},
            "bad-session-id",
        ),
        ("session_id_not_ascii", "not ASCII", {"type": "ping", "session_id": "é"}, "bad-session-id"),
        ("sdp_missing", "no sdp", {"type": "offer", "session_id": "s", "sdp_type": "offer"}, "bad-sdp"),
        ("sdp_null", "null", described(sdp=None), "bad-sdp"),
        ("sdp_empty", "empty", described(sdp=""), "bad-sdp"),
        ("sdp_type_other", "an answer within an offer", described(sdp_type="answer"), "bad-sdp"),
        (
            "sdp_type_rollback",
            "no state change can be had by this way",
            described(sdp_type="rollback"),
            "bad-sdp",
        ),
    ):
        yield _payload(name, comment, content, code)


def _announcements() -> Iterator[Vector]:
    p4 = {"v": 2, "caps": ["warm"], "boot": BOOT, "nonce": NONCE}
    yield _payload("ok_p4", "an offer of version 2", described(p4=p4), value=described(p4=p4))
    yield _payload(
        "ok_p4_answer", "an answer of version 2", described("answer", p4=p4), value=described("answer", p4=p4)
    )
    yield _payload(
        "ok_p4_later",
        "a later version with capabilities and keys we do not know",
        described(p4={"v": 7, "caps": ["x.y-z", "warm", "warm"], "boot": BOOT, "nonce": NONCE, "more": {}}),
        value=described(p4={"v": 7, "caps": ["warm", "x.y-z"], "boot": BOOT, "nonce": NONCE}),
    )
    empty = described(p4={**p4, "caps": []})
    yield _payload("ok_p4_no_capability", "no capability at all", empty, value=empty)
    busy = {"type": "busy", "session_id": SESSION}
    yield _payload("ok_p4_elsewhere", "p4 means nothing in a busy", {**busy, "p4": None}, value=busy)
    for kind in ("ping", "pong"):
        plain = {"type": kind, "session_id": SESSION}
        yield _payload(
            f"ok_p4_{kind}", "it may say what has changed", {**plain, "p4": p4}, value={**plain, "p4": p4}
        )
        yield _payload(
            f"p4_{kind}_null", "malformed where it counts", {**plain, "p4": None}, "bad-announcement"
        )
    yield from _reach(p4)
    for name, comment, value in (
        ("null", "null", None),
        ("text", "a string", "2"),
        ("version_1", "version 1 does not announce itself", {**p4, "v": 1}),
        ("version_float", "a float", {**p4, "v": 2.5}),
        ("version_true", "a boolean", {**p4, "v": True}),
        ("version_missing", "no version", {"caps": [], "boot": BOOT, "nonce": NONCE}),
        ("caps_missing", "no capabilities", {"v": 2, "boot": BOOT, "nonce": NONCE}),
        ("caps_text", "a string", {**p4, "caps": "warm"}),
        ("caps_33", "one too many", {**p4, "caps": [f"c{number}" for number in range(33)]}),
        ("cap_upper_case", "a capability in upper case", {**p4, "caps": ["Warm"]}),
        ("cap_empty", "an empty capability", {**p4, "caps": [""]}),
        ("cap_33_characters", "a capability that is too long", {**p4, "caps": ["x" * 33]}),
        ("cap_number", "a number", {**p4, "caps": [1]}),
        ("boot_missing", "no boot", {"v": 2, "caps": [], "nonce": NONCE}),
        ("boot_short", "15 digits", {**p4, "boot": BOOT[1:]}),
        ("boot_upper_case", "upper case", {**p4, "boot": BOOT.upper()}),
        ("nonce_missing", "no nonce", {"v": 2, "caps": [], "boot": BOOT}),
        ("nonce_short", "31 digits", {**p4, "nonce": NONCE[1:]}),
        ("nonce_long", "33 digits", {**p4, "nonce": NONCE + "0"}),
        ("nonce_number", "a number", {**p4, "nonce": 1}),
        ("nonce_upper_case", "upper case", {**p4, "nonce": NONCE.upper()}),
    ):
        yield _payload(f"p4_{name}", comment, described(p4=value), "bad-announcement")


def _reach(p4: dict[str, Any]) -> Iterator[Vector]:
    """What `at` and `via` say; what is not of the form is left out, and makes no payload malformed."""
    mark = "0123456789abcdef"
    same: tuple[Any, Any] = (["192.0.2.1:4000", "[2001:db8::1]:1"], [mark])
    cases: tuple[tuple[str, str, tuple[Any, Any], tuple[Any, Any] | None], ...] = (
        ("both", "two addresses and a common contact", same, same),
        ("nowhere", "the sender is nowhere else now", ([], []), ([], [])),
        ("no_via", "without via there is none", (["192.0.2.1:65535"], None), (["192.0.2.1:65535"], [])),
        ("at_text", "at is no list: nothing is said", ("192.0.2.1:4000", [mark]), None),
        (
            "spelling",
            "another spelling of the same",
            (["[2001:DB8:0::1]:4000"], []),
            (["[2001:db8::1]:4000"], []),
        ),
        (
            "repeated",
            "an address twice",
            (["192.0.2.1:4000", "192.0.2.1:4000"], []),
            (["192.0.2.1:4000"], []),
        ),
        (
            "bad_entries",
            "entries that are none of these",
            (
                [
                    *(
                        1,
                        None,
                        "",
                        "192.0.2.1",
                        "192.0.2.1:0",
                        "192.0.2.1:65536",
                        "192.0.2.1:4000 ",
                        "host.example:1",
                    ),
                    *("2001:db8::1:4000", "[192.0.2.1]:4000", "[fe80::1%1]:4000", "192.0.2.1:4000"),
                ],
                [mark.upper(), mark + "0", mark[1:], 1, mark],
            ),
            (["192.0.2.1:4000"], [mark]),
        ),
        (
            "nobody",
            "addresses that lead nowhere or to the receiver itself",
            (
                [
                    *("127.0.0.1:1", "[::1]:1", "0.0.0.0:1", "[::]:1", "224.0.0.1:1", "[ff02::1]:1"),
                    *("[::ffff:127.0.0.1]:1", "[::ffff:0.0.0.0]:1"),
                ],
                [],
            ),
            ([], []),
        ),
        (
            "more",
            "what is beyond the twelfth address and the eighth contact is ignored",
            ([f"192.0.2.{number}:1" for number in range(1, 14)], [f"{number:016x}" for number in range(9)]),
            ([f"192.0.2.{number}:1" for number in range(1, 13)], [f"{number:016x}" for number in range(8)]),
        ),
    )
    for name, comment, (at, via), read in cases:
        content = {**p4, "at": at, **({} if via is None else {"via": via})}
        value = p4 if read is None else {**p4, "at": read[0], "via": read[1]}
        yield _payload(f"at_{name}", comment, described(p4=content), value=described(p4=value))


def _candidates() -> Iterator[Vector]:
    found = SDP_LINES[9][2:]
    message = {"type": "candidates", "session_id": SESSION, "candidates": [found, found], "done": False}
    good: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("ok", "two candidates", {}),
        ("ok_none", "only that there are no more", {"candidates": [], "done": True}),
        ("ok_32", "the most", {"candidates": [found] * 32}),
        ("ok_512", "the longest", {"candidates": ["candidate:" + "x" * 502]}),
    )
    for name, comment, changes in good:
        content = {**message, **changes}
        yield _payload(f"candidates_{name}", comment, content, value=content)
    more = {**message, "later": 1}
    yield _payload("candidates_ok_unknown_key", "unknown keys are ignored", more, value=message)
    bad: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("33", "one too many", {"candidates": [found] * 33}),
        ("513", "one character too many", {"candidates": ["candidate:" + "x" * 503]}),
        ("text", "no list", {"candidates": found}),
        ("null", "null", {"candidates": None}),
        ("number", "a number among them", {"candidates": [found, 1]}),
        ("empty", "an empty one", {"candidates": [""]}),
        ("nothing", "the name of the attribute alone", {"candidates": ["candidate:"]}),
        ("attribute", "with a= before it", {"candidates": ["a=" + found]}),
        ("other", "another attribute", {"candidates": ["ice-pwd:0123456789/bcdefghijklmn"]}),
        ("newline", "two lines", {"candidates": [found + "\r\na=ice-lite"]}),
        ("control", "a control character", {"candidates": [found + "\0"]}),
        ("not_ascii", "not ASCII", {"candidates": [found + "é"]}),
        ("done_number", "done is no boolean", {"done": 1}),
    )
    for name, comment, changes in bad:
        yield _payload(f"candidates_{name}", comment, {**message, **changes}, "bad-candidates")
    for key in ("candidates", "done"):
        content = {k: v for k, v in message.items() if k != key}
        yield _payload(f"candidates_no_{key}", "a key is missing", content, "bad-candidates")


def _descriptions() -> Iterator[Vector]:
    yield _sdp("sdp_ok", "the shape that libwebrtc and Chromium write", sdp(), good=True)
    yield _sdp("sdp_ok_newline", "lines ended by a newline alone", sdp(end="\n"), good=True)
    hashes = (*SDP_LINES, "a=fingerprint:sha-512 " + ":".join(["AB"] * 64))
    yield _sdp("sdp_ok_more_fingerprints", "other hashes beside it, as aiortc writes", sdp(hashes), good=True)
    lower = replaced("a=fingerprint", f"a=fingerprint:sha-256 {FINGERPRINT.lower()}")
    yield _sdp("sdp_ok_lower_case", "the fingerprint in lower case", sdp(lower), good=True)
    session = ("v=0", f"a=fingerprint:sha-256 {FINGERPRINT}", *without("a=fingerprint")[1:])
    yield _sdp(
        "sdp_ok_session_level",
        "the fingerprint before the section, as Firefox writes",
        sdp(session),
        good=True,
    )
    padded = (*SDP_LINES, *["a=x"] * (400 - len(SDP_LINES)))
    yield _sdp("sdp_ok_400_lines", "the most lines", sdp(padded), good=True)
    section = "m=application 50000 UDP/DTLS/SCTP webrtc-datachannel"
    for name, comment, content in (
        ("sdp_401_lines", "one line too many", sdp((*padded, "a=x"))),
        ("sdp_long_line", "a line of 1025 characters", sdp((*SDP_LINES, "a=" + "x" * 1023))),
        ("sdp_no_version", "does not begin with v=0", sdp(SDP_LINES[1:])),
        ("sdp_no_section", "no section", sdp(without("m="))),
        ("sdp_two_sections", "two sections for data", sdp((*SDP_LINES, section))),
        ("sdp_audio_too", "audio beside the data", sdp((*SDP_LINES, "m=audio 9 UDP/TLS/RTP/SAVPF 111"))),
        ("sdp_audio", "audio instead of data", sdp(replaced("m=", "m=audio 9 UDP/TLS/RTP/SAVPF 111"))),
        (
            "sdp_section_off",
            "port 0: the section is switched off",
            sdp(replaced("m=", section.replace("50000", "0"))),
        ),
        ("sdp_no_ufrag", "no ice-ufrag", sdp(without("a=ice-ufrag"))),
        ("sdp_ufrag_short", "an ice-ufrag of 3 characters", sdp(replaced("a=ice-ufrag", "a=ice-ufrag:abc"))),
        ("sdp_two_ufrags", "two ice-ufrags", sdp((*SDP_LINES, "a=ice-ufrag:abcd"))),
        ("sdp_no_pwd", "no ice-pwd", sdp(without("a=ice-pwd"))),
        ("sdp_pwd_short", "an ice-pwd of 21 characters", sdp(replaced("a=ice-pwd", "a=ice-pwd:" + "x" * 21))),
        ("sdp_no_fingerprint", "no fingerprint", sdp(without("a=fingerprint"))),
        (
            "sdp_sha1_only",
            "only a SHA-1 fingerprint",
            sdp(replaced("a=fingerprint", "a=fingerprint:sha-1 " + FINGERPRINT[:59])),
        ),
        (
            "sdp_fingerprint_31",
            "a byte too few",
            sdp(replaced("a=fingerprint", f"a=fingerprint:sha-256 {FINGERPRINT[3:]}")),
        ),
        (
            "sdp_two_fingerprints",
            "two of SHA-256: which one is meant?",
            sdp((*SDP_LINES, f"a=fingerprint:sha-256 {FINGERPRINT}")),
        ),
        (
            "sdp_fingerprint_hidden",
            "the second one in another spelling",
            sdp((*SDP_LINES, f"a=FINGERPRINT:SHA-256 {FINGERPRINT}")),
        ),
        ("sdp_control", "a control character", sdp((*SDP_LINES, "a=x\0"))),
        ("sdp_bare_return", "a line end that only some readers see", sdp((*SDP_LINES, "a=x\ra=y"))),
        ("sdp_not_ascii", "a line separator of Unicode", sdp((*SDP_LINES, "a=x\u2028a=y"))),
        ("sdp_empty_line", "an empty line", sdp((*SDP_LINES, "", "a=x"))),
        ("sdp_not_sdp", "something else", "hello"),
    ):
        yield _sdp(name, comment, content, good=False)


def _replies() -> Iterator[Vector]:
    failure = '{"ok": false, "error": "refused"}'
    yield _reply("reply_refused", "the constant failure line", failure, value={"unsigned_failure": "refused"})
    yield _reply(
        "reply_v1_failure",
        "a failure with version 1's words",
        '{"ok": false, "error": "Unknown peer"}',
        value={"unsigned_failure": "Unknown peer"},
    )
    yield _reply(
        "reply_no_reason", "a failure without words", '{"ok": false}', value={"unsigned_failure": ""}
    )
    yield _reply(
        "reply_escape",
        "control characters never reach a terminal",
        '{"ok": false, "error": "\\u001b[2Jx\\n\\u202ey"}',
        value={"unsigned_failure": "[2Jxy"},
    )
    yield _reply(
        "reply_long_reason",
        "at most 200 characters",
        json.dumps({"ok": False, "error": "x" * 201}),
        value={"unsigned_failure": "x" * 200},
    )
    pong = signed(
        fields(sender_peer_id=BOB.peer_id, recipient_peer_id=ALICE.peer_id, payload={"type": "pong"}), BOB
    )
    yield _reply("reply_envelope", "an envelope", json.dumps(pong), value={"envelope_from": BOB.peer_id})
    yield _reply(
        "reply_envelope_ok",
        "a signed reply is an envelope, whatever it is decorated with",
        json.dumps({**pong, "ok": False}),
        value={"envelope_from": BOB.peer_id},
    )
    yield _reply("reply_ok_true", "neither", '{"ok": true}', "form", "missing-field")
    yield _reply("reply_ok_null", "only false is a failure", '{"ok": null}', "form", "missing-field")
    yield _reply("reply_not_json", "something else", "HTTP/1.1 400 Bad Request", "json", "not-json")


def _payload(name: str, comment: str, content: dict[str, Any], code: str = "ok", value: Any = None) -> Vector:
    return Vector("signaling", name, comment, "payload", {"payload": content}, "payload", code, value=value)


def _sdp(name: str, comment: str, content: str, *, good: bool) -> Vector:
    value = {"fingerprint_hex": bytes(range(32)).hex()}
    code = "ok" if good else "bad-sdp"
    return Vector("signaling", name, comment, "sdp", {"sdp": content}, "sdp", code, value=value)


def _reply(
    name: str, comment: str, content: str, layer: str = "reply", code: str = "ok", value: Any = None
) -> Vector:
    return Vector("signaling", name, comment, "reply", {"line": text(content)}, layer, code, value=value)
