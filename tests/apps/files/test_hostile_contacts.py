"""A contact whose program keeps no rules, over a link: the app refuses it, and nothing outside changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.apps.files.hostile_sender import file_entry, folder_entry, link_entry, snapshot
from tests.apps.files.simulated_devices import Device, content_of

from p4.apps.files.app import READ, WRITE
from p4.apps.files.frames import Ask, FileFrame, Listed, Manifest, Offer, Over
from p4.apps.files.transfer import TransferState
from p4.apps.files.wire import FrameReader, encode
from p4.errors import StreamError
from p4.node.streams import Stream
from p4.testing import SimulatedNetwork, simulate

OFFER: dict[str, Any] = {
    "version": 1,
    "transfer": "ab" * 16,
    "hashes": ["sha256"],
    "files": 1,
    "bytes": 1,
    "target": "",
    "into": None,
    "source": None,
    "overwrite": True,
}


def raw_entry(path: bytes) -> bytes:
    """An ENTRY with any bytes as its path."""
    stand_in = "x" * len(path)
    return encode(Manifest(file_entry(stand_in, content=b"1"))).replace(stand_in.encode(), path)


async def answers(stream: Stream) -> list[FileFrame]:
    """All that the other side says until it ends the stream."""
    reader, found = FrameReader(), list[FileFrame]()
    try:
        while data := await stream.read():
            found += reader.feed(data)
    except StreamError:
        pass
    return found


def against(tmp_path: Path, scenario: Callable[[Device, Device], Awaitable[None]]) -> None:
    """Run a scenario with a hostile laptop; of the phone nothing but its share may have changed."""

    async def whole(network: SimulatedNetwork) -> None:
        laptop = Device(network, "laptop", "phone", tmp_path)
        phone = Device(network, "phone", "laptop", tmp_path)
        await laptop.start()
        await phone.start("files")
        (phone.home / "secret").write_bytes(b"secret")
        phone.share.mkdir()
        (phone.share / "way out").symlink_to(phone.home)
        before = snapshot(phone.home)
        await scenario(laptop, phone)
        assert snapshot(phone.home) == before
        assert sorted(path.name for path in (tmp_path / "phone").iterdir()) == ["home", "share"]

    simulate(whole)


@pytest.mark.parametrize(
    "path",
    [b"../evil", b"/evil", b"a/../../evil", b"a//b", b"a/./b", b"a\0b", b"..", b"\xff\xfe", b"x" * 256],
)
def test_paths_that_lead_out(path: bytes, tmp_path: Path) -> None:
    async def scenario(laptop: Device, phone: Device) -> None:
        stream = await laptop.node.peer("phone").stream(WRITE, "evil")
        await stream.write(encode(Offer(OFFER)) + raw_entry(path) + encode(Listed(1)))
        said = await answers(stream)
        assert isinstance(said[-1], Over)
        assert said[-1].code == "protocol"
        (seen,) = phone.app.transfers()
        assert (seen.state, seen.code) == (TransferState.FAILED, "protocol")

    against(tmp_path, scenario)


@pytest.mark.parametrize(
    "target", ["../home", "/../home", "way out", "way out/", "way out/deeper", "a/../../home"]
)
def test_targets_that_lead_out(target: str, tmp_path: Path) -> None:
    async def scenario(laptop: Device, phone: Device) -> None:
        stream = await laptop.node.peer("phone").stream(WRITE, "evil")
        entries = [folder_entry("deep"), file_entry("deep", "evil"), link_entry(("deep", "l"), ("..",))]
        await stream.write(encode(Offer({**OFFER, "target": target})))
        await stream.write(b"".join(encode(Manifest(entry)) for entry in entries) + encode(Listed(3)))
        await stream.close_writing()
        await answers(stream)

    against(tmp_path, scenario)


@pytest.mark.parametrize(
    "first",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x01\xff\xff\xff\xff",
        encode(Listed(0)),
        encode(Offer({})),
        encode(Offer({**OFFER, "version": 2})),
        encode(Offer({**OFFER, "transfer": "../../x"})),
        encode(Offer({**OFFER, "hashes": "sha256"})),
        encode(Offer({**OFFER, "source": {"name": "../x", "folder": False}})),
        encode(Offer({**OFFER, "into": "yes"})),
    ],
)
@pytest.mark.parametrize("service", [WRITE, READ])
def test_what_is_no_transfer(first: bytes, service: str, tmp_path: Path) -> None:
    async def scenario(laptop: Device, phone: Device) -> None:
        stream = await laptop.node.peer("phone").stream(service, "evil")
        await stream.write(first)
        said = await answers(stream)
        assert isinstance(said[-1], Over)
        assert said[-1].code in {"protocol", "version"}

    against(tmp_path, scenario)


def test_a_contact_that_sends_what_was_not_asked_for(tmp_path: Path) -> None:
    """As a server could once write to any file of who fetched one with scp."""

    async def scenario(laptop: Device, phone: Device) -> None:
        await phone.app.close()
        transfer = await laptop.fetch("notes.txt", target=f"{laptop.home}/")
        stream = await anext(phone.node.streams(READ))
        asked = next(iter(FrameReader().feed(await stream.read())))
        assert isinstance(asked, Ask)
        offer = {**OFFER, "transfer": transfer.id, "source": {"name": "notes.txt", "folder": False}}
        await stream.write(encode(Offer(offer)) + encode(Manifest(file_entry(".bashrc", content=b"evil"))))
        await answers(stream)
        await laptop.app.wait_ended(transfer)
        assert (transfer.state, transfer.code) == (TransferState.FAILED, "protocol")
        assert content_of(laptop.home) == {}

    against(tmp_path, scenario)
