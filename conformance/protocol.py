"""What the protocol of README.md says in tables: who needs a client, and what each result consists of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["RESULTS", "needs_client", "unexpected_keys"]

_WITHOUT_CLIENT = (
    "identity.",
    "canonical.",
    "envelope.",
    "replay.",
    "invite.",
    "receipt.",
)
"""Beginnings of operations that name no client; of what lives on only what opens it does."""

_OPENING = frozenset(
    {"messages.open", "serving.open", "stream.open", "stream.accept", "datagrams.open", "events.open"}
)
_LIVING = ("messages.", "serving.", "stream.", "datagrams.", "events.")

RESULTS: Mapping[str, frozenset[str]] = {
    operation: frozenset(keys.split())
    for operation, keys in {
        "identity.derive": "public_key_b64 peer_id",
        "identity.key": "peer_id",
        "identity.generate": "seed_b64 public_key_b64 peer_id",
        "identity.sign": "signature_b64",
        "canonical.parse": "canonical",
        "envelope.verify": "sender timestamp_ms nonce_hex payload",
        "envelope.seal": "line_b64",
        "replay.steps": "floor_ms entries",
        "invite.parse": "peer_id public_key_b64 transport address port",
        "invite.write": "text",
        "identity": "id name public_key",
        "status": "id contacts",
        "services": "services",
        "request": "body",
        "token.new": "id token",
        "token.list": "ids",
        "pairing.create": "invite text",
        "pairing.add": "contact",
        "pairing.wait": "contact",
        "contact.list": "contacts",
        "contact.status": "id name connected queued_messages",
        "contact.ping": "round_trip_seconds",
        "contact.rename": "name",
        "contact.grant": "grants",
        "contact.grants": "grants",
        "contact.verification": "words",
        "contact.call": "*",
        "message.send": "id",
        "message.send_many": "ids",
        "messages.next": "contact id service key *",
        "chat.say": "message_id",
        "chat.history": "entries",
        "stream.open": "id written position",
        "stream.accept": "id contact name written position",
        "stream.flush": "written",
        "stream.read": "bytes_b64 at_end",
        "stream.resume": "written position",
        "datagrams.next": "contact bytes_b64",
        "events.next": "type data",
    }.items()
}
"""The keys of each result that has any; ``*`` is a value."""


def needs_client(operation: str) -> bool:
    """Whether the arguments of an operation name a client."""
    if operation.startswith(_LIVING):
        return operation in _OPENING
    return not operation.startswith(_WITHOUT_CLIENT)


def unexpected_keys(operation: str, result: Mapping[str, Any]) -> str:
    """What is wrong with the keys of a result; empty if nothing is."""
    expected = set(RESULTS.get(operation, frozenset()))
    found = set(result)
    if "*" in expected:
        expected.discard("*")
        if len(found & {"value", "base64"}) != 1:
            return f"the result of {operation} has not one value: {sorted(found)}"
        found -= {"value", "base64"}
    if found != expected:
        return f"the result of {operation} has the keys {sorted(found)} instead of {sorted(expected)}"
    return ""
