"""The port of a rendezvous with a gate: a second address that admits contacts only (spec/gate.md)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from p4.core.address import RendezvousAddress

__all__ = ["GatedRendezvous"]


class GatedRendezvous(Protocol):
    """What a gated rendezvous can do beside `p4.ports.Rendezvous`, which it is too.

    It publishes nothing before it was told, by `admit`, who may come.
    """

    @property
    def gated_address(self) -> RendezvousAddress:
        """Where contacts find the gate. It stays the same; known as soon as the rendezvous was started."""

    async def admit(self, keys: Iterable[bytes], *, open_too: bool) -> None:
        """Admit these and nobody else from now on. Returns when that was begun; raises nothing.

        Those that are new do not disturb the others. If one is missing that was admitted before, the
        entrances that it knows are given up: the gate cannot be dialled for a moment, streams may end.

        Args:
            keys: X25519 public keys, at most ``limits.GATE_KEYS``.
            open_too: whether the other address, which admits everybody, is published, too.
        """

    def take_key(self, address: RendezvousAddress, private_key: bytes) -> None:
        """Use our X25519 private key whenever this gate is dialled from now on; kept in memory only."""
