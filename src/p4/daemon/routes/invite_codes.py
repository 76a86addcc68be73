"""The QR code of an invite, for the web page."""

from __future__ import annotations

import io
from typing import Any

from fastapi import Response

from p4.daemon.dependencies import DaemonNode, Owner
from p4.daemon.routing import api_router
from p4.errors import InputError

__all__ = ["router"]

router = api_router("pairing")

_PICTURE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"image/svg+xml": {"schema": {"type": "string"}}}}
}
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@router.get("/invites/{invite_id}/code.svg", response_class=Response, responses=_PICTURE)
async def draw_invite(invite_id: str, node: DaemonNode, access: Owner) -> Response:
    """The link of an open invite as a QR code (ISO/IEC 18004), with its quiet zone. Owner only.

    In capitals, which the link's reader takes as well: so the code needs half the modules.
    """
    import segno  # takes a moment to import

    invite = node.invites.get(invite_id)
    if invite.ended or invite.kind.value != "link":
        raise InputError(
            "This invite has no link any more, or is made of words. Nothing was drawn.", code="no-link"
        )
    drawn = io.BytesIO()
    code = segno.make(invite.text.upper(), error="m", boost_error=False)
    code.save(drawn, kind="svg", border=4, scale=4, xmldecl=False, svgns=True)
    return Response(drawn.getvalue(), media_type="image/svg+xml", headers=_HEADERS)
