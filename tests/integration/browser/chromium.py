"""A headless Chromium that opens the page beside this file, and the local server that it talks to."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.adapters.webrtc.harness import own_address
from tests.requirements import require_program

__all__ = ["BrowserEnd", "open_browser"]

_PAGE = Path(__file__).with_name("page.html")

_FLAGS = [
    "--headless",
    "--no-sandbox",  # the tests may run as root, where the sandbox does not start
    "--disable-gpu",
    "--disable-dev-shm-usage",
    # Nothing of the browser's own goes to the network.
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
]

_LOOPBACK_FLAGS = ["--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns"]
"""Where there is no address but loopback's. Names for multicast DNS, behind which Chromium hides its
addresses otherwise, cannot be published there, and it would wait for that for ever."""


class BrowserEnd:
    """The other end of a link: gives and takes descriptions, tells what it saw."""

    def __init__(self) -> None:
        self.for_browser: asyncio.Queue[str] = asyncio.Queue()
        self.from_browser: asyncio.Queue[str] = asyncio.Queue()
        self.reports: asyncio.Queue[str] = asyncio.Queue()

    async def description(self) -> str:
        """What the browser offers or answers."""
        described = asyncio.ensure_future(self.from_browser.get())
        reported = asyncio.ensure_future(self.reports.get())
        done, pending = await asyncio.wait(
            {described, reported}, timeout=120, return_when=asyncio.FIRST_COMPLETED
        )
        for each in pending:
            each.cancel()
        assert described in done, f"the browser gave no description: {[each.result() for each in done]}"
        return described.result()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one HTTP request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            method, target, _ = head.split(" ", 2)
            lengths = [line for line in head.lower().splitlines() if line.startswith("content-length:")]
            body = (await reader.readexactly(int(lengths[0].partition(":")[2]))).decode() if lengths else ""
            status, kind, answer = await self._answer(method, target.partition("?")[0], body)
            payload = answer.encode()
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Type: {kind}; charset=utf-8\r\nContent-Length: {len(payload)}"
                "\r\nConnection: close\r\n\r\n".encode()
            )
            writer.write(payload)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass  # the browser is gone
        finally:
            writer.close()

    async def _answer(self, method: str, path: str, body: str) -> tuple[str, str, str]:
        if (method, path) == ("GET", "/"):
            return "200 OK", "text/html", _PAGE.read_text()
        if (method, path) == ("GET", "/description"):
            return "200 OK", "text/plain", await self.for_browser.get()
        if (method, path) == ("POST", "/description"):
            self.from_browser.put_nowait(body)
            return "200 OK", "text/plain", ""
        if (method, path) == ("POST", "/report"):
            self.reports.put_nowait(body)
            return "200 OK", "text/plain", ""
        return "404 Not Found", "text/plain", ""


@asynccontextmanager
async def open_browser(role: str, directory: Path) -> AsyncIterator[BrowserEnd]:
    """Open the page in a fresh Chromium as ``offerer`` or ``answerer``; both end with the block."""
    program = require_program("chromium", "chromium-browser", "google-chrome")
    end = BrowserEnd()
    server = await asyncio.start_server(end.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    flags = _FLAGS + (_LOOPBACK_FLAGS if own_address().startswith("127.") else [])
    url = f"http://127.0.0.1:{port}/?role={role}"
    with (directory / "chromium.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            program,
            *flags,
            f"--user-data-dir={directory / 'profile'}",
            url,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield end
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
        server.close()
        await server.wait_closed()
