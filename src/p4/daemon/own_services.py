"""Services whose messages and streams the daemon's own apps take.

Each message, and each stream, goes to one of those who ask for it: a program that asked, too, would take away
what is theirs.
"""

from __future__ import annotations

from p4.core.session.grants import covers
from p4.errors import LocalError

__all__ = ["refuse_own_messages", "refuse_own_streams"]

_MESSAGES = ("chat", "p4")
_STREAMS = ("files", "p4", "tcp")


def refuse_own_messages(service: str) -> None:
    """Refuse to read messages that an app of the daemon reads. Raises LocalError ``in-use``."""
    if any(covers(own, service) for own in _MESSAGES):
        raise LocalError(
            f"Messages for {service!r} are read by the daemon itself. Read another service.", code="in-use"
        )


def refuse_own_streams(service: str) -> None:
    """Refuse to accept streams that an app of the daemon accepts. Raises LocalError ``in-use``."""
    if any(covers(own, service) for own in _STREAMS):
        raise LocalError(
            f"Streams for {service!r} are taken by the daemon itself. Use another service.", code="in-use"
        )
