"""Asking a running Tor of ours how it is, from whatever process of this user. Changes nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from p4.adapters.tor.control import ControlConnection
from p4.adapters.tor.control_wire import parse_arguments
from p4.adapters.tor.process import read_endpoint
from p4.adapters.tor.workspace import Workspace
from p4.errors import TorError

__all__ = ["TorView", "inspect_tor"]


@dataclass(frozen=True, slots=True)
class TorView:
    """A Tor at one moment."""

    version: str
    advice: str
    """What the network's directory says of this version: ``recommended``, ``obsolete`` and so on
    (control-spec, GETINFO status/version/current); ``unknown`` before it is there."""
    percent: int
    """How far it has bootstrapped, 0 to 100."""
    summary: str
    """What it is doing, in its own words."""
    valid_after: datetime | None
    """When the newest directory that it has was made; None if it has none."""
    valid_until: datetime | None
    """When that one becomes too old."""


async def inspect_tor(tor_directory: Path) -> TorView:
    """Look at the Tor that runs in a directory.

    Args:
        tor_directory: ``onionrelay/`` in the state directory.

    Raises:
        TorError: ``control-refused`` (none runs there), or another code of `ControlConnection`.
    """
    workspace = Workspace(tor_directory, None)
    endpoint = read_endpoint(workspace.control_endpoint_file)
    if endpoint is None:
        raise TorError(f"No Tor runs in {tor_directory}.", code="control-refused")
    control = await ControlConnection.connect(
        endpoint, cookie_file=workspace.cookie, private_socket=isinstance(endpoint, Path)
    )
    try:
        phase = parse_arguments(await _ask(control, "status/bootstrap-phase")).named
        percent = phase.get("PROGRESS", "")
        return TorView(
            version=(await _ask(control, "version")).partition(" ")[0],
            advice=await _ask(control, "status/version/current") or "unknown",
            percent=int(percent) if percent.isascii() and percent.isdigit() and len(percent) <= 3 else 0,
            summary=phase.get("SUMMARY", ""),
            valid_after=_moment(await _ask(control, "consensus/valid-after")),
            valid_until=_moment(await _ask(control, "consensus/valid-until")),
        )
    finally:
        control.close()


async def _ask(control: ControlConnection, key: str) -> str:
    try:
        return (await control.command("GETINFO", key)).value(key) or ""
    except TorError as error:
        if error.code != "command-failed":
            raise
        return ""  # an older Tor does not know the key, or the answer is not there yet


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
