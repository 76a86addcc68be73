"""`p4 call`: ask a service of a contact."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from p4.cli.completion.contacts import contact_argument
from p4.cli.daemon_connection import daemon_options, json_option, run_command
from p4.cli.examples import examples
from p4.cli.output import say, say_json, visible
from p4.core import limits

if TYPE_CHECKING:
    from p4.client import Client

__all__ = ["command"]


@click.command(
    "call",
    short_help="Ask a service of a contact and print its answer.",
    epilog=examples(
        ("p4 call laptop ping", "is it there?"),
        ("p4 call home home.light true", "the argument is JSON, if it is some"),
        ("p4 call home home.note --text true", "this one is the word true"),
        ("p4 call home camera.picture > door.jpg", "bytes are written as they are"),
    ),
)
@contact_argument
@click.argument("service")
@click.argument("argument", required=False)
@click.option("--text", "as_text", is_flag=True, help="Send ARGUMENT as a text, even if it is JSON.")
@click.option(
    "--deadline",
    type=click.FloatRange(min=0, min_open=True),
    default=limits.CALL_SECONDS,
    show_default=True,
    metavar="S",
    help="Give up after S seconds, here and there.",
)
@json_option
@daemon_options
def command(
    contact: str,
    service: str,
    argument: str | None,
    as_text: bool,
    deadline: float,
    as_json: bool,
    state_dir: Path,
    no_start: bool,
) -> int:
    """Ask SERVICE of CONTACT, with ARGUMENT (JSON, or else a text), and print its answer.

    A text is printed as it is, bytes are written as they are, anything else as JSON; with --json the answer
    is one JSON document in any case. It is executed at most once; the error says if it may have been.
    """

    async def work(client: Client) -> None:
        value = await client.contact(contact).call(service, _value(argument, as_text), deadline=deadline)
        if as_json:
            from p4.client.values import encoded

            say_json(encoded(value))
        elif isinstance(value, bytes):
            sys.stdout.buffer.write(value)
            sys.stdout.buffer.flush()
        elif isinstance(value, str):
            say("\n".join(visible(line) for line in value.split("\n")))
        else:
            say_json(value)

    return run_command(work, state_dir, no_start=no_start)


def _value(argument: str | None, as_text: bool) -> Any:
    if argument is None or as_text:
        return argument
    try:
        return json.loads(argument)
    except ValueError:
        return argument
