"""Python's command with one planted fault, to see that the runner notices it.

``python -m tests.conformance.faulty_command FAULT``; `FAULTS` says which cases have to fail by each.
"""

from __future__ import annotations

import base64
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from conformance.protocol import RESULTS

ROOT = Path(__file__).resolve().parent.parent.parent
Entry = dict[str, Any]


class Fault:
    """Passes everything on as it is; each fault changes a little of it."""

    def __init__(self, ask: Callable[[str, Entry], Entry]) -> None:
        self.ask = ask
        self.seen = 0
        self.last: Entry = {}

    def answer(self, operation: str, given: Entry) -> Entry:
        """The answer to a request, but for its id."""
        return self.changed(operation, self.ask(operation, given))

    def changed(self, operation: str, answer: Entry) -> Entry:
        """Another answer than the right one."""
        return answer


class AcceptsEverything(Fault):
    """What should be refused is accepted."""

    def changed(self, operation: str, answer: Entry) -> Entry:
        if "error" in answer and answer["error"]["code"] != "timeout":
            return {"result": dict.fromkeys(RESULTS.get(operation, ()))}
        return answer


class RefusesEverything(Fault):
    """What should be accepted is refused."""

    def changed(self, operation: str, answer: Entry) -> Entry:
        bad = {"code": "bad-signature", "message": "No."}
        return {"error": bad} if "result" in answer and operation.startswith("envelope.") else answer


class OtherCodes(Fault):
    """Errors have other codes than the daemon's."""

    def changed(self, operation: str, answer: Entry) -> Entry:
        if answer.get("error", {}).get("code") not in {None, "timeout"}:
            answer["error"]["code"] = "error"
        return answer


class OtherOrder(Fault):
    """The canonical form is not in its order; nor is what is signed over it right."""

    def changed(self, operation: str, answer: Entry) -> Entry:
        if operation == "canonical.parse" and "result" in answer:
            value = json.loads(answer["result"]["canonical"])
            answer["result"]["canonical"] = json.dumps(dict(reversed(value.items())), separators=(",", ":"))
        if operation == "envelope.seal":
            line = json.loads(base64.b64decode(answer["result"]["line_b64"]))
            line["payload"]["type"] = "pong"
            answer["result"]["line_b64"] = base64.b64encode(json.dumps(line).encode()).decode()
        return answer


class SameSeed(Fault):
    """The randomness is none."""

    def answer(self, operation: str, given: Entry) -> Entry:
        if operation == "identity.generate":
            seed = base64.b64encode(bytes(32)).decode()
            derived = self.ask("identity.derive", {"seed_b64": seed})["result"]
            return {"result": {"seed_b64": seed, **derived}}
        return super().answer(operation, given)


class Twice(Fault):
    """After a daemon's restart a message comes twice."""

    def answer(self, operation: str, given: Entry) -> Entry:
        if operation == "messages.next":
            self.seen += 1
            if self.seen == 11:
                return self.last
        answer = super().answer(operation, given)
        if operation == "messages.next":
            self.last = answer
        return answer


class Lost(Fault):
    """One of the messages is lost."""

    def answer(self, operation: str, given: Entry) -> Entry:
        if operation == "messages.next":
            self.seen += 1
            if self.seen == 2:
                taken = self.ask(operation, given)["result"]
                named = {"contact_id": taken["contact"]["id"], "message_id": taken["id"]}
                self.ask("messages.done", {"messages": given["messages"], **named})
        return super().answer(operation, given)


class NotDone(Fault):
    """Says that a message is done, and does not tell the daemon."""

    def answer(self, operation: str, given: Entry) -> Entry:
        return {"result": {}} if operation == "messages.done" else super().answer(operation, given)


class ConsumedAtOnce(Fault):
    """Receipts tell at once what has not happened yet."""

    def answer(self, operation: str, given: Entry) -> Entry:
        return {"result": {}} if operation.startswith("receipt.") else super().answer(operation, given)


