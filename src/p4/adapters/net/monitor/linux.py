"""Changes as the Linux kernel announces them (rtnetlink(7)): within milliseconds, without privileges.

Imports everywhere; where there is no netlink, `NetlinkSource.open` says so.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
from collections.abc import Callable

from p4.adapters.net.monitor.netlink import CHANGE_GROUPS, Dump, NetlinkMessage, dump_request, snapshot_of
from p4.adapters.net.monitor.snapshot import Snapshot

__all__ = ["NetlinkSource"]

_DATAGRAM_BYTES = 256 * 1024
"""Larger than any datagram the kernel makes: it fills at most 32 KiB of a dump into one."""

_DUMP_SECONDS = 1.0
"""The kernel answers a dump from within our own call; this only bounds what must not happen."""

_TRIES = 4
"""Listings that a change interrupted are repeated this often; the next hint repeats the last one anyway."""

_READ_AT_ONCE = 64
"""Announcements taken in one turn of the loop: a storm of them must not hold up everything else."""


class NetlinkSource:
    """Implements `p4.adapters.net.monitor.snapshot.Source` with two netlink sockets: one is told of
    changes, the other asks for the state, so that no announcement is mistaken for an answer.
    """

    def __init__(self) -> None:
        self._events: socket.socket | None = None
        self._questions: socket.socket | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sequence = 0
        self._hint: Callable[[], None] = lambda: None
        self._failed: Callable[[], None] = lambda: None

    @property
    def poll_seconds(self) -> float | None:
        """None: the kernel announces changes."""
        return None

    def open(self, hint: Callable[[], None], failed: Callable[[], None]) -> None:
        """Subscribe to changes of links, addresses and routes.

        Raises:
            OSError: no netlink here, or a sandbox forbids it.
        """
        self._hint, self._failed = hint, failed
        try:
            self._questions = _netlink(0)
            self._questions.settimeout(_DUMP_SECONDS)
            self._events = _netlink(CHANGE_GROUPS)
            self._events.setblocking(False)
            self._loop = asyncio.get_running_loop()
            self._loop.add_reader(self._events.fileno(), self._announced)
        except OSError:
            self.close()
            raise
        except NotImplementedError:  # an event loop that watches no descriptors
            self.close()
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP)) from None

    def snapshot(self) -> Snapshot:
        """Ask the kernel; takes well under a millisecond on a machine with few routes.

        Raises:
            OSError: not open, or the kernel refused.
        """
        for _ in range(_TRIES):
            listed: list[NetlinkMessage] = []
            consistent = True
            for what in ("link", "address", "route"):
                dump = self._dump(what)
                listed += dump.collected
                consistent = consistent and dump.consistent
            if consistent:
                break
        return snapshot_of(listed)

    def close(self) -> None:
        """Unsubscribe and close both sockets."""
        events, self._events = self._events, None
        questions, self._questions = self._questions, None
        if events is not None:
            if self._loop is not None and not self._loop.is_closed():
                self._loop.remove_reader(events.fileno())
            events.close()
        if questions is not None:
            questions.close()

    def _dump(self, what: str) -> Dump:
        if self._questions is None:
            raise OSError(errno.ENOTCONN, os.strerror(errno.ENOTCONN))
        self._sequence = (self._sequence + 1) & 0x7FFFFFFF
        self._questions.send(dump_request(what, self._sequence))
        dump = Dump(self._sequence)
        while not dump.complete:
            dump.take(self._questions.recv(_DATAGRAM_BYTES))
        if dump.error:
            raise OSError(dump.error, os.strerror(dump.error))
        return dump

    def _announced(self) -> None:
        if self._events is None:
            return
        try:
            # Their content does not matter: whatever it was, the snapshot tells what became of it.
            for _ in range(_READ_AT_ONCE):
                self._events.recv(_DATAGRAM_BYTES)
        except BlockingIOError:
            pass
        except OSError as error:
            # ENOBUFS: announcements were lost, which is an announcement too.
            if error.errno != errno.ENOBUFS:
                self.close()
                self._failed()
                return
        self._hint()


def _netlink(groups: int) -> socket.socket:
    if sys.platform == "linux":
        made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        try:
            made.bind((0, groups))
        except OSError:
            made.close()
            raise
        return made
    else:  # noqa: RET505 - the form in which a type checker knows the platform
        raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
