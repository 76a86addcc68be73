"""Whether what Tor has published of an onion service can be found, from its HS_DESC events. Pure."""

from __future__ import annotations

from p4.adapters.tor.control_wire import Arguments

__all__ = ["Uploads"]


class Uploads:
    """Counts the descriptors of one service (control-spec section 4.1.25).

    Two descriptors go out, for this and the next day, to several directories each, and UPLOADED does not say
    which one arrived. More than half of all means: at least one of each.

    Args:
        service_id: 56 characters, the address without ``.onion``.
    """

    def __init__(self, service_id: str) -> None:
        self._service_id = service_id
        self._begun = 0
        self._done = 0

    @property
    def published(self) -> bool:
        """Whether others can find the service."""
        return 2 * self._done > self._begun

    def begin(self) -> None:
        """The service is added anew: what was uploaded of it before counts no more."""
        self._begun = self._done = 0

    def handle(self, event: Arguments) -> bool:
        """Take what follows ``HS_DESC``; whether an upload of this service has just succeeded."""
        if event.word(1) != self._service_id:
            return False
        if event.word(0) == "UPLOAD":
            self._begun += 1
        elif event.word(0) == "FAILED" and event.named.get("REASON") == "UPLOAD_REJECTED":
            self._begun -= 1
        elif event.word(0) == "UPLOADED":
            self._done += 1
            return True
        return False
