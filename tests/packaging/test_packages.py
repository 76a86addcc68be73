"""How packages are made, as far as it shows without making them; `make packages` makes and tries them all."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SDKS = ROOT / "packaging" / "sdks"
NAMES = sorted(path.stem.removeprefix("package_") for path in SDKS.glob("package_*.py"))


@pytest.fixture(autouse=True)
def _modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """The build's directory is no package; its modules find each other as in `python packaging/sdks`."""
    monkeypatch.syspath_prepend(SDKS)


def module(name: str) -> Any:
    found: ModuleType = importlib.import_module(name)
    return found


def command() -> Any:
    specification = importlib.util.spec_from_file_location("p4_packages", SDKS / "__main__.py")
    assert specification is not None
    assert specification.loader is not None
    main = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(main)
    return main


def test_the_page_and_the_command_know_every_package() -> None:
    assert sorted(command().NAMES) == NAMES
    page = (ROOT / "packaging" / "README.md").read_text("utf-8")
    described = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert sorted(described) == sorted(NAMES * 2), "a table of what there is, and one of how it is tried"


@pytest.mark.parametrize(
    ("page", "language"),
    [
        ("docs/client.md", "python"),
        ("sdks/js/README.md", "js"),
        ("sdks/java/README.md", "java"),
        ("sdks/rust/README.md", "rust,no_run"),
        ("sdks/php/README.md", "php"),
        ("sdks/cpp/README.md", "cpp"),
        ("native/README.md", "c"),
    ],
)
def test_every_page_begins_with_an_example(page: str, language: str) -> None:
    text = module("work").Example.of(page, language).text
    assert text.count("\n") > 5
    assert "```" not in text


def test_the_archives_are_the_same_whenever_they_are_made(tmp_path: Path) -> None:
    (tmp_path / "program").write_text("#!/bin/sh\n")
    (tmp_path / "text").write_text("text")
    (tmp_path / "link").symlink_to("text")
    files = {name: tmp_path / name for name in ("text", "program", "link")}
    made = []
    for when, mode in ((1_000_000_000, 0o600), (1_700_000_000, 0o664)):
        for path in files.values():
            os.utime(path, (when, when), follow_symlinks=False)
        (tmp_path / "text").chmod(mode)
        (tmp_path / "program").chmod(mode | 0o100)
        for kind in ("tar.gz", "zip"):
            archive = tmp_path / f"{when}.{kind}"
            module("work").write_archive(archive, "root" if kind == "tar.gz" else "", files)
            made.append(archive)
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in made]
    assert digests[0] == digests[2]
    assert digests[1] == digests[3]
    with tarfile.open(made[0]) as packed:
        assert {entry.name: entry.mode for entry in packed if entry.isreg()} == {
            "root/text": 0o644,
            "root/program": 0o755,
        }
        assert packed.getmember("root/link").linkname == "text"
        assert all((entry.uid, entry.uname, entry.mtime) == (0, "", 0) for entry in packed)
    with zipfile.ZipFile(made[1]) as packed_zip:
        assert packed_zip.namelist() == ["link", "program", "text"]
        assert packed_zip.getinfo("program").external_attr >> 16 == 0o755


def test_what_was_built_in_the_sources_is_not_packed(tmp_path: Path) -> None:
    module("work").copy_sources(tmp_path, "sdks/js", "LICENSE")
    assert (tmp_path / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (tmp_path / "sdks" / "js" / "package.json").exists()
    assert not (tmp_path / "sdks" / "js" / "node_modules").exists()
    assert not (tmp_path / "sdks" / "js" / "dist").exists()


def test_the_sums_are_those_that_sha256sum_checks(tmp_path: Path) -> None:
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "a.tgz").write_bytes(b"a")
    (tmp_path / "b.whl").write_bytes(b"b")
    assert module("work").write_sums(tmp_path) == 2
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=tmp_path, check=True)
    (tmp_path / "b.whl").write_bytes(b"c")
    assert subprocess.run(["sha256sum", "--check", "SHA256SUMS"], cwd=tmp_path, check=False).returncode


@pytest.mark.parametrize(("ci", "counts_as_well"), [("", True), ("true", False)])
def test_a_missing_tool_is_a_reason_for_a_person_and_a_failure_in_ci(
    ci: str,
    counts_as_well: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    main = command()
    monkeypatch.setattr(main, "OUTPUT", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CI", ci)
    assert main.make("rust", build_only=True) is counts_as_well
    assert "there is no cargo here" in capsys.readouterr().err


def test_a_command_that_fails_says_how(tmp_path: Path) -> None:
    work = module("work")
    with pytest.raises(work.PackageError, match=r"status 3:\nwhy"):
        work.run("sh", "-c", "echo why >&2; exit 3", cwd=tmp_path)
    assert work.run_offline_first(("false",), ("echo", "online"), cwd=tmp_path) == "online\n"
