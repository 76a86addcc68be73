"""What two devices that pair tell each other about themselves (spec/pairing.md, The card)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from p4.core import limits
from p4.core.address import RendezvousAddress, Transport
from p4.core.canonical import canonical_bytes, parse_object
from p4.core.gate import is_usable_gate_key
from p4.core.identity import decode_key, encode_key, peer_id_of
from p4.core.invite import Invite
from p4.errors import InputError, InviteError, SignalingError

__all__ = ["Card", "CardGate"]

_CAPABILITIES: Final = 64
_CAPABILITY_CHARACTERS: Final = 32


@dataclass(frozen=True, slots=True)
class CardGate:
    """Where a device admits contacts only, and by what the other shall admit it (spec/gate.md).

    Args:
        key: X25519 public key, 32 bytes, that the receiver of the card admits at its own gate.
        address: of the sender's gate.
    """

    key: bytes
    address: RendezvousAddress


@dataclass(frozen=True, slots=True)
class Card:
    """A device about itself.

    Args:
        invite: its key, and where contacts reach it.
        name: what it calls itself; a proposal.
        gate: None for a device that has none.
        capabilities: as in an announcement (spec/signaling.md).
    """

    invite: Invite
    name: str = ""
    gate: CardGate | None = None
    capabilities: tuple[str, ...] = ()

    def to_bytes(self) -> bytes:
        """Its canonical form.

        Raises:
            InputError: it is longer than a card may be.
        """
        fields = self.invite.to_object()
        content: dict[str, object] = {
            "key": fields["public_key_b64"],
            "rendezvous": fields["rendezvous"],
            "name": self.name,
            "caps": list(self.capabilities),
        }
        if self.gate is not None:
            at = self.gate.address
            content["gate"] = {"key": encode_key(self.gate.key), "address": at.host, "port": at.port}
        data = canonical_bytes(content)
        if len(data) > limits.PAIRING_CARD_BYTES:
            raise InputError("What this device says about itself is too long for a card.", code="too-large")
        return data

    @classmethod
    def parse(cls, data: bytes) -> Card:
        """Read a card. Unknown keys are ignored.

        Raises:
            SignalingError: ``bad-card``, or a code of `p4.core.canonical.parse_object`.
        """
        if len(data) > limits.PAIRING_CARD_BYTES:
            raise _bad("it is too long")
        fields = parse_object(data, SignalingError)
        return cls(_invite(fields), _text(fields, "name"), _gate(fields), _capabilities(fields))


def _bad(why: str) -> SignalingError:
    return SignalingError(f"The other device's card cannot be used: {why}.", code="bad-card")


def _text(fields: Mapping[str, object], key: str) -> str:
    value = fields.get(key)
    if not isinstance(value, str):
        raise _bad(f"its {key} is not a string")
    return value


def _invite(fields: Mapping[str, object]) -> Invite:
    text = _text(fields, "key")
    try:
        key = decode_key(text)
        # The rules of an invite, in one place: whoever signs with a key has the id that belongs to it.
        return Invite.from_object(
            {"peer_id": peer_id_of(key), "public_key_b64": text, "rendezvous": fields.get("rendezvous")}
        )
    except (ValueError, InviteError) as error:
        raise _bad(f"its key or address breaks a rule ({error})") from error


def _gate(fields: Mapping[str, object]) -> CardGate | None:
    gate = fields.get("gate")
    if gate is None:
        return None
    if not isinstance(gate, dict):
        raise _bad("its gate is not an object")
    port = gate.get("port")
    if type(port) is not int:
        raise _bad("the port of its gate is not a whole number")
    try:
        key = decode_key(_text(gate, "key"))
        if not is_usable_gate_key(key):
            raise _bad("the key for its gate is of small order")
        return CardGate(key, RendezvousAddress(Transport.ONION, _text(gate, "address"), port))
    except (ValueError, InviteError) as error:
        raise _bad(f"its gate breaks a rule ({error})") from error


def _capabilities(fields: Mapping[str, object]) -> tuple[str, ...]:
    value = fields.get("caps")
    if (
        not isinstance(value, list)
        or len(value) > _CAPABILITIES
        or not all(isinstance(item, str) and 0 < len(item) <= _CAPABILITY_CHARACTERS for item in value)
    ):
        raise _bad("its capabilities are not a list of short strings")
    return tuple(value)
