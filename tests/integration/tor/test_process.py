"""Our Tor as a child process: real Tor, without a network."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from tests.integration.tor.onion_node import OFFLINE, OnionNode
from tests.patience import patience
from tests.requirements import require_program

from p4.adapters.tor.control import ControlConnection
from p4.errors import InputError, RendezvousError, StateError, TorError
from p4.ports import RendezvousPhase
from p4.testing.free_ports import free_ports

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def _needs_tor() -> None:
    require_program("tor")


def children_on(directory: Path) -> list[psutil.Process]:
    """Every process whose command line names the directory."""
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(directory) in word for word in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


async def test_it_starts_tells_its_address_and_leaves_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "onionrelay"
    node = OnionNode(directory, OFFLINE)
    await node.start()
    tor = node.tor()
    assert node.key is not None
    assert node.address.host == f"{node.key[1]}.onion"
    assert node.address.port == 80
    begun = time.monotonic()
    await node.rendezvous.close()
    assert time.monotonic() - begun < patience(1.5)
    assert not tor.is_running()
    assert not children_on(directory)
    assert node.rendezvous.status.phase is RendezvousPhase.STOPPED


async def test_the_same_key_gives_the_same_address_and_v1_prefixes_are_taken(tmp_path: Path) -> None:
    async with OnionNode(tmp_path / "a", OFFLINE) as first:
        key, address = first.key, first.address
    assert key is not None
    for saved in (key, (f"ED25519-V3:{key[0]}\n", ""), (key[0], f"{key[1]}.onion")):
        async with OnionNode(tmp_path / "b", OFFLINE, key=saved) as again:
            assert again.address == address
            assert again.key is not None
            assert again.key[1].removesuffix(".onion") == key[1]


async def test_a_key_of_another_address_is_refused(tmp_path: Path) -> None:
    async with OnionNode(tmp_path / "a", OFFLINE) as one, OnionNode(tmp_path / "b", OFFLINE) as other:
        assert one.key is not None
        assert other.key is not None
        mixed = (one.key[0], other.key[1])
    node = OnionNode(tmp_path / "c", OFFLINE, key=mixed)
    with pytest.raises(StateError) as caught:
        await node.start()
    assert caught.value.code == "onion-key-mismatch"
    assert node.key == mixed
    assert not children_on(tmp_path / "c")


async def test_a_damaged_key_is_refused_before_tor_sees_it(tmp_path: Path) -> None:
    node = OnionNode(tmp_path, OFFLINE, key=("not base64 at all\r\nSIGNAL HALT", ""))
    with pytest.raises(StateError) as caught:
        await node.start()
    assert caught.value.code == "bad-onion-key"
    assert not children_on(tmp_path)


async def test_other_users_can_enter_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "onionrelay"
    directory.mkdir(mode=0o755)
    async with OnionNode(directory, OFFLINE):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        for path in directory.rglob("*"):
            if path.is_dir():
                assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert stat.S_IMODE((directory / "torrc").stat().st_mode) == 0o600
        assert not [
            c
            for c in psutil.net_connections("inet")
            if c.pid == psutil.Process().pid and c.status == "LISTEN"
        ]


@pytest.mark.parametrize("name", ["a state with spaces", "umlaut-ä", "quote'#percent%", "long-" + "x" * 120])
async def test_directories_whose_names_sockets_cannot_take(tmp_path: Path, name: str) -> None:
    async with OnionNode(tmp_path / name / "onionrelay", OFFLINE) as node:
        assert node.rendezvous._workspace is not None
        sockets = node.rendezvous._workspace.sockets
        assert sockets is not None
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        assert not str(sockets).startswith(str(tmp_path))
        assert (tmp_path / name / "onionrelay" / "run" / "tor.log").exists()


async def test_a_bad_torrc_line_is_told_in_tors_own_words(tmp_path: Path) -> None:
    node = OnionNode(tmp_path, (*OFFLINE, "NonsenseOption 1"))
    with pytest.raises(TorError) as caught:
        await node.start()
    assert caught.value.code == "bad-torrc"
    assert "NonsenseOption" in caught.value.message
    assert not children_on(tmp_path)


async def test_a_torrc_line_cannot_hold_two(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        await OnionNode(tmp_path, ("DisableNetwork 1\nSocksPort 0.0.0.0:9050",)).start()
    assert caught.value.code == "bad-torrc-line"


async def test_extra_torrc_lines_reach_tor(tmp_path: Path) -> None:
    async with OnionNode(tmp_path, (*OFFLINE, "MaxCircuitDirtiness 777")) as node:
        assert node.rendezvous._tor is not None
        reply = await node.rendezvous._tor.control.command("GETCONF", "MaxCircuitDirtiness")
        assert reply.value("MaxCircuitDirtiness") == "777"


@pytest.mark.parametrize(
    ("line", "loaded"), [("MaxCircuitDirtiness 600", False), ("ExcludeNodes {zz}", True)]
)
async def test_country_tables_are_loaded_only_for_lines_that_need_them(
    tmp_path: Path, line: str, loaded: bool
) -> None:
    async with OnionNode(tmp_path, (*OFFLINE, line)) as node:
        assert node.rendezvous._tor is not None
        reply = await node.rendezvous._tor.control.command("GETCONF", "GeoIPFile")
        assert (reply.value("GeoIPFile") != os.devnull) == loaded


async def test_a_program_that_is_not_tor(tmp_path: Path) -> None:
    script = tmp_path / "not-tor"
    script.write_text("#!/bin/sh\necho nothing here >&2\nexit 3\n")
    script.chmod(0o755)
    with pytest.raises(TorError) as caught:
        await OnionNode(tmp_path / "state", OFFLINE, binary=script).start()
    assert caught.value.code == "tor-exited"
    assert "nothing here" in caught.value.message


@pytest.mark.parametrize("line", ['exec "{tor}" "$@"', '"{tor}" "$@"'], ids=["exec", "child"])
async def test_a_wrapper_script(tmp_path: Path, line: str) -> None:
    wrapper = tmp_path / "wrapper"
    wrapper.write_text("#!/bin/sh\n" + line.format(tor=require_program("tor")) + "\n")
    wrapper.chmod(0o755)
    state = tmp_path / "state"
    node = OnionNode(state, OFFLINE, binary=wrapper)
    await node.start()
    await node.rendezvous.close()
    assert not children_on(state)


async def test_tor_that_is_killed_comes_back_with_the_same_address(tmp_path: Path) -> None:
    async with OnionNode(tmp_path, OFFLINE) as node:
        first = node.tor()
        first.kill()
        await node.reach(RendezvousPhase.FAILED)
        assert "SIGKILL" in node.rendezvous.status.text
        with pytest.raises(RendezvousError) as caught:
            await node.rendezvous.dial(node.address, timeout=patience(5))
        assert caught.value.code == "tor-down"
        await node.reach(RendezvousPhase.STARTING)
        assert node.tor().pid != first.pid
        assert node.rendezvous.status.address == node.address


async def test_tor_is_told_to_halt_even_while_it_is_being_restarted(tmp_path: Path) -> None:
    node = OnionNode(tmp_path, OFFLINE)
    await node.start()
    for delay in (0.0, 0.21, 0.25):
        node.tor().kill()
        await node.reach(RendezvousPhase.FAILED)
        await asyncio.sleep(delay)
        await node.rendezvous.close()
        assert not children_on(tmp_path)
        await node.start()
    await node.rendezvous.close()
    assert not children_on(tmp_path)


async def test_a_frozen_tor_does_not_hold_up_closing(tmp_path: Path) -> None:
    node = OnionNode(tmp_path, OFFLINE)
    await node.start()
    node.tor().suspend()
    begun = time.monotonic()
    await node.rendezvous.close()
    assert time.monotonic() - begun < patience(1.5)
    assert not children_on(tmp_path)


OWNER = """
import asyncio, sys
from pathlib import Path
from tests.integration.tor.onion_node import OFFLINE, OnionNode

