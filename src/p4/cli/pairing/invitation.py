"""Showing an invite to a person, and telling what becomes of it."""

from __future__ import annotations

import asyncio
import io
import sys
import time
from dataclasses import asdict
from typing import TYPE_CHECKING

from p4.cli.output import complain, say, say_json_line, show, visible
from p4.errors import P4Error

if TYPE_CHECKING:
    from p4.client import Client
    from p4.client.pairing import DeviceInvite, Pairing

__all__ = ["invite_and_wait", "list_open", "qr_code"]

_CANCEL_SECONDS = 1.0
"""How long taking an invite back may hold up Ctrl-C."""


async def invite_and_wait(
    client: Client, kind: str, lifetime: float, name: str, *, wait: bool, as_json: bool
) -> None:
    """Make an invite, show it, and say who is paired by it.

    Args:
        wait: stay until it has ended. Cancelled while it waits, the invite is taken back.

    Raises:
        PairingError: it ended, and nobody is paired.
    """
    from p4.client.pairing import Pairing

    pairing = Pairing(client)
    invite = await pairing.create(kind=kind, lifetime=lifetime, name=name)
    if as_json:
        say_json_line(asdict(invite))
    else:
        _show(invite, wait=wait)
    if not wait:
        return
    telling = None if as_json else asyncio.ensure_future(_tell_when_findable(pairing, invite))
    try:
        guest = await pairing.wait(invite.id)
    except asyncio.CancelledError:
        await _take_back(pairing, invite)
        raise
    finally:
        if telling is not None:
            telling.cancel()
    if as_json:
        say_json_line({"state": "paired", "contact": {"id": guest.id, "name": guest.name}})
    else:
        say(f"Paired with {visible(guest.label)} ({guest.id}).")


async def list_open(client: Client, *, as_json: bool) -> None:
    """The open invites, without their secrets."""
    from p4.client.pairing import Pairing

    for invite in await Pairing(client).list():
        if as_json:
            say_json_line({**asdict(invite), "text": None})
        else:
            named = f" for {visible(invite.name)}" if invite.name else ""
            say(f"{invite.id}  {invite.kind}{named}, open until {_clock(invite.expires_at_ms)}")


async def _tell_when_findable(pairing: Pairing, invite: DeviceInvite) -> None:
    try:
        found = await pairing.wait_findable(invite.id)
    except P4Error:
        return  # the wait beside it says why
    if found.findable:
        complain("The other device can find this one now. Waiting for it …")


async def _take_back(pairing: Pairing, invite: DeviceInvite) -> None:
    try:
        async with asyncio.timeout(_CANCEL_SECONDS):
            await pairing.cancel(invite.id)
    except (P4Error, TimeoutError):
        complain("The invite could not be taken back: it stays open until it expires.")
    else:
        complain("The invite was taken back.")


def _show(invite: DeviceInvite, *, wait: bool) -> None:
    until = _clock(invite.expires_at_ms)
    if invite.kind == "link":
        if sys.stdout.isatty():
            _show_qr(invite.text)
        say(f"On the other device:\n\n  p4 add {invite.text}\n")
        say(f"One device, until {until}. Whoever has the link first is paired: give it to nobody else.")
    else:
        where = " on this network" if invite.kind == "local-words" else ""
        say(f"On the other device{where}:\n\n  p4 add {invite.text}\n")
        say(f"One device, until {until}. One wrong try ends the code. Say the words to nobody else.")
    if wait and sys.stdout.isatty():
        say("Ctrl-C takes it back.")


def _show_qr(link: str) -> None:
    from rich.text import Text

    # On any background: scanners want dark on light.
    show(Text(qr_code(link), style="bright_white on black", no_wrap=True))


def qr_code(link: str) -> str:
    """A QR code of half-height blocks, to be shown light on dark. In upper case the link needs less room."""
    import segno  # takes a moment to import

    drawn = io.StringIO()
    segno.make(link.upper(), error="m", boost_error=False).terminal(drawn, border=2, compact=True)
    return drawn.getvalue().rstrip("\n")


def _clock(moment_ms: int) -> str:
    moment = time.localtime(moment_ms / 1000)
    today = time.localtime()
    same_day = (moment.tm_year, moment.tm_yday) == (today.tm_year, today.tm_yday)
    return time.strftime("%H:%M" if same_day else "%a %H:%M", moment)
