"""`p4 init`, `p4 invite`, `p4 add-contact` and the options of all commands."""

from __future__ import annotations

import base64
import hashlib
import json
import stat
import sys
from pathlib import Path

import pytest
from tests.cli.conftest import Run, complaint, fingerprint
from tests.cli.fake_node import ANNA, BOB, invite_of

from p4.adapters.store.state_dir import StateDirectory
from p4.core.address import RendezvousAddress, Transport
from p4.core.identity import Identity
from p4.core.invite import Invite


def id_of(state: Path) -> str:
    peer_id = json.loads((state / "identity_ed25519.json").read_text())["peer_id"]
    assert isinstance(peer_id, str)
    return peer_id


def contacts_of(state: Path) -> list[dict[str, object]]:
    contacts = json.loads((state / "contacts.json").read_text())
    assert isinstance(contacts, list)
    return contacts


# --- init -----------------------------------------------------------------------------------------------


def test_init_prints_v1s_two_lines_and_keeps_the_identity(p4_process: Run, tmp_path: Path) -> None:
    state = tmp_path / "new" / "state"
    first = p4_process("init", "--state-dir", state)
    assert (first.returncode, first.stderr) == (0, "")
    assert first.stdout == f"Initialized {state}\npeer_id={id_of(state)}\n"
    before = fingerprint(state)
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    again = p4_process("init", "--state-dir", state)
    assert again.stdout == first.stdout
    assert fingerprint(state) == before


def test_the_default_directory_is_in_the_home(p4: Run, tmp_path: Path) -> None:
    assert p4("init").returncode == 0
    assert id_of(tmp_path / "home" / ".p4")
    assert p4("init", "--state-dir", "~/other").returncode == 0
    assert id_of(tmp_path / "home" / "other")


def test_a_damaged_identity_is_set_aside_and_said(p4: Run, state: Path) -> None:
    (state / "identity_ed25519.json").write_text('{"peer')
    (state / "identity_ed25519.json").chmod(0o600)
    result = p4("init", "--state-dir", state)
    assert result.returncode == 3
    assert "corrupt" in complaint(result)
    assert [path.read_text() for path in state.glob("*.corrupt-*")] == ['{"peer']


# --- add-contact ----------------------------------------------------------------------------------------


def test_adding_by_file_json_and_stdin(p4: Run, state: Path, tmp_path: Path) -> None:
    file = tmp_path / "my invite.json"
    file.write_bytes(invite_of(ANNA).to_text().encode("utf-16"))
    text = invite_of(BOB).to_text()
    result = p4("add-contact", "--state-dir", state, "--invite-file", file, "--name", "Anna's laptop")
    assert (result.returncode, result.stdout, result.stderr) == (0, f"Added {ANNA.peer_id}\n", "")
    assert p4("add-contact", "--state-dir", state, "--invite-json", text).returncode == 0
    moved = invite_of(BOB, port=4444).to_text()
    assert (
        p4("add-contact", "--state-dir", state, "--invite-file", "-", stdin="\ufeff" + moved).returncode == 0
    )
    contacts = contacts_of(state)
    assert [(contact["peer_id"], contact.get("name", "")) for contact in contacts] == [
        (ANNA.peer_id, "Anna's laptop"),
        (BOB.peer_id, ""),
    ]
    assert contacts[1]["rendezvous"] == {"transport": "direct", "address": "192.0.2.7", "port": 4444}


BAD_INVITES = {
    "empty": "",
    "not-json": "hello",
    "list": "[]",
    "cut": '{"peer_id": "',
    "wrong-id": json.dumps({**invite_of(ANNA).to_object(), "peer_id": BOB.peer_id}),
    "port": json.dumps(
        {**invite_of(ANNA).to_object(), "rendezvous": {"transport": "direct", "address": "a", "port": 0}}
    ),
    "deep": "[" * 100_000,
    "null": "null",
}


@pytest.mark.parametrize("bad", BAD_INVITES.values(), ids=BAD_INVITES)
def test_a_bad_invite_changes_nothing(p4: Run, state: Path, tmp_path: Path, bad: str) -> None:
    before = fingerprint(state)
    file = tmp_path / "bad.json"
    file.write_text(bad)
    result = p4("add-contact", "--state-dir", state, "--invite-file", file)
    assert result.returncode == 2
    complaint(result)
    assert fingerprint(state) == before


def test_our_own_invite_and_a_taken_name_are_refused(p4: Run, state: Path) -> None:
    own = p4("invite", "--state-dir", state, "--mode", "direct", "--advertise", "localhost:4000").stdout
    assert Invite.parse(own).peer_id == id_of(state)
    add = ("add-contact", "--state-dir", state, "--invite-json")
    assert p4(*add, invite_of(ANNA).to_text(), "--name", "Anna").returncode == 0
    before = fingerprint(state)
    for arguments in (
        (own,),
        (invite_of(BOB).to_text(), "--name", "anna"),
        (invite_of(BOB).to_text(), "--name", "a\n"),
    ):
        result = p4(*add, *arguments)
        assert result.returncode == 2
        complaint(result)
    assert fingerprint(state) == before


