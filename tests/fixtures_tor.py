"""A private Tor network for the whole test run: use the fixture `tor_network`.

It is imported by tests/integration/conftest.py, so every test below tests/integration has it. It starts
when the first test asks for it (some 10 to 15 s).
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from tests.requirements import require_program

from p4.testing.tor_network import PrivateTorNetwork

__all__ = ["tor_network"]


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def tor_network() -> AsyncIterator[PrivateTorNetwork]:
    """One authority and three relays on 127.0.0.1; clients take ``client_torrc_lines``."""
    require_program("tor")
    require_program("tor-gencert")
    async with PrivateTorNetwork() as network:
        yield network
        print(f"private Tor network: {network.usage()}")
