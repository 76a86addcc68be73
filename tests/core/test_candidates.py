"""Which candidates a policy leaves: nothing that betrays an address, nothing that asks a server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from vectors.generate.signaling import SDP_LINES, sdp

from p4.core.candidates import any_candidate, candidate_filter, is_local, is_no_relay, keep_candidates
from p4.core.policy import Policy
from p4.core.sdp import check_sdp


def candidate(address: str, kind: str) -> str:
    return f"candidate:1 1 udp 2122260223 {address} 50000 typ {kind} generation 0"


LOCAL = [
    candidate(address, "host")
    for address in ("192.168.1.2", "10.0.0.1", "172.16.9.9", "fd00::1", "fe80::1", "169.254.1.1")
]
WORLD = [candidate(address, "host") for address in ("203.0.114.7", "2a00::1")]
MAPPED = [
    candidate("203.0.114.7", "srflx"),
    candidate("192.168.1.2", "srflx"),
    candidate("10.0.0.1", "prflx"),
]
RELAY = [candidate("203.0.114.7", "relay"), candidate("192.168.1.2", "relay")]
NONSENSE = [
    "",
    "candidate:",
    "candidate:1 1 udp 1 name.local 5 typ host",
    "candidate:1 1 udp 1 10.0.0.1 5 typ",
]


@pytest.mark.parametrize(
    ("policy", "relays", "kept"),
    [
        (Policy.DIRECT, True, LOCAL + WORLD + MAPPED + RELAY),
        (Policy.DIRECT, False, LOCAL + WORLD + MAPPED),
        (Policy.LAN_ONLY, True, LOCAL),
        (Policy.LAN_ONLY, False, LOCAL),
        (Policy.RELAY_ONLY, True, LOCAL + WORLD + MAPPED + RELAY),
    ],
)
def test_what_each_policy_takes(policy: Policy, relays: bool, kept: list[str]) -> None:
    """With ``relay-only`` the library itself gives none but relays of ours; the contact's may be any."""
    wanted = candidate_filter(policy, relays=relays)
    assert [one for one in LOCAL + WORLD + MAPPED + RELAY if wanted(one)] == kept


def test_a_name_is_nowhere_near() -> None:
    """It would have to be looked up, and who answers that is not known."""
    assert not any(is_local(one) for one in NONSENSE)
    assert not is_no_relay("candidate:1 1 udp")
    assert not any_candidate("")


@given(st.lists(st.sampled_from(LOCAL + WORLD + MAPPED + RELAY), max_size=30))
def test_a_description_loses_candidates_and_nothing_else(candidates: list[str]) -> None:
    plain = [line for line in SDP_LINES if not line.startswith("a=candidate:")]
    given_sdp = sdp((*plain, *(f"a={one}" for one in candidates)))
    for wanted in (is_local, is_no_relay):
        expected = sdp((*plain, *(f"a={one}" for one in candidates if wanted(one))))
        assert keep_candidates(given_sdp, wanted) == expected
        check_sdp(expected)
    assert keep_candidates(given_sdp, any_candidate) == given_sdp


def test_lines_ended_by_a_newline_alone_are_filtered_as_well() -> None:
    kept = keep_candidates(sdp(end="\n"), is_local)
    assert [line.split()[-5] for line in kept.splitlines() if line.startswith("a=candidate")] == ["host"]
    check_sdp(kept)
