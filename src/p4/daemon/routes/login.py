"""The one-time login of a browser. Not below ``/v1``: a person sees this address."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Header, Query, Response
from starlette.responses import RedirectResponse

from p4.core import limits
from p4.daemon.access.gate import cookie_name
from p4.daemon.dependencies import Context
from p4.errors import AccessError

__all__ = ["router"]

router = APIRouter(tags=["access"])


@router.get("/login", include_in_schema=False)
async def log_in(
    context: Context,
    code: Annotated[str, Query(max_length=256)] = "",
    accept: Annotated[str, Header()] = "",
) -> Response:
    """Use up a login code, and go to the page with the cookie of a new session."""
    session = context.logins.log_in(code)
    if session is None:
        await context.failures.failed()
        if "text/html" in accept:  # the page tells a person what to do; one who is logged in just gets there
            return RedirectResponse("/", 303, {"Cache-Control": "no-store"})
        raise AccessError(
            "This login link was used or is older than a minute. Get a new one: p4 open", code="bad-code"
        )
    response = RedirectResponse("/", 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
    response.set_cookie(
        cookie_name(context.port),
        session,
        max_age=limits.WEB_SESSION_SECONDS,
        path="/",
        httponly=True,
        samesite="strict",
    )
    return response
