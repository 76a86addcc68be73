"""What `p4 pipe` does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from p4.apps.pipe import SERVICE, FileSink, NoSource, Pipe, PipeStream, StandardInput, StandardOutput
from p4.cli.output import complain, say, say_json, visible
from p4.client.sockets import messages_of
from p4.client.streams import incoming_stream, open_stream
from p4.client.values import quoted
from p4.errors import CallError, CallRefusedError, StreamError

if TYPE_CHECKING:
    from p4.client import Client

__all__ = ["give_up", "pipe", "show_status"]

_ASK_SECONDS = 0.5
"""How often a pipe is tried to which the contact does not listen yet."""


async def pipe(
    client: Client, contact: str, name: str, *, listen: bool, output: Path | None, reads: bool
) -> None:
    """Carry stdin and stdout until both sides have everything."""
    known = await client.request("GET", f"/v1/contacts/{quoted(contact)}")
    label = visible(known["name"] or known["id"])
    if listen:
        await client.request(
            "POST", f"/v1/contacts/{quoted(known['id'])}/grants", {"services": [_service(name)]}
        )
    if not known["connected"]:
        complain(f"{label} is not connected at the moment. The pipe goes on when it is.")

    hint = f"p4 pipe --listen CONTACT{'' if name == 'default' else f' --name {name}'}"

    @asynccontextmanager
    async def stream(used: object) -> AsyncIterator[PipeStream]:
        again = None if used is None else str(used)
        async with AsyncExitStack() as stack:
            if listen:
                incoming = incoming_stream(client, _service(name), known["id"], again=again)
                yield await stack.enter_async_context(incoming)
            elif again is not None:
                opened = open_stream(client, known["id"], _service(name), "", again=again)
                yield await stack.enter_async_context(opened)
            else:
                yield await _open(
                    stack, client, known["id"], name, f"{label} does not listen yet. Begin it there: {hint}"
                )

    source = StandardInput(complain) if reads else NoSource()
    file = None if output is None else FileSink(output, complain)
    with nullcontext() if file is None else closing(file):
        try:
            await Pipe(stream, source, file or StandardOutput(complain)).run()
        except StreamError as error:
            if error.code == "not-granted":
                raise StreamError(
                    f"{label} does not listen to this pipe, and what was accepted for it is gone. Begin it "
                    f"there: {hint}. Then run this again.",
                    code="not-granted",
                ) from None
            raise


async def _open(stack: AsyncExitStack, client: Client, contact: str, name: str, hint: str) -> PipeStream:
    """The stream, as soon as the contact allows it; until then ``hint`` says what to do."""
    await _wait_for_grants(client, contact)
    while True:
        try:
            return await stack.enter_async_context(open_stream(client, contact, _service(name), ""))
        except StreamError as error:
            if error.code != "not-granted":
                raise
        if hint:
            complain(hint)
            hint = ""
        await asyncio.sleep(_ASK_SECONDS)


async def _wait_for_grants(client: Client, contact: str) -> None:
    """Wait for a link, and for what the contact allows to be known.

    A stream could be opened before that. But if the contact turned out not to listen yet, what had been
    accepted for it would be gone.
    """
    while True:
        try:
            await client.request("POST", f"/v1/contacts/{quoted(contact)}/ping", repeatable=True)
        except CallRefusedError:
            return  # it answers, though not to this
        except CallError:
            await asyncio.sleep(_ASK_SECONDS)  # no link yet
        else:
            return


async def show_status(client: Client, contact: str, name: str, *, as_json: bool) -> None:
    """Say how far the stream has come. Begins it if there is none, and ends nothing."""
    path = f"/v1/contacts/{quoted(contact)}/streams/{quoted(_service(name))}"
    async with client.websocket(path, {"name": ""}) as socket:
        async for opened in messages_of(socket):
            if not isinstance(opened, dict) or opened.get("type") != "open":
                continue
            told = {key: opened[key] for key in ("written", "confirmed", "position")}
            if as_json:
                say_json(told)
            else:
                say(f"accepted {told['written']}\nwritten at the other side {told['confirmed']}")
                say(f"received {told['position']}")
            return


async def give_up(client: Client, contact: str, name: str) -> None:
    """End what an interrupted run has left, if there is anything."""
    async with open_stream(client, contact, _service(name), "") as stream:
        await stream.reset("The other side begins the pipe anew.")


def _service(name: str) -> str:
    return f"{SERVICE}.{name}"
