"""The rules of the house: direction of imports, public names, size of files, pinned dependencies."""

from __future__ import annotations

import importlib
import importlib.metadata
import inspect
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from scripts import requirements

import p4

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
PUBLIC_NAMES = [
    "AlreadyRunningError",
    "CallCancelledError",
    "CallDeadlineError",
    "CallError",
    "CallFailed",
    "CallRefusedError",
    "Contact",
    "ContactError",
    "CorruptFileError",
    "DatagramSubscription",
    "DeliveryError",
    "EventStream",
    "FrameError",
    "IceSettings",
    "Identity",
    "IncomingCall",
    "IncomingStreams",
    "InputError",
    "Invite",
    "InviteEnded",
    "InviteError",
    "LinkDown",
    "LinkPath",
    "LinkUp",
    "LocalError",
    "Message",
    "MessageStream",
    "Node",
    "NodeEvent",
    "NodeOptions",
    "NodeWarning",
    "OutcomeUnknownError",
    "P4Error",
    "Paired",
    "PairingError",
    "PairingInvite",
    "PathKind",
    "Peer",
    "PeerId",
    "PeerStatus",
    "PermissionsError",
    "Quota",
    "Receipt",
    "ReceiptState",
    "ReceivedDatagram",
    "RemoteError",
    "RendezvousAddress",
    "RendezvousChanged",
    "RendezvousPhase",
    "RendezvousStatus",
    "StateError",
    "Stream",
    "StreamError",
    "TorError",
    "Transport",
    "TurnServer",
    "WordError",
]
LONGEST_FILE = 400


