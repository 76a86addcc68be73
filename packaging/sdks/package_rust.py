"""The crates: the core, and the client of the daemon."""

from __future__ import annotations

import os
import shutil
import tarfile
from pathlib import Path

from trial import stage
from work import CACHE, Example, copy_sources, empty, need, only, run_offline_first

CRATES = {"p4-core": "native/p4-core", "p4-client": "sdks/rust"}
"""The ones that depend on others of these come after them."""
TARGET = CACHE / "cargo"


def build(scratch: Path, output: Path) -> None:
    """`cargo package`, which compiles what it packed; our core stands for the one to be published."""
    need("cargo")
    copy_sources(scratch, "native", "sdks/rust")
    environment = {"CARGO_TARGET_DIR": str(TARGET)}
    packed = empty(TARGET / "package")
    core = f'patch.crates-io.p4-core.path="{(scratch / CRATES["p4-core"]).as_posix()}"'
    for name, place in CRATES.items():
        command = ["cargo", "package", "--quiet", "--allow-dirty"]
        if name != "p4-core":
            command += ["--config", core]
        run_offline_first([*command, "--offline"], command, cwd=scratch / place, environment=environment)
        shutil.move(only(packed, f"{name}-*.crate"), output)


async def try_out(output: Path, project: Path) -> str:
    """A program that depends on the crates as they were packed."""
    patches = []
    for name in CRATES:
        with tarfile.open(only(output, f"{name}-*.crate")) as archive:
            archive.extractall(project / "crates", filter="data")
        patches.append(f'{name} = {{ path = "crates/{only(project / "crates", f"{name}-*").name}" }}')
    (project / "Cargo.toml").write_text(PROJECT + "\n".join(patches) + "\n", "utf-8")
    (project / "src").mkdir()
    example = Example.of("sdks/rust/README.md", "rust,no_run").text
    (project / "src" / "main.rs").write_text(example, "utf-8")
    command = ["cargo", "build", "--quiet"]
    run_offline_first(
        [*command, "--offline"], command, cwd=project, environment={"CARGO_TARGET_DIR": str(TARGET)}
    )
    program = TARGET / "debug" / ("hello.exe" if os.name == "nt" else "hello")
    async with stage() as home:
        await home.perform(program, cwd=project, expected="delivered to phone\n")
    return "the example of its README ran"


PROJECT = """\
[package]
name = "hello"
version = "1.0.0"
edition = "2024"

[dependencies]
p4-client = "0.1"
tokio = { version = "1", features = ["full"] }

[patch.crates-io]
"""
