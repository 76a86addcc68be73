"""A stranger on a network. `stranger.py listen` prints packets; `stranger.py flood ADDRESS SECONDS` lies."""

from __future__ import annotations

import os
import secrets
import socket
import struct
import sys
import time

__all__ = ["announcement", "flood", "listen"]

_EVERY_PROTOCOL = 3
_TYPE = b"\x03_p4\x04_tcp\x05local\x00"


def listen() -> None:
    """Print the sender's hardware address and the packet, in hex, of every UDP packet here."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_PROTOCOL)) as ears:
        print("listening", flush=True)
        while True:
            frame = ears.recv(65535)
            is_ipv4 = frame[12:14] == b"\x08\x00" and frame[23] == socket.IPPROTO_UDP
            is_ipv6 = frame[12:14] == b"\x86\xdd" and frame[20] == socket.IPPROTO_UDP
            if is_ipv4 or is_ipv6:
                print(frame[6:12].hex(), frame[14:].hex(), flush=True)


def announcement(number: int) -> bytes:
    """A well-formed announcement of nobody (RFC 1035 section 4)."""
    instance = bytes([24]) + secrets.token_hex(12).encode() + _TYPE
    host = bytes([24]) + secrets.token_hex(12).encode() + b"\x05local\x00"
    txt = b"\x03v=1" + bytes([163]) + b"t0=" + secrets.token_bytes(160)
    address = bytes([192, 168, 77, number % 250 + 1])
    records = [
        _record(_TYPE, 12, instance),
        _record(instance, 33, struct.pack("!HHH", 0, 0, 4433) + host),
        _record(instance, 16, txt),
        _record(host, 1, address),
    ]
    return struct.pack("!HHHHHH", 0, 0x8400, 0, len(records), 0, 0) + b"".join(records)


def _record(name: bytes, kind: int, data: bytes) -> bytes:
    return name + struct.pack("!HHIH", kind, 1, 4500, len(data)) + data


def flood(address: str, seconds: float) -> None:
    """Send noise, broken packets and false announcements from an address of ours, as fast as it goes."""
    end, sent = time.monotonic() + seconds, 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as voice:
        voice.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
        voice.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
        voice.bind((address, 5353))
        while time.monotonic() < end:
            good = announcement(sent)
            for packet in (good, good[: sent % len(good)], good[:12] + os.urandom(sent % 300)):
                voice.sendto(packet, ("224.0.0.251", 5353))
            sent += 3
            time.sleep(0.0005)
    print(sent, flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "listen":
        listen()
    else:
        flood(sys.argv[2], float(sys.argv[3]))