def tracked(pattern: str = "*") -> list[Path]:
    """Files under version control whose path matches; without git, those that look like it."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode == 0:
        files = [ROOT / name for name in listing.stdout.split("\0") if name]
    else:
        made = {"build", "dist", "__pycache__"}
        files = [
            path
            for path in ROOT.rglob("*")
            if not any(
                part in made or (part[0] == "." and part not in {".ci", ".github"})
                for part in path.relative_to(ROOT).parts[:-1]
            )
        ]
    return [path for path in files if path.is_file() and path.match(pattern)]


def modules() -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(p4.__path__, "p4."):
        if not found.name.endswith(".__main__"):
            yield importlib.import_module(found.name)


# --- imports ---------------------------------------------------------------------------------------------


def lint_imports(directory: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    return subprocess.run(
        [sys.executable, "-c", code], cwd=directory, capture_output=True, text=True, timeout=60
    )


def test_imports_go_one_way() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("core/limits/links.py", "import time"),
        ("core/limits/links.py", "import p4.ports"),
        ("node/events.py", "import p4.adapters.clock"),
        ("adapters/store/__init__.py", "import p4.adapters.webrtc"),
        ("testing/__init__.py", "import p4.cli"),
    ],
)
def test_an_import_in_the_wrong_direction_is_found(tmp_path: Path, file: str, line: str) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(ROOT / "src" / "p4", tmp_path / "p4", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "p4" / file).open("a") as source:
        source.write(f"\n{line}  # planted\n")
    broken = lint_imports(tmp_path)
    assert broken.returncode == 1
    assert "BROKEN" in broken.stdout


def test_the_contracts_cover_every_package() -> None:
    layers, _, independence, *_ = PROJECT["tool"]["importlinter"]["contracts"]
    covered = {name for layer in layers["layers"] for name in layer.split(" | ")}
    assert {f"p4.{found.name}" for found in pkgutil.iter_modules(p4.__path__)} == covered
    adapters = importlib.import_module("p4.adapters")
    alone = {f"p4.adapters.{found.name}" for found in pkgutil.iter_modules(adapters.__path__)}
    # p4.adapters.net is what several of them share.
    assert alone - {"p4.adapters.net"} == set(independence["modules"])


# --- public names ----------------------------------------------------------------------------------------


def test_the_package_offers_exactly_these_names() -> None:
    assert list(p4.__all__) == PUBLIC_NAMES
    for name in PUBLIC_NAMES:
        assert inspect.getdoc(getattr(p4, name)), name


def test_importing_the_package_is_quick() -> None:
    code = "import sys, p4; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"webrtc", "aiortc", "cryptography", "asyncio", "sqlite3"} & set(loaded.split())


def test_every_module_says_what_it_offers() -> None:
    problems = []
    for module in modules():
        defined = {
            name
            for name, value in vars(module).items()
            if not name.startswith("_")
            and (inspect.isclass(value) or inspect.isfunction(value))
            and value.__module__ == module.__name__
        }
        if module.__name__.startswith("p4.daemon.routes."):
            defined = set()  # what its router serves and describes is for the router alone
        offered = set(getattr(module, "__all__", ()))
        problems += [f"{module.__name__}.{name} is not in __all__" for name in sorted(defined - offered)]
        problems += [
            f"{module.__name__}.__all__ names {name}" for name in sorted(offered) if not hasattr(module, name)
        ]
    assert not problems


def test_the_command_exists() -> None:
    target = PROJECT["project"]["scripts"]["p4"]
    module, _, function = target.partition(":")
    assert callable(getattr(importlib.import_module(module), function))
    assert (ROOT / "src/p4/py.typed").is_file()


# --- files -----------------------------------------------------------------------------------------------


def test_no_source_file_is_longer_than_400_lines() -> None:
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in tracked("*.py")}
    assert lengths
    assert not {str(path): length for path, length in lengths.items() if length > LONGEST_FILE}


ELSEWHERE = re.compile(
    r"/(?:home|Users|root|work|workspace|builds)/\w"  # somebody's directory
    r"|--(?:index-url|extra-index-url|find-links|trusted-host)\b"  # somebody's package host
)


def test_nothing_names_the_machine_it_was_written_on() -> None:
    named = []
    for path in tracked():
        if path == Path(__file__):
            continue
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue
        named += [
            f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
            for number, line in enumerate(text.splitlines(), 1)
            if ELSEWHERE.search(line)
        ]
    assert not named


def test_the_readme_names_targets_and_files_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for document in ("README.md", "CONTRIBUTING.md"):
        text = (ROOT / document).read_text("utf-8")
        for target in set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE)):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"{document}: make {target}"
    for page in tracked("*.md"):
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
            assert (page.parent / link).exists(), f"{page.relative_to(ROOT)}: {link}"


def test_the_readme_shows_code_that_exists() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        compile(block, "README.md", "exec")
        for name in re.findall(r"\bp4\.([A-Za-z_]+)", block):
            assert name in PUBLIC_NAMES, f"p4.{name}"
        for name in re.findall(r"\bme\.([a-z_]+)\(", block):
            assert callable(getattr(p4.Node, name)), f"Node.{name}"
        for name in re.findall(r"\bphone\.([a-z_]+)\(", block):
            assert callable(getattr(p4.Peer, name)), f"Peer.{name}"
    commands = set(re.findall(r"(?:^|`)p4 ([a-z-]+)", text, re.MULTILINE))
    assert {"invite", "add", "send", "open"} <= commands
    for command in commands:
        assert (ROOT / f"src/p4/cli/commands/{command.replace('-', '_')}.py").is_file(), command


def test_every_distribution_package_has_its_reason() -> None:
    for file in tracked("scripts/apt-packages*"):
        for line in file.read_text("utf-8").splitlines():
            assert re.fullmatch(r"#.*|[a-z0-9][a-z0-9+.-]+(/[a-z]+)? # \S.+", line), f"{file.name}: {line}"


# --- dependencies ----------------------------------------------------------------------------------------

PIN = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?P<rest>.*(?:\n    --hash=.*)*)", re.MULTILINE
)


def pins(lock: str) -> dict[str, set[str]]:
    """Versions by name; a name may have several for different machines."""
    found: dict[str, set[str]] = {}
    for match in PIN.finditer((ROOT / "requirements" / lock).read_text("utf-8")):
        assert "--hash=sha256:" in match["rest"], f"{lock}: {match['name']} has no hash"
        found.setdefault(canonicalize_name(match["name"]), set()).add(match["version"])
    return found


@pytest.mark.parametrize("kind", ["dev", "build", "node"])
def test_the_lock_inputs_are_in_step_with_pyproject(kind: str) -> None:
    written = (ROOT / "requirements" / f"{kind}.in").read_text("utf-8").splitlines()
    assert written == requirements.lines(kind), "run `make lock`"


@pytest.mark.parametrize(
    ("lock", "wanted"),
    [
        ("dev.lock", requirements.lines("dev")[1:]),
        ("build.lock", requirements.lines("build")[1:]),
        ("run.lock", PROJECT["project"]["dependencies"]),
    ],
)
def test_every_dependency_is_locked(lock: str, wanted: list[str]) -> None:
    locked = pins(lock)
    for text in wanted:
        requirement = Requirement(text)
        versions = locked.get(canonicalize_name(requirement.name), set())
        assert versions, f"{text} is not in {lock}; run `make lock`"
        assert all(requirement.specifier.contains(version) for version in versions), f"{text}: {versions}"


@pytest.mark.parametrize("lock", ["run.lock", "build.lock"])
def test_people_run_the_versions_that_are_tested(lock: str) -> None:
    tested = pins("dev.lock")
    for name, versions in pins(lock).items():
        assert versions <= tested[name], name


def test_the_environment_is_the_locked_one() -> None:
    locked = pins("dev.lock")
    for name in ("cryptography", "rfc8785", "wrtc", "aiortc", "pytest"):
        assert importlib.metadata.version(name) in locked[name], f"{name}: run `scripts/setup check`"
