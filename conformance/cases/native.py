"""L2: the files of vectors/, and what a language makes by itself."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from conformance.cases.local import data, decode
from conformance.command import Command
from conformance.expectations import equal, refused, true
from conformance.languages import ROOT
from p4.core import envelope
from p4.core.identity import Identity, PeerId, decode_key, encode_key, peer_id_of, verify_signature
from p4.core.invite import Invite

__all__ = ["KINDS", "NATIVE_CASES", "SEALED", "RunNative"]

KINDS = ("identity", "canonical", "envelope", "replay", "invite")
"""Directories of vectors/ that are L2; the others concern nodes, and only Python is one."""

RunNative = Callable[[Command], Awaitable[None]]

NATIVE_CASES: dict[str, RunNative] = {}
"""By name."""

_NOW_MS = 1_700_000_000_000
SEALED: Mapping[str, Any] = {
    "seed_b64": encode_key(bytes(range(32))),
    "recipient": peer_id_of(Identity(bytes(range(1, 33))).public_key),
    "payload": {
        "type": "ping",
        "😀": "after",
        "\ufb33": "before in UTF-16, not in code points",
        "numbers": [0, -1, 0.1, -1.5e-7, 2**53 - 1, 333333333.3333333],
        "text": '\u0000\u001f"\\/\u007f\u2028é',
        "empty": [{}, [], "", None, True, False],
    },
    "now_ms": _NOW_MS,
    "nonce_hex": "000102030405060708090a0b0c0d0e0f",
}
"""What every language seals; every other one verifies it."""


def _content(given: Mapping[str, Any]) -> bytes:
    """Bytes of a vector, written as text or in hex, with zeros after them."""
    content = given["text"].encode() if "text" in given else bytes.fromhex(given["hex"])
    return bytes(content) + bytes(given.get("zeros", 0))


def _arguments(given: Mapping[str, Any]) -> dict[str, Any]:
    """The input of a vector as arguments: what is bytes, in base64."""
    return {
        (f"{key}_b64" if key in {"bytes", "line"} else key): (
            data(_content(value)) if key in {"bytes", "line"} else value
        )
        for key, value in given.items()
    }


def _vector(path: str) -> RunNative:
    vector = json.loads((ROOT / "vectors" / path).read_bytes())

    async def run(command: Command) -> None:
        operation, expected = f"{vector['kind']}.{vector['operation']}", vector["expect"]
        asking = command.ask(operation, **_arguments(vector["input"]))
        if expected["code"] == "ok":
            equal(await asking, expected["value"], f"{path} ({vector['comment']})")
        else:
            await refused(asking, expected["code"])

    return run


for _path in json.loads((ROOT / "vectors" / "manifest.json").read_bytes())["vectors"]:
    if _path.startswith(tuple(f"{kind}/" for kind in KINDS)):
        NATIVE_CASES[f"L2 {_path.replace('/', ': ').removesuffix('.json')}"] = _vector(_path)


def _native(name: str) -> Callable[[RunNative], RunNative]:
    def register(run: RunNative) -> RunNative:
        NATIVE_CASES[f"L2 {name}"] = run
        return run

    return register


@_native("making: identities")
async def _identities(command: Command) -> None:
    """A fresh seed gives its key, its id and its signatures; and the next one is another."""
    first, second = await command.ask("identity.generate"), await command.ask("identity.generate")
    true(first["seed_b64"] != second["seed_b64"], "two identities have the same seed")
    identity = Identity(decode_key(first["seed_b64"]))
    equal(first["public_key_b64"], encode_key(identity.public_key), "the key of a generated seed")
    equal(first["peer_id"], identity.peer_id, "the id of a generated seed")
    for message in (b"", bytes(range(256))):
        made = await command.ask("identity.sign", seed_b64=first["seed_b64"], message_hex=message.hex())
        signature = base64.b64decode(made["signature_b64"], validate=True)
        true(verify_signature(identity.public_key, signature, message), "a signature is none")


@_native("making: envelopes")
async def _envelopes(command: Command) -> None:
    """The line is read as what was sealed, and its signature is the one that there can be (RFC 8032)."""
    line = decode((await command.ask("envelope.seal", **SEALED))["line_b64"])
    identity, recipient = Identity(decode_key(SEALED["seed_b64"])), PeerId(SEALED["recipient"])
    verified = envelope.parse(line).verify(identity.public_key, me=recipient, now_ms=_NOW_MS)
    equal(dict(verified.payload), SEALED["payload"], "what is in the envelope")
    nonce = bytes.fromhex(SEALED["nonce_hex"])
    ours = envelope.seal(identity, recipient, SEALED["payload"], timestamp_ms=_NOW_MS, nonce=nonce)
    equal(json.loads(line), json.loads(ours), "the envelope, with its signature")


@_native("making: invites")
async def _invites(command: Command) -> None:
    """The text is read as the invite that was to be written."""
    for transport, address, port in (
        ("direct", "device.example", 65535),
        ("direct", "2001:db8::1", 1),
    ):
        key = encode_key(Identity(bytes(range(32))).public_key)
        given = {"public_key_b64": key, "transport": transport, "address": address, "port": port}
        text = (await command.ask("invite.write", **given))["text"]
        invite = Invite.parse(text)
        found = invite.rendezvous
        equal(
            [encode_key(invite.public_key), found.transport.value, found.host, found.port],
            [key, transport, address, port],
            "what the invite says",
        )
