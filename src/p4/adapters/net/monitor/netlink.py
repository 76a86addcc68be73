"""The little of rtnetlink that says which addresses and default routes there are: bytes in, values out.

Layouts: netlink(7), rtnetlink(7) and linux/rtnetlink.h, if_addr.h, if_link.h. Numbers are in the
machine's own byte order. Whatever is cut short or unknown is skipped: the kernel may add fields.
"""

from __future__ import annotations

import ipaddress
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass

from p4.adapters.net.monitor.snapshot import Route, Snapshot, usable_address

__all__ = ["CHANGE_GROUPS", "Dump", "NetlinkMessage", "dump_request", "messages", "snapshot_of"]

CHANGE_GROUPS = 0x1 | 0x10 | 0x40 | 0x100 | 0x400
"""RTMGRP_LINK, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR, _IPV6_ROUTE: what is announced to us."""

_DONE, _ERROR = 3, 2
_GET = {"link": 18, "address": 22, "route": 26}
_NEW_LINK, _NEW_ADDRESS, _NEW_ROUTE = 16, 20, 24
_REQUEST_DUMP = 0x1 | 0x300
_INTERRUPTED = 0x10  # NLM_F_DUMP_INTR: something changed while it was listed

_HEADER = struct.Struct("=IHHII")  # length, type, flags, sequence, port
_ATTRIBUTE = struct.Struct("=HH")  # length, type
_LINK = struct.Struct("=BxHiII")  # family, type, index, flags, change
_ADDRESS = struct.Struct("=BBBBI")  # family, prefix length, flags, scope, index
_ROUTE = struct.Struct("=BBBBBBBBI")  # family, dst, src, tos, table, protocol, scope, type, flags
_NEXT_HOP = struct.Struct("=HBBi")  # length, flags, hops, interface
_NUMBER = struct.Struct("=I")

_RUNNING = 0x40  # IFF_RUNNING: up, and the carrier is there
_TENTATIVE, _DAD_FAILED = 0x40, 0x08  # IFA_F_*: not (yet) ours: duplicate address detection
_DEAD = 0x1 | 0x10  # RTNH_F_DEAD, RTNH_F_LINKDOWN
_CLONED = 0x200  # RTM_F_CLONED: a cached result, no route
_UNICAST = 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8
_RTA_INTERFACE, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_MULTIPATH, _RTA_TABLE, _RTA_VIA = 4, 5, 6, 9, 15, 18
_TYPE_BITS = 0x3FFF  # the upper two bits of an attribute's type are flags


@dataclass(frozen=True, slots=True)
class NetlinkMessage:
    """One message without its header."""

    kind: int
    flags: int
    sequence: int
    body: bytes


class Dump:
    """The answer to one request, which comes in several datagrams.

    Args:
        sequence: the number of the request; answers to others are left out.
    """

    def __init__(self, sequence: int) -> None:
        self._sequence = sequence
        self.collected: list[NetlinkMessage] = []
        self.complete = False
        self.consistent = True
        self.error = 0
        """errno of a refusal, 0 for none."""

    def take(self, datagram: bytes) -> None:
        """Take one datagram."""
        for message in messages(datagram):
            if message.sequence != self._sequence:
                continue
            if message.flags & _INTERRUPTED:
                self.consistent = False
            if message.kind == _DONE:
                self.complete = True
            elif message.kind == _ERROR:
                self.complete = True
                self.error = -int.from_bytes(message.body[:4], sys.byteorder, signed=True)
            else:
                self.collected.append(message)


def dump_request(what: str, sequence: int) -> bytes:
    """The request for all entries of ``what``: ``link``, ``address`` or ``route``."""
    # struct rtmsg is the longest of the three fixed parts that begin with the family; 0 is any.
    body = bytes(_ROUTE.size if what == "route" else _LINK.size if what == "link" else _ADDRESS.size)
    return _HEADER.pack(_HEADER.size + len(body), _GET[what], _REQUEST_DUMP, sequence, 0) + body


