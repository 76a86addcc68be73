"""From Tor's events to one status for the user: how far the start is, and what is in its way. Pure."""

from __future__ import annotations

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
        service_id: of our onion address, 56 characters; its uploads are what is waited for.
        address: the same for the status.
    """

    def __init__(self, service_id: str, address: RendezvousAddress) -> None:
        self._uploads = Uploads(service_id)
        self._address = address
        self._percent = 0
        self._summary = "Starting"
        self._trouble: str | None = None
        self.doubtful = False
        """Whether our own call to our address failed, and none has succeeded since."""

    @property
    def bootstrapped(self) -> bool:
        """Whether Tor has all that it needs to build circuits."""
        return self._percent >= _DONE

    @property
    def published(self) -> bool:
        """Whether others can find our address."""
        return self._uploads.published

    def begin_publishing(self) -> None:
        """The service is added anew: what was uploaded of it before counts no more."""
        self._uploads.begin()

    def handle(self, event: Reply) -> None:
        """Take one asynchronous reply of the control port; what it does not know it ignores."""
        kind, _, rest = event.lines[0].text.partition(" ")
        if kind in {"STATUS_CLIENT", "STATUS_GENERAL"}:
            self._handle_status(parse_arguments(rest))
        elif kind == "HS_DESC":
            if self._uploads.handle(parse_arguments(rest)):
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
            text = f"Reachable through Tor as {self._address.host}.{trouble}"
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
