"""The identity on disk: v1's JSON form, and the PEM form of still older state."""

from __future__ import annotations

import json
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from p4.core.identity import Identity, decode_key, encode_key

__all__ = ["parse_json", "parse_pem", "to_json"]


def to_json(identity: Identity) -> bytes:
    """The file's contents, as v1 reads them (spec/identity.md)."""
    members = {
        "private_key_b64": encode_key(identity.seed),
        "public_key_b64": encode_key(identity.public_key),
        "peer_id": identity.peer_id,
    }
    return (json.dumps(members, indent=2) + "\n").encode("ascii")


def parse_json(data: bytes) -> Identity:
    """The identity in a file, every member checked against the private key.

    Raises:
        ValueError: unusable; the message fits after "it" and shows nothing of the key.
    """
    if not data.strip(b"\0"):
        raise ValueError("holds nothing" + (" but zeros" if data else ""))
    try:
        members: Any = json.loads(data.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        # From None: the parser's message quotes its input, which is the secret.
        raise ValueError("is not JSON; it may have been cut off") from None
    if not isinstance(members, dict):
        raise ValueError("is not a JSON object")  # noqa: TRY004 - about the file, not about a type of ours
    private_key = members.get("private_key_b64")
    if not isinstance(private_key, str):
        raise ValueError("has no private key in it")  # noqa: TRY004 - as above
    try:
        identity = Identity(decode_key(private_key))
    except ValueError:
        raise ValueError("has a private key that is not 32 bytes in base64") from None
    if members.get("public_key_b64") != encode_key(identity.public_key):
        raise ValueError("names a public key that does not belong to its private key")
    if members.get("peer_id") != identity.peer_id:
        raise ValueError("names a peer id that does not belong to its key")
    return identity


def parse_pem(data: bytes) -> Identity:
    """The identity in an unencrypted PKCS#8 file (RFC 5958, RFC 8410).

    Raises:
        ValueError: unusable; the message fits after "it".
        TypeError: it is encrypted with a passphrase, which P4 never wrote.
    """
    try:
        key = load_pem_private_key(data, password=None)
    except TypeError:
        raise
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("is not a private key in PEM form; it may have been cut off") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("holds a key of another kind than Ed25519")  # noqa: TRY004 - as above
    return Identity(key.private_bytes_raw())
