"""What may keep this device from its contacts."""

from __future__ import annotations

import os
import time
from typing import Annotated

from fastapi import Query
from pydantic import BaseModel, Field

from p4.daemon.dependencies import Context, DaemonNode, Owner
from p4.daemon.routing import api_router
from p4.diagnosis.checks import CHECKS
from p4.diagnosis.finding import Level, Patient, examine
from p4.node.status import node_status

__all__ = ["router"]

router = api_router("status")


class FindingModel(BaseModel):
    """One thing that was found."""

    subject: str = Field(description="What it is about, in one to three words.")
    level: str = Field(description="`ok`, `warn` or `bad`.")
    text: str = Field(description="What was found, in a sentence.")
    advice: str = Field(description="What to do next; empty where there is nothing to do.")


class DiagnosisModel(BaseModel):
    """Everything that was found, the quick checks first."""

    healthy: bool = Field(description="Whether nothing is bad.")
    findings: list[FindingModel]


@router.get("/doctor")
async def examine_device(
    context: Context,
    node: DaemonNode,
    access: Owner,
    tor: Annotated[bool, Query(description="Whether Tor is asked, too.")] = True,
) -> DiagnosisModel:
    """Examine network, servers, Tor, clock and files; takes some seconds and changes nothing. Owner only."""
    running = await node_status(
        node, started_ms=context.started_ms, now_ms=int(time.time() * 1000), now=time.monotonic()
    )
    patient = Patient(context.state_directory, node.options, holder=os.getpid(), tor=tor, running=running)
    checks = [check for check in CHECKS if tor or check.name != "tor"]
    findings = [finding async for found in examine(checks, patient) for finding in found]
    return DiagnosisModel(
        healthy=not any(finding.level is Level.BAD for finding in findings),
        findings=[
            FindingModel(
                subject=finding.subject, level=finding.level.value, text=finding.text, advice=finding.advice
            )
            for finding in findings
        ],
    )