def messages(datagram: bytes) -> Iterator[NetlinkMessage]:
    """The messages in a datagram; stops at the first that cannot be."""
    at = 0
    while at + _HEADER.size <= len(datagram):
        length, kind, flags, sequence, _port = _HEADER.unpack_from(datagram, at)
        if length < _HEADER.size or at + length > len(datagram):
            return
        yield NetlinkMessage(kind, flags, sequence, datagram[at + _HEADER.size : at + length])
        at += _aligned(length)


def snapshot_of(listed: list[NetlinkMessage]) -> Snapshot:
    """The usable addresses and default routes among links, addresses and routes that were dumped."""
    running = {index for index, flags in _links(listed) if flags & _RUNNING}
    addresses = frozenset(
        address for index, address in _addresses(listed) if index in running and address is not None
    )
    routes = frozenset(
        route for message in listed if message.kind == _NEW_ROUTE for route in _default_routes(message.body)
    )
    return Snapshot(addresses, frozenset(route for route in routes if route.interface in running))


def _links(listed: list[NetlinkMessage]) -> Iterator[tuple[int, int]]:
    for message in listed:
        if message.kind == _NEW_LINK and len(message.body) >= _LINK.size:
            _family, _type, index, flags, _change = _LINK.unpack_from(message.body)
            yield index, flags


def _addresses(listed: list[NetlinkMessage]) -> Iterator[tuple[int, str | None]]:
    for message in listed:
        if message.kind != _NEW_ADDRESS or len(message.body) < _ADDRESS.size:
            continue
        _family, _prefix, flags, _scope, index = _ADDRESS.unpack_from(message.body)
        attributes = _attributes(message.body, _ADDRESS.size)
        flags |= _number(attributes.get(_IFA_FLAGS))
        # On a point-to-point link IFA_ADDRESS is the other end; IPv6 mostly sends that attribute alone.
        raw = attributes.get(_IFA_LOCAL, attributes.get(_IFA_ADDRESS, b""))
        if flags & (_TENTATIVE | _DAD_FAILED) or len(raw) not in (4, 16):
            continue
        yield index, usable_address(str(ipaddress.ip_address(raw)))


def _default_routes(body: bytes) -> Iterator[Route]:
    if len(body) < _ROUTE.size:
        return
    _family, dst_length, _src, _tos, table, _protocol, _scope, kind, flags = _ROUTE.unpack_from(body)
    if dst_length or kind != _UNICAST or flags & (_DEAD | _CLONED):
        return
    attributes = _attributes(body, _ROUTE.size)
    table = _number(attributes.get(_RTA_TABLE)) or table
    priority = _number(attributes.get(_RTA_PRIORITY))
    hops = attributes.get(_RTA_MULTIPATH)
    if hops is None:
        yield Route(_gateway(attributes), _number(attributes.get(_RTA_INTERFACE)), priority, table)
        return
    at = 0
    while at + _NEXT_HOP.size <= len(hops):
        length, hop_flags, _weight, interface = _NEXT_HOP.unpack_from(hops, at)
        if length < _NEXT_HOP.size or at + length > len(hops):
            return
        if not hop_flags & _DEAD:
            nested = _attributes(hops[at : at + length], _NEXT_HOP.size)
            yield Route(_gateway(nested), interface, priority, table)
        at += _aligned(length)


def _gateway(attributes: dict[int, bytes]) -> bytes:
    # RTA_VIA is a router of the other family: its family in two bytes, then its address.
    return attributes.get(_RTA_GATEWAY) or attributes.get(_RTA_VIA, b"")[2:]


def _attributes(body: bytes, at: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if length < _ATTRIBUTE.size or at + length > len(body):
            break
        found[kind & _TYPE_BITS] = body[at + _ATTRIBUTE.size : at + length]
        at += _aligned(length)
    return found


def _number(raw: bytes | None) -> int:
    return _NUMBER.unpack(raw)[0] if raw is not None and len(raw) == _NUMBER.size else 0


def _aligned(length: int) -> int:
    return (length + 3) & ~3
