"""Configures, compiles, strips and examines the client; README.md gives the reason for every switch."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from build_errors import BuildFailedError

LINKED_LIBRARIES = ("event", "ssl", "crypto", "zstd", "lzma", "z")
MODULES = {"relay": "no", "dirauth": "no", "dircache": "no", "pow": "yes"}
ALLOWED_LIBRARIES = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1"}

CONFIGURE = (
    "--prefix=/nonexistent",  # compiled-in paths must not lead to anything on the host
    "--disable-system-torrc",
    "--disable-module-relay",
    "--disable-module-dirauth",
    "--enable-gpl",  # Equi-X is under the LGPL; without this switch the module is left out silently
    "--enable-module-pow",
    "--enable-zstd",
    "--enable-lzma",
    "--disable-systemd",
    "--disable-seccomp",
    "--disable-libscrypt",
    "--disable-unittests",
    "--disable-asciidoc",
    "--disable-manpage",
    "--disable-html-manual",
    "--disable-dependency-tracking",
    "--disable-gcc-warnings-advisory",
    "ac_cv_lib_cap_cap_init=no",  # there is no switch against libcap, which only a relay on low ports needs
)


@dataclass(frozen=True)
class Client:
    """The finished program."""

    path: Path
    version: str
    """As Tor calls itself, e.g. ``0.4.9.11``."""
    bytes_before_strip: int
    bytes_after_strip: int


def build_client(tree: Path, work: Path) -> Client:
    """Build the client from the unpacked source package ``tree``; the program is left in ``work``."""
    static = os.path.relpath(_static_libraries(work / "static"), tree)  # the clone's path may contain spaces
    environment = _environment(tree)
    log = work / "build.log"
    log.unlink(missing_ok=True)
    flags = {
        "CFLAGS": "-ffunction-sections -fdata-sections",
        "CPPFLAGS": "",
        "LDFLAGS": f"-Wl,--gc-sections -L{static}",
    }
    settings = [
        f"{name}={_distribution_flags(name, tree, environment)} {ours}" for name, ours in flags.items()
    ]
    _logged(["./configure", "--quiet", *CONFIGURE, *settings], tree, environment, log)
    jobs = len(os.sched_getaffinity(0))
    _logged(["make", "--silent", f"--jobs={jobs}", "src/app/tor"], tree, environment, log)

    program = work / "tor"
    shutil.copy(tree / "src" / "app" / "tor", program)
    before = program.stat().st_size
    _logged(["strip", "--strip-all", program], work, environment, log)
    program.chmod(0o755)
    return Client(program, examine(program), before, program.stat().st_size)


def examine(program: Path) -> str:
    """Check that the program is what the wheel promises, and return its version."""
    modules = dict(
        line.split(": ") for line in _output(program, "--list-modules").splitlines() if ": " in line
    )
    _require(modules == MODULES, f"its modules are {modules}, not {MODULES}")
    needed = needed_libraries(program)
    _require(needed <= ALLOWED_LIBRARIES, f"it needs {sorted(needed - ALLOWED_LIBRARIES)} of the host")
    headers = _output("readelf", "--wide", "--file-header", "--program-headers", "--dynamic", program)
    _require("Flags: NOW PIE" in headers, "it is not a position-independent executable that binds at start")
    _require("GNU_RELRO" in headers, "its relocations stay writable")
    _require(re.search(r"GNU_STACK.* RWE ", headers) is None, "its stack is executable")
    _require("RUNPATH" not in headers and "RPATH" not in headers, "it carries a library search path")
    symbols = _output("readelf", "--wide", "--dyn-syms", program)
    _require("__memcpy_chk" in symbols, "it was compiled without _FORTIFY_SOURCE")
    _require("__stack_chk_fail" in symbols, "it was compiled without stack protection")
    found = re.match(
        r"Tor version (\d\S*?)\.?( \(git-\w+\)\.?)?$", _output(program, "--version").splitlines()[0]
    )
    _require(found is not None, "it does not tell its version")
    assert found is not None  # noqa: S101 - for the type checker; _require has raised
    return found[1]


def needed_libraries(program: Path) -> set[str]:
    """The shared libraries that the program asks the dynamic loader for."""
    dynamic = _output("readelf", "--wide", "--dynamic", program)
    return set(re.findall(r"\(NEEDED\)\s+Shared library: \[(?!ld-linux)(.+)\]", dynamic))


def _static_libraries(directory: Path) -> Path:
    """A directory with the static libraries alone: the linker takes the first place that has a library."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    for name in LINKED_LIBRARIES:
        archive = Path(_output("gcc", f"-print-file-name=lib{name}.a").strip())
        _require(archive.is_absolute(), f"there is no static lib{name}.a to link with")
        (directory / archive.name).symlink_to(archive)
    return directory


def _environment(tree: Path) -> dict[str, str]:
    """Nothing of the caller's environment may change the program."""
    bare = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    epoch = _output(
        "dpkg-parsechangelog", "--show-field", "Timestamp", "--file", tree / "debian" / "changelog"
    )
    # Debug information would be stripped again; not making it halves the time.
    hardening = {"DEB_BUILD_MAINT_OPTIONS": "hardening=+all", "DEB_CFLAGS_STRIP": "-g"}
    return bare | hardening | {"SOURCE_DATE_EPOCH": epoch.strip()}


def _distribution_flags(name: str, tree: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        ["dpkg-buildflags", "--get", name],
        cwd=tree,
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout.strip()


def _output(*command: str | Path) -> str:
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        [str(part) for part in command], env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout


def _logged(command: Sequence[str | Path], directory: Path, environment: dict[str, str], log: Path) -> None:
    """Run a long command with low priority, its output into the log; if it fails, the log's end is shown."""
    line = ["nice", "-n", "10", *(str(part) for part in command)]
    with log.open("a", encoding="utf-8") as output:
        output.write(f"$ {' '.join(line)}\n")
        output.flush()
        done = subprocess.run(
            line,
            cwd=directory,
            env=environment,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    if done.returncode != 0:
        tail = "\n".join(log.read_text("utf-8", errors="replace").splitlines()[-30:])
        raise BuildFailedError(f"{tail}\n\n{Path(line[3]).name} failed; the whole log is {log}.")


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise BuildFailedError(f"the program is not as it should be: {problem}.")
