"""What a node remembers about a contact between runs, beside its texts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from p4.core.contacts import Contact
from p4.node.background import BackgroundTasks
from p4.node.context import PeerContext
from p4.node.events import NodeWarning
from p4.ports import PeerRecord

__all__ = ["ContactHistory"]


class ContactHistory:
    """The protocol a contact spoke, and when it was last seen.

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

    def notice(self, protocol: int) -> None:
        """The contact speaks this protocol now. A lower one than before is worth a warning, once."""
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
