"""Writes the pictures of the web page in docs/images, from real daemons:

    python -m tests.integration.browser.pictures

The devices and what they say are made up. So is the day in the history of links: who wants to wait for one?
"""

from __future__ import annotations

import asyncio
import math
import random
import sqlite3
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

from tests.daemon.conftest import direct_options
from tests.integration.browser.devtools import Page, open_chromium

import p4
from p4.apps.chat import FileMention
from p4.apps.history import Outage, Sample
from p4.apps.history import records as history_tables
from p4.core import limits
from p4.daemon.server import Daemon

IMAGES = Path(__file__).parents[3] / "docs" / "images"
DAY_MS = 86_400_000

SAID = (
    ("phone", "On the train now. Is the backup through?"),
    ("laptop", "Almost: 2 minutes left. It went on by itself after the tunnel."),
    ("phone", "Perfect. I'll send you the pictures of the harbour."),
    ("laptop", "Take your time. What I write waits here until you are back online anyway :)"),
)


OUTAGES = (
    (0.66, 640, "the address of this device changed"),
    (0.62, 190_000, "the link fell silent"),
    (0.60, 1_400, "the link fell silent"),
    (0.585, 420_000, "the link fell silent"),
    (0.545, 820, "the address of the other device changed"),
    (0.20, 1_100, "the address of the other device changed"),
)
"""When (the part of a day ago), for how many milliseconds, and why."""