# --- policy ---------------------------------------------------------------------------------------------


def test_a_policy_is_chosen_while_no_node_runs(p4: Run, state: Path) -> None:
    for identity, name in ((ANNA, "anna"), (BOB, "")):
        added = ("--invite-json", invite_of(identity).to_text(), "--name", name)
        assert p4("add-contact", "--state-dir", state, *added).returncode == 0
    before = fingerprint(state)
    assert p4("policy", "anna", "--state-dir", state).stdout.startswith(f"{ANNA.peer_id} policy=direct: ")
    assert fingerprint(state) == before, "to look changes nothing"
    chosen = p4("policy", "anna", "relay-only", "--state-dir", state)
    assert (chosen.returncode, chosen.stderr) == (0, "")
    assert chosen.stdout.startswith(f"{ANNA.peer_id} policy=relay-only: ")
    assert p4("policy", ANNA.peer_id[:6], "--state-dir", state).stdout == chosen.stdout
    listed = json.loads(p4("ls", "--json", "--state-dir", state).stdout)
    assert [entry["policy"] for entry in listed] == ["relay-only", "direct"]
    assert "not running (relay-only)" in p4("ls", "--state-dir", state).stdout


def test_a_policy_for_nobody_or_of_no_kind_changes_nothing(p4: Run, state: Path) -> None:
    p4("add-contact", "--state-dir", state, "--invite-json", invite_of(ANNA).to_text(), "--name", "anna")
    before = fingerprint(state)
    for arguments in (["carol", "direct"], ["carol"], ["anna", "secret"], []):
        refused = p4("policy", *arguments, "--state-dir", state)
        assert refused.returncode == 2
        complaint(refused)
    assert fingerprint(state) == before


# --- invite ---------------------------------------------------------------------------------------------


def test_a_direct_invite(p4: Run, state: Path) -> None:
    before = fingerprint(state)
    result = p4("invite", "--state-dir", state, "--mode", "direct", "--advertise", "[2001:db8::1]:4000")
    assert (result.returncode, result.stderr) == (0, "")
    invite = Invite.parse(result.stdout)
    assert invite.peer_id == id_of(state)
    assert invite.rendezvous == RendezvousAddress(Transport.DIRECT, "2001:db8::1", 4000)
    assert result.stdout == invite.to_text() + "\n"
    assert fingerprint(state) == before


def onion_key(seed: bytes) -> tuple[str, str]:
    """Tor's key blob and service id (rend-spec-v3, ENCODING-ONION-ADDRESS) of an Ed25519 seed."""
    expanded = bytearray(hashlib.sha512(seed).digest())
    expanded[0] &= 248
    expanded[31] = (expanded[31] & 63) | 64
    public_key = Identity(seed).public_key
    checksum = hashlib.sha3_256(b".onion checksum" + public_key + b"\x03").digest()[:2]
    service_id = base64.b32encode(public_key + checksum + b"\x03").decode().lower()
    return base64.b64encode(expanded).decode(), service_id


def test_an_onion_invite_needs_no_tor_once_the_address_is_known(p4: Run, state: Path) -> None:
    """Also while a node runs on the directory: it is only read."""
    blob, service_id = onion_key(b"k" * 32)
    StateDirectory(state).save_onion_key(blob, service_id)
    before = fingerprint(state)
    result = p4("invite", "--v1", "--state-dir", state, P4_ONIONRELAY_BIN="/no/such/tor")
    assert (result.returncode, result.stderr) == (0, "")
    invite = Invite.parse(result.stdout)
    assert invite.rendezvous == RendezvousAddress(Transport.ONION, f"{service_id}.onion", 80)
    assert fingerprint(state) == before


# --- every bad command line -----------------------------------------------------------------------------

BAD_ADDRESSES = ["x", "x:", ":1", "x:0", "x:65536", "::1:5", "x:1:2", "a b:1", "x:٣", "x:-1"]
BAD_LINES = [
    ["nonsense"],
    ["--nonsense"],
    ["init", "extra"],
    ["init", "--state-dir"],
    ["invite", "--mode", "carrier-pigeon"],
    ["invite", "--mode", "direct"],
    *(["invite", "--mode", "direct", "--advertise", bad] for bad in BAD_ADDRESSES),
    ["invite", "--signal-port", "x"],
    ["invite", "--torrc-line", "a\nb"],
    ["invite", "--torrc-file", "/no/such"],
    ["invite", "--torrc-file", "/"],
    ["invite", "--torrc-file", sys.executable],
    ["add-contact"],
    ["add-contact", "--invite-file", "/no/such"],
    ["add-contact", "--invite-file", "/"],
    ["add-contact", "--invite-file", "/dev/zero"],
    ["add-contact", "--invite-file", "a", "--invite-json", "b"],
    ["add-contact", "--invite-json", ""],
    ["run", "--signal-port", "65536"],
    ["run", "--signal-port", "-1"],
    ["run", "--mode", "x"],
    ["run", "--mode", "direct", "--advertise-host", "x"],
    ["run", "--mode", "direct", "--advertise-host", "a b", "--signal-port", "5"],
    ["run", "--mode", "direct", "--advertise-host", "a", "--advertise", "b:1"],
    ["run", "--stun-server", "stun.example.org"],
    ["run", "--stun-server", "stun:"],
    ["run", "--turn-server", "stun:example.org"],
    ["run", "--turn-ttl-seconds", "0"],
    ["run", "--retry-seconds", "nan"],
    ["run", "--retry-seconds", "inf"],
    ["run", "--retry-seconds", "-1"],
    ["run", "--link-backend", "x"],
    ["run", "--onionrelay-socks-port", "x"],
    ["demo", "--public", "--direct"],
    ["demo", "extra"],
]  # fmt: skip


