"""Makes the wheel p4-tor, step by step; started by packaging/tor/build, explained in README.md."""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import json
import platform
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from build_errors import BuildFailedError, CannotBuildHereError
from client_build import CONFIGURE, Client, build_client
from debian_source import (
    PrivateApt,
    install,
    installed_versions,
    names_in,
    run,
    source_of,
    system_repositories,
)
from wheel_file import WheelContent, platform_tag, python_version, write_wheel

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
WORK = REPOSITORY / "build" / "tor-wheel"
DISTRIBUTION = WORK / "dist"
LINKED_PACKAGES = ("libevent-dev", "libssl-dev", "libzstd-dev", "liblzma-dev", "zlib1g-dev")
SHARED_LICENSES = Path("/usr/share/common-licenses")
CANNOT_BUILD_HERE = 77


def say(text: str) -> None:
    print(f"tor-wheel: {text}", flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Say what is being done, and how long it took."""
    print(f"tor-wheel: {text} ...", end="", flush=True)
    begin = time.monotonic()
    try:
        yield
    except BaseException:
        print(" failed", flush=True)
        raise
    print(f" {time.monotonic() - begin:.1f} s", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="packaging/tor/build", description="Builds the wheel p4-tor.")
    parser.add_argument("--force", action="store_true", help="build again even if nothing has changed")
    options = parser.parse_args()
    WORK.mkdir(parents=True, exist_ok=True)
    with (WORK / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # `make tor-wheel` and the tests may run at the same time
        try:
            make_wheel(force=options.force)
        except CannotBuildHereError as problem:
            print(f"tor-wheel: {problem}", file=sys.stderr)
            return CANNOT_BUILD_HERE
        except BuildFailedError as problem:
            print(f"tor-wheel: {problem}", file=sys.stderr)
            return 1
    return 0


def make_wheel(*, force: bool) -> None:
    """Build the wheel, unless the one for exactly this input is there."""
    apt = prepare_packages()
    version = apt.newest_source("tor")
    key = fingerprint(version)
    current = DISTRIBUTION / "current.json"
    if not force and (wheel := wheel_for(key, current)) is not None:
        say(f"nothing has changed since {wheel.name} was built from tor {version}; not building it again.")
        say(f"the wheel is {wheel}")
        return

    begin = time.monotonic()
    source = WORK / "source"
    with step(f"fetching the source package tor {version}"):
        tree = apt.fetch_source("tor", version, source)
    with step("compiling the client (about a minute on two cores)"):
        client = build_client(tree, WORK)
    with step("writing the wheel"):
        shutil.rmtree(DISTRIBUTION, ignore_errors=True)
        wheel = pack(client, version, tree)
        keep_sources(source)
        result = {"key": key, "wheel": wheel.name, "sha256": hashlib.sha256(wheel.read_bytes()).hexdigest()}
        current.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    shutil.rmtree(source)
    sizes = f"{client.bytes_before_strip:,} bytes, stripped {client.bytes_after_strip:,}"
    say(f"program {sizes}; wheel {wheel.stat().st_size:,}")
    say(f"built in {time.monotonic() - begin:.0f} s, sha256 {result['sha256']}")
    say(f"the wheel is {wheel}")


def prepare_packages() -> PrivateApt:
    """Have the build dependencies in the distribution's newest versions, and its source packages in reach."""
    for program in ("apt-get", "apt-cache", "dpkg-query"):
        if shutil.which(program) is None:
            raise CannotBuildHereError(
                f"the program {program} is missing: this build starts from the source packages of Debian or "
                "Ubuntu. packaging/tor/README.md says how the other platforms are built."
            )
    names = names_in(HERE / "apt-packages")
    installer, log = REPOSITORY / "scripts" / "install-packages", WORK / "packages.log"
    present = installed_versions(names)
    if missing := [name for name in names if name not in present]:
        with step(f"installing {' '.join(missing)}"):
            install(missing, installer, log)
    repositories = system_repositories()
    if not repositories:
        with step("fetching the system's package lists"):
            install(names, installer, log)
        repositories = system_repositories()
    if not repositories:
        raise CannotBuildHereError("no signed repository of Debian or Ubuntu is among this system's sources.")
    apt = PrivateApt(WORK / "apt", repositories)
    with step("looking for updates of Tor and the libraries"):
        warning = apt.update()
        newer = apt.upgrades(names)
    if warning is not None:
        say(warning)
    if newer:
        try:
            with step(f"upgrading {' '.join(newer)}"):
                install(newer, installer, log)
        except CannotBuildHereError as problem:
            say(f"newer versions exist, but {problem}")
            say("going on with what is installed; do not publish this wheel.")
    return apt


def fingerprint(version: str) -> str:
    """A digest of everything that decides what the wheel contains."""
    digest = hashlib.sha256()
    versions = installed_versions([*names_in(HERE / "apt-packages"), "binutils"])
    digest.update(json.dumps([version, platform.machine(), sorted(versions.items())]).encode())
    for file in sorted(HERE.rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts and file.suffix != ".md":
            data = file.read_bytes()
            digest.update(f"\0{file.relative_to(HERE)}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def wheel_for(key: str, current: Path) -> Path | None:
    """The wheel that was built from this input, if it is there and whole."""
    try:
        built = json.loads(current.read_text("utf-8"))
        wheel = DISTRIBUTION / str(built["wheel"])
        whole = hashlib.sha256(wheel.read_bytes()).hexdigest() == built["sha256"]
    except (OSError, ValueError, KeyError):
        return None
    return wheel if whole and built["key"] == key else None


def pack(client: Client, source_version: str, tree: Path) -> Path:
    revision = int((HERE / "revision").read_text("utf-8"))
    changelog = tree / "debian" / "changelog"
    epoch = run(["dpkg-parsechangelog", "--show-field", "Timestamp", "--file", changelog])
    sources = source_statement(source_version)
    content = WheelContent(
        version=python_version(client.version, revision),
        tag=platform_tag(client.path),
        program=client.path,
        package=HERE / "p4_tor",
        licenses={"SOURCES.txt": sources.encode()} | license_texts(tree),
        description=sources,
        timestamp=int(epoch),
    )
    return write_wheel(content, DISTRIBUTION)


def license_texts(tree: Path) -> dict[str, bytes]:
    """The licences of Tor, of what is linked into it, and of the licences these refer to."""
    texts = {
        "tor/LICENSE": tree / "LICENSE",
        "tor/copyright": tree / "debian" / "copyright",
        **{f"{name}/copyright": Path("/usr/share/doc") / name / "copyright" for name in LINKED_PACKAGES},
        **{f"common/{name}": SHARED_LICENSES / name for name in ("GPL-3", "LGPL-3", "Apache-2.0")},
    }
    return {name: path.read_bytes() for name, path in texts.items()}


def source_statement(source_version: str) -> str:
    """What the program was made of, and where that source is."""
    libraries = "".join(f"  {source_of(name)} (linked statically, from {name})\n" for name in LINKED_PACKAGES)
    compiler = run(["gcc", "-dumpfullversion"]).strip()
    return (
        "This package contains the program tor, a client only, built from the source packages of the\n"
        f"distribution ({platform.freedesktop_os_release()['PRETTY_NAME']}):\n\n"
        f"  tor {source_version}\n{libraries}\n"
        f"Compiler: gcc {compiler}. Configured with:\n\n"
        + "".join(f"  {switch}\n" for switch in CONFIGURE)
        + "\nTor is under the 3-clause BSD licence. Its proof-of-work module contains Equi-X by tevador,\n"
        "which is under the GNU LGPL; Tor's authors put a program built with it under the GNU GPL,\n"
        "version 3, as a whole. The texts are beside this file. Whoever gives the program away must give\n"
        "this source as well; Debian keeps every version at https://snapshot.debian.org/, and the build\n"
        "keeps a copy of Tor's beside the wheel.\n"
    )


def keep_sources(source: Path) -> None:
    """Keep Tor's source package beside the wheel: the GPL asks for it when the wheel is published."""
    kept = DISTRIBUTION / "source"
    kept.mkdir(parents=True)
    for file in sorted(source.iterdir()):
        if file.is_file():
            shutil.copy(file, kept / file.name)


if __name__ == "__main__":
    sys.exit(main())
