"""The documentation can be built as a site, with nothing missing and nothing loaded from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
LOADED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc="?([^" >]+)|<link\b(?=[^>]*rel="?(?:stylesheet|preload))"""
    r"""[^>]*\bhref="?([^" >]+)""",
    re.IGNORECASE,
)


def build(directory: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(directory), *options],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )


@pytest.mark.slow
def test_the_site_is_whole(tmp_path: Path) -> None:
    result = build(tmp_path / "site")
    assert result.returncode == 0, result.stdout + result.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    names = {page.relative_to(tmp_path / "site").as_posix() for page in pages}
    assert {"index.html", "tutorial.html", "spec/session.html", "reference/peer.html"} <= names
    for page in pages:
        for found in LOADED.finditer(page.read_text("utf-8")):
            target = found[1] or found[2]
            assert "//" not in target, f"{page.name} loads {target}"
    peer = (tmp_path / "site/reference/peer.html").read_text("utf-8")
    assert "set_policy" in peer
    assert "Hand over a message" in peer
