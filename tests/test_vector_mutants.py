"""Bugs planted into the core: each must break at least one vector, or the vectors have a hole there."""

from __future__ import annotations

import base64
import json
import re
import struct
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from tests.test_vectors import PATHS, RUN, load

from p4.core.identity import PeerId
from p4.core.lan import Recognition
from p4.core.sealing import x25519_public_key
from p4.core.session import body
from p4.core.session.stream_frames import Credit, Written
from p4.core.session.streams.reader import Reader
from p4.core.session.streams.writer import Writer
from p4.core.session.wire import service_of


class _EqualToAll:
    """Stands for a comparison that was left out."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0


EQUAL_TO_ALL = _EqualToAll()
MESSAGES = "p4.core.session.messages"
STREAMS = "p4.core.session.streams"
ANY_TEXT = re.compile(r".*", re.DOTALL)


def _fields_at_the_beginning(layout: struct.Struct, data: bytes) -> tuple[Any, ...]:
    return layout.unpack_from(data)[1:]


def _only_a_new_credit(writer: Writer) -> None:
    writer._credits = 0


def _any_credit(writer: Writer, frame: Credit) -> None:
    writer._credits += 1
    writer.confirmed = frame.through
    writer._limit = frame.limit


def _any_end(reader: Reader, frame: Written) -> None:
    reader.heard = True
    reader.end = frame.end if frame.final else None


class _Encoded(bytes):
    def decode(self, *_: str) -> Any:
        return EQUAL_TO_ALL


_LENIENT_BASE64 = SimpleNamespace(b64decode=base64.b64decode, b64encode=_Encoded)


def _first_recognised(recognition: Recognition, tags: list[bytes]) -> PeerId | None:
    return next(filter(None, map(recognition.whose, tags)), None)


MUTANTS: list[tuple[str, str, Any]] = [
    ("signatures are not checked", "p4.core.envelope.verify_signature", lambda *_: True),
    ("the key may be another's", "p4.core.envelope.peer_id_of", lambda _: EQUAL_TO_ALL),
    ("any text is a peer id", "p4.core.envelope.is_peer_id", lambda _: True),
    ("any text is a nonce", "p4.core.envelope._NONCE", ANY_TEXT),
    ("lines may be of any length", "p4.core.limits.SIGNALING_LINE_BYTES", 10**9),
    ("duplicate keys pass", "p4.core.canonical._DECODER", json.JSONDecoder()),
    ("one level more", "p4.core.canonical.MAX_DEPTH", 33),
    ("one number more", "p4.core.canonical.SAFE_INTEGER", 2**53),
    ("surrogates pass", "p4.core.canonical._check_string", lambda _: None),
    (
        "a canonical form that is not sorted",
        "p4.core.canonical.rfc8785.dumps",
        lambda v: json.dumps(v).encode(),
    ),
    ("weak keys pass", "p4.core.invite.is_usable_key", lambda _: True),
    ("order-8 points pass", "p4.core.identity._SMALL_ORDER_Y", frozenset({0, 1})),
    ("an invite's id is not checked", "p4.core.invite.peer_id_of", lambda _: EQUAL_TO_ALL),
    ("invites of any size", "p4.core.invite.INVITE_BYTES", 10**9),
    ("onion addresses are not checked", "p4.core.address._is_onion", lambda _: True),
    ("hosts are not checked", "p4.core.address._is_host", lambda _: True),
    ("any session id", "p4.core.signaling._SESSION_ID", ANY_TEXT),
    ("any capability", "p4.core.signaling._CAPABILITY", ANY_TEXT),
    ("one capability more", "p4.core.signaling._MOST_CAPABILITIES", 33),
    ("any boot", "p4.core.signaling._BOOT", ANY_TEXT),
    ("version 1 may announce itself", "p4.core.signaling.PROTOCOL_2", 1),
    ("a long reason is shown", "p4.core.signaling._SHOWN_CHARACTERS", 300),
    ("any nonce in an announcement", "p4.core.signaling._NONCE", ANY_TEXT),
    ("degenerate points become keys", "p4.core.sealing.is_usable_key", lambda *_, **__: True),
    ("a sealed payload is bound to nobody", "p4.core.sealing._info", lambda *_: b""),
    ("a sealed payload is another protocol's", "p4.core.sealing._LABEL", b"P4 other\0"),
    ("no sealed payload is recognised inside another", "p4.core.sealing.is_sealed", lambda _: False),
    ("two spellings of one sealed payload", "p4.core.sealing.encode_key", lambda _: EQUAL_TO_ALL),
    ("a veiled line is another protocol's", "p4.core.veil._INFO", b"P4 other\0"),
    ("a veiled line names somebody", "p4.core.veil._INFO", b"P4 veiled line 1\0" + b"0" * 24),
    ("no veiled line is recognised inside another", "p4.core.veil.is_veiled", lambda _: False),
    ("two spellings of one veiled line", "p4.core.veil.base64", _LENIENT_BASE64),
    ("any candidate", "p4.core.signaling._CANDIDATE", ANY_TEXT),
    (
        "a candidate of one character more",
        "p4.core.signaling._CANDIDATE",
        re.compile(r"candidate:[ -~]{1,503}"),
    ),
    ("one candidate more", "p4.core.signaling._MOST_CANDIDATES", 33),
    ("one address more", "p4.core.reach.MOST_ENDPOINTS", 13),
    ("one common contact more", "p4.core.reach.MOST_COMMON_CONTACTS", 9),
    ("any common contact", "p4.core.reach._MARK", ANY_TEXT),
    ("we may be told to dial ourselves", "p4.core.reach.ipaddress.IPv4Address.is_loopback", False),
    ("ourselves in the clothes of IPv6", "p4.core.reach.ipaddress.IPv6Address.ipv4_mapped", None),
    ("one byte more in a line on a link", "p4.core.limits.SIGNAL_BYTES", 61_441),
    ("anybody may be introduced", "p4.core.session.introduction_frames.is_peer_id", lambda _: True),
    ("one byte more in a conveyed line", "p4.core.limits.CONVEYED_LINE_BYTES", 32_769),
    ("any reason to cease", "p4.core.session.introduction_frames.number_in", lambda *_: 0),
    ("any link is bound", "p4.core.session.binding.verify_signature", lambda *_: True),
    ("a link is bound by another protocol", "p4.core.session.binding._LABEL", b"P4 other\0"),
    ("no signature of a rotation is checked", "p4.core.rotation.verify_signature", lambda *_: True),
    ("a rotation is another protocol's", "p4.core.rotation._LABEL", b"P4 other\0"),
    ("weak keys may be rotated to", "p4.core.rotation.is_usable_key", lambda _: True),
    ("a name of a file in the chat may have 256 bytes", "p4.core.limits.CHAT_FILE_NAME_BYTES", 256),
    ("a name of a transfer in the chat may have 65 bytes", "p4.core.limits.CHAT_TRANSFER_ID_BYTES", 65),
    ("a file in the chat may have 2^53 bytes", "p4.apps.chat.values._MOST_SIZE", 2**53),
    ("a comparison code is another protocol's", "p4.core.verification._LABEL", b"P4 other\0"),
    ("the key of a pair is another protocol's", "p4.core.lan._PAIR_LABEL", b"P4 other\0"),
    ("a tag is another protocol's", "p4.core.lan._TAG_LABEL", b"P4 other\0"),
    ("a tag counts for longer", "p4.core.limits.LAN_PERIODS_AROUND", 5),
    ("a tag counts for less long", "p4.core.limits.LAN_PERIODS_AROUND", 3),
    ("anybody's announcement", "p4.core.lan.Recognition.recognise", _first_recognised),
    ("filling that others know", "p4.core.lan._FILLING_LABEL", b"P4 other\0"),
    ("one tag more", "p4.core.limits.LAN_TAGS", 97),
    ("a service of any name", "p4.core.session.wire._SERVICE", ANY_TEXT),
    ("a service of one byte more", "p4.core.limits.SERVICE_BYTES", 65),
    ("one grant more", "p4.core.limits.GRANTS", 257),
    ("one byte more in a body", "p4.core.limits.BODY_BYTES", 2**20 + 1),
    ("one byte more in a datagram", "p4.core.limits.DATAGRAM_BYTES", 1101),
    ("one byte more in a long frame", "p4.core.limits.LONG_FRAME_BYTES", 2**20 + 4097),
    ("one byte more in the name of a stream", "p4.core.limits.STREAM_NAME_BYTES", 1025),
    ("one byte more in a frame of a stream", "p4.core.limits.STREAM_DATA_BYTES", 65_520),
    ("one millisecond more of patience", "p4.core.limits.CALL_PATIENCE_MS", 24 * 3_600_000 + 1),
    ("any number in a frame of messages", "p4.core.session.session_frames.number_in", lambda n, *_: n),
    ("any number in a frame of streams", "p4.core.session.stream_frames.number_in", lambda n, *_: n),
    ("keys that are no text", "p4.core.session.session_frames.text_of", lambda _: "é"),
    ("names that are no text", "p4.core.session.stream_frames.text_of", lambda _: "é"),
    ("any number in a frame of lanes", "p4.core.session.lane_frames.number_in", lambda n, *_: n),
    ("one address more for a lane", "p4.core.limits.LANE_ADDRESSES", 17),
    ("one byte more in a description of a lane", "p4.core.limits.LANE_SDP_BYTES", 16_001),
    ("frames of any length", "p4.core.session.session_frames.fields", _fields_at_the_beginning),
    ("one offset more", "p4.core.limits.SAFE_INTEGER", 2**53),
    ("anything in a bundle", "p4.core.session.frames._ALONE", set()),
    ("a frame of the future ends a link", "p4.core.session.frames._FIRST_IGNORABLE", 0x81),
    ("an unknown frame is ignored", "p4.core.session.frames._FIRST_IGNORABLE", 0x7F),
    (
        "duplicate keys in a body",
        "p4.core.session.body._DECODER",
        json.JSONDecoder(parse_float=body._finite, parse_constant=body._finite),
    ),
    ("any body", "p4.core.session.body._is_json", lambda _: True),
    ("one level more in a body", "p4.core.session.body.MAX_DEPTH", 33),
    (
        "infinite numbers in a body",
        "p4.core.session.body._DECODER",
        json.JSONDecoder(object_pairs_hook=body._unique_keys),
    ),
    ("an outbox is never outdated", f"{MESSAGES}.outbox.Outbox.is_outdated", lambda *_: False),
    ("a lost inbox of the contact is not noticed", f"{MESSAGES}.outbox.Outbox.notice_loss", lambda *_: None),
    ("a renewed outbox goes on", f"{MESSAGES}.machine.MessageMachine._is_void_link", False),
    ("nothing is declared void", f"{MESSAGES}.sending.Sending._transmit_void", lambda *_: None),
    ("what is void is not counted", f"{MESSAGES}.inbox.Inbox.void", lambda *_: None),
    ("nothing is told of what was taken", f"{MESSAGES}.consumption.Consumption.report", lambda _: None),
    ("everything is granted", "p4.core.session.grants.GrantTable.allows", lambda *_: True),
    ("an earlier epoch is forgotten", "p4.core.limits.RETIRED_EPOCHS", -8),
    ("a stream goes on where the last link ended", f"{STREAMS}.writer.Writer.link_up", _only_a_new_credit),
    ("what is written anew does not wait", f"{STREAMS}.writer.Writer.told", True),
    ("bytes of a new link are given at once", f"{STREAMS}.reader.Reader._may_take", True),
    ("bytes before the first WRITTEN are lost", f"{STREAMS}.reassembly.Reassembly.add", lambda *_: None),
    ("DONE before all was confirmed", f"{STREAMS}.announcements.Announcements.complete", lambda *_: True),
    ("RESET and DONE are never sent", f"{STREAMS}.announcements.Announcements.farewell", lambda *_: []),
    ("any end of a stream", f"{STREAMS}.reader.Reader.written", _any_end),
    ("any credit", f"{STREAMS}.writer.Writer.credit", _any_credit),
    ("any address may be probed", "p4.core.punch.ipaddress.IPv4Address.is_global", True),
    ("any packet of a side", "p4.core.punch.PacketKind.sender", EQUAL_TO_ALL),
    ("a label for the key and the packets", "p4.core.punch._PACKET_LABEL", b"P4 punch 1\0"),
    ("low ports may be announced", "p4.core.punch.LOWEST_PORT", 1),
    ("one line more", "p4.core.sdp.SDP_LINES", 401),
    ("one character more", "p4.core.sdp.SDP_LINE_CHARACTERS", 1025),
    ("any line", "p4.core.sdp._LINE", ANY_TEXT),
    ("any section", "p4.core.sdp._SECTION", ANY_TEXT),
    ("a short user fragment", "p4.core.sdp._UFRAG", re.compile("a=ice-ufrag:.*")),
    ("a short password", "p4.core.sdp._PASSWORD", re.compile("a=ice-pwd:.*")),
]


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    """Answers from before would hide a bug here; those of a bug would break other tests."""
    for remembered in (x25519_public_key, service_of):
        remembered.cache_clear()
    yield
    for remembered in (x25519_public_key, service_of):
        remembered.cache_clear()


STRETCHED = {"pairing", "verification"}
"""Kinds of vectors in which a function is slow on purpose: they are looked at last."""


def broken_vectors() -> Iterator[str]:
    """Vectors whose outcome is not the expected one; a crash counts."""
    for path in sorted(PATHS, key=lambda path: path.split("/")[0] in STRETCHED):
        vector = load(path)
        expected = vector["expect"]
        try:
            layer, code, value = RUN[vector["kind"], vector["operation"]](vector["input"])
        except Exception:  # noqa: BLE001  # a mutant may fail in any way
            yield path
            continue
        if (layer, code) != (expected["layer"], expected["code"]) or (
            code == "ok" and value != expected["value"]
        ):
            yield path


@pytest.mark.usefixtures("uncollected")
def test_without_a_bug_nothing_is_broken() -> None:
    assert list(broken_vectors()) == []


@pytest.mark.usefixtures("uncollected")
@pytest.mark.parametrize(("bug", "target", "replacement"), MUTANTS, ids=[mutant[0] for mutant in MUTANTS])
def test_a_planted_bug_breaks_a_vector(
    bug: str, target: str, replacement: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target, replacement)
    assert any(broken_vectors()), f"no vector notices that {bug}"
