"""`p4.v1` beside version 1's published Python package: the same calls, the same inputs.

What may differ is listed here, and nothing else may.
"""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.test_vectors import PATHS, content, load

from p4 import v1
from p4.core import v1_envelope
from p4.core.canonical import canonical_bytes
from p4.core.limits import SAFE_INTEGER

published = pytest.importorskip("p4_core", reason="version 1's core has no build for this platform")

OURS, THEIRS = v1.P4Core(), published.P4Core()
BOTH = [pytest.param(OURS, id="ours"), pytest.param(THEIRS, id="published")]
ALICE, BOB = OURS.generate_identity(), OURS.generate_identity()
NOW = 1_700_000_000_000

PROGRAM = """
import sys
from {package} import P4Core, P4CoreError, resolve_onionrelay_binary_path

core = P4Core()
alice, bob = core.generate_identity(), core.generate_identity()
print(sorted(alice), {{type(value).__name__ for value in alice.values()}})
print(core.peer_id_from_public_key_b64(alice["public_key_b64"]) == alice["peer_id"])
signed = core.sign_envelope(
    private_key_b64=alice["private_key_b64"], sender_peer_id=alice["peer_id"],
    recipient_peer_id=bob["peer_id"], nonce="n1",
    payload={{"type": "hello", "text": "h\\u00e9", 7: (1, 2.0)}},
)
print(list(signed), signed["payload"] == {{"type": "hello", "text": "h\\u00e9", "7": [1, 2.0]}})
print(core.verify_envelope(signed, signer_public_key_b64=alice["public_key_b64"]))
signed["payload"]["text"] = "changed"
try:
    core.verify_envelope(signed, alice["public_key_b64"])
except P4CoreError as error:
    print(isinstance(error, RuntimeError), str(error) == core.last_error() != "")
try:
    resolve_onionrelay_binary_path("/no/such/program")
except OSError as error:
    print("no relay")
"""
"""A program of version 1; only the name of the package is left out."""


def outcome(call: Callable[[], Any]) -> Any:
    """What a call returns, or that it refuses."""
    try:
        return call()
    except (v1.P4CoreError, published.P4CoreError):
        return "refused"


