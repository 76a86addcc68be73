"""What tests on a local network share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from tests.adapters.lan.local_network import LocalNetwork


@pytest.fixture
def lan() -> Iterator[LocalNetwork]:
    """A network of its own; skips where there are no namespaces."""
    with ExitStack() as held:
        yield LocalNetwork(held)
