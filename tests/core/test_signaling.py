"""Signaling payloads and descriptions as an API; single cases are vectors (vectors/signaling)."""

from __future__ import annotations

import json

import pytest
from vectors.generate.signaling import SDP_LINES as GOOD_LINES
from vectors.generate.signaling import sdp

from p4.core import envelope, limits
from p4.core.identity import Identity
from p4.core.reach import Reach, parse_endpoint
from p4.core.sdp import SDP_LINE_CHARACTERS, SDP_LINES
from p4.core.signaling import (
    FAILURE_LINE,
    IN_BAND,
    TRICKLE,
    WARM,
    Announcement,
    Answer,
    Busy,
    Cancel,
    Candidates,
    Offer,
    Ping,
    Pong,
    SignalingMessage,
    UnsignedFailure,
    check_sdp,
    parse_payload,
    parse_reply,
    sdp_fingerprint,
)
from p4.errors import EnvelopeError, SignalingError

BOOT = "0123456789abcdef"
OURS = Announcement.ours(frozenset({WARM}), BOOT, "0123456789abcdef" * 2)
ENDPOINTS = tuple(parse_endpoint(text) for text in ("192.0.2.1:4000", "[2001:db8::1]:1"))
ANNOUNCED = Announcement.ours(
    frozenset({WARM, TRICKLE, IN_BAND}),
    BOOT,
    "0123456789abcdef" * 2,
    Reach(tuple(endpoint for endpoint in ENDPOINTS if endpoint is not None), ("0123456789abcdef",)),
)


@pytest.mark.parametrize(
    "message",
    [
        Offer("s", "v=0"),
        Offer("s", "v=0", OURS),
        Answer("s", "v=0", OURS),
        Ping("s"),
        Pong("s"),
        Cancel("s"),
        Busy("s"),
        Ping("s", OURS),
        Pong("s", ANNOUNCED),
        Offer("s", "v=0", ANNOUNCED),
        Candidates("s", (), True),
        Candidates("s", ("candidate:1 1 udp 1 192.0.2.1 5 typ host",), False),
    ],
)
def test_every_message_survives_its_payload(message: SignalingMessage) -> None:
    assert parse_payload(json.loads(json.dumps(message.to_payload()))) == message


def test_our_announcement_always_carries_a_capability_that_nobody_knows() -> None:
    assert OURS.capabilities - {WARM} == {"grease-0123"}
    assert parse_payload(Offer("s", "v=0", OURS).to_payload()) == Offer("s", "v=0", OURS)


def test_the_failure_line_tells_nothing_and_is_understood() -> None:
    assert FAILURE_LINE == b'{"ok": false, "error": "refused"}'
    assert parse_reply(FAILURE_LINE) == UnsignedFailure("refused")


def test_a_reply_too_long_for_a_line() -> None:
    with pytest.raises(EnvelopeError) as caught:
        parse_reply(b" " * limits.SIGNALING_LINE_BYTES)
    assert caught.value.code == "too-long"


def test_an_offer_with_the_largest_description_fits_a_line() -> None:
    me = Identity(bytes(32))
    largest = sdp((*GOOD_LINES, *["a=candidate:" + "x" * 130] * (SDP_LINES - len(GOOD_LINES))))
    check_sdp(largest)
    offer = Offer("s" * 64, largest, OURS)
    line = envelope.seal(me, me.peer_id, offer.to_payload(), timestamp_ms=1, nonce=bytes(16))
    assert len(line) < limits.SIGNALING_LINE_BYTES


def test_the_most_and_longest_candidates_and_addresses_fit_a_line() -> None:
    me = Identity(bytes(32))
    most = Candidates("s" * 64, ("candidate:" + '"' * 502,) * 32, True)
    assert parse_payload(most.to_payload()) == most
    line = envelope.seal(me, me.peer_id, most.to_payload(), timestamp_ms=1, nonce=bytes(16))
    assert len(line) < limits.SIGNALING_LINE_BYTES


def test_a_hostile_description_costs_little() -> None:
    """The pieces that are looked at are bounded before they are looked at."""
    for hostile in ("\n" * 65_000, "a=" + "x" * 65_000, "a=fingerprint:sha-256 " * 3000, "v=0\n" * 16_000):
        with pytest.raises(SignalingError):
            check_sdp(hostile)


def test_the_longest_line() -> None:
    check_sdp(sdp((*GOOD_LINES, "a=" + "x" * (SDP_LINE_CHARACTERS - 2))))


async def test_aiortc_writes_what_we_accept() -> None:
    aiortc = pytest.importorskip("aiortc")
    configuration = aiortc.RTCConfiguration(iceServers=[])
    offerer, answerer = (aiortc.RTCPeerConnection(configuration) for _ in range(2))
    try:
        offerer.createDataChannel("chat")
        await offerer.setLocalDescription(await offerer.createOffer())
        await answerer.setRemoteDescription(offerer.localDescription)
        await answerer.setLocalDescription(await answerer.createAnswer())
        ours, theirs = offerer.localDescription.sdp, answerer.localDescription.sdp
        assert len(sdp_fingerprint(ours)) == 32
        assert sdp_fingerprint(ours) != sdp_fingerprint(theirs)
    finally:
        await offerer.close()
        await answerer.close()


async def test_wrtc_writes_what_we_accept() -> None:
    webrtc = pytest.importorskip("webrtc")
    offerer, answerer = webrtc.RTCPeerConnection(), webrtc.RTCPeerConnection()
    try:
        offerer.create_data_channel("chat")
        await offerer.set_local_description(await offerer.create_offer())
        await answerer.set_remote_description(offerer.local_description)
        await answerer.set_local_description(await answerer.create_answer())
        ours, theirs = offerer.local_description.sdp, answerer.local_description.sdp
        assert len(sdp_fingerprint(ours)) == 32
        assert sdp_fingerprint(ours) != sdp_fingerprint(theirs)
    finally:
        offerer.close()
        answerer.close()
