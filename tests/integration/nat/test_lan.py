"""Devices in one home find each other without Tor and without the internet (spec/lan.md)."""

from __future__ import annotations

import asyncio

import pytest
from tests.integration.nat.node_process import node_settings
from tests.integration.nat.world import World

_AUTHORITY = "DirAuthority test orport=9 v3ident={0:040x} 11.255.255.254:9 {0:040x}"
UNREACHABLE_TOR = (_AUTHORITY.format(1), "TestingTorNetwork 1")
"""A Tor that will never know its network."""


@pytest.mark.slow
async def test_a_home_without_internet(world: World) -> None:
    home = world.laboratory.network("home")
    home.blackhole()
    settings = node_settings(torrc_lines=UNREACHABLE_TOR)
    ann, bob = world.laboratory.host("ann", home), world.laboratory.host("bob", home)
    async with world.meeting((ann, settings), (bob, settings)) as meeting:
        print(f"connected after {await meeting.connected():.2f} s")
        meeting.talk()
        await meeting.flowing()
        for event in ("renumber", "flap"):
            if event == "renumber":
                at = ann.renumber()
            else:
                bob.unplug()
                await asyncio.sleep(2)
                at = bob.plug()
            print(await meeting.recovered(event, at, seconds=90))
        print(await meeting.recovered("restart", await meeting.restart(meeting.other), seconds=90))
        assert (await meeting.finish()).clean
