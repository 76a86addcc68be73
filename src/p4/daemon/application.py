"""The application behind the sockets: every route of the API."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, FastAPI

from p4.daemon import errors
from p4.daemon.context import DaemonContext
from p4.daemon.routes import (
    calls,
    chat,
    contacts,
    datagrams,
    doctor,
    events,
    forwards,
    identity,
    inbox,
    invite_codes,
    lifecycle,
    link_history,
    login,
    messages,
    metrics,
    page,
    pairing,
    status,
    streams,
    tokens,
    transfers,
)
from p4.daemon.routing import add_routes

__all__ = ["API_VERSION", "create_application"]

API_VERSION = "1.0.0"
"""Of the interface in spec/daemon-api: grows in the middle when something is added, in front when a program
that worked may not work any more."""

_ROUTERS: tuple[APIRouter, ...] = (
    messages.router,  # first, because the first match counts and nothing is asked for as often
    inbox.router,
    calls.router,
    chat.router,
    contacts.router,
    datagrams.router,
    doctor.router,
    events.router,
    forwards.router,
    identity.router,
    invite_codes.router,
    lifecycle.router,
    link_history.router,
    metrics.router,
    pairing.router,
    status.router,
    streams.router,
    tokens.router,
    transfers.router,
)
"""Each file of `p4.daemon.routes` has one."""


class _Application(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """The description, with our form of errors where FastAPI would name its own."""
        if self.openapi_schema is None:
            document = super().openapi()
            for path in document["paths"].values():
                for operation in path.values():
                    operation["responses"].pop("422", None)
                    operation["responses"]["default"] = errors.DESCRIBED
            for name in ("HTTPValidationError", "ValidationError"):
                document["components"]["schemas"].pop(name, None)
        return super().openapi()


def create_application(context: DaemonContext | None) -> FastAPI:
    """The ASGI application, without the access control in front of it (`p4.daemon.access.gate`).

    Args:
        context: what its routes work on; None where only its description is wanted.
    """
    application = _Application(
        title="P4 daemon",
        version=API_VERSION,
        summary="The API of a running P4 device, for programs on the same machine.",
        description="What the routes promise, and who may use them: spec/daemon-api/README.md.",
        license_info={"name": "MIT", "identifier": "MIT"},
        openapi_url="/v1/openapi.json",
        # Their pages would load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        # A redirect would answer a request with a mistyped path by sending its body again.
        redirect_slashes=False,
        responses=errors.ERROR_ANSWERS,
    )
    application.state.daemon = context
    errors.install(application)
    add_routes(application, *_ROUTERS, login.router, page.router)
    return application
