"""`p4 send`: hand a message over; it arrives once, however long that takes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from p4.cli.completion.contacts import contact_argument
from p4.cli.daemon_connection import daemon_options, json_option, run_command
from p4.cli.examples import examples
from p4.cli.input_files import read_bytes
from p4.cli.output import say, say_json, visible
from p4.core import limits
from p4.errors import InputError

if TYPE_CHECKING:
    from p4.client import Client, Receipt

__all__ = ["command", "read_value"]

CHAT = "chat"


@click.command(
    "send",
    short_help="Send a message; it arrives once, whenever the other is on.",
    epilog=examples(
        ('p4 send laptop "see you at eight"', "what a person says"),
        ("p4 send laptop hi --wait delivered", "return when it is on the other disk"),
        ("p4 send home --service home.light --json-value '{\"on\": true}'", ""),
        ("p4 send home --service home.readings --latest kitchen 20.5", "only the newest counts"),
        ("date | p4 send laptop", "the text is read from stdin"),
    ),
)
@contact_argument
@click.argument("text", required=False)
@click.option("--service", default=CHAT, show_default=True, help="What it is addressed to.")
@click.option(
    "--file",
    type=click.Path(path_type=Path),
    metavar="F",
    help="The content of a file, up to 1 MiB; - is stdin. Files of any size: p4 cp.",
)
@click.option("--json-value", is_flag=True, help="The text is JSON, and its value is sent.")
@click.option(
    "--ttl", type=click.FloatRange(min=0, min_open=True), metavar="S", help="Of no use after S seconds."
)
@click.option("--latest", default="", metavar="KEY", help="Replace earlier values of KEY that wait still.")
@click.option(
    "--wait",
    type=click.Choice(["delivered", "consumed"]),
    help="Return when it is on the contact's disk, or taken by its application.",
)
@json_option
@daemon_options
def command(
    contact: str,
    text: str | None,
    service: str,
    file: Path | None,
    json_value: bool,
    ttl: float | None,
    latest: str,
    wait: str | None,
    as_json: bool,
    state_dir: Path,
    no_start: bool,
) -> int:
    """Send TEXT to CONTACT. It is on disk when this returns, and arrives once, in order.

    Without TEXT and --file it is read from stdin. To another --service go texts, the value of --json-value,
    or the bytes of --file.
    """
    value = read_value(text, file, json_value=json_value, as_text=service == CHAT)
    if service == CHAT and (ttl is not None or latest or not isinstance(value, str)):
        raise InputError(
            "The chat takes texts that stay. --ttl, --latest and --json-value need a --service of an "
            "application. "
            "Nothing was sent."
        )

    async def work(client: Client) -> None:
        receipt = await client.contact(contact).send(value, service=service, ttl=ttl, latest=latest)
        if wait == "delivered":
            await receipt.delivered()
        elif wait == "consumed":
            await receipt.consumed()
        if as_json:
            say_json({"id": receipt.id, "contact": contact, "service": service, "state": receipt.state})
        else:
            say(_told(contact, receipt))

    return run_command(work, state_dir, no_start=no_start)


def _told(contact: str, receipt: Receipt) -> str:
    name = visible(contact)
    match receipt.state:
        case "consumed" | "seen":
            return f"{name} has taken it (message {receipt.id})."
        case "delivered":
            return f"{name} has it (message {receipt.id})."
        case _:
            return f"Saved for {name}; it arrives whenever both are on (message {receipt.id})."


def read_value(text: str | None, file: Path | None, *, json_value: bool, as_text: bool) -> Any:
    """What a person wants to send.

    Args:
        text: of the command line; without it and a file, stdin is read.
        json_value: whether it is JSON, to be taken apart.
        as_text: whether a file's content must be text.

    Raises:
        InputError: both or nothing is given; not readable, no UTF-8, no JSON.
    """
    if text is not None and file is not None:
        raise InputError("Give either a text or --file. Nothing was sent.")
    if text is None and file is None:
        if sys.stdin is None or sys.stdin.isatty():
            raise InputError("There is nothing to send: give a text, --file F, or something on stdin.")
        text = _decoded(read_bytes(Path("-"), largest_bytes=limits.BODY_BYTES)).removesuffix("\n")
    if file is not None:
        data = read_bytes(file, largest_bytes=limits.BODY_BYTES)
        if not (json_value or as_text):
            return data
        text = _decoded(data)
    if not json_value:
        return text
    try:
        return json.loads(text or "")
    except ValueError as error:
        raise InputError(f"This is no JSON: {error}. Nothing was sent.", code="not-json") from error


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            "This is no text in UTF-8. Nothing was sent. Bytes go to a --service with --file, files with p4 "
            "cp.",
            code="not-text",
        ) from error
