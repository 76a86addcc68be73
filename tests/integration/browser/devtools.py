"""A headless Chromium driven over the DevTools protocol (https://chromedevtools.github.io/devtools-protocol/).

It does what a person does: clicks at places, types keys, drops files. It keeps what the browser complained
of, and every address that was asked for.
"""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from tests.integration.browser.chromium import _FLAGS
from tests.requirements import require_program
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

__all__ = ["Page", "open_chromium"]

SECONDS = 60.0
"""How long a page has for anything that is waited for."""

_NAMED = """
(name) => {
  const inside = document.querySelector("dialog[open]") ?? document;
  const shown = (one) => one.getClientRects().length > 0 && getComputedStyle(one).visibility !== "hidden";
  const called = (one) => (one.getAttribute("aria-label") ?? one.innerText ?? "").trim();
  const all = [...inside.querySelectorAll("button, a, [role=button], summary, label")].filter(shown);
  return all.find((one) => called(one) === name) ?? all.find((one) => called(one).startsWith(name))
    ?? all.find((one) => called(one).split("\\n").includes(name));
}
"""


class Page:
    """One tab."""

    def __init__(self, browser: _Connection, session: str) -> None:
        self._browser = browser
        self._session = session
        self.complaints: list[str] = []
        """Errors and warnings of the console, exceptions, violations of the content security policy."""
        self.requests: list[str] = []
        """Every address that the page asked for."""
        browser.listeners[session] = self._take

    def _take(self, method: str, data: dict[str, Any]) -> None:
        match method:
            case "Runtime.consoleAPICalled" if data["type"] in ("error", "warning", "assert"):
                words = [str(found.get("value", found.get("description", ""))) for found in data["args"]]
                self.complaints.append(f"console.{data['type']}: {' '.join(words)}")
            case "Runtime.exceptionThrown":
                details = data["exceptionDetails"]
                text = details.get("exception", {}).get("description", details["text"])
                self.complaints.append(f"exception: {text}")
            case "Log.entryAdded" if data["entry"]["level"] in ("error", "warning"):
                entry = data["entry"]
                self.complaints.append(f"{entry['source']}: {entry['text']} {entry.get('url', '')}")
            case "Network.requestWillBeSent":
                self.requests.append(data["request"]["url"])

    async def command(self, method: str, **parameters: Any) -> Any:
        """A command of the protocol."""
        return await self._browser.command(method, parameters, self._session)

    async def run(self, expression: str) -> Any:
        """The value of an expression; a promise is waited for."""
        answer = await self.command(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True, userGesture=True
        )
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def until(self, condition: str, *, seconds: float = SECONDS) -> None:
        """Wait until an expression is true. It is looked at in the page, so that no moment is missed."""
        waiting = f"""new Promise((done) => {{
            const end = Date.now() + {seconds * 1000};
            const look = () => {{
              let found = false;
              try {{ found = Boolean({condition}); }} catch {{ found = false; }}
              if (found || Date.now() > end) done(found); else setTimeout(look, 20);
            }};
            look();
        }})"""
        if not await self.run(waiting):
            text = await self.run("document.body.innerText")
            raise AssertionError(f"{condition} did not come true. {self.complaints}\n{text}")

    async def goto(self, url: str) -> None:
        """Open an address, and wait until it is loaded."""
        await self.command("Page.navigate", url=url)
        await self.until("document.readyState === 'complete'")

    async def shows(self, text: str) -> None:
        """Wait until a text can be read somewhere on the page."""
        await self.until(f"document.body.innerText.includes({json.dumps(text)})")

    async def hides(self, text: str) -> None:
        """Wait until it cannot be read any more."""
        await self.until(f"!document.body.innerText.includes({json.dumps(text)})")

    async def click(self, name: str) -> None:
        """Click the button or link with this name, or whose name begins so; in the window that is open."""
        find = f"({_NAMED})({json.dumps(name)})"
        await self.until(f"{find} && !{find}.disabled")
        await self._click_at(find)

    async def click_on(self, selector: str) -> None:
        """Click the first element that a selector finds."""
        find = f"document.querySelector({json.dumps(selector)})"
        await self.until(find)
        await self._click_at(find)

    async def _click_at(self, find: str) -> None:
        place = await self.run(
            f"""(async () => {{
                const one = {find};
                one.scrollIntoView({{ block: "nearest" }});
                await new Promise(requestAnimationFrame);
                const box = {find}.getBoundingClientRect();
                return [box.x + box.width / 2, box.y + box.height / 2];
            }})()"""
        )
        for kind in ("mousePressed", "mouseReleased"):
            await self.command(
                "Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1
            )

    async def fill(self, selector: str, text: str) -> None:
        """Type a text into a field, in the place of what is in it."""
        find = f"(document.querySelector('dialog[open]') ?? document).querySelector({json.dumps(selector)})"
        await self.until(find)
        await self.run(f"{find}.focus(), {find}.select?.()")
        await self.command("Input.insertText", text=text)

    async def choose(self, selector: str, value: str) -> None:
        """Choose an option of a select by its value or text, as a person does."""
        await self.until(f"document.querySelector({json.dumps(selector)})")
        await self.run(
            f"""(() => {{
                const box = document.querySelector({json.dumps(selector)});
                const wanted = {json.dumps(value)};
                box.value = [...box.options].find((one) => one.value === wanted || one.text === wanted).value;
                box.dispatchEvent(new Event("change", {{ bubbles: true }}));
            }})()"""
        )

    async def press(self, key: str) -> None:
        """Press a key, such as ``Enter``, ``Tab``, ``Escape`` or ``?``."""
        codes = {"Enter": (13, "\r"), "Tab": (9, ""), "Escape": (27, "")}
        code, text = codes.get(key, (ord(key[0].upper()), key))
        extra = {"text": text} if text else {}
        for kind in ("keyDown" if text else "rawKeyDown", "keyUp"):
            await self.command(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                windowsVirtualKeyCode=code,
                **(extra if kind != "keyUp" else {}),
            )

    async def drop(self, selector: str, *files: Path) -> None:
        """Drag files from outside the browser and drop them on an element."""
        find = f"document.querySelector({json.dumps(selector)})"
        x, y = await self.run(
            f"(() => {{ const box = {find}.getBoundingClientRect(); "
            "return [box.x + box.width / 2, box.y + box.height / 2]; })()"
        )
        data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
        for kind in ("dragEnter", "dragOver", "drop"):
            await self.command("Input.dispatchDragEvent", type=kind, x=x, y=y, data=data)

    async def look(self, *, dark: bool = False, width: int = 1100, height: int = 760) -> None:
        """Choose the colour scheme that the person prefers, and the size of the window."""
        await self.command(
            "Emulation.setEmulatedMedia",
            features=[
                {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
                {"name": "prefers-reduced-motion", "value": "reduce"},
            ],
        )
        await self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )

    async def picture(self, path: Path) -> None:
        """Write what can be seen as a PNG."""
        answer = await self.command("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(answer["data"]))


class _Connection:
    """The browser's end of the protocol."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self.listeners: dict[str, Any] = {}
        self._reading = asyncio.create_task(self._read())

    async def _read(self) -> None:
        async for line in _until_closed(self._socket):
            message = json.loads(line)
            if "id" in message:
                waiting = self._waiting.pop(message["id"])
                if waiting.cancelled():
                    continue
                if "error" in message:
                    waiting.set_exception(AssertionError(message["error"]["message"]))
                else:
                    waiting.set_result(message["result"])
            elif take := self.listeners.get(message.get("sessionId", "")):
                take(message["method"], message["params"])

    async def command(self, method: str, parameters: dict[str, Any], session: str = "") -> Any:
        number = next(self._numbers)
        waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": parameters}
        await self._socket.send(json.dumps({**message, "sessionId": session} if session else message))
        return await asyncio.wait_for(waiting, 4 * SECONDS)

    def close(self) -> None:
        self._reading.cancel()

    async def new_page(self) -> Page:
        """A tab in a context of its own: it shares no cookies with others."""
        context = (await self.command("Target.createBrowserContext", {}))["browserContextId"]
        target = await self.command(
            "Target.createTarget", {"url": "about:blank", "browserContextId": context}
        )
        found = {"targetId": target["targetId"], "flatten": True}
        page = Page(self, (await self.command("Target.attachToTarget", found))["sessionId"])
        for domain in ("Page", "Runtime", "Log", "Network"):
            await page.command(f"{domain}.enable")
        return page


async def _until_closed(socket: ClientConnection) -> AsyncIterator[str | bytes]:
    with suppress(ConnectionClosed):
        async for line in socket:
            yield line


@asynccontextmanager
async def open_chromium(directory: Path) -> AsyncIterator[_Connection]:
    """A fresh Chromium, which ends with the block; `new_page` opens tabs."""
    program = require_program("chromium", "chromium-browser", "google-chrome")
    profile = directory / "profile"
    with (directory / "chromium.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            program,
            *_FLAGS,
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "about:blank",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        async with asyncio.timeout(120):
            where = profile / "DevToolsActivePort"
            while not (where.exists() and where.read_text().count("\n") >= 1):
                assert process.returncode is None, "Chromium did not start"
                await asyncio.sleep(0.05)  # a file of another program: there is no event to wait for
            port, path = where.read_text().split("\n")[:2]
        address = f"ws://127.0.0.1:{port}{path}"
        async with connect(
            address, max_size=None, compression=None, proxy=None, open_timeout=SECONDS
        ) as socket:
            connection = _Connection(socket)
            yield connection
            connection.close()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
