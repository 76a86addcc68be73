"""How long things take over a private Tor network; run it with

    python -m tests.integration.tor.measure [--count 7]

On loopback there is no network latency: compare runs with each other, not with the public network.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from pathlib import Path

from tests.integration.tor.onion_node import OnionNode

from p4.errors import RendezvousError
from p4.ports import RendezvousPhase
from p4.testing.tor_network import PrivateTorNetwork

Samples = dict[str, list[float]]


async def measure_once(network: PrivateTorNetwork, directory: Path, samples: Samples) -> None:
    lines = network.client_torrc_lines

    def note(name: str, begun: float) -> None:
        samples.setdefault(name, []).append(time.monotonic() - begun)

    begun = time.monotonic()
    stays = OnionNode(directory / "stays", lines)
    await stays.start()
    note("start() returns", begun)
    await stays.reach(RendezvousPhase.READY)
    note("start to READY, new directory", begun)
    guest = OnionNode(directory / "guest", lines)
    await guest.start()
    await guest.reach(RendezvousPhase.READY)
    for name, fresh in (("dial cold", False), ("dial again, same circuit", False), ("dial fresh", True)):
        begun = time.monotonic()
        await guest.ask(stays.address, b"x", fresh=fresh)
        note(name, begun)

    warm = await guest.rendezvous.dial(stays.address, timeout=20)
    for _ in range(5):
        begun = time.monotonic()
        await warm.send_line(b"x")
        await warm.receive_line()
        note("round trip on a warm stream", begun)
    begun = time.monotonic()
    stays.tor().kill()
    await warm.receive_line()
    note("peer's Tor killed: end of the warm stream", begun)
    await stays.rendezvous.close()

    begun = time.monotonic()
    await stays.start()
    await stays.ask(guest.address, b"x")
    note("restart to answer from a peer that stayed", begun)
    await stays.reach(RendezvousPhase.READY)
    note("start to READY, cached directory", begun)
    begun = time.monotonic()
    while True:
        try:
            await guest.ask(stays.address, b"x", fresh=True)
            break
        except RendezvousError:
            await asyncio.sleep(0.2)
    note("survivor redials, peer published anew", begun)
    begun = time.monotonic()
    await guest.rendezvous.close()
    note("close()", begun)
    await stays.rendezvous.close()


async def main(count: int) -> None:
    samples: Samples = {}
    begun = time.monotonic()
    async with PrivateTorNetwork() as network:
        print(f"network up in {time.monotonic() - begun:.1f} s")
        for index in range(count):
            with tempfile.TemporaryDirectory(prefix="p4-measure-") as directory:
                await measure_once(network, Path(directory), samples)
            print(f"run {index + 1} of {count}", flush=True)
        print(network.usage())
    for name, values in samples.items():
        print(
            f"{name:45} median {statistics.median(values):6.3f} s  ({min(values):.3f} to {max(values):.3f})"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=7)
    asyncio.run(main(parser.parse_args().count))
