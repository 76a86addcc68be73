"""`p4 token`: let an application use the daemon, within limits."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from p4.cli.completion.contacts import complete_contact
from p4.cli.daemon_connection import daemon_options, json_option, run_command
from p4.cli.examples import examples
from p4.cli.output import complain, say, say_json, visible
from p4.errors import InputError

if TYPE_CHECKING:
    from p4.client import Client, TokenRecord

__all__ = ["command"]

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@click.group("token", short_help="Let applications use the daemon, within limits.")
def command() -> None:
    """A token lets one application use the daemon over HTTP: the services and contacts that it names, no
    more."""


@command.command(
    "new",
    epilog=examples(
        ("p4 token new --app notes --grant notes", "messages, calls and streams of notes and notes.…"),
        ("p4 token new --app light --grant home --contact phone --expires 30d", ""),
    ),
)
@click.option("--app", required=True, metavar="NAME", help="Whose it is, for you to recognise.")
@click.option(
    "--grant", "grants", multiple=True, metavar="SERVICE", help="May use this and all below it. Repeat it."
)
@click.option("--all-services", is_flag=True, help="May use every service.")
@click.option(
    "--contact",
    "contacts",
    multiple=True,
    metavar="CONTACT",
    shell_complete=complete_contact,
    help="May reach this contact only. Repeat it. Without: all.",
)
@click.option("--expires", metavar="TIME", help="Such as 90m, 12h or 30d. Without: never.")
@json_option
@daemon_options
def new(
    app: str,
    grants: tuple[str, ...],
    all_services: bool,
    contacts: tuple[str, ...],
    expires: str | None,
    as_json: bool,
    state_dir: Path,
    no_start: bool,
) -> int:
    """Make a token and print it, this once: only its hash is kept."""
    if bool(grants) == all_services:
        raise InputError("Say what the application may use: --grant SERVICE, or --all-services.")
    seconds = None if expires is None else _seconds(expires)

    async def work(client: Client) -> None:
        made = await client.new_token(
            app,
            services=None if all_services else grants,
            contacts=contacts or None,
            expires_in=seconds,
        )
        if as_json:
            say_json({**_entry(made), "token": made.token})
            return
        say(made.token)
        complain(
            f"This is the token of {app}; it is not shown again. The end of it: p4 token revoke {made.id}"
        )

    return run_command(work, state_dir, no_start=no_start)


@command.command("ls", epilog=examples(("p4 token ls", "")))
@json_option
@daemon_options
def list_tokens(as_json: bool, state_dir: Path, no_start: bool) -> int:
    """List the tokens, without their secrets."""

    async def work(client: Client) -> None:
        tokens = await client.tokens()
        if as_json:
            say_json([_entry(token) for token in tokens])
            return
        if not tokens:
            say("No application has a token. Make one: p4 token new --help")
            return
        names = {contact.id: contact.label for contact in await client.contacts()}
        _show(tokens, names)

    return run_command(work, state_dir, no_start=no_start)


@command.command("revoke", epilog=examples(("p4 token revoke 3f2a91", "as p4 token ls shows it")))
@click.argument("identity", metavar="ID")
@json_option
@daemon_options
def revoke(identity: str, as_json: bool, state_dir: Path, no_start: bool) -> int:
    """End the token ID, and everything that is under way with it, at once."""

    async def work(client: Client) -> None:
        await client.revoke_token(identity)
        if as_json:
            say_json({"id": identity, "revoked": True})
        else:
            say(f"The token {visible(identity)} is worth nothing any more.")

    return run_command(work, state_dir, no_start=no_start)


def _show(tokens: list[TokenRecord], names: dict[str, str]) -> None:
    from rich.table import Table
    from rich.text import Text

    from p4.cli.output import show
    from p4.cli.status.words import ago, duration, now_ms

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("ID", "APP", "SERVICES", "CONTACTS", "MADE", "EXPIRES"):
        table.add_column(heading, overflow="fold")
    moment = now_ms()
    for token in tokens:
        left = None if token.expires_ms is None else (token.expires_ms - moment) / 1000
        table.add_row(
            token.id,
            Text(visible(token.app)),
            "all" if token.services is None else " ".join(token.services),
            Text(
                "all"
                if token.contacts is None
                else " ".join(visible(names.get(one, one)) for one in token.contacts)
            ),
            ago(token.created_ms, moment),
            "never" if left is None else f"in {duration(left)}" if left > 0 else "has expired",
        )
    show(table)


def _entry(token: TokenRecord) -> dict[str, object]:
    return {
        "id": token.id,
        "app": token.app,
        "services": None if token.services is None else list(token.services),
        "contacts": None if token.contacts is None else list(token.contacts),
        "created_ms": token.created_ms,
        "expires_ms": token.expires_ms,
    }


def _seconds(text: str) -> float:
    """``90m``, ``12h``, ``30d`` as seconds. Raises InputError."""
    match = re.fullmatch(r"([0-9]{1,6})([smhd])", text)
    if not match or not int(match[1]):
        raise InputError(
            f"{text[:20]!r} is no time such as 90m, 12h or 30d. Nothing was made.", code="bad-time"
        )
    return float(int(match[1]) * _UNITS[match[2]])
