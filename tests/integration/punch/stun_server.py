"""A STUN server that says what it sees, on port 3478 of all addresses. Ends when it is killed."""

from __future__ import annotations

import socket

from tests.adapters.net.stun.server import COOKIE, answer_bytes, attribute, packed_address


def main() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as served:
        served.bind(("0.0.0.0", 3478))  # noqa: S104 - in a network of its own
        print("ready", flush=True)
        while True:
            data, client = served.recvfrom(2048)
            if data[:2] == b"\0\1" and len(data) >= 20:
                seen = attribute(0x0020, packed_address(client, COOKIE + data[8:20]))
                served.sendto(answer_bytes(data[8:20], seen), client)


if __name__ == "__main__":
    main()
