"""The daemon's client for programs in Python.

async with p4.client.connect() as me:
    await me.contact("laptop").send("hi")
"""

from p4.client.client import Client, DaemonEvent, connect

__all__ = ["Client", "DaemonEvent", "connect"]
