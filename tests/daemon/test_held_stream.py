"""What a program's next connection is given of a stream."""

from __future__ import annotations

from typing import cast

import pytest

from p4.core import limits
from p4.daemon.held_stream import HeldStream
from p4.errors import InputError
from p4.node.streams import Stream


class Arrived:
    """As much of a stream as it takes: ten bytes have arrived."""

    position = 0
    consume_explicitly = False

    async def read(self) -> bytes:
        return b"0123456789"


async def test_a_connection_cannot_consume_what_only_the_one_before_was_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Else what it is given next would be bytes of another place."""
    held = HeldStream(cast("Stream", Arrived()))
    assert await held.read(0) == b"0123456789"
    held.forget(2)
    monkeypatch.setattr(limits, "LINK_MESSAGE_BYTES", 4)
    assert await held.read(2) == b"2345"
    with pytest.raises(InputError) as refused:
        held.forget(8)
    assert refused.value.code == "bad-offset"
    held.forget(6)
    assert await held.read(6) == b"6789"
    held.forget(10)
    assert held.position == 10
