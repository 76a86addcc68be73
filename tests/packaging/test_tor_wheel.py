"""The packaged Tor client: built (or taken from the cache), installed, examined, and used once for real."""

from __future__ import annotations

import asyncio
import base64
import csv
import hashlib
import importlib
import importlib.util
import io
import json
import os
import re
import stat
import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import psutil
import pytest
from tests.requirements import missing, require_program

from p4.adapters.tor.binary import find_tor
from p4.adapters.tor.rendezvous import TorRendezvous
from p4.ports import RendezvousPhase, RendezvousStatus, SignalStream
from p4.testing.tor_network import PrivateTorNetwork

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGING = REPOSITORY / "packaging" / "tor"
DISTRIBUTION = REPOSITORY / "build" / "tor-wheel" / "dist"
BUILD_SECONDS = 1200
"""A build takes one minute on two idle cores; a busy machine that installs everything first takes longer."""
CANNOT_BUILD_HERE = 77


def load(name: str) -> ModuleType:
    """A module of the build; its directory is no package, as ``packaging`` is the name of another."""
    specification = importlib.util.spec_from_file_location(f"p4_tor_{name}", PACKAGING / f"{name}.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


def build() -> str:
    """Run the build as `make tor-wheel` does; returns what it said."""
    done = subprocess.run(
        [PACKAGING / "build"], check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode == CANNOT_BUILD_HERE:
        missing(f"the Tor client cannot be built here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@dataclass(frozen=True)
class Installed:
    wheel: Path
    program: Path
    site_packages: Path

    @property
    def information(self) -> Path:
        (found,) = self.site_packages.glob("p4_tor-*.dist-info")
        return found


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in a fresh virtual environment; nothing but the wheel is offered to pip."""
    if sys.platform != "linux":
        missing("the build starts from Debian's source package; other systems: packaging/tor/README.md")
    build()
    wheel = DISTRIBUTION / json.loads((DISTRIBUTION / "current.json").read_text("utf-8"))["wheel"]
    environment = tmp_path_factory.mktemp("environment")
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    install = [python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index", wheel]
    subprocess.run(install, check=True)
    question = "import p4_tor; path = p4_tor.binary_path(); assert path.is_absolute(); print(path)"
    answer = subprocess.run([python, "-c", question], check=True, stdout=subprocess.PIPE, text=True).stdout
    program = Path(answer.strip()).resolve()
    return Installed(wheel, program, program.parents[1])


def says(*command: str | Path) -> str:
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    return subprocess.run(
        [str(part) for part in command], check=True, env=environment, stdout=subprocess.PIPE, text=True
    ).stdout


slow = [pytest.mark.slow, pytest.mark.timeout(BUILD_SECONDS)]


class TestWheel:
    pytestmark = slow

    def test_an_unchanged_build_is_skipped(self, installed: Installed) -> None:
        before = installed.wheel.stat()
        said = build()
        assert "nothing has changed" in said
        assert str(installed.wheel) in said
        assert installed.wheel.stat().st_mtime_ns == before.st_mtime_ns

    def test_another_input_is_another_build(self, installed: Installed) -> None:
        current = json.loads((DISTRIBUTION / "current.json").read_text("utf-8"))
        sys.path.insert(0, str(PACKAGING))
        try:
            builder = load("build_wheel")
        finally:
            sys.path.remove(str(PACKAGING))
        record = DISTRIBUTION / "current.json"
        assert builder.wheel_for(current["key"], record) == installed.wheel
        assert builder.wheel_for(builder.fingerprint("0.0.0.0-1"), record) is None

    def test_the_program_runs_and_is_the_version_that_the_wheel_names(self, installed: Installed) -> None:
        version = re.match(r"Tor version (\d+(?:\.\d+){3})", says(installed.program, "--version"))
        assert version is not None
        assert installed.wheel.name.split("-")[1].startswith(version[1])
        assert installed.program.stat().st_mode & stat.S_IXUSR

    def test_it_is_a_client_with_the_proof_of_work_defence(self, installed: Installed) -> None:
        modules = says(installed.program, "--list-modules").split("\n")
        assert {"relay: no", "dirauth: no", "pow: yes"} <= set(modules)
        assert "GNU General Public License" in says(installed.program, "--version")

    def test_it_needs_the_c_library_and_nothing_else(self, installed: Installed) -> None:
        require_program("ldd")
        names = [Path(line.split()[0]).name for line in says("ldd", installed.program).splitlines()]
        parts = r"linux-vdso\.so\.1|libc\.so\.6|libm\.so\.6|ld-linux-[\w-]+\.so\.\d"
        assert [name for name in names if not re.fullmatch(parts, name)] == []
        assert "libc.so.6" in names

    def test_it_is_hardened_and_stripped(self, installed: Installed) -> None:
        require_program("readelf")
        headers = says("readelf", "--wide", "--headers", "--dynamic", installed.program)
        assert re.search(r"Type:\s+DYN", headers)
        assert "GNU_RELRO" in headers
        assert "Flags: NOW PIE" in headers
        assert re.search(r"GNU_STACK\s.* RW ", headers)
        assert ".symtab" not in headers
        assert "__memcpy_chk" in says("readelf", "--wide", "--dyn-syms", installed.program)

    def test_the_platform_tag_is_no_older_than_the_symbols_that_it_needs(self, installed: Installed) -> None:
        require_program("objdump")
        symbols = says("objdump", "--dynamic-syms", installed.program)
        needed = max(
            (int(major), int(minor)) for major, minor in re.findall(r"\(GLIBC_(\d+)\.(\d+)[.\d]*\)", symbols)
        )
        tag = installed.wheel.stem.split("-")[-1]
        assert tag.startswith(f"manylinux_{needed[0]}_{needed[1]}_")
        assert f"Tag: py3-none-{tag}\n" in (installed.information / "WHEEL").read_text("utf-8")

    def test_the_record_is_right(self, installed: Installed) -> None:
        with zipfile.ZipFile(installed.wheel) as archive:
            record = next(name for name in archive.namelist() if name.endswith("/RECORD"))
            rows = {row[0]: row[1:] for row in csv.reader(io.StringIO(archive.read(record).decode()))}
            assert set(rows) == set(archive.namelist())
            for name, (digest, size) in rows.items():
                if name == record:
                    continue
                data = archive.read(name)
                expected = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                assert (digest, int(size)) == (f"sha256={expected}", len(data))

    def test_the_licences_of_everything_inside_are_there(self, installed: Installed) -> None:
        metadata = (installed.information / "METADATA").read_text("utf-8")
        named = set(re.findall(r"^License-File: (.+)$", metadata, flags=re.MULTILINE))
        licenses = installed.information / "licenses"
        there = {str(path.relative_to(licenses)) for path in licenses.rglob("*") if path.is_file()}
        assert named == there
        marks = {
            "tor/LICENSE": "Roger Dingledine",
            "libevent-dev/copyright": "Niels Provos",
            "libssl-dev/copyright": "OpenSSL",
            "libzstd-dev/copyright": "Facebook",
            "liblzma-dev/copyright": "Lasse Collin",
            "zlib1g-dev/copyright": "Mark Adler",
            "common/GPL-3": "GNU GENERAL PUBLIC LICENSE",
            "common/LGPL-3": "GNU LESSER GENERAL PUBLIC LICENSE",
            "common/Apache-2.0": "Apache License",
            "SOURCES.txt": "--enable-module-pow",
        }
        for name, mark in marks.items():
            assert mark in (licenses / name).read_text("utf-8", errors="replace"), name

    def test_the_source_is_kept_beside_the_wheel(self, installed: Installed) -> None:
        (description,) = (DISTRIBUTION / "source").glob("tor_*.dsc")
        listed = re.findall(r"^ ([0-9a-f]{64}) \d+ (\S+)$", description.read_text("utf-8"), re.MULTILINE)
        assert listed
        for digest, name in listed:
            assert hashlib.sha256((DISTRIBUTION / "source" / name).read_bytes()).hexdigest() == digest

    def test_p4_prefers_it_to_the_system_s_tor(
        self, installed: Installed, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.syspath_prepend(installed.site_packages)
        monkeypatch.delitem(sys.modules, "p4_tor", raising=False)
        importlib.invalidate_caches()
        try:
            assert find_tor(environment={}) == installed.program
        finally:
            sys.modules.pop("p4_tor", None)


def no_key() -> None:
    return None


async def ready(statuses: list[RendezvousStatus], changed: asyncio.Event) -> None:
    while not (statuses and statuses[-1].phase is RendezvousPhase.READY):
        changed.clear()
        await changed.wait()


@pytest.mark.slow
@pytest.mark.timeout(BUILD_SECONDS)
async def test_two_packaged_clients_meet_in_a_private_network(installed: Installed, tmp_path: Path) -> None:
    """Both ends are the packaged client: bootstrap to 100 %, publish an onion, dial it, exchange a line."""
    require_program("tor")
    require_program("tor-gencert")
    received: asyncio.Queue[bytes | None] = asyncio.Queue()
    statuses: list[RendezvousStatus] = []
    changed = asyncio.Event()

    async def accept(stream: SignalStream) -> None:
        received.put_nowait(await stream.receive_line())
        await stream.send_line(b"and back")

    async def ignore(stream: SignalStream) -> None:
        stream.close()

    def observe(status: RendezvousStatus) -> None:
        statuses.append(status)
        changed.set()

    def client(name: str, lines: tuple[str, ...]) -> TorRendezvous:
        return TorRendezvous(
            tmp_path / name,
            load_key=no_key,
            save_key=lambda blob, service: None,
            binary=installed.program,
            torrc_lines=lines,
        )

    async with PrivateTorNetwork() as network:
        callee, caller = (client(name, network.client_torrc_lines) for name in ("callee", "caller"))
        try:
            address = await callee.start(accept, observe)
            await caller.start(ignore, lambda status: None)
            assert psutil.Process(callee.tor_pid).exe() == str(installed.program)
            async with asyncio.timeout(180):
                await ready(statuses, changed)
            assert statuses[-1].progress == 100

            stream = await caller.dial(address, timeout=30)
            await stream.send_line(b"there")
            async with asyncio.timeout(60):
                assert await received.get() == b"there"
                assert await stream.receive_line() == b"and back"
            stream.close()
        finally:
            await asyncio.gather(callee.close(), caller.close())


class TestNames:
    """What the wheel is called; quick, so that a new form of Tor's version is noticed early."""

    @pytest.mark.parametrize(
        ("tor", "revision", "expected"),
        [
            ("0.4.9.11", 0, "0.4.9.11"),
            ("0.4.9.11", 2, "0.4.9.11.post2"),
            ("0.4.9.1-alpha", 0, "0.4.9.1a0"),
            ("0.4.9.4-rc", 0, "0.4.9.4rc0"),
            ("0.4.9.2-alpha-dev", 0, "0.4.9.2a0.dev0"),
            ("0.4.10.1-alpha", 1, "0.4.10.1a0.post1"),
        ],
    )
    def test_tor_s_version_in_python_s_terms(self, tor: str, revision: int, expected: str) -> None:
        assert load("wheel_file").python_version(tor, revision) == expected

    @pytest.mark.parametrize("nonsense", ["0.4.9", "0.4.9.11-gamma", "", "v0.4.9.11"])
    def test_another_form_of_version_is_refused(self, nonsense: str) -> None:
        with pytest.raises(ValueError, match="no version"):
            load("wheel_file").python_version(nonsense, 0)

    def test_the_newest_symbol_decides_by_number_not_by_spelling(self) -> None:
        text = (
            "  Machine:                           Advanced Micro Devices X86-64\n"
            "  0x0010:   Name: GLIBC_2.9  Flags: none  Version: 5\n"
            "  0x0020:   Name: GLIBC_2.2.5  Flags: none  Version: 4\n"
            "  0x0030:   Name: GLIBC_2.17  Flags: none  Version: 3\n"
        )
        assert load("wheel_file").platform_tag_of(text) == "manylinux_2_17_x86_64"

    def test_a_program_without_glibc_gets_no_tag(self) -> None:
        with pytest.raises(ValueError, match="glibc"):
            load("wheel_file").platform_tag_of("  Machine:    AArch64\n")

    def test_an_unknown_processor_gets_no_tag(self) -> None:
        with pytest.raises(ValueError, match="processor"):
            load("wheel_file").platform_tag_of("  Machine:    PDP-11\n  Name: GLIBC_2.9  Flags\n")
