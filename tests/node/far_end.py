"""A contact whose every frame the test chooses, at the far end of a node's link."""

from __future__ import annotations

import json

from tests.node.harness import ANNOUNCEMENT, HIGHER, LOWER, Puppet, start, until
from tests.sim.simulated_node import SimulatedNode

from p4.core.session.frames import Bundle, Frame, decode, encode
from p4.core.session.session_frames import Grants, Kind, Message, Resume
from p4.core.signaling import Answer, Offer
from p4.ports import ChannelOpened, LinkClosed, LinkMessage
from p4.testing import SimulatedNetwork

__all__ = ["RESUME", "heard", "in_service", "negotiated", "open_channel", "open_link", "over", "text"]

RESUME = Resume(b"e" * 16, 1, bytes(16), 1)


def text(number: int, value: str) -> Message:
    """A message for the service chat."""
    return Message(number, Kind.JSON, 1, 0, "chat", "", json.dumps(value).encode())


async def open_link(network: SimulatedNetwork, *, version_2: bool) -> tuple[SimulatedNode, Puppet]:
    """The contact offered, the node answered, ``chat`` is open; nobody has proved anything."""
    node, contact, _, _ = await negotiated(network, version_2=version_2)
    return node, contact


async def negotiated(
    network: SimulatedNetwork, *, version_2: bool
) -> tuple[SimulatedNode, Puppet, Offer, Answer]:
    node = await start(network, HIGHER, LOWER)
    contact = await Puppet(network, LOWER).start()
    stream = await contact.dial(HIGHER)
    offer = await contact.offer(announcement=ANNOUNCEMENT if version_2 else None)
    await stream.send_line(contact.seal(HIGHER, offer))
    reply = await contact.reply(stream)
    assert isinstance(reply, Answer)
    await contact.link.accept_answer(reply.sdp)
    await until(lambda: ChannelOpened("chat") in contact.link_events)
    return node, contact, offer, reply


async def open_channel(network: SimulatedNetwork) -> tuple[SimulatedNode, Puppet, Offer, Answer]:
    """As `negotiated`, and ``p4`` is open as well."""
    node, contact, offer, answer = await negotiated(network, version_2=True)
    contact.link.open_channel("p4")
    await until(lambda: ChannelOpened("p4") in contact.link_events)
    return node, contact, offer, answer


def over(contact: Puppet) -> bool:
    return any(isinstance(event, LinkClosed) for event in contact.link_events)


def heard(contact: Puppet) -> list[Frame]:
    """Every frame that the node sent, those of bundles one by one."""
    frames: list[Frame] = []
    for event in contact.link_events:
        if isinstance(event, LinkMessage) and isinstance(event.data, bytes):
            frame = decode(event.data)
            inner = [decode(one) for one in frame.frames] if isinstance(frame, Bundle) else [frame]
            frames += [one for one in inner if one is not None]
    return frames


async def in_service(network: SimulatedNetwork) -> tuple[SimulatedNode, Puppet]:
    node, contact, offer, answer = await open_channel(network)
    contact.bind(HIGHER, offer, answer)
    for frame in (RESUME, Grants(("chat",))):
        contact.link.send("p4", encode(frame))
    await until(lambda: node.peers()[0].connected)
    return node, contact
