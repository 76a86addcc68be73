"""Receipts of messages that programs sent, until they ask for them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from p4.core import limits
from p4.core.identity import PeerId
from p4.errors import InputError
from p4.node.receipts import Receipt

__all__ = ["KeptReceipts"]


class KeptReceipts:
    """The latest `limits.API_RECEIPTS` of this run."""

    def __init__(self) -> None:
        self._receipts: OrderedDict[tuple[PeerId, str], Receipt] = OrderedDict()

    def keep(self, contact: PeerId, receipts: Iterable[Receipt]) -> None:
        """Remember these, by the ids that they have now."""
        for receipt in receipts:
            self._receipts[contact, receipt.id] = receipt
        while len(self._receipts) > limits.API_RECEIPTS:
            self._receipts.popitem(last=False)

    def find(self, contact: PeerId, message_id: str) -> Receipt:
        """The receipt of a message. Raises InputError ``unknown``."""
        receipt = self._receipts.get((contact, message_id))
        if receipt is None:
            raise InputError(
                "There is no receipt of this message: none was sent through this daemon since it started, or "
                "it is long ago. The message, if there is one, does not need it.",
                code="unknown",
            )
        return receipt
