"""Calls: results, failures, and calls that nobody answers."""

from __future__ import annotations

from typing import Any

from conformance.cases.local import Pair, case, data
from conformance.cases.messages import VALUES, value_in
from conformance.command import Answer, Refusal
from conformance.expectations import Mismatch, equal, refused, true

PATIENCE = 20


async def _call(pair: Pair, word: str, *, deadline: float = PATIENCE, **value: Any) -> Answer:
    service = f"{pair.service}.{word}" if word else pair.service
    return await pair.laptop.to_contact(
        "contact.call", service=service, deadline_seconds=deadline, **(value or {"value": None})
    )


@case("calls")
async def calls(pair: Pair) -> None:
    """Arguments and results of every form, and who asks."""
    await pair.phone.ask("serving.open", serving="s", service=pair.service)
    for value in VALUES:
        equal(value_in(await _call(pair, "echo", **value)), value, "what an echo gives")
    large: dict[str, Any] = {"base64": data(bytes(range(256)) * 2000)}
    true(value_in(await _call(pair, "echo", **large)) == large, "a large argument comes back otherwise")
    equal(await _call(pair, "who"), {"value": "laptop"}, "who asks")
    await pair.phone.ask("serving.close", serving="s")


@case("calls: failures")
async def failures(pair: Pair) -> None:
    """What a service says, a bug in it, a deadline, and services that are not there."""
    phone = pair.phone
    await phone.ask("serving.open", serving="s", service=pair.service)
    error = await refused(_call(pair, "fail"), "too-hot", type_name="CallFailed")
    equal(error["message"], "It burns.", "the message of a failure")
    equal(error.get("service_data"), {"degrees": 99}, "the data of a failure")
    error = await refused(_call(pair, "bug"), "internal")
    true("private" not in str(error), f"a bug tells the caller what it should not: {error}")
    await _cancelled(pair)
    equal(await _call(pair, "echo", value=1), {"value": 1}, "a call after failures")
    await refused(phone.ask("serving.open", serving="t", service=pair.service), "already-served")
    await phone.ask("serving.close", serving="s")
    # Its end, and the news of it, reach the daemon a moment later.
    gone = await refused(_call(pair, "echo"), "not-served", "gone")
    true(
        gone["code"] == "gone" or not gone.get("may_have_run", False),
        "a refused call says that it may have run",
    )
    service = "never-granted.echo"
    call = pair.laptop.to_contact("contact.call", service=service, deadline_seconds=PATIENCE, value=1)
    await refused(call, "not-granted", type_name="CallRefusedError")
    await phone.ask("serving.open", serving="s", service=pair.service)
    equal(await _call(pair, "echo", value=2), {"value": 2}, "a call when it is served again")
    await phone.ask("serving.close", serving="s")


async def _cancelled(pair: Pair) -> None:
    """A call whose deadline passes is cancelled where it runs, if it has come there in time."""
    for deadline in (0.3, 1.0, 5.0):
        late = await refused(
            _call(pair, "slow", deadline=deadline), "deadline", type_name="CallDeadlineError"
        )
        try:
            await pair.phone.ask("serving.cancelled", serving="s", timeout_seconds=2)
        except Refusal as refusal:
            if refusal.code != "timeout":
                raise
        else:
            true(late.get("may_have_run", True), "a call that ran says that it has not")
            return
    raise Mismatch("a call whose deadline passed was not cancelled where it runs")
