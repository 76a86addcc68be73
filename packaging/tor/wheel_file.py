"""Writes the wheel: name and tags computed from the program itself, the same bytes for the same input.

Formats: the binary distribution format (PyPA), PEP 440 versions, PEP 600 platform tags, PEP 639 licences.
"""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MACHINES = {"Advanced Micro Devices X86-64": "x86_64", "AArch64": "aarch64"}
LICENSE_EXPRESSION = "GPL-3.0-only AND Apache-2.0 AND BSD-3-Clause AND Zlib AND LicenseRef-Public-Domain"


def python_version(tor_version: str, revision: int) -> str:
    """Tor's version as PEP 440 writes it: ``0.4.9.2-alpha-dev`` is ``0.4.9.2a0.dev0``.

    Tor numbers its pre-releases in the fourth place already, so their own number is always 0. A revision
    above 0 (the same Tor, linked anew against corrected libraries) becomes a post-release.
    """
    found = re.fullmatch(r"(\d+\.\d+\.\d+\.\d+)(?:-(alpha|beta|rc))?(-dev)?", tor_version)
    if found is None:
        raise ValueError(f"Tor calls itself {tor_version!r}, which is no version that PEP 440 could express.")
    stage = {None: "", "alpha": "a0", "beta": "b0", "rc": "rc0"}[found[2]]
    post = f".post{revision}" if revision else ""
    return f"{found[1]}{stage}{post}{'.dev0' if found[3] else ''}"


def platform_tag(program: Path) -> str:
    """The manylinux tag (PEP 600): the newest glibc symbol version that the program asks for."""
    text = subprocess.run(
        ["readelf", "--wide", "--file-header", "--version-info", str(program)],
        check=True, stdout=subprocess.PIPE, text=True, env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
    ).stdout  # fmt: skip
    return platform_tag_of(text)


def platform_tag_of(readelf_output: str) -> str:
    """As ``platform_tag``, from the text of ``readelf --file-header --version-info``."""
    machine = re.search(r"Machine:\s+(.+)", readelf_output)
    versions = re.findall(r"Name: GLIBC_(\d+)\.(\d+)(?:\.\d+)?\s", readelf_output)
    if machine is None or machine[1].strip() not in MACHINES:
        raise ValueError(
            f"There is no manylinux tag for the processor {machine[1] if machine else 'unknown'!r}."
        )
    if not versions:
        raise ValueError("The program is not linked against glibc, so no manylinux tag fits.")
    major, minor = max((int(major), int(minor)) for major, minor in versions)
    return f"manylinux_{major}_{minor}_{MACHINES[machine[1].strip()]}"


@dataclass(frozen=True)
class WheelContent:
    """What goes into the wheel."""

    version: str
    tag: str
    program: Path
    package: Path
    """The directory with the Python part of the import package."""
    licenses: Mapping[str, bytes]
    """File name (may contain ``/``) to text."""
    description: str
    timestamp: int
    """Seconds since 1970 that every file in the wheel carries."""


def write_wheel(content: WheelContent, directory: Path) -> Path:
    """Write the wheel into ``directory`` and return its path."""
    information = f"p4_tor-{content.version}.dist-info"
    tag = f"py3-none-{content.tag}"
    members: dict[str, bytes] = {"p4_tor/tor": content.program.read_bytes()}
    for name in ("__init__.py", "py.typed"):
        members[f"p4_tor/{name}"] = (content.package / name).read_bytes()
    for name, text in content.licenses.items():
        members[f"{information}/licenses/{name}"] = text
    members[f"{information}/METADATA"] = _metadata(content).encode()
    members[f"{information}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: p4 packaging/tor\nRoot-Is-Purelib: false\nTag: {tag}\n".encode()
    )
    members = dict(sorted(members.items()))  # the archive's order decides its bytes
    record = f"{information}/RECORD"
    members[record] = _record(members, record).encode()

    directory.mkdir(parents=True, exist_ok=True)
    wheel = directory / f"p4_tor-{content.version}-{tag}.whl"
    partial = wheel.with_suffix(".partial")
    moment = time.gmtime(content.timestamp)[:6]
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, data in members.items():
            entry = zipfile.ZipInfo(name, moment)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, so that the permissions below count
            entry.external_attr = (0o100755 if name == "p4_tor/tor" else 0o100644) << 16
            archive.writestr(entry, data, compresslevel=9)
    partial.replace(wheel)
    return wheel


def _metadata(content: WheelContent) -> str:
    licenses = "".join(f"License-File: {name}\n" for name in sorted(content.licenses))
    return (
        "Metadata-Version: 2.4\n"
        "Name: p4-tor\n"
        f"Version: {content.version}\n"
        "Summary: A minimal Tor client, so that P4 needs no Tor installed on the system.\n"
        f"License-Expression: {LICENSE_EXPRESSION}\n"
        f"{licenses}"
        "Requires-Python: >=3.11\n"
        "Classifier: Operating System :: POSIX :: Linux\n"
        "Classifier: Typing :: Typed\n"
        "Description-Content-Type: text/plain; charset=UTF-8\n"
        f"\n{content.description}"
    )


def _record(members: Mapping[str, bytes], record: str) -> str:
    rows = []
    for name, data in members.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        rows.append(f"{name},sha256={digest},{len(data)}\n")
    return "".join(rows) + f"{record},,\n"