def same(one: object, other: object) -> bool:
    """Equal, types included: 1 is neither 1.0 nor True."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def signed_by(core: Any, payload: object, **more: Any) -> Any:
    arguments = {
        "private_key_b64": ALICE["private_key_b64"],
        "sender_peer_id": ALICE["peer_id"],
        "recipient_peer_id": BOB["peer_id"],
        "nonce": "n1",
        "timestamp_ms": NOW,
        **more,
    }
    return core.sign_envelope(payload=payload, **arguments)


def verified_by(core: Any, envelope: object, **more: Any) -> Any:
    key = more.pop("signer_public_key_b64", ALICE["public_key_b64"])
    return core.verify_envelope(envelope, key, **{"now_ms": NOW, **more})


def test_a_program_needs_one_import_changed() -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", PROGRAM.format(package=package)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for package in ("p4_core", "p4.v1")
    ]
    assert said[0] == said[1]
    assert said[0].endswith("True True\nno relay\n")


def test_the_names_and_arguments_are_the_same() -> None:
    assert set(v1.__all__) == set(published.__all__)
    for name, theirs in inspect.getmembers(published.P4Core, inspect.isfunction):
        if name.startswith("_") and name != "__init__":
            continue
        ours = inspect.signature(getattr(v1.P4Core, name)).parameters
        assert [(one.name, one.kind, one.default) for one in ours.values()] == [
            (one.name, one.kind, one.default) for one in inspect.signature(theirs).parameters.values()
        ], name


TEXTS = st.text(max_size=6)
KEYS = st.text(
    st.characters(codec="utf-8", min_codepoint=0x23, max_codepoint=0xFFFF, exclude_characters="\\"),
    max_size=6,
)
"""Those that version 1 sorts as RFC 8785 does: see `test_where_version_1_leaves_the_rfc`."""
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-SAFE_INTEGER, SAFE_INTEGER)
    | st.floats(-SAFE_INTEGER, SAFE_INTEGER)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=10,
)
PAYLOADS = st.dictionaries(KEYS, VALUES, max_size=4)
WORDS = TEXTS.filter(lambda text: "\0" not in text)
"""A C string ends at NUL."""


def agree(payload: object, sender: str = "any", recipient: str = "any", nonce: str = "n") -> bool:
    """Whether both sign to the same envelope."""
    more = {"sender_peer_id": sender, "recipient_peer_id": recipient, "nonce": nonce}
    return same(signed_by(OURS, payload, **more), signed_by(THEIRS, payload, **more))


@settings(max_examples=200, deadline=None)
@given(PAYLOADS, WORDS, WORDS, WORDS)
def test_both_sign_to_the_same_envelope(payload: object, sender: str, recipient: str, nonce: str) -> None:
    assert agree(payload, sender, recipient, nonce)


@pytest.mark.parametrize("keys", [("\ufb33", "\U0001f600"), ("a", "a!"), ("a", "a b"), ("a\n", "aA")])
def test_where_version_1_leaves_the_rfc(keys: tuple[str, str]) -> None:
    """It sorts keys by code point, and as they are written: with their escapes and the quote at their end."""
    assert not agree(dict.fromkeys(keys))
    assert all(agree({key: None}) for key in keys)


@settings(max_examples=50, deadline=None)
@given(PAYLOADS)
def test_each_verifies_what_the_other_signs(payload: object) -> None:
    assert verified_by(OURS, signed_by(THEIRS, payload)) is True
    assert verified_by(THEIRS, signed_by(OURS, payload)) is True


def test_a_field_in_another_place_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong_order(sender: str, recipient: str, payload: object, when: int, nonce: str) -> bytes:
        return canonical_bytes([sender, recipient, payload, when, nonce])

    monkeypatch.setattr(v1_envelope, "_signed_bytes", wrong_order)
    assert not agree({"type": "ping"})


def test_both_know_now_and_a_minute_of_skew() -> None:
    for signer, verifier in ((OURS, THEIRS), (THEIRS, OURS)):
        envelope = signer.sign_envelope(ALICE["private_key_b64"], ALICE["peer_id"], "bob", {}, "n")
        assert verifier.verify_envelope(envelope, ALICE["public_key_b64"]) is True


GOOD = signed_by(OURS, {"type": "ping", "list": [1, 2.5, None]})
CHANGED: list[object] = [
    *({key: value for key, value in GOOD.items() if key != gone} for gone in GOOD),
    *({**GOOD, key: []} for key in GOOD),
    *({**GOOD, key: "other"} for key in GOOD),
    *({**GOOD, "protocol_version": other} for other in (0, 2, True, 1.5)),
    {**GOOD, "timestamp_ms": NOW + 1},
    {**GOOD, "unknown": {"at": "the top"}},
    {**GOOD, "payload": {**GOOD["payload"], "more": 1}},
    {**GOOD, "signature_b64": GOOD["signature_b64"].rstrip("=")},
    {**GOOD, "signature_b64": GOOD["signature_b64"][:-4]},
    {},
    [],
    None,
    "text",
]


@pytest.mark.parametrize("envelope", CHANGED, ids=range(len(CHANGED)))
def test_both_refuse_the_same_envelopes(envelope: object) -> None:
    assert outcome(lambda: verified_by(OURS, envelope)) == outcome(lambda: verified_by(THEIRS, envelope))


@pytest.mark.parametrize("clocks", [(60_000, 60_000), (60_001, 60_000), (-60_001, 60_000), (5, 2**64 - 1)])
def test_both_judge_the_time_alike(clocks: tuple[int, int]) -> None:
    now, skew = NOW + clocks[0], clocks[1]
    ours = outcome(lambda: verified_by(OURS, GOOD, now_ms=now, max_skew_ms=skew))
    assert ours == outcome(lambda: verified_by(THEIRS, GOOD, now_ms=now, max_skew_ms=skew))


FREEDOMS = {
    *("wrong_recipient", "too_long", "nonce_long", "nonce_short", "nonce_upper_case"),
    *("recipient_newline", "recipient_short", "recipient_upper_case"),
}
"""What stays as loose as in version 1, as with the native library in its place."""
SEEN_IN_TEXT_ONLY = {"byte_order_mark", "duplicate_nonce", "duplicate_unknown_key"}
"""Offences that are gone when a program has read the line."""


def is_json(path: str) -> bool:
    """Whether a program could read the line, to pass it on."""
    try:
        json.loads(content(load(path)["input"]["line"]))
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("path", [path for path in PATHS if path.startswith("envelope/") and is_json(path)])
def test_the_vectors_of_envelopes(path: str) -> None:
    vector = load(path)
    given_, expected = vector["input"], vector["expect"]["code"]
    envelope = json.loads(content(given_["line"]))
    judged = outcome(
        lambda: verified_by(
            OURS,
            envelope,
            signer_public_key_b64=given_["public_key_b64"],
            now_ms=given_["now_ms"],
            max_skew_ms=given_["max_skew_ms"],
        )
    )
    good = expected == "ok" or Path(path).stem in FREEDOMS | SEEN_IN_TEXT_ONLY
    assert judged is True if good else judged == "refused"


@pytest.mark.parametrize("path", [path for path in PATHS if path.startswith("identity/key_")])
def test_the_vectors_of_keys(path: str) -> None:
    vector = load(path)
    found = outcome(lambda: OURS.peer_id_from_public_key_b64(vector["input"]["public_key_b64"]))
    assert found == (
        "refused" if vector["expect"]["code"] == "bad-key" else vector["expect"]["value"]["peer_id"]
    )


@pytest.mark.parametrize("core", BOTH)
@pytest.mark.parametrize(
    "call",
    [
        lambda core: signed_by(core, {}, private_key_b64="?"),
        lambda core: signed_by(core, {}, private_key_b64="AAAA"),
        lambda core: signed_by(core, {"x": float("nan")}),
        lambda core: signed_by(core, {"x": float("inf")}),
        lambda core: signed_by(core, {"x": "\ud83d"}),
        lambda core: core.peer_id_from_public_key_b64("?"),
        lambda core: core.peer_id_from_public_key_b64(""),
        lambda core: core.peer_id_from_public_key_b64("AAAA"),
    ],
)
def test_both_refuse_and_say_why_again(core: Any, call: Callable[[Any], object]) -> None:
    with pytest.raises((v1.P4CoreError, published.P4CoreError)) as refused:
        call(core)
    assert isinstance(refused.value, RuntimeError)
    assert core.last_error() == str(refused.value) != ""


@pytest.mark.parametrize("core", BOTH)
def test_wrong_types_are_no_refusals_but_errors_of_the_program(core: Any) -> None:
    with pytest.raises(TypeError):
        signed_by(core, {"x": object()})
    with pytest.raises(TypeError):
        signed_by(core, {}, timestamp_ms=1.5)
    with pytest.raises((TypeError, AttributeError)):
        signed_by(core, {}, nonce=5)


@pytest.mark.parametrize(
    ("call", "code"),
    [
        (lambda core: signed_by(core, [1]), "not-object"),
        (lambda core: signed_by(core, {"x": 2**53}), "bad-number"),
        (lambda core: signed_by(core, {"x": 1e300}), "bad-number"),
        (lambda core: signed_by(core, {}, timestamp_ms=-1), "bad-number"),
        (lambda core: signed_by(core, {1: "a", "1": "b"}), "duplicate-key"),
        (lambda core: core.peer_id_from_public_key_b64("A" * 43 + "="), "bad-key"),
    ],
)
def test_where_we_are_stricter(call: Callable[[Any], object], code: str) -> None:
    with pytest.raises(v1.P4CoreError) as refused:
        call(OURS)
    assert refused.value.code == code
    call(THEIRS)


def test_each_thread_has_its_own_last_error() -> None:
    with pytest.raises(v1.P4CoreError):
        OURS.peer_id_from_public_key_b64("?")
    heard: list[str] = []
    other = threading.Thread(target=lambda: heard.append(OURS.last_error()))
    other.start()
    other.join()
    assert heard == [""]
    assert OURS.last_error() != ""


def test_a_library_is_accepted_and_not_needed() -> None:
    assert v1.P4Core("/no/such/library.so").generate_identity().keys() == ALICE.keys()


def test_the_relay_is_the_program_that_was_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "relay.exe"
    program.touch(mode=0o700)
    assert v1.resolve_onionrelay_binary_path(str(program)) == str(program)
    monkeypatch.setenv("P4_ONIONRELAY_BIN", str(program))
    assert v1.resolve_onionrelay_binary_path() == str(program)