async def main() -> None:
    """Write all of them."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as where:
        async with AsyncExitStack() as ending:
            directory = Path(where)
            chromium = await ending.enter_async_context(open_chromium(directory))
            laptop, phone, server = [
                await _start(ending, directory, name) for name in ("laptop", "phone", "home server")
            ]
            page = await chromium.new_page()
            await page.look()
            await page.goto(await _login(laptop))
            await page.shows("No other device yet")
            await _both(page, "welcome")
            for other in (phone, server):
                laptop.node.add_contact(other.node.invite(), str(other.node.name))
                other.node.add_contact(laptop.node.invite(), "laptop")
            anna = p4.Identity(bytes(range(32)))
            invite = p4.Invite(anna.public_key, p4.RendezvousAddress(p4.Transport.DIRECT, "127.0.0.1", 9))
            laptop.node.add_contact(invite, "Anna’s laptop")
            for name in ("phone", "home server"):
                await laptop.node.peer(name).wait_connected()
            await _talk(laptop, phone, directory)
            await _remember(laptop)
            await _take_all(page, laptop)


async def _start(ending: AsyncExitStack, directory: Path, name: str) -> Daemon:
    home = directory / name
    daemon = Daemon(p4.Node(home, direct_options()), home)
    await daemon.start()
    ending.push_async_callback(daemon.close)
    daemon.node.rename(name)
    return daemon


async def _login(daemon: Daemon) -> str:
    return f"http://127.0.0.1:{daemon.endpoint.port}/login?code={daemon.context.logins.create_code()}"


async def _talk(laptop: Daemon, phone: Daemon, directory: Path) -> None:
    """A conversation in its order, and a picture that was sent."""
    sides = {"laptop": (laptop, laptop.node.peer("phone")), "phone": (phone, phone.node.peer("laptop"))}
    share = directory / "shared"
    share.mkdir()
    await laptop.context.apps.files.set_share(share)
    await laptop.node.peer("phone").grant("files.write")
    for who, text in SAID:
        daemon, peer = sides[who]
        entry = await daemon.context.apps.chat.send(peer, text)
        await _arrived(sides, who, entry.message_id)
    picture = directory / "harbour.jpg"
    picture.write_bytes(random.Random(1).randbytes(3_400_000))
    await sides["phone"][1].ping()
    transfer = await phone.context.apps.files.send("laptop", [str(picture)])
    await phone.context.apps.files.wait_ended(transfer)
    mention = FileMention("harbour.jpg", 3_400_000, transfer.id)
    entry = await phone.context.apps.chat.send(sides["phone"][1], "harbour.jpg (3.4 MB)", mention)
    await _arrived(sides, "phone", entry.message_id)


async def _arrived(sides: dict[str, tuple[Daemon, p4.Peer]], who: str, message: str) -> None:
    other, peer = next(side for name, side in sides.items() if name != who)
    reader = other.context.feed.read()
    if message in [found.message_id for found in (await other.context.apps.chat.entries(peer))[0]]:
        return
    async for event in reader:
        if event.kind == "chat.message" and event.data["entries"][0]["message_id"] == message:
            return


async def _remember(laptop: Daemon) -> None:
    """A day of the link to the phone: home, a train with tunnels, an office, home again."""
    chance = random.Random(7)
    now_ms = int(time.time() * 1000)
    peer_id = laptop.node.peer("phone").peer_id
    store = laptop.context.apps.store
    outages = []
    for part, lasted, reason in OUTAGES:
        began_ms = now_ms - int(DAY_MS * part)
        outages.append(Outage(began_ms, began_ms + lasted, recovered=True, reason=reason))
    samples = []
    step = limits.HISTORY_SAMPLE_SECONDS * 1000
    for at_ms in range(now_ms - DAY_MS + step, now_ms, step):
        part = (now_ms - at_ms) / DAY_MS
        out = any(found.began_ms <= at_ms <= (found.ended_ms or 0) + step for found in outages)
        if not (out or 0.78 < part < 0.97):
            samples.append((peer_id, _sample(chance, at_ms, part)))

    def write(database: sqlite3.Connection) -> None:
        database.execute("DELETE FROM history_runs")
        for run in _runs(now_ms):
            database.execute("INSERT INTO history_runs (began_ms, ended_ms) VALUES (?, ?)", run)
        history_tables.add_samples(database, 2, samples, now_ms)
        for outage in outages:
            history_tables.down(database, peer_id, outage.reason, outage.began_ms)
            history_tables.up(database, peer_id, outage.ended_ms or now_ms)

    await store.transaction(write)


def _runs(now_ms: int) -> list[tuple[int, int]]:
    """At night the laptop was off."""
    return [
        (now_ms - DAY_MS - 10_000, now_ms - int(0.97 * DAY_MS)),
        (now_ms - int(0.78 * DAY_MS), now_ms),
    ]


def _sample(chance: random.Random, at_ms: int, part: float) -> Sample:
    if 0.545 < part <= 0.66:  # on the train
        path = "relay" if part > 0.6 else "direct"
        return Sample(at_ms, 0.075 + 0.05 * chance.random() ** 3, path, 3e5, 2e5)
    if 0.20 < part <= 0.545:  # in the office
        wave = 0.004 * math.sin(part * 60)
        return Sample(at_ms, 0.028 + wave + 0.006 * chance.random() ** 2, "direct", 9e4, 2e4)
    return Sample(at_ms, 0.003 + 0.004 * chance.random() ** 2, "lan", 1e3, 1e3)


async def _take_all(page: Page, laptop: Daemon) -> None:
    phone = laptop.node.peer("phone").peer_id
    await page.command("Page.reload")
    await page.shows("2 of 3 devices connected")
    await page.shows("Anna’s laptop")
    await page.until("document.querySelectorAll('.card.device .values').length === 2")
    await _both(page, "devices")
    await page.run(f"location.hash = '#/c/{phone}/chat'")
    await page.shows("below phone")
    await _both(page, "chat")
    await page.look(width=360, height=720)
    await _both(page, "phone", width=360, height=720)
    await page.look()
    await page.run(f"location.hash = '#/c/{phone}/link'")
    await page.click("1 day")
    await page.until("document.querySelectorAll('.picture .out').length > 5")
    await page.run("document.querySelector('#link-before').scrollIntoView()")
    await _both(page, "history")
    await page.run("location.hash = '#/devices'")
    await page.click("Invite a device")
    await page.until("document.querySelector('dialog .qr img')?.naturalWidth > 100")
    await page.shows("Waiting for the other device")
    await _both(page, "invite")


async def _both(page: Page, name: str, *, width: int = 1100, height: int = 760) -> None:
    await asyncio.sleep(0.6)  # what appears for a moment has gone
    for dark in (False, True):
        await page.look(dark=dark, width=width, height=height)
        await page.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
        await page.picture(IMAGES / f"{name}-{'dark' if dark else 'light'}.png")
    await page.look(width=width, height=height)


if __name__ == "__main__":
    asyncio.run(main())
