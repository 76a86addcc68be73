"""Recognising contacts on the local network, and nobody else (spec/lan.md): keys, tags, the TXT record.

Whoever lacks the keys of a pair sees random bytes that change every quarter of an hour.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from p4.core import limits
from p4.core.identity import Identity, PeerId, peer_id_of
from p4.core.sealing import x25519_private_key, x25519_public_key
from p4.errors import SignalingError

__all__ = [
    "LanInterface",
    "Recognition",
    "announced_tags",
    "chosen_contacts",
    "decode_txt",
    "encode_txt",
    "filling_key",
    "is_local_address",
    "lan_tag",
    "meeting_filling_key",
    "meeting_tag",
    "meeting_tags_around",
    "pair_key",
    "period_of",
    "reachable_addresses",
]

_PAIR_LABEL: Final = b"P4 lan pair 1\0"
_TAG_LABEL: Final = b"P4 lan tag 1\0"
_FILLING_LABEL: Final = b"P4 lan filling 1\0"
_MEETING_LABEL: Final = b"P4 lan meeting 1\0"
_LOCAL_NETWORKS: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "198.18.0.0/15"),
        *("fc00::/7", "fe80::/10"),
    )
)

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface


# --- keys and tags --------------------------------------------------------------------------------------


def pair_key(identity: Identity, public_key: bytes) -> bytes:
    """Our key with a contact, 32 bytes; it computes the same from its side, and nobody else can.

    Args:
        public_key: the contact's raw Ed25519 key, which was checked when it became a contact.

    Raises:
        ValueError: the key has no X25519 form.
    """
    own = X25519PrivateKey.from_private_bytes(x25519_private_key(identity.seed))
    secret = own.exchange(X25519PublicKey.from_public_bytes(x25519_public_key(public_key, known=True)))
    ends = sorted((peer_id_of(key).encode(), key) for key in (identity.public_key, public_key))
    info = _PAIR_LABEL + b"".join(peer_id + key for peer_id, key in ends)
    return HKDF(SHA256(), 32, None, info).derive(secret)


def period_of(wall_ms: int) -> int:
    """The number of the period that a moment is in. ``wall_ms``: Unix time in milliseconds."""
    return max(0, wall_ms // (limits.LAN_PERIOD_SECONDS * 1000))


def lan_tag(key: bytes, period: int, sender: PeerId) -> bytes:
    """By what a contact recognises ``sender`` in a period: ``limits.LAN_TAG_BYTES`` bytes."""
    message = _TAG_LABEL + period.to_bytes(8, "big") + sender.encode()
    return hmac.digest(key, message, "sha256")[: limits.LAN_TAG_BYTES]


def filling_key(identity: Identity) -> bytes:
    """Makes what announcements are filled up with: ours alone, and the same after a restart."""
    return meeting_filling_key(identity.seed)


def meeting_tag(seed: bytes, period: int) -> bytes:
    """By what visitors recognise a meeting place in a period (spec/lan.md, Meeting places).

    Args:
        seed: of the place, 32 bytes.
    """
    return hmac.digest(seed, _MEETING_LABEL + period.to_bytes(8, "big"), "sha256")[: limits.LAN_TAG_BYTES]


def meeting_tags_around(seed: bytes, period: int) -> frozenset[bytes]:
    """The tags of a meeting place that a visitor takes in a period."""
    return frozenset(meeting_tag(seed, number) for number in _around(period))


def meeting_filling_key(seed: bytes) -> bytes:
    """The same as `filling_key` for the announcement of a meeting place."""
    return HKDF(SHA256(), 32, None, _FILLING_LABEL).derive(seed)


# --- our announcement -----------------------------------------------------------------------------------


def chosen_contacts(contacts: Sequence[PeerId], period: int) -> list[PeerId]:
    """To whom we announce ourselves in a period, at most ``limits.LAN_TAGS``.

    Args:
        contacts: those that may know our addresses, the one we were connected with last first.
    """
    if len(contacts) <= limits.LAN_TAGS:
        return list(contacts)
    always = limits.LAN_TAGS - limits.LAN_TURN_TAGS
    # In an order of their own: who was connected when must not decide whose turn never comes.
    others = sorted(contacts[always:])
    first = period * limits.LAN_TURN_TAGS % len(others)
    turn = (others + others)[first : first + limits.LAN_TURN_TAGS]
    return [*contacts[:always], *turn[: len(others)]]


def announced_tags(tags: Iterable[bytes], filling: bytes, period: int) -> tuple[bytes, ...]:
    """Tags as they are announced: filled up and in an order that says nothing.

    Args:
        tags: at most ``limits.LAN_TAGS``.
        filling: from `filling_key`.

    Returns:
        16, 32, … ``limits.LAN_TAGS`` different ones.
    """
    chosen = set(tags)
    size = max(1, -(-len(chosen) // limits.LAN_TAG_STEP)) * limits.LAN_TAG_STEP
    counter = 0
    while len(chosen) < size:
        message = period.to_bytes(8, "big") + counter.to_bytes(2, "big")
        chosen.add(hmac.digest(filling, message, hashlib.sha256)[: limits.LAN_TAG_BYTES])
        counter += 1
    return tuple(sorted(chosen))


def encode_txt(tags: Sequence[bytes]) -> bytes:
    """The data of the TXT record for these tags."""
    step = limits.LAN_TAG_STEP
    groups = [b"".join(tags[first : first + step]) for first in range(0, len(tags), step)]
    strings = [b"v=1", *(b"t%d=" % number + group for number, group in enumerate(groups))]
    return b"".join(bytes([len(string)]) + string for string in strings)


def decode_txt(data: bytes) -> tuple[bytes, ...]:
    """The tags of a TXT record.

    Raises:
        SignalingError: ``bad-txt``, ``bad-version`` or ``bad-tags``; it is not what spec/lan.md allows.
    """
    values = _txt_values(data)
    if values.get(b"v") != b"1":
        raise SignalingError("An announcement has another version.", code="bad-version")
    tags: list[bytes] = []
    number, size = 0, limits.LAN_TAG_BYTES
    while (group := values.get(b"t%d" % number)) is not None:
        if not group or len(group) % size:
            raise SignalingError("The tags of an announcement have the wrong length.", code="bad-tags")
        tags += [group[first : first + size] for first in range(0, len(group), size)]
        number += 1
    if not 1 <= len(tags) <= limits.LAN_TAGS:
        raise SignalingError("An announcement has no tags, or too many.", code="bad-tags")
    return tuple(tags)


def _txt_values(data: bytes) -> dict[bytes, bytes]:
    """Keys in lower case and values (RFC 6763 section 6); of a repeated key the first counts."""
    values: dict[bytes, bytes] = {}
    position = 0
    while position < len(data):
        end = position + 1 + data[position]
        if end > len(data):
            break
        key, _, value = data[position + 1 : end].partition(b"=")
        values.setdefault(key.lower(), value)
        position = end
    if not data or position != len(data):
        raise SignalingError("An announcement is not made of whole strings.", code="bad-txt")
    return values


# --- recognising others ---------------------------------------------------------------------------------


class Recognition:
    """The tags by which our contacts show themselves around now: a table, so that looking is cheap.

    Args:
        period: the present one.
    """

    def __init__(self, period: int) -> None:
        self._keys: dict[PeerId, bytes] = {}
        self._tables: dict[int, dict[bytes, PeerId]] = {number: {} for number in _around(period)}

    def __contains__(self, peer_id: PeerId) -> bool:
        return peer_id in self._keys

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[PeerId]:
        return iter(list(self._keys))

    def key_with(self, peer_id: PeerId) -> bytes | None:
        """The `pair_key` with a contact that was added."""
        return self._keys.get(peer_id)

    def add(self, peer_id: PeerId, key: bytes) -> None:
        """Recognise a contact from now on. ``key``: from `pair_key`."""
        self._keys[peer_id] = key
        for period, table in self._tables.items():
            table[lan_tag(key, period, peer_id)] = peer_id

    def remove(self, peer_id: PeerId) -> None:
        """Do not recognise it any more."""
        if key := self._keys.pop(peer_id, None):
            for period, table in self._tables.items():
                table.pop(lan_tag(key, period, peer_id), None)

    def advance(self, period: int) -> None:
        """Another period is the present one; the clock may also have gone back."""
        tables = self._tables
        self._tables = {}
        for number in _around(period):
            self._tables[number] = tables.get(number) or {
                lan_tag(key, number, peer_id): peer_id for peer_id, key in self._keys.items()
            }

    def whose(self, tag: bytes) -> PeerId | None:
        """The contact that shows itself by this tag around now."""
        for table in self._tables.values():
            if (peer_id := table.get(tag)) is not None:
                return peer_id
        return None

    def recognise(self, tags: Iterable[bytes]) -> PeerId | None:
        """Whose announcement has these tags; None for a stranger's, and for one with several contacts'."""
        found = {peer_id for tag in tags if (peer_id := self.whose(tag)) is not None}
        return found.pop() if len(found) == 1 else None


def _around(period: int) -> range:
    return range(max(0, period - limits.LAN_PERIODS_AROUND), period + limits.LAN_PERIODS_AROUND + 1)


# --- addresses ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LanInterface:
    """A network interface of this machine.

    Args:
        index: its number, by which IPv6 names it.
        addresses: with the networks around them.
    """

    index: int
    addresses: tuple[Interface, ...]

    @property
    def local_addresses(self) -> tuple[Interface, ...]:
        """Those to announce: none where it leads to the internet or to a carrier."""
        local = tuple(address for address in self.addresses if is_local_address(address.ip))
        has_ipv4 = any(address.version == 4 for address in self.addresses)
        if has_ipv4 and not any(address.version == 4 for address in local):
            return ()
        return local


def is_local_address(address: Address) -> bool:
    """Whether only a local network has it (spec/lan.md, Addresses)."""
    return any(address.version == network.version and address in network for network in _LOCAL_NETWORKS)


def reachable_addresses(announced: Iterable[str], own: Iterable[LanInterface]) -> tuple[str, ...]:
    """What is worth dialling of the addresses in an announcement: on a local network that we are on.

    Args:
        announced: texts; a link-local IPv6 address with ``%`` and the number or name of its interface.

    Returns:
        At most ``limits.LAN_ADDRESSES``, each once; link-local ones last, since they need more luck.
    """
    networks = [address.network for interface in own for address in interface.local_addresses]
    usable: dict[str, bool] = {}
    for text in announced:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            continue
        scope = address.scope_id if isinstance(address, ipaddress.IPv6Address) else None
        plain = ipaddress.ip_address(text.partition("%")[0])
        here = any(plain.version == network.version and plain in network for network in networks)
        if here and is_local_address(plain) and (scope is not None) == _needs_scope(plain):
            usable[str(address)] = plain.is_link_local
    return tuple(sorted(usable, key=usable.__getitem__)[: limits.LAN_ADDRESSES])


def _needs_scope(address: Address) -> bool:
    return address.version == 6 and address.is_link_local
