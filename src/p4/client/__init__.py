"""The daemon's client for programs in Python.

async with p4.client.connect() as me:
    await me.contact("laptop").send("hi")
"""

from p4.client.client import Client, DaemonEvent, connect
from p4.client.connection import FEED_OPENED
from p4.client.contact import Contact
from p4.client.datagrams import Datagram, Datagrams
from p4.client.messages import Message, MessageSubscription, Receipt
from p4.client.records import (
    ContactName,
    ContactStatus,
    DeviceIdentity,
    DeviceStatus,
    TokenRecord,
    WebLogin,
)
from p4.client.serving import IncomingCall
from p4.client.streams import Stream
from p4.client.values import quoted

__all__ = [
    "FEED_OPENED",
    "Client",
    "Contact",
    "ContactName",
    "ContactStatus",
    "DaemonEvent",
    "Datagram",
    "Datagrams",
    "DeviceIdentity",
    "DeviceStatus",
    "IncomingCall",
    "Message",
    "MessageSubscription",
    "Receipt",
    "Stream",
    "TokenRecord",
    "WebLogin",
    "connect",
    "quoted",
]
