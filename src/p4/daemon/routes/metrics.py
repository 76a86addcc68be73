"""Figures for Prometheus."""

from __future__ import annotations

import time

from fastapi import Response

from p4.daemon.dependencies import Context, DaemonNode, Owner
from p4.daemon.metrics import CONTENT_TYPE, exposition
from p4.daemon.routing import api_router
from p4.node.status import node_status

__all__ = ["router"]

router = api_router("status")


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def read_metrics(node: DaemonNode, context: Context, access: Owner) -> Response:
    """Links, round trips, queues, reconnects and bytes, in Prometheus' text format. Owner only."""
    status = await node_status(
        node, started_ms=context.started_ms, now_ms=int(time.time() * 1000), now=time.monotonic()
    )
    return Response(exposition(status, context.link_counts), headers={"Content-Type": CONTENT_TYPE})
