"""The page's files: what they may do, and how much of them there is."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from importlib.resources import files
from pathlib import Path

import pytest
from tests.daemon.conftest import RunningDaemon

from p4.daemon.routes.page import CONTENT_SECURITY_POLICY

WEB = Path(str(files("p4.daemon").joinpath("web")))
MODULES = sorted(WEB.glob("*.js"))


def test_all_of_it_is_small() -> None:
    assert sum(file.stat().st_size for file in WEB.iterdir()) < 150_000
    assert not [file.name for file in WEB.iterdir() if len(file.read_text("utf-8").splitlines()) > 400]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_no_module_makes_markup_of_text_or_asks_others(module: Path) -> None:
    text = module.read_text("utf-8")
    for forbidden in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "DOMParser"):
        assert forbidden not in text
    assert not re.findall(r"https?://(?!www\.w3\.org/)", text)
    for name in re.findall(r'from "\./([^"]+)"', text):
        assert (WEB / name).is_file()


def test_the_page_has_nothing_inline() -> None:
    text = (WEB / "index.html").read_text("utf-8")
    assert not re.findall(r"<script(?![^>]*\bsrc=)", text)
    assert not re.findall(r"<style|\sstyle=|\son[a-z]+=|https?://", text)


async def test_every_file_has_the_rules_and_needs_no_login(
    start_daemon: Callable[..., Awaitable[RunningDaemon]],
) -> None:
    client = await (await start_daemon("laptop")).over_tcp()
    for path in ("/", *(f"/web/{file.name}" for file in WEB.iterdir())):
        answer = await client.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["Content-Security-Policy"] == CONTENT_SECURITY_POLICY
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        again = await client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/web/../page.py", "/web/%2e%2e/page.py", "/web/__init__.py", "/web/", "/web/x/y"]
)
async def test_nothing_else_is_given(
    path: str, start_daemon: Callable[..., Awaitable[RunningDaemon]]
) -> None:
    client = await (await start_daemon("laptop")).over_tcp()
    assert (await client.get(path)).status_code in {401, 404}


async def test_a_foreign_page_gets_none_of_it(start_daemon: Callable[..., Awaitable[RunningDaemon]]) -> None:
    client = await (await start_daemon("laptop")).over_tcp()
    for headers in (
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://evil.example"},
        {"Host": "evil.example"},
    ):
        assert (await client.get("/", headers=headers)).status_code in {403, 421}


async def test_a_browser_with_a_used_link_is_shown_the_page(
    start_daemon: Callable[..., Awaitable[RunningDaemon]],
) -> None:
    client = await (await start_daemon("laptop")).over_tcp()
    answer = await client.get("/login?code=used", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert "Set-Cookie" not in answer.headers
