"""From Tor's events to one status for the user: how far the start is, and what is in its way. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from p4.adapters.tor.control_wire import Arguments, Reply, parse_arguments
from p4.adapters.tor.reasons import bootstrap_trouble, clock_trouble, log_trouble
from p4.adapters.tor.uploads import Uploads
from p4.core.address import RendezvousAddress
from p4.ports import RendezvousPhase, RendezvousStatus

__all__ = ["Progress"]

_BOOTSTRAP_SHARE = 90
"""Per cent of the start-up that Tor's own bootstrap makes up; the rest is publishing the address."""

_DONE = 100


class Progress:
    """What is known about one run of Tor.

    Args:
        addresses: see `follow`.
    """

    def __init__(self, addresses: Sequence[RendezvousAddress] = ()) -> None:
        self._uploads: dict[str, Uploads] = {}
        self._address: RendezvousAddress | None = None
        self._percent = 0
        self._summary = "Starting"
        self._trouble: str | None = None
        self.doubtful = False
        """Whether our own call to our address failed, and none has succeeded since."""
        self.follow(addresses)

    @property
    def bootstrapped(self) -> bool:
        """Whether Tor has all that it needs to build circuits."""
        return self._percent >= _DONE

    @property
    def published(self) -> bool:
        """Whether others can find all our addresses."""
        return bool(self._uploads) and all(uploads.published for uploads in self._uploads.values())

    def follow(self, addresses: Sequence[RendezvousAddress]) -> None:
        """Wait for the uploads of these, of which the last one is told to people."""
        self._uploads = {
            each.host: self._uploads.get(each.host) or Uploads(each.host.removesuffix(".onion"))
            for each in addresses
        }
        self._address = addresses[-1] if addresses else None

    def begin_publishing(self, hosts: Iterable[str] | None = None) -> None:
        """Services are added anew: what was uploaded of them before counts no more. None: all of them."""
        for host in self._uploads.keys() if hosts is None else hosts:
            if uploads := self._uploads.get(host):
                uploads.begin()

    def handle(self, event: Reply) -> None:
        """Take one asynchronous reply of the control port; what it does not know it ignores."""
        kind, _, rest = event.lines[0].text.partition(" ")
        if kind in {"STATUS_CLIENT", "STATUS_GENERAL"}:
            self._handle_status(parse_arguments(rest))
        elif kind == "HS_DESC":
            descriptor = parse_arguments(rest)
            uploads = self._uploads.get(f"{descriptor.word(1)}.onion")
            if uploads is not None and uploads.handle(descriptor):
                self._trouble = None
        elif kind in {"WARN", "ERR"}:
            message = rest or event.lines[0].data or ""
            self._trouble = log_trouble(message) or self._trouble

    def handle_bootstrap(self, text: str) -> None:
        """Take the answer to ``GETINFO status/bootstrap-phase``."""
        self._handle_status(parse_arguments(text))

    def status(self) -> RendezvousStatus:
        """The status that follows from everything so far."""
        trouble = f" {self._trouble}" if self._trouble else ""
        if self.published and self.doubtful:
            text = f"Our onion address did not answer our own call; trying to mend that.{trouble}"
            return RendezvousStatus(RendezvousPhase.PUBLISHING, _BOOTSTRAP_SHARE, text, self._address)
        if self.published:
            host = self._address.host if self._address is not None else ""
            text = f"Reachable through Tor as {host}.{trouble}"
            return RendezvousStatus(RendezvousPhase.READY, 100, text, self._address)
        if self.bootstrapped:
            text = f"Connected to Tor; publishing our onion address.{trouble}"
            return RendezvousStatus(RendezvousPhase.PUBLISHING, _BOOTSTRAP_SHARE, text, self._address)
        progress = self._percent * _BOOTSTRAP_SHARE // _DONE
        text = f"Connecting to Tor: {self._summary} ({self._percent} %).{trouble}"
        return RendezvousStatus(RendezvousPhase.STARTING, progress, text, self._address)

    def _handle_status(self, event: Arguments) -> None:
        severity, action = event.word(0), event.word(1)
        if action == "BOOTSTRAP":
            percent = event.named.get("PROGRESS", "")
            if percent.isascii() and percent.isdigit() and len(percent) <= 3:
                self._percent = min(int(percent), _DONE)
            self._summary = event.named.get("SUMMARY", self._summary)
            self._trouble = bootstrap_trouble(event) if severity == "WARN" else None
        elif action == "CLOCK_SKEW":
            self._trouble = clock_trouble(event) or self._trouble
