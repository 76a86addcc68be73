"""What the scripts share: the shape of a vector, and three fixed identities."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NOW_MS = 1_700_000_000_000
DAY_MS = 24 * 60 * 60 * 1000
SHOWN_BYTES = 256


@dataclass(frozen=True)
class Vector:
    """One file of vectors/. The keys are described in vectors/README.md."""

    kind: str
    name: str
    comment: str
    operation: str
    input: dict[str, Any]
    layer: str
    code: str = "ok"
    value: Any = None
    v1_deviates: str = ""
    v1_looser: str = ""

    @property
    def path(self) -> str:
        return f"{self.kind}/{self.name}.json"

    def to_text(self) -> str:
        expect: dict[str, Any] = {"layer": self.layer, "code": self.code}
        if self.code == "ok":
            expect["value"] = self.value
        content: dict[str, Any] = {
            "kind": self.kind,
            "operation": self.operation,
            "comment": self.comment,
            "input": self.input,
            "expect": expect,
        }
        if self.v1_deviates:
            content["v1_deviates"] = self.v1_deviates
        if self.v1_looser:
            content["v1_looser"] = self.v1_looser
        return json.dumps(content, indent=2) + "\n"


@dataclass(frozen=True)
class Person:
    """An identity from a fixed seed."""

    seed: bytes

    @property
    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)

    @property
    def public_key(self) -> bytes:
        return self._key.public_key().public_bytes_raw()

    @property
    def public_key_b64(self) -> str:
        return b64(self.public_key)

    @property
    def peer_id(self) -> str:
        return id_of(self.public_key)

    def sign(self, message: bytes) -> str:
        return b64(self._key.sign(message))


ALICE = Person(bytes(range(32)))
BOB = Person(bytes(range(32, 64)))
CAROL = Person(bytes(range(64, 96)))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def id_of(public_key: bytes) -> str:
    return hashlib.sha256(public_key).hexdigest()[:24]


def canonical(value: Any) -> bytes:
    """RFC 8785 for what the vectors sign: no floats, and keys whose code point order is UTF-16 order."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def text(content: str) -> dict[str, str]:
    return {"text": content}


def raw(content: bytes, zeros: int = 0) -> dict[str, Any]:
    """Bytes, and how many zero bytes follow them."""
    return {"hex": content.hex(), **({"zeros": zeros} if zeros else {})}


def shown(value: Any, zeros: int = 0) -> Any:
    """A field of a frame as it stands in a vector: bytes in hex, or as their digest when they are many."""
    if isinstance(value, list):
        return [shown(item) for item in value]
    if not isinstance(value, bytes):
        return value
    content = value + bytes(zeros)
    if len(content) <= SHOWN_BYTES:
        return {"hex": content.hex()}
    return {"length": len(content), "sha256_hex": hashlib.sha256(content).hexdigest()}
