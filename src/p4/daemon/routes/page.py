"""The web page: static files, and the rules under which a browser may show them.

They hold no secret, so any browser of this machine gets them; what they show comes from ``/v1``, which
needs the cookie of a login.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Header, Path, Response

from p4.errors import InputError

__all__ = ["CONTENT_SECURITY_POLICY", "router"]

router = APIRouter(tags=["page"], include_in_schema=False)

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        # Text of contacts cannot become markup, not even by a mistake of ours.
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
"""Of every answer of the page (https://www.w3.org/TR/CSP3/)."""

_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Asked for again each time, and then answered without a body: an update of P4 shows at once.
    "Cache-Control": "no-cache",
}

_MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class _Asset:
    content: bytes
    media_type: str
    tag: str


@lru_cache(maxsize=1)
def _assets() -> dict[str, _Asset]:
    """Every file of the page by its name: nothing else can be asked for."""
    found = {}
    for file in files("p4.daemon").joinpath("web").iterdir():
        suffix = file.name[file.name.rfind(".") :]
        if suffix in _MEDIA_TYPES:
            content = file.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'
            found[file.name] = _Asset(content, _MEDIA_TYPES[suffix], tag)
    return found


@router.get("/")
async def read_page(if_none_match: Annotated[str, Header()] = "") -> Response:
    """The page itself."""
    return _answer("index.html", if_none_match)


@router.get("/web/{name}")
async def read_asset(
    name: Annotated[str, Path(max_length=64)], if_none_match: Annotated[str, Header()] = ""
) -> Response:
    """One of its files."""
    return _answer(name, if_none_match)


def _answer(name: str, known: str) -> Response:
    asset = _assets().get(name)
    if asset is None:
        raise InputError("P4's page has no such file.", code="unknown")
    headers = {**_HEADERS, "ETag": asset.tag}
    if known == asset.tag:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, headers=headers, media_type=asset.media_type)
