"""L2: what needs no daemon."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Mapping
from typing import Any

from p4.core import envelope
from p4.core.address import RendezvousAddress, Transport
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
from p4.errors import InviteError, RemoteError

__all__ = ["OPERATIONS"]

Arguments = Mapping[str, Any]
Result = dict[str, object]


def _derive(given: Arguments) -> Result:
    identity = Identity(decode_key(given["seed_b64"]))
    return {"public_key_b64": encode_key(identity.public_key), "peer_id": identity.peer_id}


def _key(given: Arguments) -> Result:
    try:
        key = decode_key(given["public_key_b64"])
    except ValueError as error:
        raise InviteError("This is no key in base64.", code="bad-key") from error
    if not is_usable_key(key):
        raise InviteError("This is not a safe key.", code="bad-key")
    return {"peer_id": peer_id_of(key)}


def _verify_signature(given: Arguments) -> Result:
    key, signature = decode_key(given["public_key_b64"]), base64.b64decode(given["signature_b64"])
    if not verify_signature(key, signature, bytes.fromhex(given["message_hex"])):
        raise RemoteError("The signature is not that of the key.", code="bad-signature")
    return {}


def _generate(_: Arguments) -> Result:
    seed = secrets.token_bytes(32)
    return {"seed_b64": encode_key(seed), **_derive({"seed_b64": encode_key(seed)})}


def _sign(given: Arguments) -> Result:
    signature = Identity(decode_key(given["seed_b64"])).sign(bytes.fromhex(given["message_hex"]))
    return {"signature_b64": base64.b64encode(signature).decode()}


def _canonical(given: Arguments) -> Result:
    value = parse_object(base64.b64decode(given["bytes_b64"]))
    return {"canonical": canonical_bytes(value).decode()}


def _verify_envelope(given: Arguments) -> Result:
    verified = envelope.parse(base64.b64decode(given["line_b64"])).verify(
        decode_key(given["public_key_b64"]),
        me=PeerId(given["me"]),
        now_ms=given["now_ms"],
        max_skew_ms=given["max_skew_ms"],
    )
    return {
        "sender": verified.sender,
        "timestamp_ms": verified.timestamp_ms,
        "nonce_hex": verified.nonce.hex(),
        "payload": dict(verified.payload),
    }


def _seal(given: Arguments) -> Result:
    line = envelope.seal(
        Identity(decode_key(given["seed_b64"])),
        PeerId(given["recipient"]),
        given["payload"],
        timestamp_ms=given["now_ms"],
        nonce=bytes.fromhex(given["nonce_hex"]),
    )
    return {"line_b64": base64.b64encode(line).decode()}


def _replay(given: Arguments) -> Result:
    window = ReplayWindow(capacity=given["capacity"])
    for step in given["steps"]:
        if "restart" in step:
            window = ReplayWindow(window.floor_ms, window.entries, given["capacity"])
        elif "prune_now_ms" in step:
            window = window.prune(step["prune_now_ms"])
        else:
            window = window.accept(bytes.fromhex(step["nonce_hex"]), step["timestamp_ms"])
    return {"floor_ms": window.floor_ms, "entries": len(window.entries)}


def _parse_invite(given: Arguments) -> Result:
    invite = Invite.parse(base64.b64decode(given["bytes_b64"]))
    return {
        "peer_id": invite.peer_id,
        "public_key_b64": encode_key(invite.public_key),
        "transport": invite.rendezvous.transport.value,
        "address": invite.rendezvous.host,
        "port": invite.rendezvous.port,
    }


def _write_invite(given: Arguments) -> Result:
    address = RendezvousAddress(Transport(given["transport"]), given["address"], given["port"])
    return {"text": Invite(decode_key(given["public_key_b64"]), address).to_text()}


OPERATIONS: Mapping[str, Callable[[Arguments], Result]] = {
    "identity.derive": _derive,
    "identity.key": _key,
    "identity.verify": _verify_signature,
    "identity.generate": _generate,
    "identity.sign": _sign,
    "canonical.parse": _canonical,
    "envelope.verify": _verify_envelope,
    "envelope.seal": _seal,
    "replay.steps": _replay,
    "invite.parse": _parse_invite,
    "invite.write": _write_invite,
}
