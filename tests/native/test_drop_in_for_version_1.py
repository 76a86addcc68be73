"""Our native library in place of version 1's, under version 1's published Python package.

The library must have been built by ``make native``; these tests do not build it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import test_oracle as oracle
from tests.test_vectors import load

from p4.core import envelope
from p4.core.canonical import canonical_bytes, parse_object
from p4.core.identity import encode_key
from p4.core.limits import SAFE_INTEGER
from p4.errors import RemoteError

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
NAMES = {"win32": "p4_core.dll", "darwin": "libp4_core.dylib"}
LIBRARY = (
    Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "native" / "target")
    / "release"
    / NAMES.get(sys.platform, "libp4_core.so")
)
README_EXAMPLE = """
from p4_core import P4Core
core = P4Core()
alice, bob = core.generate_identity(), core.generate_identity()
signed = core.sign_envelope(
    private_key_b64=alice["private_key_b64"], sender_peer_id=alice["peer_id"],
    recipient_peer_id=bob["peer_id"], payload={"type": "hello", "text": "hi"}, nonce="n1",
)
core.verify_envelope(signed, signer_public_key_b64=alice["public_key_b64"])
print(core._lib._name)
"""

FREEDOMS = {
    "envelope/wrong_recipient.json": "the interface does not tell who is asking",
    "envelope/too_long.json": "the length of lines is the caller's",
    "envelope/nonce_long.json": "any nonce, since version 1's programs choose them",
    "envelope/nonce_short.json": "any nonce",
    "envelope/nonce_upper_case.json": "any nonce",
    "envelope/recipient_newline.json": "any recipient",
    "envelope/recipient_short.json": "any recipient",
    "envelope/recipient_upper_case.json": "any recipient",
}
"""What stays as loose as in version 1, for programs written against it; each must really be."""


@pytest.fixture(autouse=True)
def native_core(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The published package on our library, also for the judges of the oracle's tests."""
    if not LIBRARY.exists():
        pytest.skip(f"{LIBRARY.name} is not built; `make native` builds it, with the Rust toolchain")
    monkeypatch.setenv("P4_CORE_LIB", str(LIBRARY))
    core = oracle.p4_core.P4Core()
    assert core._lib._name == str(LIBRARY)
    monkeypatch.setattr(oracle, "CORE", core)
    return core


@pytest.mark.parametrize("path", oracle.JUDGED)
def test_it_judges_every_vector_as_we_do(path: str) -> None:
    vector = load(path)
    agrees = oracle.JUDGES[vector["kind"]](vector)
    if agrees is not None:
        assert agrees is (path not in FREEDOMS)


def test_the_freedoms_are_marked_in_the_vectors_too() -> None:
    assert set(FREEDOMS) <= {path for path in oracle.JUDGED if "v1_looser" in load(path)}


@pytest.mark.parametrize(
    "oracles_own",
    [
        oracle.test_it_judges_most_of_what_it_could,
        oracle.test_version_1_verifies_what_we_seal,
        oracle.test_we_verify_what_version_1_seals,
    ],
)
def test_the_oracles_own_tests(oracles_own: Callable[[], None]) -> None:
    oracles_own()


def test_the_example_of_the_published_package_runs() -> None:
    environment = {**os.environ, "P4_CORE_LIB": str(LIBRARY)}
    ran = subprocess.run(
        [sys.executable, "-c", README_EXAMPLE], env=environment, capture_output=True, text=True, check=True
    )
    assert ran.stdout.strip() == str(LIBRARY)


def test_errors_have_a_code_and_are_gone_after_success(native_core: Any) -> None:
    with pytest.raises(oracle.p4_core.P4CoreError, match=r"^bad-key: "):
        native_core.peer_id_from_public_key_b64("?")
    native_core.generate_identity()
    assert native_core.last_error() == ""


TEXTS = st.text(max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-SAFE_INTEGER, SAFE_INTEGER)
    | st.floats(-SAFE_INTEGER, SAFE_INTEGER)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
SHARED = settings(
    max_examples=1000, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)


@SHARED
@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_both_cores_seal_the_same_bytes(payload: dict[str, object]) -> None:
    text = canonical_bytes(payload)
    ours = envelope.seal(oracle.SIGNER, oracle.RECIPIENT.peer_id, payload, timestamp_ms=1, nonce=bytes(16))
    assert (
        native_seal(text.replace(b'":', b'" : ').replace(b"\0", b"")) is not None
    )  # other white space is fine
    assert native_seal(text) == ours


PIECES = st.sampled_from(
    [
        *('{"a":', '{"b":', "{}", "[]", "[", "]", "}", ",", ":", " ", '"', '"a":1', '"b":2', "null", "true"),
        *("\\", "\\ud83d", "\\ude00", "\\u0000", "\\x", '"\\ud83d\\ude00"', "é", "\ufb33"),
        *("1", "-1", "-0", "01", "1.", ".5", "1e5", "1E-7", "1e400", "2.5", "NaN", "-Infinity"),
        *("9007199254740991", "9007199254740992", "9007199254740991.5"),
    ]
)


@SHARED
@given(st.lists(PIECES, max_size=12).map("".join), st.booleans())
def test_both_cores_refuse_the_same_texts(middle: str, whole: bool) -> None:
    text = (middle if whole else f'{{"a":[{middle}]}}').encode()
    try:
        ours: bytes | None = canonical_bytes(parse_object(text))
    except RemoteError:
        ours = None
    theirs = native_seal(text)
    assert (theirs is None) == (ours is None)
    if theirs is not None and ours is not None:
        assert b'"payload":' + ours + b',"protocol_version"' in theirs


def native_seal(payload: bytes) -> bytes | None:
    """The whole envelope, as the library writes it; None if it refuses the payload."""
    core = oracle.CORE
    pointer = core._lib.p4_sign_envelope_json(
        encode_key(oracle.SIGNER.seed).encode(),
        oracle.SIGNER.peer_id.encode(),
        oracle.RECIPIENT.peer_id.encode(),
        payload,
        1,
        oracle.NONCE.encode(),
    )
    return core._take_string(pointer).encode() if pointer else None
