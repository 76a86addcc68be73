"""Transcripts of one stream at one side (spec/stream.md): what it sends and what its application learns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from vectors.generate.common import Vector, shown

ID, SERVICE, NAME = 9, "files", "a"
FAR = 2**53 - 100
CANCELLED, LOST = 0, 5


def frame(kind: str, /, **fields: Any) -> dict[str, Any]:
    return {"frame": kind, "id": ID, **{key: shown(value) for key, value in fields.items()}}


OPEN = frame("OPEN", service=SERVICE, name=NAME)
DONE, GONE = frame("DONE"), frame("GONE")


def credit(through: int, limit: int) -> dict[str, Any]:
    return frame("CREDIT", through=through, limit=limit)


def granted(through: int) -> dict[str, Any]:
    """A CREDIT that is sent: how much it allows is not told."""
    return frame("CREDIT", through=through)


def written(end: int, *, final: bool = False) -> dict[str, Any]:
    return frame("WRITTEN", end=end, final=final)


def pattern(begin: int, end: int) -> bytes:
    return bytes(at % 256 for at in range(begin, end))


def data(begin: int, end: int) -> dict[str, Any]:
    return frame("DATA", offset=begin, data=pattern(begin, end))


def other(begin: int, content: bytes) -> dict[str, Any]:
    return frame("DATA", offset=begin, data=content)


def reset(reason: int) -> dict[str, Any]:
    """A RESET that is sent: its words are not told."""
    return frame("RESET", reason=reason)


def read(content: bytes, *, at_end: bool = False) -> dict[str, Any]:
    return {"read_hex": content.hex(), "at_end": at_end}


FORGOTTEN, FINISHED = {"forgotten": True}, {"finished": True}
BROKEN = {"link_ends": "broken"}


def ended(reason: int, *, by_contact: bool) -> dict[str, Any]:
    return {"reset": reason, "by_contact": by_contact}


class Script:
    def __init__(self) -> None:
        self.steps: list[dict[str, Any]] = []
        self.outcomes: list[dict[str, Any]] = []

    def then(self, *sends: dict[str, Any], tells: tuple[dict[str, Any], ...] = (), **step: Any) -> Script:
        self.steps.append(step)
        self.outcomes.append({"sends": list(sends), "tells": sorted(tells, key=json.dumps)})
        return self

    def receives(self, *frames: dict[str, Any]) -> Script:
        """Frames to which nothing must be said."""
        return self.then(receive=list(frames))

    def vector(self, name: str, comment: str) -> Vector:
        return Vector(
            "session",
            f"stream_{name}",
            comment,
            "stream",
            {"steps": self.steps},
            "session",
            value=self.outcomes,
        )


def opener() -> Script:
    """A stream that is opened, accepted, and allowed 100 bytes."""
    given = {"id": ID, "service": SERVICE, "name": NAME}
    script = Script().then(link="up").then(OPEN, granted(0), open=given)
    return script.then(written(0), receive=[credit(0, 100)])


def accepter() -> Script:
    """A stream of the contact that is accepted; both may write."""
    script = Script().then(link="up").receives(OPEN, credit(0, 100))
    return script.then(granted(0), written(0), accept=True).then(granted(0), receive=[written(0)])


def again(script: Script, through: int, end: int, *, final: bool = False) -> Script:
    """The link breaks and another comes."""
    return script.then(link="down").then(granted(through), written(end, final=final), link="up")


def vectors() -> Iterator[Vector]:
    yield from lives()
    yield from links()
    yield from power()
    yield from ends()
    yield from breaks()


def lives() -> Iterator[Vector]:
    given = {"id": ID, "service": SERVICE, "name": NAME}
    script = Script().then(open=given).then(OPEN, granted(0), link="up").then(link="down")
    script.then(OPEN, granted(0), link="up").then(written(0), receive=[credit(0, 10)])
    yield script.vector("opened", "OPEN is sent on each link until the stream is accepted")
    script = opener().then(data(0, 12), write=12).then(receive=[credit(12, 112)])
    script.then(written(12, final=True), finish=True).then(
        granted(0), DONE, receive=[written(0, final=True)], tells=(FINISHED,)
    )
    yield script.then(receive=[DONE], tells=(FORGOTTEN,)).vector("whole", "from OPEN to DONE")
    given_10 = Script().then(link="up").then(OPEN, granted(0), open=given)
    given_10.then(written(0), receive=[credit(0, 10)]).then(data(0, 10), write=12)
    given_10.then(data(10, 12), receive=[credit(4, 20)])
    yield given_10.vector("credit", "no byte beyond the limit, before it is raised")
    script = accepter().receives(data(5, 8)).then(read=100, tells=(read(b""),)).receives(data(0, 5))
    script.then(granted(8), read=100, tells=(read(pattern(0, 8)),))
    script.receives(written(8, final=True)).then(read=100, tells=(read(b"", at_end=True),))
    yield script.vector("reordered", "DATA is put in order by its offset")
    script = accepter().receives(data(0, 5), data(3, 8), data(0, 5))
    script.then(granted(8), read=100, tells=(read(pattern(0, 8)),))
    yield script.vector("overlapping", "bytes that arrive twice count once")
    script = accepter().then(data(0, 3), write=3).then(written(3, final=True), finish=True)
    script.receives(data(0, 2), written(2, final=True)).then(
        granted(2), read=100, tells=(read(pattern(0, 2), at_end=True),)
    )
    yield script.then(DONE, receive=[credit(3, 100)], tells=(FINISHED,)).vector(
        "half_closed", "one direction has ended; the other goes on"
    )


def links() -> Iterator[Vector]:
    script = again(opener().then(data(0, 10), write=10), 0, 10)
    script.then(data(4, 10), receive=[credit(4, 100)])
    yield script.vector("new_link", "DATA begins again where the contact has consumed it")
    script = again(opener().then(data(0, 10), write=10), 0, 10).then(write=5)
    script.then(data(0, 15), receive=[credit(0, 100)])
    yield script.vector("new_link_waits", "nothing is sent before the contact's CREDIT of this link")
    script = again(accepter(), 0, 0).receives(data(0, 3)).then(read=100, tells=(read(b""),))
    script.then(granted(0), receive=[written(3)]).then(granted(3), read=100, tells=(read(pattern(0, 3)),))
    yield script.vector("data_overtakes", "DATA before the link's first WRITTEN is kept, not given")
    script = again(
        accepter().receives(data(0, 8)).then(granted(5), read=5, tells=(read(pattern(0, 5)),)), 5, 0
    )
    script.then(granted(5), receive=[written(8), data(5, 8)])
    script.then(granted(8), read=100, tells=(read(pattern(5, 8)),))
    yield script.vector("consumed", "what was consumed before is not asked for again")


def power() -> Iterator[Vector]:
    script = opener().then(data(0, 10), write=10).then(restart={"lost": 0})
    script.then(granted(0), written(10), link="up").then(data(0, 10), receive=[credit(0, 100)])
    yield script.vector("restart", "the process crashed; everything is on its disk")
    script = opener().then(data(0, 10), write=10).then(restart={"lost": 4})
    script.then(granted(0), written(6), link="up").then(data(0, 6), receive=[credit(0, 100)])
    script.then(write=5).then(data(6, 11), receive=[credit(0, 100)])
    yield script.vector("power_failure", "what is written anew waits for the proof that the end was heard")
    script = opener().then(data(0, 10), write=10).then(restart={"lost": 4}).then(write=5)
    script.then(granted(0), written(6), link="up").then(data(0, 6), receive=[credit(0, 100)])
    script.then(data(6, 11), receive=[credit(3, 100)])
    yield script.vector("power_failure_written", "the first WRITTEN says where it ended, not what came since")
    script = again(accepter().receives(data(0, 10)), 0, 0)
    script.then(granted(0), receive=[written(6), data(0, 6), other(6, b"new")])
    script.then(granted(9), read=100, tells=(read(pattern(0, 6) + b"new"),))
    yield script.vector("power_failure_there", "what the writer lost is dropped and comes anew")
    script = accepter().receives(data(0, 10)).then(granted(10), read=100, tells=(read(pattern(0, 10)),))
    again(script, 10, 0).then(reset(LOST), receive=[written(6)], tells=(ended(LOST, by_contact=False),))
    yield script.then(receive=[GONE], tells=(FORGOTTEN,)).vector(
        "lost_by_writer", "the application has had bytes that the writer does not know any more"
    )
    for name, through in (("forgot", 3), ("ahead", 11)):
        script = opener().then(data(0, 10), write=10).then(receive=[credit(5, 100)])
        again(script, 0, 10).then(
            reset(LOST), receive=[credit(through, 200)], tells=(ended(LOST, by_contact=False),)
        )
        yield script.vector(f"lost_by_reader_{name}", "a disk is older than what the other side knows")


def ends() -> Iterator[Vector]:
    by_contact = frame("RESET", reason=CANCELLED, text="enough")
    script = opener().then(GONE, receive=[by_contact], tells=(ended(CANCELLED, by_contact=True), FORGOTTEN))
    yield script.vector("reset_there", "GONE answers RESET")
    script = opener().then(reset(CANCELLED), cancel=CANCELLED, tells=(ended(CANCELLED, by_contact=False),))
    script.then(link="down").then(reset(CANCELLED), link="up").then(receive=[GONE], tells=(FORGOTTEN,))
    yield script.vector("reset_here", "RESET is sent on each link until GONE answers it")
    script = opener().then(receive=[GONE], tells=(ended(LOST, by_contact=True), FORGOTTEN))
    yield script.vector("gone", "the contact does not know the stream: it was lost")
    script = opener().then(written(0, final=True), finish=True)
    script.then(granted(0), DONE, receive=[credit(0, 100), written(0, final=True)], tells=(FINISHED,))
    script.then(link="down").then(DONE, link="up").then(receive=[GONE], tells=(FORGOTTEN,))
    yield script.vector(
        "done_again", "DONE is sent on each link; GONE says that the contact has forgotten it"
    )
    script = Script().then(link="up")
    for each in (written(3), credit(0, 1), DONE, by_contact):
        script.then(GONE, receive=[each])
    yield script.receives(data(0, 3), GONE).vector("unknown", "GONE answers what names no known stream")


def breaks() -> Iterator[Vector]:
    one = opener().then(data(0, 10), write=10)
    for name, comment, script, frames in (
        ("limit", "DATA beyond what was allowed", accepter(), [data(FAR, FAR + 1)]),
        ("credit_beyond", "CREDIT beyond what was sent", opener(), [credit(1, 200)]),
        ("credit_falls", "CREDIT below an earlier one of the link", one, [credit(4, 100), credit(3, 100)]),
        ("limit_falls", "a limit below an earlier one of the link", opener(), [credit(0, 99)]),
        ("end_moves", "a final end that moves", accepter(), [written(8, final=True), written(9, final=True)]),
        ("end_undone", "a final end that is final no more", accepter(), [written(8, final=True), written(8)]),
        ("beyond_end", "DATA beyond the final end", accepter(), [written(8, final=True), data(7, 9)]),
        (
            "end_below",
            "a final end below what was received",
            accepter(),
            [data(0, 9), written(8, final=True)],
        ),
        ("open", "OPEN of a known stream by another name", accepter(), [{**OPEN, "name": "b"}]),
        ("open_own", "OPEN of a stream that we opened", opener(), [OPEN]),
    ):
        yield script.then(receive=frames, tells=(BROKEN,)).vector(f"broken_{name}", comment)
