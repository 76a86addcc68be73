"""The wheel and the source distribution of the node."""

from __future__ import annotations

import hashlib
import os
import shutil
import tarfile
from pathlib import Path

from trial import daemon_program, stage
from work import CACHE, PYTHON, REPOSITORY, Example, PackageError, copy_sources, only, run

LOCK = REPOSITORY / "requirements" / "run.lock"
SOURCES = ("src", "spec", "vectors", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE")


def build(scratch: Path, output: Path) -> None:
    """The source distribution, and the wheel from nothing but that."""
    tree = copy_sources(scratch / "tree", *SOURCES)
    run(PYTHON, "-m", "hatchling", "build", "-t", "sdist", "-d", output, cwd=tree)
    unpacked = scratch / "unpacked"
    with tarfile.open(only(output, "*.tar.gz")) as archive:
        archive.extractall(unpacked, filter="data")
    run(PYTHON, "-m", "hatchling", "build", "-t", "wheel", "-d", output, cwd=only(unpacked, "*"))


async def try_out(output: Path, project: Path) -> str:
    """The node of the wheel holds both devices; a program asks it, another is one of version 1."""
    run(PYTHON, "-m", "venv", "environment", cwd=project)
    programs = project / "environment" / ("Scripts" if os.name == "nt" else "bin")
    python = programs / "python"
    pip = (python, "-m", "pip", "--disable-pip-version-check")
    wheels = (*sorted(_wheels().glob("*.whl")), only(output, "*.whl"))
    run(*pip, "install", "--quiet", "--no-index", "--no-deps", *wheels, cwd=project)
    run(*pip, "check", cwd=project)  # what the wheel asks for is there
    version = run(programs / "p4", "--version", cwd=project).strip()
    if version != f"p4 {only(output, '*.whl').name.split('-')[1]}":
        raise PackageError(f"p4 --version says {version!r}")
    (project / "hello.py").write_text(Example.of("docs/client.md", "python").text, "utf-8")
    (project / "version_1.py").write_text(VERSION_1, "utf-8")
    with daemon_program(str(programs / "p4")):
        async with stage() as home:
            await home.perform(python, "-I", "hello.py", cwd=project, expected="True\n")
            await home.perform(python, "-I", "version_1.py", cwd=project, expected="ok\n")
    return f"{version}; the example of docs/client.md ran, and one of version 1"


def _wheels() -> Path:
    """The locked dependencies as wheels, downloaded once for each lock."""
    key = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]
    wheels = CACHE / f"wheels-{key}"
    if not wheels.exists():
        unfinished = wheels.with_suffix(".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        run(
            *(PYTHON, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--require-hashes"),
            *("--wheel-dir", unfinished, "--requirement", LOCK),
            cwd=REPOSITORY,
        )
        unfinished.rename(wheels)
    return wheels


VERSION_1 = """\
from p4.v1 import P4Core

core = P4Core()
alice = core.generate_identity()
bob = core.generate_identity()

env = core.sign_envelope(
    private_key_b64=alice["private_key_b64"],
    sender_peer_id=alice["peer_id"],
    recipient_peer_id=bob["peer_id"],
    payload={"type": "hello", "text": "hi"},
    nonce="n1",
)
core.verify_envelope(env, signer_public_key_b64=alice["public_key_b64"])
print("ok")
"""
