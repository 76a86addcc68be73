"""Fetching an onion address' descriptor anew, before a dial that must not trust the cached one.

After a restart an onion service has new introduction points, and Tor's cache names the old ones for
hours; dialling then costs seconds, sometimes minutes. HSFETCH replaces what is cached.
"""

from __future__ import annotations

import asyncio
import contextlib

from p4.adapters.tor.control import ControlConnection
from p4.adapters.tor.control_wire import Reply, parse_arguments
from p4.errors import TorError

__all__ = ["DescriptorFetches"]

_ENDINGS = frozenset({"RECEIVED", "FAILED"})


class DescriptorFetches:
    """Waits for the HS_DESC events that answer HSFETCH (control-spec sections 3.26 and 4.1.25)."""

    def __init__(self) -> None:
        self._waiting: dict[str, list[asyncio.Event]] = {}

    async def fetch(self, control: ControlConnection, service_id: str, *, seconds: float) -> None:
        """Fetch, and return when the descriptor has arrived, none was found, or the time is over.

        Raises nothing of its own: whatever happens, dialling is the next step, and it tells the reason.
        """
        arrived = asyncio.Event()
        self._waiting.setdefault(service_id, []).append(arrived)
        try:
            with contextlib.suppress(TimeoutError, TorError):
                async with asyncio.timeout(seconds):
                    await control.command("HSFETCH", service_id)
                    await arrived.wait()
        finally:
            waiting = self._waiting[service_id]
            waiting.remove(arrived)
            if not waiting:
                del self._waiting[service_id]

    def handle(self, event: Reply) -> None:
        """Take one asynchronous reply; others than HS_DESC are ignored."""
        kind, _, rest = event.lines[0].text.partition(" ")
        if kind != "HS_DESC" or not self._waiting:
            return
        arguments = parse_arguments(rest)
        if arguments.word(0) in _ENDINGS:
            for arrived in self._waiting.get(arguments.word(1), ()):
                arrived.set()