async def main():
    node = OnionNode(Path(sys.argv[1]), OFFLINE)
    await node.start()
    if "drop" in sys.argv:
        await node.rendezvous._tor.control.command("DROPOWNERSHIP")
        await node.rendezvous._tor.control.command("RESETCONF", "__OwningControllerProcess")
    print(node.tor().pid, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


async def killed_owner(directory: Path, *options: str) -> psutil.Process:
    """Start a node in another process, kill -9 it, and give its Tor."""
    owner = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        OWNER,
        str(directory),
        *options,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert owner.stdout is not None
    tor = psutil.Process(int(await owner.stdout.readline()))
    if "freeze" in options:
        tor.suspend()
    owner.kill()
    await owner.wait()
    return tor


async def test_tor_ends_with_its_killed_node(tmp_path: Path) -> None:
    tor = await killed_owner(tmp_path)
    await asyncio.to_thread(psutil.wait_procs, [tor], patience(5))
    assert not tor.is_running()


@pytest.mark.parametrize("options", [("drop",), ("freeze",), ("drop", "freeze")], ids="+".join)
async def test_an_orphan_never_blocks_the_next_start(tmp_path: Path, options: tuple[str, ...]) -> None:
    orphan = await killed_owner(tmp_path, *options)
    try:
        assert orphan.is_running()
        begun = time.monotonic()
        async with OnionNode(tmp_path, OFFLINE) as node:
            assert time.monotonic() - begun < patience(3)
            assert not orphan.is_running() or orphan.status() == psutil.STATUS_ZOMBIE
            assert node.tor().pid != orphan.pid
    finally:
        with suppress(psutil.NoSuchProcess):
            orphan.kill()


async def test_another_program_that_reads_our_torrc_is_no_orphan(tmp_path: Path) -> None:
    (tmp_path / "torrc").write_text("")
    reader = await asyncio.create_subprocess_exec("tail", "-f", str(tmp_path / "torrc"))
    try:
        async with OnionNode(tmp_path, OFFLINE):
            assert reader.returncode is None
    finally:
        reader.send_signal(signal.SIGKILL)
        await reader.wait()


# --- authentication ---------------------------------------------------------------------------------------


async def test_over_tcp_safecookie_is_spoken_and_a_wrong_cookie_refused(tmp_path: Path) -> None:
    control_port, socks_port = free_ports(2)
    async with OnionNode(
        tmp_path, OFFLINE, unix_sockets=False, control_port=control_port, socks_port=socks_port
    ) as node:
        assert node.rendezvous._tor is not None
        assert node.rendezvous._tor.socks == socks_port
        assert node.rendezvous._workspace is not None
        cookie = node.rendezvous._workspace.cookie
        wrong = tmp_path / "wrong-cookie"
        wrong.write_bytes(bytes(32))
        connection = await ControlConnection.connect(control_port, cookie_file=cookie)
        assert (await connection.command("GETINFO", "version")).succeeded
        connection.close()
        for bad in (wrong, tmp_path / "absent", None):
            with pytest.raises(TorError) as caught:
                await ControlConnection.connect(control_port, cookie_file=bad)
            assert caught.value.code == "not-authenticated"


async def test_a_tor_without_authentication_is_taken_only_on_our_own_socket(tmp_path: Path) -> None:
    async with OnionNode(tmp_path, (*OFFLINE, "CookieAuthentication 0"), key=None) as node:
        assert node.rendezvous._workspace is not None
        assert node.rendezvous._workspace.sockets is not None
        socket = node.rendezvous._workspace.sockets / "control"
        with pytest.raises(TorError) as caught:
            await ControlConnection.connect(socket, cookie_file=None, private_socket=False)
        assert caught.value.code == "not-authenticated"
        connection = await ControlConnection.connect(socket, cookie_file=None, private_socket=True)
        connection.close()


async def test_a_control_port_that_does_not_know_our_cookie_learns_nothing(tmp_path: Path) -> None:
    """Somebody else took the port: it may imitate Tor, but not prove the cookie."""
    cookie = tmp_path / "cookie"
    cookie.write_bytes(b"c" * 32)
    heard = bytearray()
    finished = asyncio.Event()

    async def imitate(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.extend(await reader.readline())
        writer.write(b"250-PROTOCOLINFO 1\r\n250-AUTH METHODS=NULL,COOKIE,SAFECOOKIE\r\n250 OK\r\n")
        heard.extend(await reader.readline())
        writer.write(b"250 AUTHCHALLENGE SERVERHASH=" + b"00" * 32 + b" SERVERNONCE=" + b"11" * 32 + b"\r\n")
        heard.extend(await reader.read())
        writer.close()
        finished.set()

    server = await asyncio.start_server(imitate, "127.0.0.1", 0)
    async with server:
        with pytest.raises(TorError) as caught:
            await ControlConnection.connect(server.sockets[0].getsockname()[1], cookie_file=cookie)
        assert caught.value.code == "not-authenticated"
        await finished.wait()
    assert (b"c" * 32).hex().encode() not in bytes(heard)


async def test_an_occupied_port_is_told(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", port)
    async with server:
        with pytest.raises(TorError) as caught:
            await OnionNode(tmp_path, OFFLINE, control_port=port).start()
    assert str(port) in caught.value.message
    assert not children_on(tmp_path)


async def test_a_cancelled_start_leaves_nothing(tmp_path: Path) -> None:
    for delay in (0.0, 0.02, 0.05, 0.1, 0.15):
        node = OnionNode(tmp_path, OFFLINE)
        starting = asyncio.create_task(node.start())
        await asyncio.sleep(delay)
        starting.cancel()
        await asyncio.wait([starting])
        await node.rendezvous.close()
        assert not children_on(tmp_path)
