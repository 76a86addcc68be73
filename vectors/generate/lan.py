"""Recognising contacts on the local network (spec/lan.md). HKDF is written out here."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator

from vectors.generate.common import ALICE, BOB, CAROL, NOW_MS, Person, Vector, b64, raw
from vectors.generate.x25519 import private_key

PERIOD = NOW_MS // 900_000


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869."""
    pseudo_random = hmac.digest(salt or bytes(32), secret, hashlib.sha256)
    output, block, number = b"", b"", 1
    while len(output) < length:
        block = hmac.digest(pseudo_random, block + info + bytes([number]), hashlib.sha256)
        output, number = output + block, number + 1
    return output[:length]


def key(one: Person, other: Person) -> bytes:
    secret = private_key(one).exchange(private_key(other).public_key())
    low, high = sorted((one, other), key=lambda person: person.peer_id)
    ends = b"".join(person.peer_id.encode() + person.public_key for person in (low, high))
    return hkdf(secret, b"", b"P4 lan pair 1\0" + ends, 32)


def tag(sender: Person, recipient: Person, period: int = PERIOD) -> bytes:
    message = b"P4 lan tag 1\0" + period.to_bytes(8, "big") + sender.peer_id.encode()
    return hmac.digest(key(sender, recipient), message, hashlib.sha256)[:10]


def filling(person: Person, number: int, period: int = PERIOD) -> bytes:
    own = hkdf(person.seed, b"", b"P4 lan filling 1\0", 32)
    return hmac.digest(own, period.to_bytes(8, "big") + number.to_bytes(2, "big"), hashlib.sha256)[:10]


def announced(person: Person, *contacts: Person) -> list[bytes]:
    tags = [tag(person, contact) for contact in contacts]
    return sorted(tags + [filling(person, number) for number in range(16 - len(tags))])


def txt(*strings: bytes) -> bytes:
    return b"".join(bytes([len(string)]) + string for string in strings)


def vectors() -> Iterator[Vector]:
    for name, one, other in (("alice_bob", ALICE, BOB), ("bob_alice", BOB, ALICE), ("bob_carol", BOB, CAROL)):
        yield Vector(
            "lan",
            f"pair_{name}",
            "the key of a pair is the same from both sides",
            "pair",
            {"seed_b64": b64(one.seed), "public_key_b64": b64(other.public_key)},
            "lan",
            value={"key_hex": key(one, other).hex()},
        )
    yield from _recognised()
    yield _announce("announce_none", "only filling", ALICE)
    yield _announce("announce_two", "two tags among filling, in ascending order", ALICE, BOB, CAROL)
    for name, period in (("meeting", PERIOD), ("meeting_next", PERIOD + 1), ("meeting_first", 0)):
        seed = hashlib.sha256(b"a place").digest()
        message = b"P4 lan meeting 1\0" + period.to_bytes(8, "big")
        fill = hkdf(seed, b"", b"P4 lan filling 1\0", 32)
        others = [
            hmac.digest(fill, period.to_bytes(8, "big") + number.to_bytes(2, "big"), hashlib.sha256)[:10]
            for number in range(15)
        ]
        own = hmac.digest(seed, message, hashlib.sha256)[:10]
        strings = txt(b"v=1", b"t0=" + b"".join(sorted([own, *others])))
        yield Vector(
            "lan",
            name,
            "how a meeting place shows itself in a period",
            "meeting",
            {"seed_b64": b64(seed), "period": period},
            "lan",
            value={"tag_hex": own.hex(), "txt_hex": strings.hex()},
        )
    yield from _texts()


def _recognised() -> Iterator[Vector]:
    for name, comment, tags, period, value in (
        ("now", "a contact in the present period", [tag(ALICE, BOB)], PERIOD, ALICE),
        ("among_filling", "a contact among what is for others", announced(ALICE, CAROL, BOB), PERIOD, ALICE),
        ("clock_ahead", "four periods later", [tag(ALICE, BOB)], PERIOD + 4, ALICE),
        ("clock_behind", "four periods earlier", [tag(ALICE, BOB)], PERIOD - 4, ALICE),
        ("too_late", "five periods later", [tag(ALICE, BOB)], PERIOD + 5, None),
        ("too_early", "five periods earlier", [tag(ALICE, BOB)], PERIOD - 5, None),
        ("our_own", "what we send to the contact ourselves", [tag(BOB, ALICE)], PERIOD, None),
        ("for_another", "a contact's tag for somebody else", [tag(ALICE, CAROL)], PERIOD, None),
        ("of_two", "tags of two contacts: a forgery", [tag(ALICE, BOB), tag(CAROL, BOB)], PERIOD, None),
    ):
        yield Vector(
            "lan",
            f"recognise_{name}",
            comment,
            "recognise",
            {
                "seed_b64": b64(BOB.seed),
                "contacts_b64": [b64(ALICE.public_key), b64(CAROL.public_key)],
                "period": period,
                "tags_hex": [one.hex() for one in tags],
            },
            "lan",
            value={"peer_id": value.peer_id if value else None},
        )


def _announce(name: str, comment: str, person: Person, *contacts: Person) -> Vector:
    tags = announced(person, *contacts)
    record = txt(b"v=1", b"t0=" + b"".join(tags))
    given = {
        "seed_b64": b64(person.seed),
        "contacts_b64": [b64(contact.public_key) for contact in contacts],
        "period": PERIOD,
    }
    return Vector("lan", name, comment, "announce", given, "lan", value={"txt_hex": record.hex()})


def _texts() -> Iterator[Vector]:
    tags = [bytes([number]) * 10 for number in range(97)]
    one = b"t0=" + tags[7]
    many = [b"t%d=" % n + b"".join(tags[16 * n : 16 * n + 16]) for n in range(6)]
    for name, comment, data, value in (
        ("one", "one tag", txt(b"v=1", one), tags[7:8]),
        ("96", "as many as there may be", txt(b"v=1", *many), tags[:96]),
        ("unknown_keys", "other keys are ignored", txt(b"x=2", b"v=1", b"flag", one, b""), tags[7:8]),
        ("key_case", "case does not matter", txt(b"V=1", b"T" + one[1:]), tags[7:8]),
        ("repeated", "of a repeated key the first counts", txt(b"v=1", one, b"t0=x", b"v=2"), tags[7:8]),
        ("gap", "what follows a missing number is ignored", txt(b"v=1", one, b"t2=" + tags[1]), tags[7:8]),
    ):
        good = {"tags_hex": [each.hex() for each in value]}
        yield Vector("lan", f"txt_{name}", comment, "txt", {"bytes": raw(data)}, "lan", value=good)
    for name, comment, data, code in (
        ("empty", "nothing", b"", "bad-txt"),
        ("cut_off", "the last string is not whole", txt(b"v=1", one)[:-1], "bad-txt"),
        ("no_version", "no v", txt(one), "bad-version"),
        ("version_2", "another version", txt(b"v=2", one), "bad-version"),
        ("no_tags", "no t0", txt(b"v=1"), "bad-tags"),
        ("empty_group", "t0 without a tag", txt(b"v=1", b"t0="), "bad-tags"),
        ("no_value", "t0 without a value", txt(b"v=1", b"t0"), "bad-tags"),
        ("half_a_tag", "15 bytes", txt(b"v=1", one + b"12345"), "bad-tags"),
        ("97", "more than there may be", txt(b"v=1", *many, b"t6=" + tags[96]), "bad-tags"),
    ):
        yield Vector("lan", f"txt_{name}", comment, "txt", {"bytes": raw(data)}, "lan", code)
