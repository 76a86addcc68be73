"""The application behind the sockets: every route of the API."""

from __future__ import annotations

from fastapi import APIRouter, FastAPI

from p4.daemon import errors
from p4.daemon.context import DaemonContext
from p4.daemon.routes import (
    calls,
    chat,
    contacts,
    datagrams,
    events,
    forwards,
    identity,
    inbox,
    link_history,
    login,
    messages,
    page,
    status,
    streams,
    tokens,
)

__all__ = ["API_VERSION", "create_application"]

API_VERSION = "1.0.0"
"""Of the interface in spec/daemon-api: grows in the middle when something is added, in front when a program
that worked may not work any more."""

_ROUTERS: tuple[APIRouter, ...] = (
    calls.router,
    chat.router,
    contacts.router,
    datagrams.router,
    events.router,
    forwards.router,
    identity.router,
    inbox.router,
    link_history.router,
    messages.router,
    status.router,
    streams.router,
    tokens.router,
)
"""Each file of `p4.daemon.routes` has one; its paths come below ``/v1``."""


def create_application(context: DaemonContext | None) -> FastAPI:
    """The ASGI application, without the access control in front of it (`p4.daemon.access.gate`).

    Args:
        context: what its routes work on; None where only its description is wanted.
    """
    application = FastAPI(
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
    for router in _ROUTERS:
        application.include_router(router, prefix="/v1")
    application.include_router(login.router)
    application.include_router(page.router)
    return application
