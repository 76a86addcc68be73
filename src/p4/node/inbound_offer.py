"""A contact's offer, and the streams that its answer goes to."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from p4.core.contacts import Contact
from p4.core.signaling import WARM, Answer, Busy, Offer
from p4.errors import P4Error, RendezvousError
from p4.node.conversation import Conversation

__all__ = ["InboundOffer"]


class InboundOffer:
    """One offer; the same may arrive over several streams (spec/signaling.md).

    Args:
        conversation: the stream that it came over first.
    """

    def __init__(self, conversation: Conversation, offer: Offer) -> None:
        self.offer = offer
        self.contact: Contact = conversation.contact
        self.streams = [conversation]
        self.candidates: list[str] = []
        """Those that followed before the offer is answered."""
        self.follow: Callable[[], None] = lambda: None
        """Sends what follows the answer on; called when one more stream has got that."""
        self._reply: Answer | Busy | None = None

    async def join(self, conversation: Conversation) -> None:
        """A copy arrived: its stream gets the answer too, also if it was given already.

        Raises:
            RendezvousError: that stream is broken.
        """
        if conversation not in self.streams:
            self.streams.append(conversation)
            if self._reply is not None:
                await self._send(conversation, self._reply)
                self.follow()

    def leave(self, conversation: Conversation) -> bool:
        """A stream has ended; whether it was the last one, so that the offer is withdrawn."""
        if conversation in self.streams:
            self.streams.remove(conversation)
            return not self.streams and not conversation.in_band
        return False

    async def answer(self, answer: Answer) -> None:
        """Give the answer over every stream.

        Raises:
            RendezvousError: over none of them.
        """
        self._reply = answer
        outcomes = await asyncio.gather(
            *(self._send(conversation, answer) for conversation in self.streams), return_exceptions=True
        )
        failed = [outcome for outcome in outcomes if outcome is not None]
        if len(failed) == len(outcomes):
            raise failed[0] if failed else RendezvousError("The contact has gone.", code="stream-broken")

    async def decline(self) -> None:
        """Say that it is not answered."""
        self._reply = busy = Busy(self.offer.session_id)
        for conversation in list(self.streams):
            if self.offer.p4 is None:
                await conversation.fail()
            else:
                try:
                    await conversation.send(busy, sealed=True)
                except P4Error:
                    continue  # that stream is broken; the others may not be

    async def fail(self) -> None:
        """It cannot be answered: give the failure line, which ends the streams."""
        for conversation in list(self.streams):
            await conversation.fail()

    async def _send(self, conversation: Conversation, reply: Answer | Busy) -> None:
        p4 = self.offer.p4
        await conversation.send(reply, sealed=p4 is not None)
        if conversation.in_band:
            return
        if p4 is not None and WARM in p4.capabilities:
            conversation.warm = True
        elif isinstance(reply, Answer):
            conversation.close()
