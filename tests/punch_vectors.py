"""How the vectors of port guessing are run against our core."""

from __future__ import annotations

from typing import Any

from p4.core.punch import NatNote, PacketKind, Packets, Role, punch_key, role_between

Outcome = tuple[str, str, Any]  # layer, code, value


def punch_keys(given: dict[str, Any]) -> Outcome:
    nonces = bytes.fromhex(given["offer_nonce_hex"]), bytes.fromhex(given["answer_nonce_hex"])
    key = punch_key(*nonces, given["session_id"])
    packets = Packets(key)
    written = {_name(kind): packets.write(kind).hex() for kind in PacketKind}
    return "punch", "ok", {"key_hex": key.hex(), "packets_hex": written}


def punch_packet(given: dict[str, Any]) -> Outcome:
    (data,) = given["bytes"].values()
    sender = Role.HARD if given["receiver"] == "easy" else Role.EASY
    kind = Packets(bytes.fromhex(given["key_hex"])).read(bytes.fromhex(data), sender)
    return "punch", "ok", {"packet": None if kind is None else _name(kind)}


def punch_role(given: dict[str, Any]) -> Outcome:
    role = role_between(NatNote.parse(given["ours"]), NatNote.parse(given["theirs"]))
    return "punch", "ok", {"role": None if role is None else role.value}


def _name(kind: PacketKind) -> str:
    return kind.name.replace("_", "-")
