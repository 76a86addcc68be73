"""Onion rendezvous: how soon it works again after a change of network, and what open streams cost.

    python -m bench.onion [--runs 10] [--streams 0 10 50 200] [--seconds 60]

Over a private Tor network on this machine (`p4.testing.tor_network`): there is no latency, so compare runs
with each other and not with the public network. A change of network is only told to Tor here, not made.

Warm streams: one node dials another so many times, each on circuits of its own, as if to so many contacts,
and says a line on each every 60 s as `limits.WARM_PING_SECONDS` asks. Processor time and memory are of the
dialling side: its Tor, and this process, which here carries the lines of both ends.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import psutil

from p4.adapters.tor.rendezvous import TorRendezvous
from p4.adapters.tor.socks import dial_through_tor
from p4.core import limits
from p4.core.address import RendezvousAddress
from p4.errors import RendezvousError
from p4.ports import SignalStream
from p4.testing.tor_network import PrivateTorNetwork

MIB = 1024 * 1024
DIALS_AT_ONCE = 8


class Place:
    """A rendezvous that echoes lines."""

    def __init__(self, directory: Path, network: PrivateTorNetwork) -> None:
        self._key: tuple[str, str] | None = None
        self.rendezvous = TorRendezvous(
            directory,
            load_key=lambda: self._key,
            save_key=self._save,
            torrc_lines=network.client_torrc_lines,
        )
        self.address: RendezvousAddress

    def _save(self, blob: str, service_id: str) -> None:
        self._key = blob, service_id

    async def start(self) -> None:
        """Until it is reachable."""
        self.address = await self.rendezvous.start(_echo, lambda status: None)
        await self.checked(0.0)

    async def checked(self, since: float) -> None:
        """Wait until a call to itself has arrived after this moment."""
        while (at := self.rendezvous.status.checked_at) is None or at <= since:  # noqa: ASYNC110 - tells nobody
            await asyncio.sleep(0.005)

    def tor(self) -> psutil.Process:
        """Its Tor."""
        pid = self.rendezvous.tor_pid
        assert pid is not None
        return psutil.Process(pid)


async def _echo(stream: SignalStream) -> None:
    while (line := await stream.receive_line()) is not None:
        await stream.send_line(line)


async def until_answered(caller: Place, called: Place) -> float:
    """Dial as the node does, fresh after each failure; seconds until a line came back."""
    begun, fresh = time.monotonic(), False
    while True:
        try:
            stream = await caller.rendezvous.dial(called.address, timeout=20, fresh=fresh)
            try:
                await stream.send_line(b"x")
                if await stream.receive_line() is not None:
                    return time.monotonic() - begun
            finally:
                stream.close()
        except RendezvousError:
            await asyncio.sleep(0.1)
        fresh = True


async def change_network(here: Place, there: Place, runs: int) -> None:
    """Tell one side of a change, as three events within 0.2 s, and see who reaches whom when."""
    samples: dict[str, list[float]] = {
        "own call arrives": [],
        "outgoing dial answered": [],
        "incoming dial answered": [],
    }
    for _ in range(runs):
        await asyncio.sleep(2.0)
        begun = asyncio.get_running_loop().time()

        async def own_call(since: float) -> float:
            await here.checked(since)
            return asyncio.get_running_loop().time() - since

        for pause in (0.1, 0.1, 0.0):
            await here.rendezvous.network_changed()
            await asyncio.sleep(pause)
        told = asyncio.get_running_loop().time() - begun
        own, out, into = await asyncio.gather(
            own_call(begun), until_answered(here, there), until_answered(there, here)
        )
        for name, value in zip(samples, (own, told + out, told + into), strict=True):
            samples[name].append(value)
    for name, values in samples.items():
        values.sort()
        worst = values[min(len(values) - 1, int(0.95 * len(values)))]
        print(
            f"after network_changed(), {name:24} median {statistics.median(values):5.2f} s, "
            f"95 % {worst:5.2f} s, {len(values)} runs",
            flush=True,
        )


async def open_streams(here: Place, there: Place, count: int) -> list[SignalStream]:
    """As many streams as there would be contacts."""
    tor = here.rendezvous._tor  # noqa: SLF001 - only its SOCKS port lets one choose the circuits
    assert tor is not None
    room = asyncio.Semaphore(DIALS_AT_ONCE)

    async def one(number: int) -> SignalStream:
        async with room:
            while True:
                isolation = f"contact {number} {time.monotonic()}"
                try:
                    async with asyncio.timeout(30):
                        return await dial_through_tor(
                            tor.socks,
                            there.address.host,
                            there.address.port,
                            isolation=isolation,
                            description=isolation,
                        )
                except (RendezvousError, TimeoutError):
                    await asyncio.sleep(0.2)

    return list(await asyncio.gather(*(one(number) for number in range(count))))


async def warm_streams(here: Place, there: Place, count: int, seconds: float) -> None:
    """What so many open streams cost."""
    own, tor = psutil.Process(), here.tor()
    before_own, before_tor = own.memory_info().rss, tor.memory_info().rss
    begun = time.monotonic()
    streams = await open_streams(here, there, count)
    opened = time.monotonic() - begun
    processors = own.cpu_times().user + own.cpu_times().system, tor.cpu_times().user + tor.cpu_times().system
    begun = time.monotonic()

    async def keep(number: int, stream: SignalStream) -> int:
        lost = 0
        due = begun + limits.WARM_PING_SECONDS * number / max(1, count)
        while due < begun + seconds:
            await asyncio.sleep(due - time.monotonic())
            await stream.send_line(b"ping")
            lost += await stream.receive_line() is None
            due += limits.WARM_PING_SECONDS
        return lost

    lost = sum(await asyncio.gather(*(keep(number, stream) for number, stream in enumerate(streams))))
    await asyncio.sleep(max(0.0, begun + seconds - time.monotonic()))
    passed = time.monotonic() - begun
    own_used = own.cpu_times().user + own.cpu_times().system - processors[0]
    tor_used = tor.cpu_times().user + tor.cpu_times().system - processors[1]
    print(
        f"{count:4} warm streams: opened in {opened:5.1f} s; "
        f"Tor {100 * tor_used / passed:.2f} % of a processor, "
        f"{(tor.memory_info().rss - before_tor) / MIB:+.1f} MiB to {tor.memory_info().rss / MIB:.0f} MiB; "
        f"this process {100 * own_used / passed:.2f} %, "
        f"{(own.memory_info().rss - before_own) / MIB:+.1f} MiB; {lost} lost",
        flush=True,
    )
    for stream in streams:
        stream.close()


async def main(runs: int, counts: list[int], seconds: float) -> None:
    """Everything, one after the other."""
    async with PrivateTorNetwork() as network, AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="p4-bench-")))
        places = [Place(directory / name, network) for name in ("here", "there")]
        for place in places:
            stack.push_async_callback(place.rendezvous.close)
            await place.start()
        here, there = places
        await change_network(here, there, runs)
        for count in counts:
            await warm_streams(here, there, count, seconds)
            await asyncio.sleep(2.0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=10, help="changes of network")
    parser.add_argument(
        "--streams", type=int, nargs="*", default=[0, 10, 50, 200], help="numbers of warm streams"
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="of watching for each number")
    arguments = parser.parse_args()
    asyncio.run(main(arguments.runs, arguments.streams, arguments.seconds))