class ListsForObjects(Fault):
    """An empty object becomes an empty list, as in PHP's arrays."""

    def changed(self, operation: str, answer: Entry) -> Entry:
        if answer.get("result", {}).get("value") == {}:
            answer["result"]["value"] = []
        return answer


class TextForBytes(Fault):
    """Bytes are sent as JSON."""

    def answer(self, operation: str, given: Entry) -> Entry:
        if operation == "message.send_many":
            given["values"] = [
                {"value": entry["base64"]} if "base64" in entry else entry for entry in given["values"]
            ]
        return super().answer(operation, given)


class ForgetsData(Fault):
    """What a service says of its failure does not arrive."""

    def changed(self, operation: str, answer: Entry) -> Entry:
        answer.get("error", {}).pop("service_data", None)
        return answer


class TellsBugs(Fault):
    """A bug's text reaches the caller."""

    def changed(self, operation: str, answer: Entry) -> Entry:
        if answer.get("error", {}).get("code") == "internal":
            answer["error"]["message"] += " (private)"
        return answer


class FlippedBit(Fault):
    """A byte of what is read is another one."""

    def changed(self, operation: str, answer: Entry) -> Entry:
        data = answer.get("result", {}).get("bytes_b64")
        if operation in {"stream.read", "datagrams.next"} and data:
            content = bytearray(base64.b64decode(data))
            content[-1] ^= 1
            answer["result"]["bytes_b64"] = base64.b64encode(content).decode()
        return answer


class EndsBoth(Fault):
    """Ending one direction ends the other as well."""

    def answer(self, operation: str, given: Entry) -> Entry:
        if operation == "stream.end":
            self.ask("stream.reset", {"stream": given["stream"], "reason": ""})
            return {"result": {}}
        return super().answer(operation, given)


class FromTheStart(Fault):
    """A stream that goes on begins anew."""

    def changed(self, operation: str, answer: Entry) -> Entry:
        if operation in {"stream.resume", "stream.open"} and "result" in answer:
            answer["result"]["written"] = 0
        return answer


class TellsAll(Fault):
    """Events come that were not asked for."""

    def answer(self, operation: str, given: Entry) -> Entry:
        if operation == "events.open":
            given["types"] = ["contact.changed", *given["types"]]
        return super().answer(operation, given)

    def changed(self, operation: str, answer: Entry) -> Entry:
        if operation == "events.next":
            self.seen += 1
            if self.seen == 1:
                return {"result": {"type": "contact.changed", "data": {}}}
        return answer


class OwnersPower(Fault):
    """An app's token is not used: it is the owner that asks."""

    def answer(self, operation: str, given: Entry) -> Entry:
        if given.get("client") == "app" and operation not in {"connect", "disconnect"}:
            given["client"] = "me"
        return super().answer(operation, given)


class OtherName(Fault):
    """Contacts are called otherwise than they were named."""

    def answer(self, operation: str, given: Entry) -> Entry:
        if operation == "pairing.add":
            given["name"] = "somebody"
        return super().answer(operation, given)


class KeepsGrants(Fault):
    """Nothing is taken back."""

    def answer(self, operation: str, given: Entry) -> Entry:
        return {"result": {}} if operation == "contact.revoke" else super().answer(operation, given)


class MoreKeys(Fault):
    """Results have keys that the protocol does not know."""

    def changed(self, operation: str, answer: Entry) -> Entry:
        return {"result": {**answer["result"], "more": 1}} if "result" in answer else answer


class Crashes(Fault):
    """The command ends in the middle."""

    def answer(self, operation: str, given: Entry) -> Entry:
        self.seen += 1
        if self.seen == 4:
            sys.exit("planted")
        return super().answer(operation, given)


class Unsupported(Fault):
    """The SDK has no datagrams, and says so."""

    def answer(self, operation: str, given: Entry) -> Entry:
        if operation.startswith("datagrams."):
            return {"unsupported": "planted"}
        return super().answer(operation, given)


