"""Invites (spec/invite.md)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator
from typing import Any

from vectors.generate.common import ALICE, BOB, Vector, b64, id_of, raw, text


def onion(key: bytes, version: int = 3) -> str:
    """A v3 onion address (Tor rend-spec-v3, ENCODING-ONION-ADDRESS)."""
    end = bytes([version])
    checksum = hashlib.sha3_256(b".onion checksum" + key + end).digest()[:2]
    return base64.b32encode(key + checksum + end).decode().lower() + ".onion"


ONION = onion(BOB.public_key)


def invite(**changes: Any) -> dict[str, Any]:
    return {
        "peer_id": ALICE.peer_id,
        "public_key_b64": ALICE.public_key_b64,
        "rendezvous": {"transport": "onion", "address": ONION, "port": 80},
        **changes,
    }


def at(transport: Any = "onion", address: Any = ONION, port: Any = 80) -> dict[str, Any]:
    return invite(rendezvous={"transport": transport, "address": address, "port": port})


def vectors() -> Iterator[Vector]:
    yield from _accepted()
    yield from _refused()


def _accepted() -> Iterator[Vector]:
    plain = json.dumps(invite(), indent=2)
    yield _ok("ok_onion", "an ordinary invite", text(plain))
    yield _ok("ok_white_space", "pasted with white space around it", text(f"\r\n  {plain}\u00a0\r\n\r\n"))
    yield _ok("ok_utf8_mark", "UTF-8 with byte order mark", raw(plain.encode("utf-8-sig")))
    yield _ok(
        "ok_utf16_le_mark",
        "UTF-16 LE with mark, as a Windows shell redirects",
        raw(b"\xff\xfe" + plain.encode("utf-16-le")),
    )
    yield _ok("ok_utf16_be_mark", "UTF-16 BE with mark", raw(b"\xfe\xff" + plain.encode("utf-16-be")))
    yield _ok("ok_utf16_le", "UTF-16 LE without mark", raw(plain.encode("utf-16-le")))
    yield _ok("ok_utf16_be", "UTF-16 BE without mark", raw(plain.encode("utf-16-be")))
    yield _ok("ok_unknown_keys", "unknown keys are ignored", text(json.dumps(invite(name="x", extra=[1]))))
    yield _ok("ok_onion_port", "an onion port other than 80", text(json.dumps(at(port=8080))), port=8080)
    for name, host in (
        ("ipv4", "192.0.2.7"),
        ("ipv6", "2001:db8::7"),
        ("host", "node.example"),
        ("single_label", "laptop"),
    ):
        yield _ok(
            f"ok_direct_{name}",
            "a direct address",
            text(json.dumps(at("direct", host, 9001))),
            transport="direct",
            address=host,
            port=9001,
        )
    yield _ok("ok_port_1", "the lowest port", text(json.dumps(at(port=1))), port=1)
    yield _ok("ok_port_65535", "the highest port", text(json.dumps(at(port=65535))), port=65535)


def _refused() -> Iterator[Vector]:
    for key in invite():
        rest = {name: value for name, value in invite().items() if name != key}
        yield _bad(f"missing_{key}", f"{key} is missing", rest, "missing-field")
    for key in ("transport", "address", "port"):
        rendezvous = {name: value for name, value in invite()["rendezvous"].items() if name != key}
        yield _bad(f"missing_{key}", f"{key} is missing", invite(rendezvous=rendezvous), "missing-field")
    yield _bad("peer_id_number", "a number", invite(peer_id=1), "bad-field")
    yield _bad("rendezvous_text", "a string", invite(rendezvous="onion"), "bad-field")
    yield _bad("wrong_id", "the id belongs to another key", invite(peer_id=BOB.peer_id), "wrong-id")
    yield _bad("id_upper_case", "the id in upper case", invite(peer_id=ALICE.peer_id.upper()), "wrong-id")
    yield _bad(
        "key_swapped",
        "the key was replaced on the way",
        invite(public_key_b64=BOB.public_key_b64),
        "wrong-id",
    )
    short = ALICE.public_key[:31]
    yield _bad(
        "key_31_bytes",
        "a key of 31 bytes with a matching id",
        invite(public_key_b64=b64(short), peer_id=id_of(short)),
        "bad-key",
    )
    weak = bytes(32)
    yield _bad(
        "key_small_order",
        "a key for which anybody can sign, with a matching id",
        invite(public_key_b64=b64(weak), peer_id=id_of(weak)),
        "bad-key",
        v1_looser="the v1 core only counts the bytes of a key",
    )
    yield _bad("transport_unknown", "a transport of the future", at("carrier-pigeon"), "bad-transport")
    yield _bad("transport_upper_case", "names are exact", at("Onion"), "bad-transport")
    swapped = ("b" if ONION[0] == "a" else "a") + ONION[1:]
    yield _bad("onion_checksum", "one character is mistyped", at(address=swapped), "bad-address")
    yield _bad(
        "onion_version",
        "a valid checksum, but not version 3",
        at(address=onion(BOB.public_key, 2)),
        "bad-address",
    )
    yield _bad(
        "onion_v2", "an address of Tor's old version 2", at(address="a" * 16 + ".onion"), "bad-address"
    )
    yield _bad("onion_no_suffix", "without .onion", at(address=ONION[:56]), "bad-address")
    yield _bad(
        "onion_upper_case",
        "upper case: two spellings of one address",
        at(address=ONION.upper()),
        "bad-address",
    )
    yield _bad("onion_subdomain", "something before the address", at(address="x." + ONION), "bad-address")
    yield _bad("direct_empty", "no host", at("direct", "", 9001), "bad-address")
    yield _bad("direct_ipv4_range", "a number above 255", at("direct", "192.0.2.256", 9001), "bad-address")
    yield _bad("direct_white_space", "white space inside", at("direct", "node example", 9001), "bad-address")
    yield _bad(
        "direct_newline", "a newline after the host", at("direct", "node.example\n", 9001), "bad-address"
    )
    yield _bad(
        "direct_port_inside", "a port in the host", at("direct", "node.example:1", 9001), "bad-address"
    )
    yield _bad("direct_label_64", "a label of 64 characters", at("direct", "a" * 64, 9001), "bad-address")
    for name, port in (
        ("zero", 0),
        ("negative", -1),
        ("65536", 65536),
        ("text", "80"),
        ("float", 80.0),
        ("true", True),
        ("null", None),
    ):
        yield _bad(f"port_{name}", f"the port is {port!r}", at(port=port), "bad-port")
    plain = json.dumps(invite())
    yield _text("two_invites", "two invites in one file", text(plain + plain), "not-json")
    yield _text("cut_off", "copied in part", text(plain[:-5]), "not-json")
    yield _text("empty", "an empty file", text(""), "not-json")
    yield _text("array", "a list of invites", text(f"[{plain}]"), "not-object")
    yield _text(
        "duplicate_key", "two ids", text(plain[:-1] + f', "peer_id": "{ALICE.peer_id}"}}'), "duplicate-key"
    )
    yield _text("not_text", "neither UTF-8 nor UTF-16", raw(b"{\xff\xfe\xfd}"), "not-utf8")
    yield _text("too_large", "larger than 16 KiB", text(plain + " " * 16384), "too-large")


def _ok(
    name: str,
    comment: str,
    given: dict[str, str],
    transport: str = "onion",
    address: str = ONION,
    port: int = 80,
) -> Vector:
    value = {
        "peer_id": ALICE.peer_id,
        "public_key_b64": ALICE.public_key_b64,
        "transport": transport,
        "address": address,
        "port": port,
    }
    return Vector("invite", name, comment, "parse", {"bytes": given}, "invite", value=value)


def _bad(name: str, comment: str, content: dict[str, Any], code: str, v1_looser: str = "") -> Vector:
    given = {"bytes": text(json.dumps(content))}
    return Vector("invite", name, comment, "parse", given, "invite", code, v1_looser=v1_looser)


def _text(name: str, comment: str, given: dict[str, str], code: str) -> Vector:
    layer = "json" if code in {"not-json", "not-object", "duplicate-key"} else "text"
    return Vector("invite", name, comment, "parse", {"bytes": given}, layer, code)
