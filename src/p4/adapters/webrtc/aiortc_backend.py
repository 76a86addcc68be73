"""Links on `aiortc`, WebRTC in pure Python."""

from __future__ import annotations

import logging
from collections.abc import Callable

from p4.core.ice import IceSettings
from p4.ports import Link, LinkBackend, LinkEvent

__all__ = ["AiortcBackend"]

_log = logging.getLogger(__name__)


class AiortcBackend(LinkBackend):
    """Makes links with aiortc."""

    def __init__(self, *, warn: Callable[[str], None] = _log.warning) -> None:
        self._warn = warn

    @property
    def name(self) -> str:
        """``aiortc``."""
        return "aiortc"

    def create(self, ice: IceSettings, sink: Callable[[LinkEvent], None]) -> Link:
        """See `p4.ports.LinkBackend.create`."""
        raise NotImplementedError

    async def close(self) -> None:
        """See `p4.ports.LinkBackend.close`."""
