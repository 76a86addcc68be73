"""Signatures that bind a link to its two ends (spec/link.md, Binding)."""

from __future__ import annotations

from collections.abc import Iterator

from vectors.generate.common import ALICE, BOB, CAROL, Person, Vector
from vectors.generate.signaling import SESSION

LABEL = b"P4 link binding 1\0"
TRUE: dict[str, str] = {
    "offerer": ALICE.peer_id,
    "answerer": BOB.peer_id,
    "offerer_fingerprint_hex": "aa" * 32,
    "answerer_fingerprint_hex": "bb" * 32,
    "offerer_nonce_hex": "01" * 16,
    "answerer_nonce_hex": "02" * 16,
    "session_id": SESSION,
}
LETTER = {"offerer": b"O", "answerer": b"A"}


def statement(role: str, label: bytes = LABEL, **changes: str) -> bytes:
    link: dict[str, str] = {**TRUE, **changes}
    return (
        label
        + LETTER[role]
        + link["offerer"].encode()
        + link["answerer"].encode()
        + bytes.fromhex(link["offerer_fingerprint_hex"] + link["answerer_fingerprint_hex"])
        + bytes.fromhex(link["offerer_nonce_hex"] + link["answerer_nonce_hex"])
        + link["session_id"].encode()
    )


def vectors() -> Iterator[Vector]:
    for role, signer in (("offerer", ALICE), ("answerer", BOB)):
        yield _verify(f"ok_{role}", f"the {role} signs", role, signer, statement(role), good=True)
    yield _verify(
        "ok_longest_session_id",
        "64 characters",
        "answerer",
        BOB,
        statement("answerer", session_id="~" * 64),
        good=True,
        session_id="~" * 64,
    )
    others: tuple[tuple[str, str, dict[str, str]], ...] = (
        (
            "offerer",
            "an offer that Carol passed on: the answerer took it for hers",
            {"offerer": CAROL.peer_id},
        ),
        ("answerer", "an answer that Carol passed on", {"answerer": CAROL.peer_id}),
        ("ends_swapped", "ids the wrong way round", {"offerer": BOB.peer_id, "answerer": ALICE.peer_id}),
        ("offerer_fingerprint", "another certificate", {"offerer_fingerprint_hex": "ab" * 32}),
        ("answerer_fingerprint", "another certificate", {"answerer_fingerprint_hex": "ba" * 32}),
        ("offerer_nonce", "of another offer", {"offerer_nonce_hex": "03" * 16}),
        ("answerer_nonce", "of another answer", {"answerer_nonce_hex": "03" * 16}),
        ("session_id", "of another session", {"session_id": SESSION[:-1] + "0"}),
        ("session_id_longer", "of another session", {"session_id": SESSION + "0"}),
    )
    for name, comment, changes in others:
        yield _verify(f"other_{name}", comment, "answerer", BOB, statement("answerer", LABEL, **changes))
    yield _verify("role", "our own role: a signature sent back", "answerer", BOB, statement("offerer"))
    yield _verify("reflected", "the offerer's own signature", "answerer", ALICE, statement("offerer"))
    yield _verify("other_key", "Carol signs the right statement", "answerer", CAROL, statement("answerer"))
    yield _verify(
        "other_label", "a statement of another kind", "answerer", BOB, statement("answerer", b"P4 other\0")
    )


def _verify(
    name: str, comment: str, role: str, signer: Person, signed: bytes, *, good: bool = False, **changes: str
) -> Vector:
    given = {
        **TRUE,
        **changes,
        "signer": role,
        "public_key_b64": BOB.public_key_b64 if role == "answerer" else ALICE.public_key_b64,
        "signature_b64": signer.sign(signed),
    }
    value = {"statement_hex": signed.hex()} if good else None
    code = "ok" if good else "bad-signature"
    return Vector("binding", name, comment, "verify", given, "binding", code, value)
