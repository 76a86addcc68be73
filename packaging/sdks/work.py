"""What every package is made with: commands that are quiet unless they fail, and clean copies of sources."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BUILD = REPOSITORY / "build"
OUTPUT = BUILD / "packages"
CACHE = BUILD / "packages-cache"
"""Downloads and compiled dependencies, kept between runs; nothing in it is published."""
SHOWN_LINES = 60


class PackageError(Exception):
    """A package could not be made, or did not work where it was installed."""


class MissingToolError(PackageError):
    """A program that the package needs is not on this machine."""


def run(
    *command: str | Path, cwd: Path, environment: Mapping[str, str] | None = None, patience: float = 1800
) -> str:
    """Run a command to its end.

    Args:
        command: program and arguments.
        cwd: where it runs.
        environment: added to that of this process.
        patience: seconds until it is ended.

    Returns:
        What it wrote to its standard output.

    Raises:
        PackageError: it failed; the text has the end of what it wrote.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=patience,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise PackageError(f"{' '.join(words)} did not end within {patience:.0f} s") from error
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-SHOWN_LINES:])
        raise PackageError(f"{' '.join(words)} (in {cwd}) ended with status {done.returncode}:\n{said}")
    return done.stdout


def run_offline_first(
    offline: Sequence[str | Path],
    online: Sequence[str | Path],
    *,
    cwd: Path,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run the first command, which uses what was downloaded before; if that is not enough, the second.

    Raises:
        PackageError: as `run`, of the second.
    """
    try:
        return run(*offline, cwd=cwd, environment=environment)
    except PackageError:
        return run(*online, cwd=cwd, environment=environment)


def need(*programs: str) -> None:
    """Raise MissingToolError unless all programs are on PATH."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        raise MissingToolError(f"there is no {', no '.join(missing)} here")


def program(name: str) -> str:
    """The path of a program on PATH, with its extension on Windows, where `npm` is a `.cmd`."""
    need(name)
    return str(shutil.which(name))


def copy_sources(destination: Path, *parts: str) -> Path:
    """Copy parts of the repository without what was built in them, at the same places.

    Args:
        destination: stands for the top of the repository.
        parts: files or directories, relative to the top.
    """
    listed = run(
        "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *parts, cwd=REPOSITORY
    )
    for name in filter(None, listed.split("\0")):
        source, target = REPOSITORY / name, destination / name
        if source.is_file():  # not if it was deleted and is still in the index
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    return destination


def empty(directory: Path) -> Path:
    """The directory, without what was in it."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory


def only(directory: Path, pattern: str) -> Path:
    """The one file that fits.

    Raises:
        PackageError: there is none, or there are several.
    """
    found = sorted(directory.glob(pattern))
    if len(found) != 1:
        raise PackageError(f"there are {len(found)} files {pattern} in {directory}, not one")
    return found[0]


def write_archive(archive: Path, root: str, files: Mapping[str, Path]) -> None:
    """Write a `.tar.gz` or a `.zip` that is the same, byte for byte, whenever it is made from the same files.

    Args:
        root: directory in the archive under which everything lies; empty for none.
        files: where they lie below that, and where they are. Symbolic links stay links in a `.tar.gz`.
    """
    named = sorted((f"{root}/{name}" if root else name, path) for name, path in files.items())
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for name, path in named:
                entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
                entry.external_attr = (0o755 if os.access(path, os.X_OK) else 0o644) << 16
                entry.compress_type = zipfile.ZIP_DEFLATED
                packed.writestr(entry, path.read_bytes())
        return
    with (
        archive.open("wb") as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as compressed,
        tarfile.open(fileobj=compressed, mode="w", format=tarfile.PAX_FORMAT) as packed_tar,
    ):
        for name, path in named:
            packed_tar.add(path, name, recursive=False, filter=_anonymous)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if entry.mode & 0o100 else 0o644
    return entry


def write_sums(directory: Path) -> int:
    """Write SHA256SUMS about all files below the directory; returns their number."""
    sums = directory / "SHA256SUMS"
    files = sorted(path for path in directory.rglob("*") if path.is_file() and path != sums)
    lines = []
    for path in files:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        lines.append(f"{digest}  {path.relative_to(directory).as_posix()}\n")
    sums.write_text("".join(lines), "utf-8", newline="\n")
    return len(files)


@dataclass(frozen=True)
class Example:
    """The first example of a page.

    Args:
        text: the program as it stands there.
    """

    text: str

    @classmethod
    def of(cls, page: str, language: str) -> Example:
        """The first block of that language, such as ``js`` or ``rust,no_run``, of a page of the repository.

        Raises:
            PackageError: the page has none.
        """
        _, found, rest = (REPOSITORY / page).read_text("utf-8").partition(f"```{language}\n")
        if not found:
            raise PackageError(f"{page} has no example in {language}")
        return cls(rest.partition("\n```")[0] + "\n")


PYTHON = sys.executable
