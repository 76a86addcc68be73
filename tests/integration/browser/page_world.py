"""Two real daemons, and a browser that is logged in to each of their pages."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from tests.daemon.conftest import direct_options
from tests.integration.browser.devtools import Page, open_chromium

import p4
from p4.daemon.server import Daemon

__all__ = ["Side", "accessible", "two_sides"]

AXE = Path(str(files("axe_core_python").joinpath("axe.min.js")))
_EXAMINE = """async () => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"] });
  const short = ({ id, help, nodes }) => [id, help, nodes.map(({ html }) => html).slice(0, 3)];
  return JSON.stringify(violations.map(short));
}"""


@dataclass
class Side:
    """A daemon and its page."""

    name: str
    daemon: Daemon
    page: Page
    directory: Path

    @property
    def node(self) -> p4.Node:
        assert isinstance(self.daemon.node, p4.Node)
        return self.daemon.node

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.daemon.endpoint.port}"

    async def log_in(self) -> None:
        """As `p4 open` does: by a link that works once."""
        code = self.daemon.context.logins.create_code()
        await self.page.goto(f"{self.address}/login?code={code}")
        await self.page.until("document.querySelector('.frame')")

    async def visit(self, place: str) -> None:
        """Go to a place of the page, as ``#/transfers``."""
        await self.page.run(f"location.hash = {json.dumps(place)}")
        await self.page.until(f"location.hash === {json.dumps(place)}")

    def assert_clean(self) -> None:
        """The browser had nothing to complain of, and asked nobody but the daemon."""
        assert not self.page.complaints, self.page.complaints
        foreign = [
            url
            for url in self.page.requests
            if not url.startswith((self.address, "data:", "about:", "blob:"))
        ]
        assert not foreign


@asynccontextmanager
async def two_sides(
    directory: Path, *, paired: bool = True, lan: bool = False
) -> AsyncIterator[tuple[Side, Side]]:
    """A laptop and a phone, their pages open; with a link between them where they are paired.

    Args:
        lan: whether they look for each other on the local network, too.
    """
    async with AsyncExitStack() as ending:
        daemons = {}
        for name in ("laptop", "phone"):
            home = directory / name
            daemon = daemons[name] = Daemon(p4.Node(home, replace(direct_options(), lan=lan)), home)
            await daemon.start()
            ending.push_async_callback(daemon.close)
            daemon.node.rename(name)
        # It ends before they do: a connection that it opens meanwhile would be left over.
        chromium = await ending.enter_async_context(open_chromium(directory))
        sides = []
        for name, daemon in daemons.items():
            page = await chromium.new_page()
            await page.look()
            share = directory / f"{name} files"
            share.mkdir()
            await daemon.context.apps.files.set_share(share)
            sides.append(Side(name, daemon, page, share))
        laptop, phone = sides
        if paired:
            laptop.node.add_contact(phone.node.invite(), "phone")
            phone.node.add_contact(laptop.node.invite(), "laptop")
            async with asyncio.timeout(60):
                await laptop.node.peer("phone").wait_connected()
                await phone.node.peer("laptop").wait_connected()
        for side in sides:
            await side.log_in()
        yield laptop, phone


async def accessible(page: Page, where: str) -> None:
    """axe finds nothing wrong with what is shown: WCAG 2.1, levels A and AA, and best practice."""
    if not await page.run("Boolean(window.axe)"):
        await page.run(AXE.read_text("utf-8") + "; true")
    found = json.loads(await page.run(f"({_EXAMINE})()"))
    assert not found, f"{where}: {json.dumps(found, indent=1)}"
