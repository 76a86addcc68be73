"""The tables of docs/api.md say what the code says."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import p4
from p4.core import limits

ROOT = Path(__file__).resolve().parents[2]
API = (ROOT / "docs" / "api.md").read_text("utf-8")
UNITS = {
    "": 1,
    "bytes": 1,
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
    "s": 1000,
    "h": 3_600_000,
    "days": 24 * 3_600_000,
}
"""Bytes, or milliseconds."""


def rows(title: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head."""
    lines = API.partition(f"\n## {title}\n")[2].splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("|---"))
    found = []
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        found.append([cell.strip() for cell in line.strip("|").split("|")])
    return found


def test_the_limits_are_those_of_the_code() -> None:
    table = rows("Limits")
    assert len(table) >= 15
    for what, shown, name in table:
        match = re.fullmatch(r"([\d ]+?) ?([A-Za-z]*)", shown)
        assert match, shown
        amount = int(match[1].replace(" ", "")) * UNITS[match[2]]
        constant = name.split("`")[1]
        value = getattr(limits, constant) * (1000 if constant.endswith("_SECONDS") else 1)
        assert amount == value, what


def documented() -> dict[str, set[str]]:
    """Codes by the type of error, as documented."""
    found: dict[str, set[str]] = {}
    types: list[str] = []
    for row in rows("Errors"):
        types = re.findall(r"`(\w+)`", row[0]) or types
        for name in types:
            found.setdefault(name, set()).update(re.findall(r"`([a-z-]+)`", row[1]))
    return found


def raised() -> dict[str, set[str]]:
    """Codes by the type of error, as far as they are written out where it is made."""
    found: dict[str, set[str]] = {}
    for file in (ROOT / "src" / "p4").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                for keyword in node.keywords:
                    if keyword.arg == "code" and isinstance(keyword.value, ast.Constant):
                        found.setdefault(node.func.id, set()).add(str(keyword.value.value))
    return found


def test_every_error_that_applications_meet_is_documented() -> None:
    public = {
        name
        for name in p4.__all__
        if isinstance(value := getattr(p4, name), type) and issubclass(value, p4.P4Error)
    }
    assert public - documented().keys() == {"P4Error", "CallError", "RemoteError"}
    assert documented().keys() <= public


def test_every_documented_code_exists() -> None:
    source = "".join(file.read_text("utf-8") for file in (ROOT / "src" / "p4").rglob("*.py"))
    for name, codes in documented().items():
        for code in codes:
            assert f'"{code}"' in source, f"{name}: {code}"


def test_every_code_of_what_applications_call_is_documented() -> None:
    documents, code = documented(), raised()
    for name in ("CallRefusedError", "CallCancelledError", "StreamError", "DeliveryError"):
        assert code.get(name, set()) <= documents[name], name
    # The others of InputError are of the command line and of options, and say all in their sentence.
    node = {"bad-service", "bad-ttl", "bad-key", "bad-deadline", "bad-name", "too-many", "not-bytes"}
    assert node <= code["InputError"] & documents["InputError"]
