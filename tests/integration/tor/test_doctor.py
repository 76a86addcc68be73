"""`p4 doctor` and Tor: started for a moment, beside a running node, and in a network that leads nowhere."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from tests.patience import patience

from p4.adapters.store.state_dir import StateDirectory
from p4.adapters.tor.rendezvous import TorRendezvous
from p4.diagnosis import tor
from p4.diagnosis.finding import Finding, Level, Patient
from p4.node.options import NodeOptions
from p4.ports import SignalStream
from p4.testing.tor_network import PrivateTorNetwork

pytestmark = pytest.mark.slow


@pytest.fixture
def state(tmp_path: Path) -> StateDirectory:
    state = StateDirectory(tmp_path / "state")
    state.prepare()
    state.create_identity(b"s" * 32)
    return state


@pytest.fixture
def patient(state: StateDirectory, tor_network: PrivateTorNetwork) -> Patient:
    options = NodeOptions(torrc_lines=tuple(tor_network.client_torrc_lines))
    return Patient(state.path, options, None)


def levels(findings: list[Finding]) -> dict[str, Level]:
    return {finding.subject: finding.level for finding in findings}


def children() -> list[str]:
    return [child.name() for child in psutil.Process().children() if "state" in " ".join(child.cmdline())]


async def test_tor_is_started_reaches_itself_and_is_gone(patient: Patient, state: StateDirectory) -> None:
    findings = await tor.CHECK.run(patient)
    assert levels(findings) == {
        "tor": Level.OK,
        "tor network": Level.OK,
        "clock": Level.OK,
        "own address": Level.OK,
    }, findings
    assert "We reach our own onion address" in findings[-1].text
    assert children() == []
    assert state.load_onion_key() is None, "a diagnosis makes no address"
    with state.lock():
        pass


async def test_beside_a_running_node_its_tor_is_asked(patient: Patient, state: StateDirectory) -> None:
    async def refuse(stream: SignalStream) -> None:
        stream.close()

    rendezvous = TorRendezvous(
        state.tor_directory,
        load_key=lambda: None,
        save_key=lambda blob, service_id: None,
        torrc_lines=patient.options.torrc_lines,
    )
    await rendezvous.start(refuse, lambda status: None)
    try:
        pid = rendezvous.tor_pid
        findings = await tor.CHECK.run(replace(patient, holder=os.getpid()))
        assert {"tor", "tor network", "clock", "own address"} == set(levels(findings))
        assert any(finding.text.startswith("Its version is 0.") for finding in findings)
        assert rendezvous.tor_pid == pid, "it was left alone"
    finally:
        await rendezvous.close()
    findings = await tor.CHECK.run(replace(patient, holder=os.getpid()))
    assert levels(findings)["tor"] is Level.WARN


async def test_a_network_that_leads_nowhere_is_given_up(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tor, "STALL_SECONDS", 2.0)
    began = time.monotonic()
    findings = await tor.CHECK.run(replace(patient, options=NodeOptions(torrc_lines=("DisableNetwork 1",))))
    assert time.monotonic() - began < patience(10)
    assert levels(findings)["tor network"] is Level.BAD
    assert levels(findings)["clock"] is Level.WARN
    assert children() == []
