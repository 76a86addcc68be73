"""An invite of ours, as applications see it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Container

from p4.core.identity import PeerId, peer_id_of
from p4.core.pairing.open_invite import InviteKind, OpenInvite
from p4.core.pairing.refusals import pairing_error
from p4.core.pairing.secrets import PairingSecret
from p4.errors import P4Error
from p4.node.peer import Peer
from p4.ports import Clock

__all__ = ["PairingInvite"]


class PairingInvite:
    """An invite that waits for a guest, or what became of it. Made by `Invites.create`.

    Args:
        secret: what its sides derive everything from.
        deadline: when its lifetime is over by the clock that never jumps, `p4.ports.Clock.monotonic`.
        cancelled: takes it back.
    """

    def __init__(
        self,
        record: OpenInvite,
        secret: PairingSecret,
        deadline: float,
        cancelled: Callable[[PairingInvite], Awaitable[None]],
    ) -> None:
        self.record = record
        self.secret = secret
        self.deadline = deadline
        self.stored = False
        """Whether the guest that claimed it is a contact; if it is one no longer, the invite ends."""
        self.doubted = False
        """Whether its guest fell silent, and a link is waited for."""
        self.code = "open"
        """``open``; ``claimed`` while its guest has not confirmed; at last ``paired``, or the code of the
        `PairingError` that it ended with."""
        self._cancelled = cancelled
        self._outcome: Peer | P4Error | None = None
        self._ended = asyncio.Event()
        self._placed = asyncio.Event()

    def __repr__(self) -> str:
        return f"<PairingInvite {self.id} {self.record.kind} {self.code}>"

    @property
    def id(self) -> str:
        """Names it; no secret."""
        return self.record.id

    @property
    def kind(self) -> InviteKind:
        """Link or words."""
        return self.record.kind

    @property
    def text(self) -> str:
        """The link, or the words with a blank between: whoever gets it first is paired."""
        return self.record.text

    @property
    def name(self) -> str:
        """What the guest will be called here; empty for what it calls itself."""
        return self.record.name

    @property
    def created_ms(self) -> int:
        """When it was made, Unix milliseconds."""
        return self.record.created_ms

    @property
    def expires_at_ms(self) -> int:
        """When it ends by itself, Unix milliseconds."""
        return self.record.expires_at_ms

    @property
    def ended(self) -> bool:
        """Whether it was used or cannot be used any more."""
        return self._outcome is not None

    @property
    def findable(self) -> bool:
        """Whether a guest would find one of its places now, as far as this side can tell."""
        return self._placed.is_set()

    async def wait(self) -> Peer:
        """Wait until both sides are paired, and give the guest.

        Raises:
            PairingError: it ended otherwise: ``expired``, ``cancelled``, ``ended`` (a wrong guess),
                ``unconfirmed``, ``rotated`` (our key was changed, and the link named the former one) or
                ``closed`` (our node ends; the invite stays for its next start).
        """
        await self._ended.wait()
        assert self._outcome is not None  # noqa: S101 - the event says so
        if isinstance(self._outcome, P4Error):
            raise self._outcome
        return self._outcome

    async def wait_findable(self) -> None:
        """Wait until a guest can find one of its places, or until it has ended."""
        await self._placed.wait()

    async def cancel(self) -> None:
        """Take it back. One that has ended stays as it is."""
        await self._cancelled(self)

    # -- for `Invites` -----------------------------------------------------------------------------------

    def seconds_left(self, clock: Clock) -> float:
        """Until it expires, by the clock that says so first."""
        by_wall_clock = (self.expires_at_ms - clock.wall_ms()) / 1000
        return min(by_wall_clock, self.deadline - clock.monotonic())

    def names_another(self, own_key: bytes) -> bool:
        """Whether it is a link with a key that is not (any more) ours."""
        return bool(self.secret.host_key) and self.secret.host_key != own_key

    def outlived_by(self, served: Container[PeerId], own_key: bytes) -> str:
        """With what code it ends, now that these are our contacts and key; empty if it does not."""
        claimed, was_stored = self.record.claimed_by, self.stored
        self.stored = bool(claimed) and peer_id_of(claimed) in served
        if was_stored and not self.stored:
            return "cancelled"
        if self.names_another(own_key):
            return "unconfirmed" if claimed else "rotated"
        return ""

    def place_open(self) -> None:
        """One of its places can be found."""
        self._placed.set()

    def finish(self, outcome: Peer | str) -> None:
        """It is over.

        Args:
            outcome: the guest, or the code of the error.
        """
        if self._outcome is None:
            self.code = outcome if isinstance(outcome, str) else "paired"
            self._outcome = pairing_error(outcome) if isinstance(outcome, str) else outcome
            self._ended.set()
            self._placed.set()
