"""The C library, for every system that this machine can build for."""

from __future__ import annotations

import shutil
import tarfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from work import CACHE, REPOSITORY, Example, PackageError, need, only, run, run_offline_first, write_archive

NATIVE = REPOSITORY / "native"
LIBRARIES = (
    "libp4_core.so",
    "libp4_core.dylib",
    "libp4_core.a",
    "libp4_core.dll.a",
    "p4_core.dll*",
    "p4_core.lib",
)


@dataclass(frozen=True)
class Target:
    """A system that the library is built for.

    Args:
        triple: as Rust names it.
        compiler: the C compiler that links for it.
        runner: what runs its programs here; without one they are linked, and not run.
    """

    triple: str
    compiler: str
    runner: tuple[str, ...] = ()


CROSS = (
    Target(
        "aarch64-unknown-linux-gnu",
        "aarch64-linux-gnu-gcc",
        ("qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu"),
    ),
    Target(
        "x86_64-unknown-linux-gnu",
        "x86_64-linux-gnu-gcc",
        ("qemu-x86_64-static", "-L", "/usr/x86_64-linux-gnu"),
    ),
    Target("x86_64-pc-windows-gnu", "x86_64-w64-mingw32-gcc", ("wine64",)),
)
"""By the distribution's compilers. macOS builds for both of its processors with its own."""


def targets() -> list[Target]:
    """This machine first, then those whose standard library and compiler are here."""
    need("cargo")
    (host,) = (
        line.split()[1] for line in run("rustc", "-vV", cwd=NATIVE).splitlines() if line.startswith("host:")
    )
    found = [Target(host, "cc")]
    if shutil.which("rustup") is None:
        return found
    installed = run("rustup", "target", "list", "--installed", cwd=NATIVE).split()
    cross = [target for target in CROSS if shutil.which(target.compiler)]
    if host.endswith("apple-darwin"):
        cross += [Target(f"{processor}-apple-darwin", "cc") for processor in ("aarch64", "x86_64")]
    return found + [target for target in cross if target.triple in installed and target.triple != host]


def environment_of(target: Target) -> dict[str, str]:
    """What cargo needs to know to build for it, and to run what it built."""
    upper = target.triple.upper().replace("-", "_")
    found = {"CARGO_TARGET_DIR": str(CACHE / "cross")}
    if target in CROSS:
        found[f"CARGO_TARGET_{upper}_LINKER"] = target.compiler
        if target.runner and shutil.which(target.runner[0]):
            found[f"CARGO_TARGET_{upper}_RUNNER"] = " ".join(target.runner)
    return found


def build(scratch: Path, output: Path) -> None:
    """An archive for each target: header, libraries, licence."""
    del scratch  # cargo's own directory is kept, it is what takes long
    version = tomllib.loads((NATIVE / "Cargo.toml").read_text("utf-8"))["workspace"]["package"]["version"]
    for target in targets():
        command = (
            "cargo",
            "build",
            "--quiet",
            "--release",
            "--locked",
            "-p",
            "p4-ffi",
            "--target",
            target.triple,
        )
        run_offline_first((*command, "--offline"), command, cwd=NATIVE, environment=environment_of(target))
        built = CACHE / "cross" / target.triple / "release"
        found = [path for pattern in LIBRARIES for path in sorted(built.glob(pattern))]
        if not found:
            raise PackageError(f"there is no library in {built}")
        name = f"p4-core-{version}-{target.triple}"
        files = {f"lib/{path.name}": path for path in found}
        files |= {f"include/{path.name}": path for path in sorted((NATIVE / "include").glob("*.h"))}
        files |= {"LICENSE": REPOSITORY / "LICENSE", "README.md": NATIVE / "README.md"}
        write_archive(output / f"{name}.tar.gz", name, files)


async def try_out(output: Path, project: Path) -> str:
    """The example of its README, compiled with what is in each archive, and run where that is possible."""
    (project / "hello.c").write_text(Example.of("native/README.md", "c").text, "utf-8")
    said = []
    for target in targets():
        with tarfile.open(only(output, f"*-{target.triple}.tar.gz")) as archive:
            archive.extractall(project, filter="data")
        place = only(project, f"*-{target.triple}")
        if shutil.which(target.compiler) is None:
            said.append(f"{target.triple} built")
            continue
        program = place / ("hello.exe" if "windows" in target.triple else "hello")
        libraries = place / "lib"
        run(
            *(target.compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", "-I", place / "include", "hello.c"),
            *("-L", libraries, "-lp4_core", "-o", program),
            cwd=project,
        )
        if "windows" in target.triple:
            shutil.copy(libraries / "p4_core.dll", place)
        runner = target.runner if target in CROSS else ()
        if runner and shutil.which(runner[0]) is None:
            said.append(f"{target.triple} linked")
            continue
        paths = {"LD_LIBRARY_PATH": str(libraries), "DYLD_LIBRARY_PATH": str(libraries), "WINEDEBUG": "-all"}
        if runner and runner[0].startswith("qemu"):
            paths = {"QEMU_SET_ENV": f"LD_LIBRARY_PATH={libraries}"}
        if run(*runner, program, cwd=project, environment=paths).strip() != "ok":
            raise PackageError(f"the example for {target.triple} did not print ok")
        said.append(f"{target.triple} ran" + (f" under {runner[0]}" if runner else ""))
    return ", ".join(said)
