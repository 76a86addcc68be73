"""What a node remembers about a contact, beside its texts: what it spoke, and so whether to seal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from p4.core import limits
from p4.core.contacts import Contact
from p4.core.signaling import PROTOCOL_2
from p4.node.background import BackgroundTasks
from p4.node.context import PeerContext
from p4.node.events import NodeWarning
from p4.ports import PeerRecord

__all__ = ["ContactHistory"]


class ContactHistory:
    """The protocol a contact spoke, when it was last seen, and what may go to it in clear.

    Only what the contact signed tells its protocol. Refusals are unsigned, so all they can do is to let one
    offer go out in clear, and not without a word (spec/sealing.md).

    Args:
        record: what the store knows.
        background: where writing it takes place.
    """

    def __init__(
        self,
        contact: Callable[[], Contact],
        record: PeerRecord,
        context: PeerContext,
        background: BackgroundTasks,
    ) -> None:
        self._contact = contact
        self._record = record
        self._context = context
        self._background = background
        self._fall_noticed = False
        self._speaks = record.protocol
        self._refusals = 0
        self._refusal_noticed = False

    @property
    def sealed(self) -> bool:
        """Whether our requests to the contact are sealed: as far as we know it can open them."""
        return self._speaks >= PROTOCOL_2

    @property
    def old(self) -> bool:
        """Whether the contact is known to speak version 1 only."""
        return self._speaks == 1

    def seal_offer(self) -> bool:
        """Whether the offer that is now made shall be sealed."""
        if self._refusals < limits.SEALED_REFUSALS:
            return self.sealed
        self._refusals = 0
        return False

    def offer_refused(self) -> None:
        """The unsigned failure line was the reply to a sealed offer."""
        self._refusals += 1
        if self._refusals == limits.SEALED_REFUSALS and not self._refusal_noticed:
            self._refusal_noticed = True
            self._context.emit(
                NodeWarning(
                    f"{self._contact().label} refuses what only it can read. It has removed you, its "
                    "software was replaced by an older one, or someone in between answers for it. Now and "
                    "then an offer goes to it signed but unencrypted, as older software needs it."
                )
            )

    def notice(self, protocol: int) -> None:
        """The contact proved that it speaks this protocol now. A lower one is worth a warning, once."""
        self._speaks = protocol
        self._refusals = 0
        self._refusal_noticed = False
        fell = protocol < self._record.protocol
        if fell and not self._fall_noticed:
            self._context.emit(
                NodeWarning(
                    f"{self._contact().label} spoke protocol {self._record.protocol} before and now speaks "
                    f"{protocol}. Its software was replaced by an older one, or someone holds back what it "
                    "announces. Messages still arrive, with fewer guarantees."
                )
            )
        self._fall_noticed = fell

    def seen(self, protocol: int) -> None:
        """A link was up a moment ago; ``protocol`` is the highest that the contact ever spoke."""
        last_seen = self._context.clock.wall_ms()
        self._record = replace(self._record, protocol=protocol, last_seen_ms=last_seen)
        self._background.spawn(self._context.store.save_peer(self._contact().peer_id, self._record))
