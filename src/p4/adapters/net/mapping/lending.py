"""Ports that a router maps for a while, beside those that it maps for good."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from ipaddress import ip_address

from p4.core.session.lane_frames import LaneAddress
from p4.ports.mapping import LocalPort, Mapping, PortMapper, PortProtocol

__all__ = ["LendingPortMapper"]


class LendingPortMapper:
    """Implements `p4.ports.mapping.PortMapper` by another one, whose router then maps further ports as well.

    What is lent shows in `mappings`, too: whoever wants its own ports looks for them.
    """

    def __init__(self, mapper: PortMapper) -> None:
        self._mapper = mapper
        self._own: frozenset[LocalPort] = frozenset()
        self._lent: set[LocalPort] = set()
        self._observe: Callable[[frozenset[Mapping]], None] = lambda mappings: None
        self._changed = asyncio.Event()

    async def lend(self, inner: LaneAddress) -> LaneAddress | None:
        """Have a TCP port of ours mapped until `give_back`; cancelled, it is given back.

        Returns:
            What leads to it; None where no router has mapped anything so far: then nobody need wait for one.
        """
        if not self._mapper.mappings:
            return None
        self._lent.add(_local(inner))
        self._want()
        try:
            while (outer := self._outer(inner)) is None:
                self._changed.clear()
                await self._changed.wait()
        except BaseException:
            self.give_back(inner)
            raise
        return outer

    def give_back(self, inner: LaneAddress) -> None:
        """What was lent is needed no more."""
        self._lent.discard(_local(inner))
        self._want()

    async def start(self, ports: Iterable[LocalPort], observe: Callable[[frozenset[Mapping]], None]) -> None:
        """See `PortMapper.start`."""
        self._own, self._observe = frozenset(ports), observe
        await self._mapper.start(self._own | self._lent, self._heard)

    def want(self, ports: Iterable[LocalPort]) -> None:
        """See `PortMapper.want`."""
        self._own = frozenset(ports)
        self._want()

    @property
    def mappings(self) -> frozenset[Mapping]:
        """See `PortMapper.mappings`."""
        return self._mapper.mappings

    @property
    def detail(self) -> str:
        """See `PortMapper.detail`."""
        return self._mapper.detail

    def network_changed(self) -> None:
        """See `PortMapper.network_changed`."""
        self._mapper.network_changed()

    async def close(self) -> None:
        """See `PortMapper.close`."""
        await self._mapper.close()

    def _outer(self, inner: LaneAddress) -> LaneAddress | None:
        for mapping in self._mapper.mappings:
            here = (mapping.internal_port, mapping.local_address) == (inner.port, str(inner.ip))
            if here and mapping.external_host is not None:
                return LaneAddress(ip_address(mapping.external_host), mapping.external_port)
        return None

    def _want(self) -> None:
        self._mapper.want(self._own | self._lent)

    def _heard(self, mappings: frozenset[Mapping]) -> None:
        self._changed.set()
        self._observe(mappings)


def _local(inner: LaneAddress) -> LocalPort:
    return LocalPort(PortProtocol.TCP, inner.port)
