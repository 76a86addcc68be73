"""Frames that concern lanes, on the channel of the link (spec/lanes.md)."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator

from vectors.generate.common import Vector, raw
from vectors.generate.frames import bad, good, lengths

LANE = struct.pack(">I", 7)
LONGEST_SDP = 16_000
MOST_ADDRESSES = 16
FINGERPRINT, TOKEN = b"\xf1" * 32, b"\x70" * 32
SDP = b"v=0\r\n"


def at(ip: str, port: int) -> bytes:
    address = ipaddress.ip_address(ip)
    return bytes((address.version,)) + address.packed + struct.pack(">H", port)


def listen(count: int, addresses: bytes) -> bytes:
    return b"\x52" + LANE + FINGERPRINT + TOKEN + bytes((count,)) + addresses


def vectors() -> Iterator[Vector]:
    for number, name, frame in ((0x50, "lane_offer", "LANE_OFFER"), (0x51, "lane_answer", "LANE_ANSWER")):
        begin = bytes((number,)) + LANE
        yield good(f"{name}_ok", "a description", begin + SDP, frame, lane=7, sdp=SDP.decode())
        longest = b"v" * LONGEST_SDP
        value = {"frame": frame, "lane": 7, "sdp": longest.decode()}
        yield Vector(
            *("frame", f"{name}_ok_longest", "the longest description", "decode"),
            *({"bytes": raw(begin + longest)}, "frame"),
            value=value,
        )
        yield bad(f"{name}_long", "one byte too long", begin + longest + b"v", "bad-length")
        yield bad(f"{name}_empty", "no description", begin, "bad-length")
        yield bad(f"{name}_cut", "ends in the number", begin[:-1], "bad-length")
        yield bad(f"{name}_text", "not ASCII", begin + "é".encode(), "bad-text")

    both = [("192.0.2.1", 50_000), ("2001:db8::1", 443)]
    packed = b"".join(at(*one) for one in both)
    told = {"lane": 7, "fingerprint": FINGERPRINT, "token": TOKEN}
    places = [{"ip": ip, "port": port} for ip, port in both]
    yield good("lane_listen_ok", "two places", listen(2, packed), "LANE_LISTEN", **told, addresses=places)
    one = at("198.51.100.7", 65_535)
    many = [{"ip": "198.51.100.7", "port": 65_535}] * MOST_ADDRESSES
    yield good(
        *("lane_listen_ok_most", "as many as there may be", listen(MOST_ADDRESSES, one * MOST_ADDRESSES)),
        *("LANE_LISTEN",),
        **told,
        addresses=many,
    )
    too_many = listen(MOST_ADDRESSES + 1, one * (MOST_ADDRESSES + 1))
    yield bad("lane_listen_too_many", "one address too many", too_many, "bad-number")
    yield bad("lane_listen_none", "no address", listen(0, b""), "bad-number")
    yield bad("lane_listen_port", "port 0", listen(1, at("192.0.2.1", 0)), "bad-number")
    yield bad("lane_listen_family", "neither IPv4 nor IPv6", listen(1, b"\x05" + one[1:]), "bad-number")
    yield bad("lane_listen_cut", "ends in an address", listen(2, packed[:-1]), "bad-length")
    yield bad("lane_listen_more", "something follows", listen(2, packed + b"\0"), "bad-length")
    yield bad("lane_listen_head", "ends in the token", listen(1, one)[:60], "bad-length")

    ask = b"\x53" + LANE
    yield good("lane_ask_ok", "please listen", ask, "LANE_ASK", lane=7)
    yield good("lane_ask_ok_largest", "the last number", b"\x53" + b"\xff" * 4, "LANE_ASK", lane=2**32 - 1)
    yield from lengths("lane_ask", ask)
    for reason, meaning in enumerate(("not_needed", "not_opened", "broken", "too_many")):
        data = b"\x54" + LANE + bytes((reason,))
        yield good(f"lane_end_ok_{meaning}", "why it ends", data, "LANE_END", lane=7, reason=reason)
    yield bad("lane_end_reason", "no such reason", b"\x54" + LANE + b"\x04", "bad-number")
    yield from lengths("lane_end", b"\x54" + LANE + b"\x00")
    yield bad("received_on_the_link", "it belongs on a lane", b"\x55" + bytes(8), "out-of-turn")
