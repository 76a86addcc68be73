"""The distribution's packages: what to link against, and Tor's source, both as apt verifies them.

The system's own sources are read and never changed. A private apt configuration names the same
repositories once more, with their source packages enabled, and accepts only what the distribution's
archive key has signed. apt then checks every file against the signed hashes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from build_errors import BuildFailedError, CannotBuildHereError

# The archive keys that the distributions install themselves, by the Origin of their signed Release file.
ARCHIVE_KEYS = {
    "Debian": Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    "Ubuntu": Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg"),
}
PACKAGE_LOCK_SECONDS = 300


def run(command: Sequence[str | Path], *, cwd: Path | None = None) -> str:
    """Run a short command and return its standard output; raises BuildFailedError with its complaint."""
    environment = os.environ | {"LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
    line = [str(part) for part in command]
    done = subprocess.run(line, cwd=cwd, env=environment, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise BuildFailedError(f"{' '.join(line)} failed:\n{done.stderr.strip()}")
    return done.stdout


def names_in(listing: Path) -> list[str]:
    """The package names in a file of the form ``name # reason``."""
    names = (line.partition("#")[0].strip() for line in listing.read_text("utf-8").splitlines())
    return [name for name in names if name]


def installed_versions(names: Sequence[str]) -> dict[str, str]:
    """The version of each installed package; those not installed are left out."""
    wanted = "${binary:Package} ${db:Status-Status} ${Version}\n"
    found = subprocess.run(
        ["dpkg-query", "--show", f"--showformat={wanted}", *names],
        check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ).stdout  # fmt: skip
    rows = [line.split() for line in found.splitlines()]
    return {row[0].partition(":")[0]: row[2] for row in rows if len(row) == 3 and row[1] == "installed"}


def source_of(name: str) -> str:
    """``source-package version`` of an installed package."""
    return run(["dpkg-query", "--show", "--showformat=${source:Package} ${source:Version}", name]).strip()


def install(names: Sequence[str], installer: Path, log: Path) -> None:
    """Bring packages to their newest version; raises CannotBuildHereError where nobody may do that."""
    as_root: list[str] = []
    if os.geteuid() != 0:
        if shutil.which("sudo") is None:
            raise CannotBuildHereError(
                f"packages are needed; install them as root: {installer} {' '.join(names)}"
            )
        as_root = ["sudo"] if os.isatty(0) else ["sudo", "-n"]
    with log.open("w", encoding="utf-8") as output:
        done = subprocess.run(
            [*as_root, "sh", str(installer), *names], check=False, stdout=output, stderr=subprocess.STDOUT
        )
    if done.returncode != 0:
        raise CannotBuildHereError(
            f"these packages could not be installed: {' '.join(names)}; the log is {log}."
        )


@dataclass(frozen=True)
class Repository:
    """One component of one suite of the distribution."""

    address: str
    suite: str
    component: str
    archive_key: Path

    def lines(self) -> str:
        """Its two lines in sources.list(5): programs, and the sources they were built from."""
        place = f"[signed-by={self.archive_key}] {self.address} {self.suite} {self.component}"
        return f"deb {place}\ndeb-src {place}\n"


def system_repositories() -> list[Repository]:
    """The distribution's own repositories that this system uses; other publishers' are left out."""
    fields = "$(ORIGIN)|$(REPO_URI)|$(RELEASE)|$(COMPONENT)"
    rows = run(["apt-get", "indextargets", "--format", fields, "Created-By: Packages"]).splitlines()
    found: dict[Repository, None] = {}  # in the system's order: where two offer the same, apt asks the first
    for row in rows:
        origin, address, suite, component = row.split("|")
        key = ARCHIVE_KEYS.get(origin)
        if key is not None and key.exists():
            found[Repository(address, suite, component, key)] = None
    return list(found)


class PrivateApt:
    """apt with its own lists, so that source packages are available without a change to the system."""

    def __init__(self, directory: Path, repositories: Sequence[Repository]) -> None:
        self._lists = directory / "lists"
        self._configuration = directory / "apt.conf"
        (self._lists / "partial").mkdir(parents=True, exist_ok=True)
        (directory / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
        sources = directory / "sources.list"
        sources.write_text("".join(repository.lines() for repository in repositories), "utf-8")
        self._configuration.write_text(
            f'Dir::State::Lists "{self._lists}";\n'
            f'Dir::Cache "{directory / "cache"}";\n'
            f'Dir::Etc::SourceList "{sources}";\n'
            'Dir::Etc::SourceParts "/dev/null";\n'
            'Acquire::Languages "none";\n'
            'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";\n'
            'Acquire::Retries "3";\n'
            'Acquire::AllowInsecureRepositories "false";\n'
            'APT::Get::AllowUnauthenticated "false";\n',
            "utf-8",
        )

    def update(self) -> str | None:
        """Fetch the signed lists. Returns a warning if that failed and older ones (still signed) remain."""
        line = ["apt-get", "--config-file", str(self._configuration), "--quiet=2", "--error-on=any", "update"]
        environment = os.environ | {"LC_ALL": "C.UTF-8"}
        done = subprocess.run(line, check=False, env=environment, capture_output=True, text=True)
        if done.returncode == 0:
            return None
        dated = sorted(file.stat().st_mtime for file in self._lists.glob("*_InRelease"))
        if not dated:
            raise CannotBuildHereError(
                f"the distribution's package lists could not be fetched:\n{done.stderr}"
            )
        day = time.strftime("%Y-%m-%d", time.gmtime(dated[0]))
        return f"the package lists could not be refreshed; going on with those of {day}."

    def upgrades(self, names: Sequence[str]) -> list[str]:
        """Which of the named packages are missing here or have a newer version."""
        plan = run(["apt-get", "--config-file", self._configuration, "--simulate", "--no-install-recommends",
                    "--quiet=2", "install", *names])  # fmt: skip
        planned = set(re.findall(r"^Inst (\S+)", plan, flags=re.MULTILINE))
        return [name for name in names if name in planned]

    def newest_source(self, package: str) -> str:
        """The newest version of a source package that the distribution offers."""
        records = run(
            ["apt-cache", "--config-file", self._configuration, "showsrc", "--only-source", package]
        )
        versions = re.findall(r"^Version: (\S+)$", records, flags=re.MULTILINE)
        if not versions:
            raise CannotBuildHereError(f"the distribution offers no source package named {package}.")
        newest: str = versions[0]
        for version in versions[1:]:
            if (
                subprocess.run(["dpkg", "--compare-versions", version, "gt", newest], check=False).returncode
                == 0
            ):
                newest = version
        return newest

    def fetch_source(self, package: str, version: str, directory: Path) -> Path:
        """Download and unpack a source package; returns the unpacked tree. apt verifies what it downloads."""
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        if os.geteuid() == 0:
            shutil.chown(directory, "_apt")  # apt gives up root's rights before it talks to the network
        run(["apt-get", "--config-file", self._configuration, "--quiet=2", "--only-source", "--download-only",
             "source", f"{package}={version}"], cwd=directory)  # fmt: skip
        description = next(directory.glob("*.dsc"))
        tree = directory / "tree"
        # --no-check: apt has checked the signed hashes; the uploader's own key need not be on this machine.
        run(["dpkg-source", "--no-check", "--no-copy", "--extract", description, tree], cwd=directory)
        return tree
