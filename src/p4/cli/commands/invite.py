"""`p4 invite`: a link, a QR code or words by which another device pairs with this one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from p4.cli.daemon_connection import daemon_options, json_option, run_command
from p4.cli.examples import examples
from p4.cli.options import mode_option, tor_options
from p4.errors import InputError

if TYPE_CHECKING:
    from p4.client import Client

__all__ = ["command"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_VERSION_1 = (
    *("version_1", "mode", "advertise", "signal_port", "onionrelay_bin", "onionrelay_socks_port"),
    *("onionrelay_control_port", "torrc_line", "torrc_file"),
)
"""Options that only the invite of version 1 has."""
_PAIRING = ("words", "local", "expires", "name", "no_wait", "list_them", "cancel", "as_json")


@click.command(
    "invite",
    short_help="Let another device pair with this one.",
    epilog=examples(
        ("p4 invite", "a link and a QR code, for ten minutes"),
        ("p4 invite --words", "eight words to read out"),
        ("p4 invite --local", "two words, for a device on this network"),
        ("p4 invite --name phone --expires 1d", ""),
        ("p4 invite --list", "those that are open"),
        ("p4 invite --v1 > laptop.json", "the invite of version 1, for p4 add-contact"),
    ),
)
@click.option("--words", is_flag=True, help="Eight words instead of a link.")
@click.option("--local", is_flag=True, help="Two words, for a device on the same local network.")
@click.option(
    "--expires", default="10m", show_default=True, metavar="TIME", help="After this: 90s, 10m, 2h, 7d."
)
@click.option("--name", default="", metavar="NAME", help="What to call the other device.")
@click.option("--no-wait", is_flag=True, help="Leave the invite open and end.")
@click.option("--list", "list_them", is_flag=True, help="Show the open invites, without their secrets.")
@click.option("--cancel", metavar="ID", help="Take an open invite back.")
@json_option
@daemon_options
@click.option("--v1", "version_1", is_flag=True, help="Print the invite of version 1 (JSON, one direction).")
@mode_option
@click.option("--advertise", metavar="HOST:PORT", help="Direct mode: where this node can be reached.")
@click.option(
    "--signal-port",
    type=click.IntRange(0, 65535),
    metavar="N",
    help="Onion mode without unix sockets: the local port behind the onion address.",
)
@tor_options
def command(
    state_dir: Path,
    no_start: bool,
    words: bool,
    local: bool,
    expires: str,
    name: str,
    no_wait: bool,
    list_them: bool,
    cancel: str | None,
    as_json: bool,
    version_1: bool,
    mode: str,
    advertise: str | None,
    **given: Any,
) -> int:
    """Make an invite for one device, show it, and wait until that device is paired.

    The other device takes it with `p4 add`. Then both know each other, for ever and in both directions.
    --v1 and the options after it print an invite for devices with version 1 instead.
    """
    if _typed(*_VERSION_1):
        from p4.cli.pairing.version_1 import print_invite

        if asked := _typed(*_PAIRING):
            raise click.UsageError(f"--{asked.replace('_', '-')} is not for the invite of version 1")
        return print_invite(state_dir, mode, advertise, given)
    if words and local:
        raise click.UsageError("--words and --local exclude each other")
    kind = "words" if words else "local-words" if local else "link"
    lifetime = _seconds(expires)

    async def work(client: Client) -> None:
        from p4.cli.pairing.invitation import invite_and_wait, list_open
        from p4.client.pairing import Pairing

        if list_them:
            await list_open(client, as_json=as_json)
        elif cancel is not None:
            await Pairing(client).cancel(cancel)
        else:
            await invite_and_wait(client, kind, lifetime, name, wait=not no_wait, as_json=as_json)

    return run_command(work, state_dir, no_start=no_start)


def _typed(*names: str) -> str:
    """The first of these options that somebody typed, or an empty string."""
    context = click.get_current_context()
    typed = click.core.ParameterSource.COMMANDLINE
    return next((name for name in names if context.get_parameter_source(name) is typed), "")


def _seconds(text: str) -> float:
    """Raises InputError."""
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if not match:
        raise InputError(
            f"{text[:20]!r} is no time such as 90s, 10m or 2h. Nothing was made.", code="bad-time"
        )
    return float(int(match[1]) * _UNITS[match[2]])
