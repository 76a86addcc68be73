"""Calls: results, failures, and calls that nobody answers."""

from __future__ import annotations

from typing import Any

from conformance.cases.local import Pair, case, data
from conformance.cases.messages import VALUES, value_in
from conformance.command import Answer
from conformance.expectations import equal, refused, true

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
    late = await refused(_call(pair, "slow", deadline=0.3), "deadline", type_name="CallDeadlineError")
    true(late.get("may_have_run", True), "a call that ran says that it has not")
    await phone.ask("serving.cancelled", serving="s", timeout_seconds=PATIENCE)
    equal(await _call(pair, "echo", value=1), {"value": 1}, "a call after failures")
    await refused(phone.ask("serving.open", serving="t", service=pair.service), "already-served")
    await phone.ask("serving.close", serving="s")
    # Its end, and the news of it, reach the daemon a moment later.
    gone = await refused(_call(pair, "echo"), "not-supported", "not-served", "gone")
    true(not gone.get("may_have_run", False) or gone["code"] == "gone", "a refused call may not have run")
    service = "never-granted.echo"
    call = pair.laptop.to_contact("contact.call", service=service, deadline_seconds=PATIENCE, value=1)
    await refused(call, "not-granted", "not-supported")
    await phone.ask("serving.open", serving="s", service=pair.service)
    equal(await _call(pair, "echo", value=2), {"value": 2}, "a call when it is served again")
    await phone.ask("serving.close", serving="s")