@pytest.mark.parametrize("arguments", BAD_LINES, ids=" ".join)
def test_a_bad_command_line_gets_one_line(p4: Run, tmp_path: Path, arguments: list[str]) -> None:
    before = fingerprint(tmp_path)
    result = p4(*arguments)
    assert result.returncode == 2
    assert len(complaint(result)) < 400
    assert fingerprint(tmp_path) == before


# --- state directories that cannot be used ----------------------------------------------------------------

ON_A_DIRECTORY = [
    ("init",),
    ("invite", "--v1"),
    ("add-contact", "--invite-json", invite_of(ANNA).to_text()),
    ("policy", "anna", "relay-only"),
    ("run", "--no-stdin"),
]


@pytest.mark.parametrize("arguments", ON_A_DIRECTORY[1:], ids=lambda arguments: arguments[0])
def test_without_an_identity_the_command_that_makes_one_is_named(
    p4: Run, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    result = p4(arguments[0], "--state-dir", tmp_path / "none", *arguments[1:])
    assert result.returncode == 3
    assert "p4 init --state-dir" in complaint(result)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("arguments", ON_A_DIRECTORY, ids=lambda arguments: arguments[0])
def test_an_open_directory_is_refused_with_the_mending_command(
    p4: Run, state: Path, arguments: tuple[str, ...]
) -> None:
    state.chmod(0o755)
    before = fingerprint(state)
    result = p4(arguments[0], "--state-dir", state, *arguments[1:])
    assert result.returncode == 3
    assert "chmod" in complaint(result)
    assert fingerprint(state) == before


@pytest.mark.parametrize("arguments", ON_A_DIRECTORY, ids=lambda arguments: arguments[0])
def test_a_file_is_no_directory(p4: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("mine")
    result = p4(arguments[0], "--state-dir", tmp_path / "file", *arguments[1:])
    assert result.returncode == 3
    complaint(result)
    assert (tmp_path / "file").read_text() == "mine"


# --- the rest -------------------------------------------------------------------------------------------


def test_help_and_version(p4: Run) -> None:
    for arguments in ([], ["--help"], ["-h"], ["run", "--help"], ["demo", "--help"]):
        result = p4(*arguments)
        assert (result.returncode, result.stderr) == (0, "")
        assert result.stdout.startswith("Usage: p4")
    assert p4("--version").stdout.startswith("p4 ")


def test_help_loads_nothing_heavy(p4_process: Run) -> None:
    """The time of `p4 --help` stays under 150 ms: mostly the interpreter, click and asyncio."""
    result = p4_process("--help", PYTHONPROFILEIMPORTTIME="1")
    loaded = {line.rpartition("|")[2].strip() for line in result.stderr.splitlines()}
    assert "click" in loaded
    assert not {"rich", "prompt_toolkit", "cryptography", "wrtc", "psutil"} & loaded


def test_a_reader_that_has_gone_is_no_bug(state: Path) -> None:
    import subprocess

    from tests.cli.conftest import environment

    command = f'"{sys.executable}" -m p4.cli init --state-dir "{state}" | true; echo ${{PIPESTATUS[0]}}'
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, env=environment(), check=True
    )
    assert done.stderr == ""
    assert done.stdout in {"0\n", "1\n"}


def test_a_narrow_locale_shows_escapes_instead_of_failing(p4_process: Run, tmp_path: Path) -> None:
    result = p4_process("init", "--state-dir", tmp_path / "ünï", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert result.returncode == 0
    assert "\\xfcn\\xef" in result.stdout


def test_a_bug_is_one_line_with_a_file_for_the_report(tmp_path: Path) -> None:
    import subprocess

    from tests.cli.conftest import environment

    code = (
        "import p4.cli.commands.init as module, p4.cli.main as main, sys\n"
        "def broken(**given): raise KeyError('x')\n"
        "module.command.callback = broken\n"
        "sys.exit(main.main(['init']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=environment(TMPDIR=str(tmp_path), TEMP=str(tmp_path)),
        check=False,
    )
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    (report,) = tmp_path.glob("p4-crash-*.log")
    assert str(report) in done.stderr
    assert "KeyError: 'x'" in report.read_text()
