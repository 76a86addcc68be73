"""Tokens of apps, and logins of the web page."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import Path, Request, Response
from pydantic import BaseModel, Field

from p4.core import limits
from p4.core.session.wire import is_service
from p4.daemon.access.gate import cookie_name
from p4.daemon.access.tokens import AppToken
from p4.daemon.dependencies import Context, DaemonNode, Owner
from p4.daemon.routing import api_router
from p4.errors import InputError

__all__ = ["router"]

router = api_router("access")

_LONGEST_SECONDS = 10 * 366 * 24 * 3600.0


class NewTokenModel(BaseModel):
    """A token to make."""

    app: str = Field(min_length=1, max_length=64, description="Name of the app, for a person.")
    services: list[str] | None = Field(
        max_length=limits.GRANTS, description="Each covers all below it; null: all services."
    )
    contacts: list[str] | None = Field(
        default=None, max_length=limits.GRANTS, description="Names or ids of contacts; null: all."
    )
    expires_in: float | None = Field(
        default=None, gt=0, le=_LONGEST_SECONDS, description="Seconds; null: never expires."
    )


class TokenModel(BaseModel):
    """A token, without its secret."""

    id: str
    app: str
    services: list[str] | None
    contacts: list[str] | None = Field(description="Ids of contacts.")
    created_ms: int
    expires_ms: int | None

    @classmethod
    def of(cls, token: AppToken) -> TokenModel:
        """From what is kept."""
        return cls(**_fields(token))


class MadeTokenModel(TokenModel):
    """A new token."""

    token: str = Field(description="The secret. It is shown this once.")


class TokensModel(BaseModel):
    """All tokens, also those that have expired."""

    tokens: list[TokenModel]


class WebLoginModel(BaseModel):
    """A way into the web page."""

    url: str = Field(description="Open it in a browser of this machine; it works once.")
    expires_ms: int


@router.get("/tokens")
async def list_tokens(context: Context, access: Owner) -> TokensModel:
    """All app tokens, without their secrets. Owner only."""
    return TokensModel(tokens=[TokenModel.of(token) for token in context.tokens.all()])


@router.post("/tokens", status_code=201)
async def create_token(
    wanted: NewTokenModel, context: Context, node: DaemonNode, access: Owner
) -> MadeTokenModel:
    """Make a token for an app. Owner only."""
    for service in wanted.services or ():
        if service != "*" and not is_service(service):
            raise InputError(
                f"{service!r} cannot be the name of a service. Nothing was done.", code="bad-service"
            )
    contacts = (
        None
        if wanted.contacts is None
        else tuple(dict.fromkeys(node.peer(name).peer_id for name in wanted.contacts))
    )
    token, secret = context.tokens.create(
        wanted.app,
        services=None if wanted.services is None else tuple(dict.fromkeys(wanted.services)),
        contacts=contacts,
        expires_ms=None if wanted.expires_in is None else int((time.time() + wanted.expires_in) * 1000),
    )
    return MadeTokenModel(token=secret, **_fields(token))


@router.delete("/tokens/{token}", status_code=204)
async def revoke_token(
    token: Annotated[str, Path(description="Its id", max_length=64)], context: Context, access: Owner
) -> Response:
    """End a token, and what it does at the moment. Owner only."""
    context.tokens.revoke(token)
    return Response(status_code=204)


@router.post("/web-logins", status_code=201)
async def create_web_login(context: Context, access: Owner) -> WebLoginModel:
    """A link that logs a browser in, once, within a minute. Owner only."""
    code = context.logins.create_code()
    expires_ms = int((time.time() + limits.LOGIN_CODE_SECONDS) * 1000)
    return WebLoginModel(url=f"http://127.0.0.1:{context.port}/login?code={code}", expires_ms=expires_ms)


@router.post("/web-logout", status_code=204)
async def log_out(request: Request, context: Context, access: Owner) -> Response:
    """Forget the browser that asks. Owner only."""
    name = cookie_name(context.port)
    if secret := request.cookies.get(name):
        context.logins.log_out(secret)
    response = Response(status_code=204)
    response.delete_cookie(name, httponly=True, samesite="strict")
    return response


def _fields(token: AppToken) -> dict[str, Any]:
    return {
        "id": token.id,
        "app": token.app,
        "services": None if token.services is None else list(token.services),
        "contacts": None if token.contacts is None else list(token.contacts),
        "created_ms": token.created_ms,
        "expires_ms": token.expires_ms,
    }
