"""`p4 inbox`: what contacts sent."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from p4.cli.completion.contacts import complete_contact
from p4.cli.daemon_connection import daemon_options, json_option, run_command
from p4.cli.examples import examples
from p4.cli.output import say
from p4.errors import InputError

if TYPE_CHECKING:
    from p4.client import Client

__all__ = ["command"]

CHAT = "chat"


@click.command(
    "inbox",
    short_help="Show what contacts sent.",
    epilog=examples(
        ("p4 inbox", "what was said and not shown yet"),
        ("p4 inbox -f --ack", "follow it; each is shown once"),
        ("p4 inbox laptop", "of one contact"),
        ("p4 inbox --service notes -f --ack --json", "for a script: a JSON line for each message"),
    ),
)
@click.argument("contact", required=False, shell_complete=complete_contact)
@click.option("--service", default=CHAT, show_default=True, help="What it is addressed to.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what comes, until Ctrl-C.")
@click.option("--ack", is_flag=True, help="What is printed is done: it does not come again.")
@json_option
@daemon_options
def command(
    contact: str | None,
    service: str,
    follow: bool,
    ack: bool,
    as_json: bool,
    state_dir: Path,
    no_start: bool,
) -> int:
    """Show what contacts sent: the chat that nobody was shown yet, or the messages for a --service.

    Nothing is taken without --ack. With it, each message is printed exactly once, whatever restarts: only if
    this command itself is killed between the printing and the noting, one may be printed again.
    """
    if follow and not ack and service != CHAT:
        raise InputError(
            "Messages that nobody takes stop the ones behind them: -f with --service needs --ack."
        )

    async def work(client: Client) -> None:
        from p4.cli.inbox import ChatInbox, ServiceInbox, show_json, show_line

        show = show_json if as_json else show_line
        inbox: ChatInbox | ServiceInbox = (
            ChatInbox(client, contact, acknowledge=ack, show=show)
            if service == CHAT
            else ServiceInbox(client, service, contact, acknowledge=ack, show=show)
        )
        if follow:
            await inbox.follow()
            return
        await inbox.show_waiting()
        if not (inbox.count or as_json):
            say("Nothing new.")

    return run_command(work, state_dir, no_start=no_start)
