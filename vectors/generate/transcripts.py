"""Transcripts of messages (spec/session.md): what one side sends and tells its user, step by step."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from vectors.generate.common import NOW_MS, Vector, shown

OURS, THEIRS = b"\xaa" * 16, b"\xbb" * 16
RENEWED, ELSEWHERE = b"\xcc" * 16, b"\xdd" * 16
NOBODY = bytes(16)
GRANTED = ["chat", "ping"]
NOTHING: dict[str, Any] = {
    "out_epoch_hex": "",
    "out_first": 1,
    "out_next": 1,
    "out_offered": 1,
    "out_retired_hex": [],
    "outbox": [],
    "in_epoch_hex": "",
    "in_next": 1,
    "in_retired": [],
    "inbox": [],
}


def queued(first: int, following: int, offered: int, *, without: tuple[int, ...] = ()) -> dict[str, Any]:
    """An outbox with messages from ``first`` on, the numbers from ``offered`` on never offered."""
    waiting = [number for number in range(first, following) if number not in without]
    numbers = {"out_first": first, "out_next": following, "out_offered": offered}
    return {"out_epoch_hex": OURS.hex(), **numbers, "outbox": waiting}


def expecting(number: int) -> dict[str, Any]:
    return {"in_epoch_hex": THEIRS.hex(), "in_next": number}


def frame(name: str, **fields: Any) -> dict[str, Any]:
    return {"frame": name, **{key: shown(value) for key, value in fields.items()}}


def resume(out_epoch: bytes, out_first: int, in_epoch: bytes = NOBODY, in_next: int = 1) -> dict[str, Any]:
    names = {"out_epoch": out_epoch, "out_first": out_first, "in_epoch": in_epoch, "in_next": in_next}
    return frame("RESUME", **names)


def grants(*names: str) -> dict[str, Any]:
    return frame("GRANTS", grants=list(names or GRANTED))


def message(number: int, service: str = "chat", key: str = "") -> dict[str, Any]:
    fields = {"number": number, "kind": 0, "sent": NOW_MS, "ttl": 0, "service": service, "key": key}
    return frame("MESSAGE", **fields, body=b"m")


def ack(through: int) -> dict[str, Any]:
    return frame("ACK", through=through)


def void(first: int, last: int) -> dict[str, Any]:
    return frame("VOID", first=first, last=last)


def consumed(through: int, service: str = "") -> dict[str, Any]:
    return frame("CONSUMED", through=through, service=service)


class Script:
    """Steps, and what must come of each."""

    def __init__(self, **state: Any) -> None:
        self.state = {**NOTHING, **state}
        self.steps: list[dict[str, Any]] = []
        self.outcomes: list[dict[str, Any]] = []

    def then(self, *sends: dict[str, Any], tells: tuple[dict[str, Any], ...] = (), **step: Any) -> Script:
        self.steps.append(step)
        self.outcomes.append({"sends": list(sends), "tells": sorted(tells, key=json.dumps)})
        return self

    def vector(self, name: str, comment: str) -> Vector:
        epochs = [(RENEWED if self.state["out_epoch_hex"] else OURS).hex()]
        given = {"state": self.state, "grants": GRANTED, "fresh_epochs_hex": epochs, "steps": self.steps}
        return Vector("session", name, comment, "messages", given, "session", value=self.outcomes)


def up(**state: Any) -> Script:
    """A link comes up, and our side sends its RESUME and GRANTS."""
    script = Script(**state)
    known = bytes.fromhex(state.get("in_epoch_hex", "")) or NOBODY
    return script.then(
        resume(OURS, state.get("out_first", 1), known, state.get("in_next", 1)), grants(), link="up"
    )


def vectors() -> Iterator[Vector]:
    yield from sending()
    yield from receiving()
    yield from restored()
    yield from broken()


def sending() -> Iterator[Vector]:
    script = up().then(receive=[resume(THEIRS, 1), grants()]).then(message(1), accept=[{"service": "chat"}])
    yield script.then(receive=[ack(1)], tells=({"delivered": 1},)).vector(
        "first_message", "two sides that never met"
    )
    script = up(**queued(1, 4, 4)).then(receive=[resume(THEIRS, 1, OURS, 3)], tells=({"delivered": 2},))
    script.then(message(3), receive=[grants()]).then(receive=[ack(3)], tells=({"delivered": 3},))
    yield script.vector("resume_after_loss", "ACKs were lost with a link; only what is missing is sent again")
    script = up(**queued(1, 4, 4)).then(
        message(1), message(2), message(3), receive=[resume(THEIRS, 1, OURS, 1), grants()]
    )
    script.then(receive=[ack(2)], tells=({"delivered": 2},)).then(link="down")
    script.then(resume(OURS, 3), grants(), link="up")
    script.then(message(3), receive=[resume(THEIRS, 1, OURS, 3), grants()])
    yield script.vector("resume_twice", "after a second link the rest is sent once more")
    script = up(**queued(1, 6, 6, without=(2, 3, 5)))
    script.then(
        message(1), void(2, 3), message(4), void(5, 5), receive=[resume(THEIRS, 1, OURS, 1), grants()]
    )
    yield script.then(receive=[ack(5)], tells=({"delivered": 5},)).vector(
        "void_sent", "numbers without a message are declared void"
    )
    script = (
        Script()
        .then(accept=[{"service": "chat", "key": "k"}])
        .then(accept=[{"service": "chat", "key": "k"}], tells=({"dropped": 1, "reason": "replaced"},))
    )
    script.then(resume(OURS, 1), grants(), link="up")
    script.then(void(1, 1), message(2, key="k"), receive=[resume(THEIRS, 1), grants()])
    yield script.vector("latest_value", "the newer replaces the older before it was sent")
    script = up(**queued(1, 3, 3)).then(
        void(1, 2),
        receive=[resume(THEIRS, 1, OURS, 1), grants("ping")],
        tells=({"dropped": 1, "reason": "refused"}, {"dropped": 2, "reason": "refused"}),
    )
    yield script.vector("not_granted_there", "what the contact does not grant is not sent")
    script = up(**queued(1, 3, 3)).then(
        message(1), message(2), receive=[resume(THEIRS, 1, OURS, 1), grants()]
    )
    script.then(
        receive=[frame("REFUSED", number=2, reason=1), ack(2)],
        tells=({"delivered": 2}, {"dropped": 2, "reason": "refused"}),
    )
    yield script.vector("refused", "the grant was withdrawn while the message was under way")
    script = up(**queued(3, 3, 3)).then(receive=[resume(THEIRS, 1, OURS, 3), grants()])
    script.then(receive=[consumed(1, "chat")], tells=({"consumed": 1, "service": "chat"},))
    yield script.then(receive=[consumed(2)], tells=({"consumed": 2, "service": ""},)).vector(
        "consumed_received", "of one service, then of all others"
    )


def receiving() -> Iterator[Vector]:
    begin = [resume(THEIRS, 5, OURS, 1), grants()]
    script = up(**queued(1, 1, 1), **expecting(5)).then(consumed(4), receive=begin)
    script.then(ack(6), receive=[message(5), message(6)], tells=({"received": 5}, {"received": 6}))
    script.then(consumed(6, "chat"), take="chat")
    yield script.vector("received", "kept, acknowledged, taken by the application")
    earlier = [resume(THEIRS, 3, OURS, 1), grants()]
    script = up(**queued(1, 1, 1), **expecting(5)).then(consumed(4), receive=earlier)
    script.then(ack(3), receive=[message(3)]).then(
        ack(5), receive=[message(4), message(5)], tells=({"received": 5},)
    )
    yield script.vector("duplicate", "acknowledged again, delivered once")
    script = up(**queued(1, 1, 1), **expecting(5)).then(consumed(4), receive=begin)
    script.then(ack(8), receive=[message(8)], tells=({"received": 8},))
    yield script.then(resume(OURS, 1, THEIRS, 9), grants(), link="up").vector(
        "gap_without_void", "the sender lost numbers; counting goes on from the higher one"
    )
    script = up(**queued(1, 1, 1), **expecting(5)).then(consumed(4), receive=begin)
    script.then(
        ack(9), receive=[message(5), void(6, 8), message(9)], tells=({"received": 5}, {"received": 9})
    )
    yield script.vector("void_received", "nothing to deliver, acknowledged all the same")
    script = up(**queued(1, 1, 1), **expecting(5)).then(consumed(4), receive=begin)
    script.then(ack(7), receive=[void(5, 7)]).then(resume(OURS, 1, THEIRS, 8), grants(), link="up")
    yield script.vector("void_last", "what is void counts, also if nothing follows it")
    script = up(**queued(1, 1, 1), **expecting(5)).then(consumed(4), receive=begin)
    script.then(
        frame("REFUSED", number=6, reason=1),
        ack(7),
        receive=[message(5), message(6, service="other"), message(7)],
        tells=({"received": 5}, {"received": 7}),
    )
    yield script.vector("not_granted_here", "counted, dropped and refused")
    inbox = {"inbox": [[4, "a"], [6, "b"], [7, "a"]]}
    script = up(**queued(1, 1, 1), **expecting(9), **inbox)
    script.then(
        consumed(3, "a"), consumed(5, "b"), consumed(8), receive=[resume(THEIRS, 9, OURS, 1), grants()]
    )
    script.then(consumed(8, "a"), take="a")
    yield script.vector(
        "consumed_on_a_new_link", "one for each service of which something waits, then the rest"
    )
    script = up(**queued(1, 1, 1), **expecting(9), **inbox).then(
        receive=[resume(ELSEWHERE, 1, OURS, 1), grants()]
    )
    yield script.vector("consumed_of_another_epoch", "nothing can be said of numbers of another outbox")
    script = up(**queued(1, 1, 1), **expecting(5)).then(receive=[resume(ELSEWHERE, 1, OURS, 1), grants()])
    script.then(
        ack(1), receive=[message(1)], tells=({"received": 1}, {"notice": "peer-renewed", "count": 0})
    ).then(resume(OURS, 1, ELSEWHERE, 2), grants(), link="up")
    script.then(consumed(4), receive=[resume(THEIRS, 4, OURS, 1), grants()]).then(
        ack(4), receive=[message(4)]
    )
    yield script.vector("earlier_epoch", "an epoch of before comes back: its duplicates are still duplicates")


def restored() -> Iterator[Vector]:
    missing = {"notice": "missing-here", "count": 3}
    script = up(**queued(1, 1, 1), **expecting(5))
    script.then(consumed(7), receive=[resume(THEIRS, 8, OURS, 1), grants()], tells=(missing,))
    script.then(ack(8), receive=[message(8)], tells=({"received": 8},))
    yield script.vector("gap", "our disk is older: three messages that it had confirmed are missing")
    script = up(**queued(5, 7, 7)).then(
        message(5),
        message(6),
        receive=[resume(THEIRS, 1, OURS, 3), grants()],
        tells=({"notice": "peer-lost", "count": 2},),
    )
    yield script.vector("gap_there", "the contact lost two messages that it had confirmed")
    renewed = (
        {"renewed_hex": RENEWED.hex()},
        {"notice": "outbox-renewed", "count": 2},
        {"link_ends": "renewed"},
    )
    script = up(**queued(3, 5, 3)).then(receive=[resume(THEIRS, 1, OURS, 4)], tells=renewed)
    script.then(resume(RENEWED, 1), grants(), link="up")
    script.then(message(1), message(2), receive=[resume(THEIRS, 1, OURS, 4), grants()])
    yield script.vector("outdated", "the contact has a number that we never offered: the outbox is renewed")
    script = up(**queued(3, 5, 3))
    script.then(receive=[resume(THEIRS, 1, OURS, 4), grants(), consumed(4, "chat")], tells=renewed)
    yield script.vector("outdated_goes_on", "what the contact says of the old name means nothing any more")
    script = up(**queued(3, 5, 3)).then(
        message(3), message(4), receive=[resume(THEIRS, 1, OURS, 3), grants()]
    )
    yield script.vector("not_outdated", "the same with a contact that has nothing of what was never offered")
    script = up(**queued(3, 5, 5)).then(receive=[resume(THEIRS, 1, ELSEWHERE, 2)], tells=renewed)
    script.then(resume(RENEWED, 1), grants(), link="up")
    script.then(message(1), message(2), receive=[resume(THEIRS, 1, ELSEWHERE, 2), grants()])
    yield script.vector(
        "outdated_epoch", "the contact knows a later life of ours, and so does the renewed outbox"
    )
    retired = {**queued(1, 3, 3), "out_retired_hex": [ELSEWHERE.hex()]}
    script = up(**retired).then(message(1), message(2), receive=[resume(THEIRS, 1, ELSEWHERE, 9), grants()])
    yield script.vector("earlier_name", "a name that our outbox had before is no later life")
    script = up(**queued(3, 5, 3)).then(receive=[resume(THEIRS, 1, OURS, 4)], tells=renewed)
    script.then(start="again").then(resume(RENEWED, 1), grants(), link="up")
    yield script.vector("outdated_and_restart", "the new name is on disk before it is used")


def broken() -> Iterator[Vector]:
    begin = [resume(THEIRS, 1, OURS, 1), grants()]
    ends = ({"link_ends": "broken"},)
    for name, comment, frames in (
        ("second_resume", "RESUME comes once", [*begin, resume(THEIRS, 1, OURS, 1)]),
        ("message_first", "RESUME is the first frame", [message(1)]),
        ("grants_first", "RESUME is the first frame", [grants()]),
        ("ack_never_sent", "an ACK of what was not sent on this link", [*begin, ack(1)]),
    ):
        yield up(**queued(1, 1, 1)).then(receive=frames, tells=ends).vector(f"broken_{name}", comment)
