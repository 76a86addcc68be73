"""Keys and addresses that everybody computes from one seed."""

from __future__ import annotations

import base64
import hashlib

from p4.adapters.store.onion_key import parse_blob, parse_service_id, service_id_belongs
from p4.adapters.tor.onion_seed import onion_address, onion_key_blob

SEED = hashlib.sha256(b"a meeting").digest()


def test_the_blob_is_the_expanded_key_of_the_address() -> None:
    address = onion_address(SEED)
    assert parse_service_id(address.host) == address.host.removesuffix(".onion")
    assert service_id_belongs(address.host.removesuffix(".onion"), parse_blob(onion_key_blob(SEED)))
    other = onion_address(hashlib.sha256(b"another").digest())
    assert not service_id_belongs(other.host.removesuffix(".onion"), onion_key_blob(SEED))


def test_it_is_what_rfc_8032_expands() -> None:
    """Section 7.1, test 1: the public key is in the address."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    assert base64.b32decode(onion_address(seed).host[:56].upper())[:32].hex() == public
    scalar = base64.b64decode(onion_key_blob(seed))[:32]
    assert scalar[0] & 0b111 == 0
    assert scalar[31] >> 6 == 0b01