KILLED = "L1 kill -9: messages go on, each once"
RESUMED = "L1 kill -9: streams, events and calls go on"
FAULTS: dict[type[Fault], dict[str, str]] = {
    AcceptsEverything: {
        "L2 envelope: signed_by_other": "not refused with bad-signature",
        "L2 invite: wrong_id": "not refused with wrong-id",
        "L2 replay: repeated": "not refused with replayed",
        "L1 grants": "not refused with unknown",
    },
    RefusesEverything: {"L2 envelope: ok_ping": "envelope.verify was refused"},
    OtherCodes: {
        "L2 identity: key_not_on_curve": "instead of bad-key",
        "L1 errors of the way": "instead of no-daemon",
        "L1 pairing: invites that end": "instead of cancelled",
    },
    OtherOrder: {
        "L2 canonical: key_order": "keys are sorted",
        "L2 making: envelopes": "signature is not the sender's",
        "pair to python": "envelope: envelope.verify was refused",
    },
    SameSeed: {"L2 making: identities": "the same seed"},
    Twice: {KILLED: "each once"},
    Lost: {"L1 messages": "the id of message 2"},
    NotDone: {"L1 messages: what was not done": "what comes again"},
    ConsumedAtOnce: {
        "L1 messages": "not refused with timeout",
        "L1 messages: latest, expired, refused": "not refused with refused",
    },
    ListsForObjects: {
        "L1 messages: values": r'{"value": \[\]} instead of {"value": {}}',
        "L1 calls": r'{"value": \[\]} instead of {"value": {}}',
    },
    TextForBytes: {"pair to python": "messages: a value arrives otherwise"},
    ForgetsData: {"L1 calls: failures": "the data of a failure"},
    TellsBugs: {"L1 calls: failures": "a bug tells"},
    FlippedBit: {"L1 streams": "arrived otherwise", "L1 datagrams": "other bytes"},
    EndsBoth: {"L1 streams": "stream.read was refused"},
    FromTheStart: {
        "L1 streams: let go of, and taken up again": "where it goes on",
        RESUMED: "where writing goes on",
    },
    TellsAll: {"L1 events": "not refused with timeout"},
    OwnersPower: {"L1 tokens": "not refused with owner-only"},
    OtherName: {"L1 pairing": "the name of the host"},
    KeepsGrants: {"L1 grants": "grants after less"},
    MoreKeys: {"L1 contacts": "has the keys", "L1 device": "has the keys"},
    Crashes: {"L1 messages": "the command has ended"},
    Unsupported: {"L1 datagrams": "unsupported: planted"},
}
"""Which cases notice which fault, and what they say of it."""


def name_of(fault: type[Fault]) -> str:
    """As the argument of this command, and as the name of the faulty language."""
    return re.sub(r"(?<!^)([A-Z])", r"-\1", fault.__name__).lower()


def _exchange(entry: Entry, sending: IO[bytes], receiving: IO[bytes]) -> Entry:
    sending.write(json.dumps(entry).encode() + b"\n")
    sending.flush()
    answer: Entry = json.loads(receiving.readline())
    return answer


def main() -> None:
    """Stands between the runner and Python's command."""
    (kind,) = (fault for fault in FAULTS if name_of(fault) == sys.argv[1])
    child = subprocess.Popen(
        [ROOT / "conformance" / "python" / "run"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert child.stdin is not None
    assert child.stdout is not None
    with child, child.stdin as sending, child.stdout as receiving:

        def ask(operation: str, given: Entry) -> Entry:
            request = {"id": 0, "operation": operation, "arguments": given}
            answer = _exchange(request, sending, receiving)
            del answer["id"]
            return answer

        fault = kind(ask)
        for line in sys.stdin.buffer:
            request = json.loads(line)
            answer = fault.answer(request["operation"], request["arguments"])
            sys.stdout.buffer.write(json.dumps({"id": request["id"], **answer}).encode() + b"\n")
            sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
