"""The daemon's answers become the errors that they were made of."""

from __future__ import annotations

import inspect

import pytest

from p4 import errors
from p4.client.errors import error_from_answer
from p4.daemon.errors import answer, status_of
from p4.errors import CallFailed, ContactError, InputError, LocalError, P4Error

SAMPLES = {
    "path": "/state",
    "pid": 4711,
    "kept_as": "contacts.json.corrupt-1",
    "may_have_run": False,
    "consumed": 17,
    "confirmed": 4,
    "by_contact": True,
}
"""What errors carry, by argument, as far as it goes over the API."""

KINDS = [
    kind
    for kind in vars(errors).values()
    if isinstance(kind, type) and issubclass(kind, P4Error) and kind is not CallFailed
]


def made(kind: type[P4Error]) -> P4Error:
    """One of this type, with everything that it can carry."""
    given: dict[str, object] = {}
    for name, parameter in list(inspect.signature(kind).parameters.items())[1:]:
        if name in SAMPLES:
            given[name] = SAMPLES[name]
        elif name == "code":
            given[name] = "some-code"
        elif parameter.default is inspect.Parameter.empty:
            given[name] = {"position": 3, "suggestions": ("apple",)}.get(name, "aple")
    return kind("A sentence.", **given)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_comes_back_as_itself(kind: type[P4Error]) -> None:
    original = made(kind)
    sent = answer(original)
    rebuilt = error_from_answer(status_of(original), bytes(sent.body))
    assert type(rebuilt) is kind
    assert (rebuilt.message, rebuilt.code) == (original.message, original.code or "failed")
    for name in SAMPLES:
        if hasattr(original, name):
            assert getattr(rebuilt, name) == getattr(original, name)


def test_what_a_service_says_comes_back_word_for_word() -> None:
    original = CallFailed("bad-value", "A light is on or off.", {"got": "dim"})
    rebuilt = error_from_answer(502, bytes(answer(original).body))
    assert isinstance(rebuilt, CallFailed)
    assert (rebuilt.code, rebuilt.message, rebuilt.data) == (
        "bad-value",
        "A light is on or off.",
        {"got": "dim"},
    )


@pytest.mark.parametrize(
    ("status", "kind"), [(404, ContactError), (422, InputError), (503, LocalError), (418, LocalError)]
)
def test_an_error_of_a_newer_daemon_is_told_by_its_status(status: int, kind: type[P4Error]) -> None:
    body = b'{"error": {"code": "new", "message": "Something new.", "data": {"type": "NotYetKnownError"}}}'
    rebuilt = error_from_answer(status, body)
    assert (type(rebuilt), rebuilt.code, rebuilt.message) == (kind, "new", "Something new.")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error": 1}', b'{"error": {"code": 1}}', b"\xff"])
def test_what_is_no_error_of_the_daemon_is_said_to_be_none(body: bytes) -> None:
    rebuilt = error_from_answer(502, body)
    assert (type(rebuilt), rebuilt.code) == (LocalError, "status-502")


@pytest.mark.parametrize("name", ["annotations", "P4Error.__init__", "inspect", "__name__"])
def test_a_type_that_is_no_error_is_not_called(name: str) -> None:
    body = f'{{"error": {{"code": "x", "message": "m", "data": {{"type": "{name}"}}}}}}'.encode()
    assert type(error_from_answer(400, body)) is InputError
