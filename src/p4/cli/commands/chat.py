"""`p4 chat`: talk with a contact."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from p4.cli.daemon_connection import daemon_options, json_option, run_command
from p4.cli.examples import examples
from p4.cli.output import say, say_json
from p4.errors import ContactError

if TYPE_CHECKING:
    from p4.cli.chat.model import ChatModel
    from p4.client import Client

__all__ = ["command"]

JSON_LINES = 200


@click.command(
    "chat",
    short_help="Talk with a contact.",
    epilog=examples(
        ("p4 chat", "with whom there is; Ctrl-N shows the next"),
        ("p4 chat phone", ""),
        ('echo "home at six" | p4 chat phone', "says it, and ends"),
        ("p4 chat phone --json", "the last 200 messages, for programs"),
    ),
)
@click.argument("contact", required=False)
@json_option
@daemon_options
def command(contact: str | None, as_json: bool, state_dir: Path, no_start: bool) -> int:
    """Talk with a contact, on the whole screen; F1 lists the keys.

    What you write waits until the contact is there, and arrives once. Without a terminal, each line that is
    read is said, and each that the contact says is printed; it ends with its input.
    """

    async def work(client: Client) -> None:
        from p4.cli.chat.model import ChatModel
        from p4.client.chat import Chat

        if contact is not None and as_json:
            path = f"/v1/chat/{quote(contact, safe='')}"
            say_json(await client.request("GET", path, parameters={"limit": JSON_LINES}))
            return
        if as_json:
            say_json(await client.request("GET", "/v1/chat"))
            return
        model = ChatModel()
        model.take(await Chat(client).conversations())
        _choose(model, contact)
        await _talk(client, model, asked=contact is not None)

    return run_command(work, state_dir, no_start=no_start)


async def _talk(client: Client, model: ChatModel, *, asked: bool) -> None:
    person = model.person
    if person is None:
        say("No contacts yet. Pair with another device first: p4 invite")
    elif sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty():
        from p4.cli.chat.screen import ChatScreen

        await ChatScreen(client, model).run()
    else:
        from p4.cli.chat.plain import plain_chat, show_conversations

        if asked:
            await plain_chat(client, person.contact_id, person.name)
        else:
            await show_conversations(client)


def _choose(model: ChatModel, contact: str | None) -> None:
    if contact is None:
        unread = [number for number, person in enumerate(model.people) if person.unread]
        model.show(unread[0] if unread else 0)
    elif not model.choose(contact):
        raise ContactError(
            f"There is no one contact {contact!r}. p4 ls lists them. Nothing was done.", code="unknown"
        )
