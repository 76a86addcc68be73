"""What the application of a node serves and reads, for all contacts together."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from p4.core.session.wire import is_service
from p4.errors import InputError, LocalError
from p4.node.calls import CallHandler
from p4.node.datagrams import DatagramServices
from p4.node.inbox import Inbox, Recipient
from p4.node.streams import StreamServices

__all__ = ["Services", "require_service"]


def require_service(name: str) -> str:
    """The name, if a service can have it.

    Raises:
        InputError: ``bad-service``.
    """
    if not is_service(name):
        raise InputError(
            f"{name!r} cannot be the name of a service: it has 1 to 64 characters: words of a-z, 0-9, _ and "
            "-, joined by single dots. Nothing was done.",
            code="bad-service",
        )
    return name


class Services:
    """Everything that an application offers to contacts, by the name of the service.

    Args:
        recipients: the contacts that messages may wait of.
    """

    def __init__(self, recipients: Callable[[], Iterable[Recipient]]) -> None:
        self.inbox = Inbox(recipients)
        self.streams = StreamServices()
        self.datagrams = DatagramServices()
        self._handlers: dict[str, CallHandler] = {}

    def serve(self, service: str, handler: CallHandler) -> None:
        """Answer calls for a service, and for those below it that nobody else answers.

        Raises:
            InputError: ``bad-service``. LocalError: ``already-served``.
        """
        if require_service(service) in self._handlers:
            raise LocalError(f"Calls for {service!r} are answered already.", code="already-served")
        self._handlers[service] = handler

    def stop_serving(self, service: str) -> None:
        """Answer no more calls for a service; those that run go on."""
        self._handlers.pop(service, None)

    def handler(self, service: str) -> CallHandler | None:
        """Who answers calls for a service: its own handler, or that of the beginning of its name."""
        while service not in self._handlers and "." in service:
            service = service.rpartition(".")[0]
        return self._handlers.get(service)

    def close(self) -> None:
        """The node ends: whoever reads learns it."""
        self.inbox.close()
        self.streams.close()
        self.datagrams.close()
