"""Descriptions from outside: whatever they hold, a link takes them or says LinkError."""

from __future__ import annotations

import asyncio
import random
import re

import pytest
from tests.adapters.webrtc.harness import COMBINATIONS, NO_SERVERS, two_ends

from p4.adapters.webrtc.sdp import CANDIDATES, complete_description, usable_description
from p4.errors import LinkError
from p4.ports import ChannelOpened

BACKENDS = ["wrtc", "aiortc"]
backends = pytest.mark.parametrize("name", BACKENDS)

GOOD = "\r\n".join(
    [
        "v=0",
        "o=- 1 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE 0",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "c=IN IP4 0.0.0.0",
        "a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:abcdefghijklmnopqrstuv",
        "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
        "a=setup:actpass",
        "a=mid:0",
        "a=sctp-port:5000",
        "",
    ]
)

BAD = {
    "empty": "",
    "prose": "hello",
    "nul": GOOD.replace("s=-", "s=\0"),
    "not ascii": GOOD.replace("s=-", "s=é"),
    "surrogate": GOOD.replace("s=-", "s=\ud800"),
    "no section": GOOD[: GOOD.index("m=")],
    "audio": GOOD.replace(
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "m=audio 9 UDP/TLS/RTP/SAVPF 0"
    ),
    "audio beside": GOOD + "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:1\r\n",
    "two sections": GOOD + GOOD[GOOD.index("m=") :].replace("mid:0", "mid:1"),
    "rejected section": GOOD.replace("m=application 9", "m=application 0"),
    "short section": GOOD.replace("m=application 9 UDP/DTLS/SCTP webrtc-datachannel", "m=application "),
    "no ufrag": GOOD.replace("a=ice-ufrag:abcd\r\n", ""),
    "no password": GOOD.replace("a=ice-pwd:abcdefghijklmnopqrstuv\r\n", ""),
    "no fingerprint": re.sub(r"a=fingerprint.*\r\n", "", GOOD),
    "many candidates": GOOD + "a=candidate:1 1 udp 1 192.0.2.9 9 typ host\r\n" * CANDIDATES,
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_data_channel_description_never_reaches_a_library(what: str) -> None:
    with pytest.raises(LinkError) as refusal:
        usable_description(BAD[what], "offer")
    assert refusal.value.code == "bad-sdp"


def test_a_description_for_data_channels_is_let_through() -> None:
    assert usable_description(GOOD, "offer") == GOOD
    assert usable_description(GOOD.replace("\r\n", "\n"), "answer") == GOOD


@pytest.mark.parametrize("host", ["4d3c2b1a.local", "tracker.example", "127.1", "0x7f000001", "::g", ""])
def test_a_candidate_that_names_a_host_is_left_out(host: str) -> None:
    """A library would look the name up, and so tell a name server of the peer's choice about us."""
    named = f"a=candidate:2 1 udp 2130706431 {host} 9 typ host\r\n"
    assert usable_description(GOOD + named, "offer") == GOOD
    end = "a=end-of-candidates\r\n"
    assert usable_description(GOOD + named + end, "offer") == GOOD + end
    alone = re.sub(r"a=candidate.*\r\n", "", GOOD)
    assert usable_description(alone + named + end, "offer") == alone


@pytest.mark.parametrize("host", ["192.0.2.1", "fd00::2", "fe80::1"])
def test_a_candidate_with_an_address_is_kept(host: str) -> None:
    sdp = GOOD + f"a=candidate:2 1 udp 2130706431 {host} 9 typ host\r\n"
    assert usable_description(sdp, "offer") == sdp


@pytest.mark.parametrize("names", COMBINATIONS, ids="-".join)
async def test_an_end_that_hides_its_addresses_is_found_by_its_packets(names: tuple[str, str]) -> None:
    async with two_ends(names) as (offerer, answerer):
        offer = re.sub(r"\S+( \d+ typ host)", r"hidden.local\1", await offerer.link.offer("chat"))
        assert offer.count("hidden.local") == offer.count("a=candidate:")
        await offerer.link.accept_answer(await answerer.link.answer(offer))
        assert await offerer.next() == await answerer.next() == ChannelOpened("chat")


def test_a_final_description_ends_with_the_end_of_candidates_once() -> None:
    final = complete_description(GOOD)
    assert final == complete_description(final)
    assert final.splitlines() == [*GOOD.splitlines(), "a=end-of-candidates"]


def test_a_description_without_candidates_is_not_sent() -> None:
    with pytest.raises(LinkError) as refusal:
        complete_description(re.sub(r"a=candidate.*\r\n", "", GOOD))
    assert refusal.value.code == "gathering-failed"


@backends
@pytest.mark.parametrize("what", BAD)
async def test_a_bad_offer_is_refused_and_nothing_is_left(name: str, what: str) -> None:
    async with two_ends((name, name)) as (_, answerer):
        with pytest.raises(LinkError) as refusal:
            await answerer.link.answer(BAD[what])
        assert refusal.value.code == "bad-sdp"
        assert answerer.events == []
    assert asyncio.all_tasks() == {asyncio.current_task()}


@backends
async def test_a_bad_answer_is_refused_and_a_good_one_still_works(name: str) -> None:
    async with two_ends((name, name)) as (offerer, answerer):
        answer = await answerer.link.answer(await offerer.link.offer("chat"))
        for bad in (BAD["prose"], BAD["audio"], BAD["no fingerprint"]):
            with pytest.raises(LinkError) as refusal:
                await offerer.link.accept_answer(bad)
            assert refusal.value.code == "bad-sdp"
        await offerer.link.accept_answer(answer)
        await offerer.next()


@backends
async def test_an_answer_to_no_offer_is_refused(name: str) -> None:
    async with two_ends((name, name)) as (offerer, _):
        with pytest.raises(LinkError):
            await offerer.link.accept_answer(GOOD)


@backends
async def test_mutated_descriptions_are_taken_or_refused_and_never_anything_else(name: str) -> None:
    chance = random.Random(7)
    async with two_ends((name, name)) as (offerer, _):
        offer = await offerer.link.offer("chat")
    outcomes = set()
    for _ in range(60):
        async with two_ends((name, name), NO_SERVERS) as (_, answerer):
            try:
                await answerer.link.answer(mutated(offer, chance))
                outcomes.add("taken")
            except LinkError as error:
                outcomes.add(error.code)
    assert outcomes == {"taken", "bad-sdp"}


def mutated(sdp: str, chance: random.Random) -> str:
    """One line dropped, doubled, moved, cut, or with a word replaced."""
    lines = sdp.splitlines()
    index = chance.randrange(len(lines))
    line = lines[index]
    words = line.split(" ")
    words[chance.randrange(len(words))] = chance.choice(
        ["", "0", "-1", "99999999999999999999", "x" * 300, "a=b:c", "\t"]
    )
    lines[index : index + 1] = chance.choice(
        [
            [],
            [line, line],
            [line[: chance.randrange(len(line) + 1)]],
            [" ".join(words)],
            [" ".join(words)],
            [lines[chance.randrange(len(lines))], line],
        ]
    )
    return "\r\n".join([*lines, ""])
