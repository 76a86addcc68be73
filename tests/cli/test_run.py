"""`p4 run` as people use it: real processes, real WebRTC, direct rendezvous on this machine."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.cli.conftest import ALONE, Run, complaint, environment, fingerprint
from tests.cli.node_process import RunningNode
from tests.patience import patience

from p4.adapters.store.state_dir import StateDirectory
from p4.core.address import RendezvousAddress, Transport
from p4.core.contacts import ContactBook
from p4.core.identity import PeerId
from p4.core.invite import Invite
from p4.testing.free_ports import free_ports

Start = Callable[..., RunningNode]

STAMP = r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] "


@dataclass
class Device:
    directory: Path
    port: int
    invite: str

    @property
    def peer_id(self) -> str:
        return Invite.parse(self.invite).peer_id

    @property
    def options(self) -> list[str]:
        return [
            *("--state-dir", str(self.directory), "--mode", "direct"),
            *("--signal-port", str(self.port), *ALONE),
        ]


@pytest.fixture
def device(tmp_path: Path) -> Callable[[str], Device]:
    """Make a device. Not by `p4 init`, which has tests of its own: many processes take their time."""

    def make(name: str) -> Device:
        state = StateDirectory(tmp_path / name)
        state.prepare()
        identity = state.create_identity(secrets.token_bytes(32))
        (port,) = free_ports(1)
        address = RendezvousAddress(Transport.DIRECT, "127.0.0.1", port)
        return Device(state.path, port, Invite(identity.public_key, address).to_text())

    return make


@pytest.fixture
def pair(device: Callable[[str], Device]) -> tuple[Device, Device]:
    """Two devices that know each other; the first calls the second `my phone`."""
    laptop, phone = device("laptop"), device("phone")
    for taker, giver, name in ((laptop, phone, "my phone"), (phone, laptop, "")):
        state, me = StateDirectory(taker.directory), PeerId(taker.peer_id)
        state.save_contacts(ContactBook().add(Invite.parse(giver.invite), name, me=me))
    return laptop, phone


def meet(nodes: Start, pair: tuple[Device, Device]) -> tuple[RunningNode, RunningNode]:
    laptop, phone = (nodes(*device.options) for device in pair)
    laptop.expect(f"{STAMP}Data channel OPEN with {pair[1].peer_id}$")
    phone.expect(f"{STAMP}Data channel OPEN with {pair[0].peer_id}$")
    return laptop, phone


def test_two_nodes_chat_part_and_meet_again(nodes: Start, pair: tuple[Device, Device]) -> None:
    (a, b), (laptop, phone) = pair, meet(nodes, pair)
    begin = laptop.lines.index("{")
    assert laptop.lines[begin : begin + len(a.invite.splitlines())] == a.invite.splitlines()
    assert laptop.expect(f"{STAMP}Node peer_id={a.peer_id}$") < begin
    assert laptop.expect(f"{STAMP}Rendezvous: direct://127.0.0.1:{a.port}$") < begin

    laptop.type('/send "my phone"  "quoted"  text ')
    phone.expect(f'^{a.peer_id}>  "quoted"  text $')
    phone.type(f"/send {a.peer_id[:6]} grüße 👋")
    laptop.expect(f"^{b.peer_id}> grüße 👋$")

    laptop.type("/peers")
    role = "initiator" if a.peer_id < b.peer_id else "responder"
    laptop.expect(f"^{b.peer_id} role={role} connected=True state=open name=my phone$")

    mark, phones_mark = len(laptop.lines), len(phone.lines)
    laptop.type("/drop my phone")
    mark = laptop.expect(f"^Dropped session with {b.peer_id}$", after=mark)
    laptop.expect(f"{STAMP}Data channel OPEN with {b.peer_id}$", after=mark)
    phones_mark = phone.expect(f"{STAMP}Data channel CLOSED with {a.peer_id}$", after=phones_mark)
    phone.expect(f"{STAMP}Data channel OPEN with {a.peer_id}$", after=phones_mark)
    assert laptop.errors == phone.errors == []


def test_a_message_to_a_killed_node_waits_and_arrives_once(nodes: Start, pair: tuple[Device, Device]) -> None:
    (a, b), (laptop, phone) = pair, meet(nodes, pair)
    # There and back: the answer to the first ping has come as well, for which a new link waits longer.
    laptop.type('/send "my phone" there')
    phone.expect(f"^{a.peer_id}> there$")
    phone.type(f"/send {a.peer_id} back")
    laptop.expect(f"^{b.peer_id}> back$")
    phone.end(signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    mark = laptop.expect(f"{STAMP}Data channel CLOSED with {b.peer_id}$", timeout=patience(10))
    laptop.type('/send "my phone" are you there?')
    mark = laptop.expect(f"^Peer {b.peer_id} is not connected; message 2 is saved", after=mark)

    # The sender restarts as well: the message is on its disk.
    laptop.type("/quit")
    assert laptop.process.wait(timeout=120) == 0
    laptop, phone = meet(nodes, pair)
    phone.expect(f"^{a.peer_id}> are you there\\?$")
    laptop.type('/send "my phone" second')
    phone.expect(f"^{a.peer_id}> second$")
    assert sum("are you there" in line for line in phone.lines) == 1


@pytest.mark.slow
def test_a_delivery_that_had_to_wait_is_told(nodes: Start, pair: tuple[Device, Device]) -> None:
    laptop = nodes(*pair[0].options)
    laptop.type('/send "my phone" hello')
    laptop.expect("is not connected; message 1 is saved")
    nodes(*pair[1].options)
    laptop.expect(f"{STAMP}Message 1 reached {pair[1].peer_id}$")


def test_contacts_are_changed_at_the_prompt(
    nodes: Start, device: Callable[[str], Device], tmp_path: Path
) -> None:
    laptop, phone = device("laptop"), device("phone")
    (tmp_path / "my invite.json").write_text(phone.invite)
    node = nodes(*laptop.options)
    other = nodes(*phone.options)
    node.type(f'/add-file "{tmp_path / "my invite.json"}"')
    other.type("/add-invite")
    for line in laptop.invite.splitlines():
        other.type(line)
    other.type(".")
    node.expect(f"^Added {phone.peer_id}$")
    node.expect(f"OPEN with {phone.peer_id}")
    node.type(f"/rename {phone.peer_id} the phone")
    node.type("/peers")
    node.expect("connected=True .* name=the phone$")
    node.type("/remove the phone")
    node.expect(f"^Removed {phone.peer_id}$")
    other.expect(f"CLOSED with {laptop.peer_id}")
    node.type("/send the-phone hi")
    node.expect("^p4: ", errors=True)
    node.type("/quit")
    assert node.process.wait(timeout=120) == 0
    assert "the phone" not in (laptop.directory / "contacts.json").read_text()


# --- one process on a directory ----------------------------------------------------------------------------


def test_others_on_the_directory_are_refused_by_pid(
    nodes: Start, p4_process: Run, pair: tuple[Device, Device], device: Callable[[str], Device]
) -> None:
    third = device("third")
    node = nodes(*pair[0].options, "--no-stdin", stdin=subprocess.DEVNULL)
    node.expect("Share this invite")
    contacts = (pair[0].directory / "contacts.json").read_bytes()
    for arguments in (
        ("run", *pair[0].options),
        ("add-contact", "--state-dir", pair[0].directory, "--invite-json", third.invite),
        ("policy", "--state-dir", pair[0].directory, pair[1].peer_id, "relay-only"),
    ):
        result = p4_process(*arguments)
        assert result.returncode == 3
        errors = result.stderr.splitlines()
        assert len(errors) == 1
        assert str(node.process.pid) in errors[0]
        assert errors[0].startswith("p4: ")
        assert ("/add-file" in errors[0]) == (arguments[0] == "add-contact")
        assert ("/policy" in errors[0]) == (arguments[0] == "policy")
    assert (pair[0].directory / "contacts.json").read_bytes() == contacts
    advertise = ("--mode", "direct", "--advertise", f"127.0.0.1:{pair[0].port}")
    assert p4_process("invite", "--state-dir", pair[0].directory, *advertise).stdout == pair[0].invite + "\n"
    assert node.end()[0] == 0


@pytest.mark.slow
def test_a_taken_port_is_one_line(nodes: Start, p4_process: Run, pair: tuple[Device, Device]) -> None:
    nodes(*pair[0].options).expect("Share this invite")
    taken = [*pair[1].options, "--signal-port", str(pair[0].port)]
    result = p4_process("run", *taken)
    assert result.returncode in {1, 2, 3}
    assert len(result.stderr.splitlines()) == 1
    assert str(pair[0].port) in result.stderr


# --- ending ------------------------------------------------------------------------------------------------

QUICK_ENDINGS = {("SIGTERM", "no-stdin at all"), ("SIGINT", "silent")}
CODES = {"SIGTERM": 0, "SIGINT": 130, "SIGHUP": 0}
ENDINGS = [
    pytest.param(
        signal.Signals[name], code, stdin, marks=[] if (name, stdin) in QUICK_ENDINGS else pytest.mark.slow
    )
    for name, code in CODES.items()
    if hasattr(signal, name)
    for stdin in ("silent", "--no-stdin", "no-stdin at all")
]


@pytest.mark.parametrize(("number", "code", "stdin"), ENDINGS, ids=str)
def test_signals_end_it_in_time_while_connected(
    nodes: Start, pair: tuple[Device, Device], number: signal.Signals, code: int, stdin: str
) -> None:
    options = {"silent": [], "--no-stdin": ["--no-stdin"], "no-stdin at all": ["--no-stdin"]}[stdin]
    source = {"no-stdin at all": subprocess.DEVNULL}.get(stdin, subprocess.PIPE)
    laptop = nodes(*pair[0].options, *options, stdin=source)
    phone = nodes(*pair[1].options)
    laptop.expect("Data channel OPEN")
    phone.expect("Data channel OPEN")
    ended, seconds = laptop.end(number)
    assert ended == code
    assert seconds < patience(2)
    assert laptop.errors == []
    # It said goodbye: the other does not have to find out by silence.
    phone.expect("Data channel CLOSED", timeout=patience(1))
    assert not (pair[0].directory / "p4.pid").exists()


def test_ctrl_c_during_the_start_ends_it(nodes: Start, pair: tuple[Device, Device]) -> None:
    node = nodes(*pair[0].options)
    node.expect("Starting")
    ended, seconds = node.end(signal.SIGINT)
    assert ended == 130
    assert seconds < patience(2)


def test_the_end_of_its_input_ends_it_after_the_commands(
    p4_process: Run, pair: tuple[Device, Device]
) -> None:
    result = p4_process(
        "run", *pair[0].options, stdin='/send "my phone" one\n/peers\n/nonsense\n/send "my phone" two'
    )
    assert result.returncode == 0
    assert "message 1 is saved" in result.stdout
    assert "message 2 is saved" in result.stdout
    assert "connected=False" in result.stdout
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_null_device_as_input_ends_it_unless_asked_otherwise(
    nodes: Start, pair: tuple[Device, Device]
) -> None:
    node = nodes(*pair[0].options, stdin=subprocess.DEVNULL)
    assert node.process.wait(timeout=120) == 0
    node = nodes(*pair[0].options, "--no-stdin", stdin=subprocess.DEVNULL)
    node.expect("Share this invite")
    time.sleep(0.5)  # long enough for an end of input to have ended it
    assert node.process.poll() is None


def test_a_reader_that_goes_away_ends_it_quietly(pair: tuple[Device, Device]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "p4.cli", "run", *pair[0].options],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
    )
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    process.stdout = None
    assert process.communicate(b"/peers\n", timeout=60)[1] == b""
    assert process.returncode == 1


@pytest.mark.skipif(os.name != "posix", reason="a POSIX shell closes the streams")
@pytest.mark.parametrize(("closed", "code"), [("<&-", 0), ("<&- >&- 2>&-", 0)])
def test_it_can_be_started_without_streams(pair: tuple[Device, Device], closed: str, code: int) -> None:
    """No input is the end of the input; closed streams must not be mistaken for files opened later."""
    command = f'"{sys.executable}" -m p4.cli run "$@" {closed}'
    run = ["/bin/sh", "-c", command, "sh", *pair[0].options]
    done = subprocess.run(run, capture_output=True, env=environment(), timeout=90, check=False)
    assert (done.returncode, done.stderr) == (code, b"")
    book, problems = ContactBook.parse((pair[0].directory / "contacts.json").read_bytes())
    assert len(book.contacts) == 1
    assert not problems


@pytest.mark.slow
def test_no_file_is_open_to_others(nodes: Start, pair: tuple[Device, Device]) -> None:
    meet(nodes, pair)
    if os.name == "posix":
        for name, mode_and_hash in fingerprint(pair[0].directory).items():
            assert int(mode_and_hash.split()[0], 8) & 0o077 == 0, name


def test_without_a_tor_program_the_start_fails_in_one_line(p4_process: Run, state: Path) -> None:
    for command in (("run", "--no-stdin"), ("invite", "--v1")):
        result = p4_process(
            command[0], "--state-dir", state, *command[1:], P4_ONIONRELAY_BIN="/no/such/tor", timeout=90
        )
        errors = result.stderr.splitlines()
        assert result.returncode == 1
        assert len(errors) == 1
        assert "/no/such/tor" in errors[0]
    assert not (state / "p4.pid").exists()


@pytest.mark.slow
def test_a_wrong_tor_program_is_one_line(p4_process: Run, state: Path) -> None:
    result = p4_process("invite", "--state-dir", state, "--onionrelay-bin", "/no/such/tor")
    assert result.returncode in {1, 2}
    assert "/no/such/tor" in complaint(result)
    result = p4_process("invite", "--state-dir", state, "--onionrelay-bin", sys.executable, timeout=120)
    assert result.returncode == 1
    complaint(result)
