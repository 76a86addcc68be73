"""A port mapper that a test drives."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from p4.ports.mapping import LocalPort, Mapping, MappingMethod

__all__ = ["SimulatedPortMapper"]


class SimulatedPortMapper:
    """Implements `p4.ports.mapping.PortMapper`: maps nothing until `grant`, and then every wanted port.

    ``changes`` counts the calls of `network_changed`.
    """

    def __init__(self) -> None:
        self.changes = 0
        self.wanted: frozenset[LocalPort] = frozenset()
        self._host: str | None = None
        self._local = ""
        self._offset: int | None = None
        self._observe: Callable[[frozenset[Mapping]], None] | None = None
        self._told: frozenset[Mapping] = frozenset()

    @property
    def mappings(self) -> frozenset[Mapping]:
        """One for each wanted port while they are granted."""
        if self._observe is None or self._offset is None:
            return frozenset()
        return frozenset(
            Mapping(
                port.protocol,
                port.port,
                port.port + self._offset,
                self._host,
                MappingMethod.PCP,
                self._local,
                float("inf"),
            )
            for port in self.wanted
        )

    @property
    def detail(self) -> str:
        """As it would stand on a real machine."""
        return f"{len(self.mappings)} simulated port mapping(s)."

    async def start(self, ports: Iterable[LocalPort], observe: Callable[[frozenset[Mapping]], None]) -> None:
        """From now on ``observe`` is told."""
        self._observe = observe
        self.want(ports)

    def want(self, ports: Iterable[LocalPort]) -> None:
        """These ports from now on."""
        self.wanted = frozenset(ports)
        self._tell()

    def grant(self, host: str | None, *, local_address: str = "192.0.2.1", offset: int = 0) -> None:
        """The router maps from now on; tells the observer before it returns.

        Args:
            host: its external address, None for one that is of no use.
            local_address: where the mappings lead to.
            offset: what is added to a port to get its external port.
        """
        self._host, self._local, self._offset = host, local_address, offset
        self._tell()

    def refuse(self) -> None:
        """The router is gone or maps no more."""
        self._offset = None
        self._tell()

    def network_changed(self) -> None:
        """Counted."""
        self.changes += 1

    async def close(self) -> None:
        """Tells nobody any more, and maps nothing."""
        self._observe = None

    def _tell(self) -> None:
        mappings = self.mappings
        if self._observe is not None and mappings != self._told:
            self._told = mappings
            self._observe(mappings)
