"""Invites as an API; single cases are vectors (vectors/invite)."""

from __future__ import annotations

import json

import pytest

from p4.core.address import RendezvousAddress, Transport
from p4.core.identity import Identity, encode_key, peer_id_of
from p4.core.invite import INVITE_BYTES, Invite
from p4.errors import InviteError

ALICE = Identity(bytes(32))
INVITE = Invite(ALICE.public_key, RendezvousAddress(Transport.DIRECT, "192.0.2.1", 9001))


def test_text_is_what_version_1_prints() -> None:
    assert INVITE.to_text() == (
        "{\n"
        f'  "peer_id": "{ALICE.peer_id}",\n'
        f'  "public_key_b64": "{encode_key(ALICE.public_key)}",\n'
        '  "rendezvous": {\n'
        '    "transport": "direct",\n'
        '    "address": "192.0.2.1",\n'
        '    "port": 9001\n'
        "  }\n"
        "}"
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_encodings_of_files(encoding: str) -> None:
    for text in (INVITE.to_text(), f"\r\n{INVITE.to_text()}\r\n"):
        assert Invite.parse(text.encode(encoding)) == INVITE


def test_pasted_text() -> None:
    assert Invite.parse(f"\ufeff \u00a0{INVITE.to_text()}\n\n") == INVITE


def test_terminals_may_hand_over_broken_characters() -> None:
    with pytest.raises(InviteError) as caught:
        Invite.parse("\udcff" + INVITE.to_text())
    assert caught.value.code == "bad-string"


def test_the_size_limit_counts_before_anything_is_decoded() -> None:
    text = INVITE.to_text()
    assert Invite.parse(text.ljust(INVITE_BYTES)) == INVITE
    for data in (text.ljust(INVITE_BYTES + 1), text.encode().ljust(INVITE_BYTES + 1)):
        with pytest.raises(InviteError) as caught:
            Invite.parse(data)
        assert caught.value.code == "too-large"


def test_a_swapped_key_is_explained() -> None:
    fields = INVITE.to_object()
    fields["peer_id"] = peer_id_of(b"another")
    with pytest.raises(InviteError, match="does not belong to its key") as caught:
        Invite.parse(json.dumps(fields))
    assert caught.value.code == "wrong-id"


def test_every_message_is_a_sentence_without_control_characters() -> None:
    rendezvous = {"transport": "\x1b[2J" * 9, "address": "x", "port": 1}
    with pytest.raises(InviteError) as caught:
        Invite.parse(json.dumps({**INVITE.to_object(), "rendezvous": rendezvous}))
    assert caught.value.message.endswith(".")
    assert caught.value.message.isprintable()
