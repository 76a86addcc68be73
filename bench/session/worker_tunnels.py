"""What a worker does with forwarded ports."""

from __future__ import annotations

from bench.session.place import Place
from p4.apps.forward import Endpoint, ForwardApp
from p4.apps.store import AppStore

HERE = "127.0.0.1"


async def start_forwards(place: Place) -> None:
    """Start the app, with what it keeps in memory only."""
    store = AppStore(None)
    await store.open()
    place.forwards = ForwardApp(store)
    await place.forwards.start(place.running)


async def serve_ports(place: Place, names: list[str], port: int) -> None:
    """Offer one port to the contact under several names."""
    assert place.forwards is not None
    for name in names:
        await place.forwards.serve(name, Endpoint(HERE, port), to=(place.peer,))


async def forward_ports(place: Place, names: list[str]) -> list[int]:
    """Listen for what the contact serves under these names; gives the ports."""
    assert place.forwards is not None
    ports = []
    for name in names:
        state = await place.forwards.forward(place.peer, name, Endpoint(HERE, 0))
        assert state.listening is not None
        ports.append(state.listening.port)
    return ports


async def stop_forwards(place: Place) -> None:
    """End the app."""
    assert place.forwards is not None
    await place.forwards.close()


ACTIONS = (start_forwards, serve_ports, forward_ports, stop_forwards)
