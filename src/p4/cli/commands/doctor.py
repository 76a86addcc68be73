"""`p4 doctor`: what may keep this device from its contacts."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from p4.cli.examples import examples
from p4.cli.exit_codes import ExitCode
from p4.cli.options import (
    ice_options,
    ice_settings,
    mode_option,
    node_options,
    state_dir_option,
    tor_options,
    verbose_option,
)
from p4.cli.output import say
from p4.cli.signals import run_until_signalled

if TYPE_CHECKING:
    from p4.diagnosis.finding import Finding, Patient

__all__ = ["command"]


@click.command(
    "doctor",
    short_help="Find out what keeps this device from its contacts.",
    epilog=examples(
        ("p4 doctor", ""), ("p4 doctor --no-tor", "in a few seconds"), ("p4 doctor --json", "for a report")
    ),
)
@state_dir_option
@mode_option
@ice_options
@tor_options
@click.option("--no-tor", is_flag=True, help="Do not start Tor: the other checks take a few seconds.")
@click.option("--json", "as_json", is_flag=True, help="For programs: one JSON object.")
@verbose_option
def command(state_dir: Path, as_json: bool, no_tor: bool, **given: Any) -> int:
    """Look at the network, the servers, Tor, the clock and the files, and say what to do about each.

    Give it the options that you give to `p4 run`. It changes nothing, and works beside a running node. The
    exit code is 1 if something is bad.
    """
    from p4.adapters.store.state_dir import StateDirectory
    from p4.cli.status.snapshot import read_snapshot
    from p4.diagnosis.finding import Patient

    options = node_options(
        {"signal_port": 0, **given}, ice=ice_settings(given), link_backend=given["link_backend"]
    )
    holder = StateDirectory(state_dir).holder()
    snapshot = None if holder is None else read_snapshot(state_dir)
    running = None if snapshot is None else snapshot.node
    patient = Patient(state_dir, options, holder, tor=not no_tor, running=running)
    outcome = run_until_signalled(lambda: _examine(patient, aloud=not as_json))
    if outcome.value is None:
        return outcome.exit_code
    if as_json:
        entries = [asdict(finding) for finding in outcome.value]
        say(
            json.dumps(
                {"healthy": _healthy(outcome.value), "findings": entries}, ensure_ascii=False, indent=2
            )
        )
    return ExitCode.OK if _healthy(outcome.value) else ExitCode.FAILED


async def _examine(patient: Patient, *, aloud: bool) -> list[Finding]:
    from p4.cli.doctor_report import say_findings, say_summary
    from p4.diagnosis.checks import CHECKS
    from p4.diagnosis.finding import examine

    findings: list[Finding] = []
    async for found in examine(CHECKS, patient):
        findings += found
        if aloud:
            say_findings(found)
    if aloud:
        say_summary(findings)
    return findings


def _healthy(findings: list[Finding]) -> bool:
    return not any(finding.level == "bad" for finding in findings)
