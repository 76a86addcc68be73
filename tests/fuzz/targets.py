"""What is fuzzed: each parser as a function of bytes, with seeds to start from.

The one law: a parser gives a value or its own kind of error, never anything else. A target adds what else
must hold of the value. Another parser joins by another entry of ``TARGETS``.
"""

from __future__ import annotations

import json
from typing import Any

from tests.fuzz.pairing_targets import PAIRING_TARGETS
from tests.fuzz.target import Target
from vectors.generate.common import ALICE, BOB, NOW_MS
from vectors.generate.envelope import fields, signed
from vectors.generate.invite import invite
from vectors.generate.sealed import PING, sealed_bytes
from vectors.generate.sealed import payload as sealed_payload
from vectors.generate.signaling import SDP_LINES, SESSION, described, sdp
from vectors.generate.veiled import LINE, line, veiled_bytes

from p4.adapters.net.stun.codec import parse_answer, username_of
from p4.core import envelope
from p4.core.canonical import canonical_bytes, parse_object, parse_value
from p4.core.contacts import ContactBook
from p4.core.gate import gate_public_key
from p4.core.identity import Identity, PeerId, decode_key, encode_key, is_usable_key
from p4.core.invite import Invite
from p4.core.lan import decode_txt, encode_txt
from p4.core.reach import KnownReach, Reach, parse_endpoint
from p4.core.rotation import RotationStatement
from p4.core.sealing import open_payload
from p4.core.session.body import decode_body, encode_body
from p4.core.session.frames import (
    Assembly,
    Bundle,
    Bye,
    ByeReason,
    Frame,
    Last,
    Part,
    Ping,
    Signal,
    bundle,
    decode,
    encode,
)
from p4.core.session.gate_frames import Gate, GateKept
from p4.core.session.introduction_frames import Cease, CeaseReason, Convey, Introduce
from p4.core.session.session_frames import (
    Ack,
    Call,
    CallStatus,
    Cancel,
    Consumed,
    Datagram,
    Grants,
    Kind,
    Message,
    Refused,
    RefusedReason,
    Reply,
    Resume,
    Void,
)
from p4.core.session.stream_frames import Credit, Data, Gone, Open, Reset, ResetReason, Written
from p4.core.signaling import parse_payload, parse_reply, sdp_fingerprint
from p4.core.veil import unveil
from p4.errors import (
    ContactError,
    EnvelopeError,
    FrameError,
    InputError,
    InviteError,
    RemoteError,
    SignalingError,
)


def canonical(data: bytes) -> None:
    value = parse_value(data, RemoteError)
    text = canonical_bytes(value)
    assert canonical_bytes(parse_value(text, RemoteError)) == text


def envelope_line(data: bytes) -> None:
    parsed = envelope.parse(data)
    try:
        verified = parsed.verify(ALICE.public_key, me=parsed.recipient, now_ms=NOW_MS)
    except EnvelopeError as error:
        if error.code not in {"wrong-sender", "bad-time", "bad-signature"}:
            raise AssertionError(f"unexpected code {error.code}") from error
    else:
        # Nobody but Alice can have signed, and the seeds are all that she signed.
        assert verified.payload in SIGNED_PAYLOADS


def lan_txt(data: bytes) -> None:
    tags = decode_txt(data)
    assert decode_txt(encode_txt(tags)) == tags


def reply_line(data: bytes) -> None:
    parse_reply(data)


def invite_bytes(data: bytes) -> None:
    read = Invite.parse(data)
    assert is_usable_key(read.public_key)
    assert Invite.parse(read.to_text()) == read


def invite_text(data: bytes) -> None:
    read = Invite.parse(data.decode("utf-8", "surrogateescape"))
    assert Invite.parse(read.to_text()) == read


def contacts(data: bytes) -> None:
    book, _ = ContactBook.parse(data)
    written = book.serialise()
    assert parse_value(written, RemoteError) == parse_value(data, RemoteError)
    assert ContactBook.parse(written)[0].contacts == book.contacts


def contact_reference(data: bytes) -> None:
    book = ContactBook.parse(CONTACTS)[0]
    contact = book.find(data.decode("utf-8", "surrogateescape"))
    assert contact in book.contacts


def contact_name(data: bytes) -> None:
    name = data.decode("utf-8", "surrogateescape")
    renamed = ContactBook.parse(CONTACTS)[0].rename(ALICE.peer_id, name)
    assert ContactBook.parse(renamed.serialise())[0].contacts == renamed.contacts


def payload(data: bytes) -> None:
    message = parse_payload(parse_object(data))
    assert parse_payload(message.to_payload()) == message


def sealed(data: bytes) -> None:
    opened = open_payload(parse_object(data), sender_key=ALICE.public_key, recipient=Identity(BOB.seed))
    # Nobody but Alice can have sealed it, and the seed is all that she sealed.
    assert opened == PING


def veiled(data: bytes) -> None:
    opened = unveil(data, Identity(BOB.seed))
    # Everybody may veil a line, but not without knowing how.
    assert opened == LINE.encode()


def endpoint(data: bytes) -> None:
    read = parse_endpoint(data.decode("utf-8", "surrogateescape"))
    if read is None:
        raise ValueError("no address")
    assert Reach.from_fields(Reach((read,)).to_fields()) == Reach((read,))


def stored_reach(data: bytes) -> None:
    read = KnownReach.from_text(data.decode("utf-8", "surrogateescape"))
    assert KnownReach.from_text(read.to_text()) == read
    if read == KnownReach():
        raise ValueError("nothing is said")


def description(data: bytes) -> None:
    assert len(sdp_fingerprint(data.decode("utf-8", "surrogateescape"))) == 32


def key(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    assert encode_key(decode_key(text)) == text


def rotation(data: bytes) -> None:
    assert RotationStatement.parse(data).encoded == data


def frame(data: bytes) -> None:
    read = decode(data)
    if read is not None:
        assert encode(read) == data


def frames_in_parts(data: bytes) -> None:
    """The bytes are messages, each after its length; what they complete must be the frame that it says."""
    assembly = Assembly()
    while data:
        size = int.from_bytes(data[:2], "big")
        message, data = data[2 : 2 + size], data[2 + size :]
        part = decode(message)
        if isinstance(part, Part | Last):
            whole = assembly.add(part)
            assert whole is None or decode(encode(whole)) == whole
        if isinstance(part, Bundle):
            for inner in part.frames:
                assert not isinstance(decode(inner), Bundle | Part | Last)


def body(data: bytes) -> None:
    value = decode_body(Kind.JSON, data)
    assert decode_body(*encode_body(value)) == value


def stun(data: bytes) -> None:
    answer = parse_answer(data)
    if answer is None:
        raise ValueError("no answer")
    assert (answer.mapped is None) != (answer.error is None)


def ice_check(data: bytes) -> None:
    name = username_of(data)
    if name is None:
        raise ValueError("no name")
    assert name in data


def dumped(*values: Any) -> tuple[bytes, ...]:
    return tuple(json.dumps(value).encode() for value in values)


SIGNED_PAYLOADS: list[dict[str, Any]] = [{}, {"type": "ping", "session_id": "s", "x": [1, {"é": None}]}]
ENVELOPES = dumped(*(signed(fields(payload=content)) for content in SIGNED_PAYLOADS))
INVITES = dumped(invite(), invite(rendezvous={"transport": "direct", "address": "::1", "port": 1}))
BOB_ENTRY = invite(peer_id=BOB.peer_id, public_key_b64=BOB.public_key_b64, name="laptop", later=1)
CONTACTS = json.dumps([invite(), BOB_ENTRY, {"peer_id": "broken"}, 7]).encode()
P4 = {"v": 2, "caps": ["warm", "grease-0"], "boot": "0123456789abcdef", "nonce": "01" * 16}
REACH = {"at": ["192.0.2.1:4000", "[2001:db8::1]:1"], "via": ["0123456789abcdef"]}

MESSAGES: tuple[Frame, ...] = (
    Message(7, Kind.JSON, 1_700_000_000_000, 60_000, "chat", "key", b'"x"'),
    Call(5, 1000, Kind.BYTES, "a.b", b"argument"),
    Reply(5, CallStatus.FAILED, Kind.JSON, b'{"code":"c","message":"m"}'),
)
FRAMES: tuple[bytes, ...] = tuple(
    encode(frame)
    for frame in (
        *MESSAGES,
        *(Ping(1), Bye(ByeReason.SHUTDOWN), Resume(b"a" * 16, 1, bytes(16), 1), Void(1, 2), Ack(3)),
        *(Consumed(3, "chat"), Grants(("chat", "*")), Refused(4, RefusedReason.NOT_GRANTED), Cancel(5)),
        *(Datagram("pos", b"xyz"), Open(6, "files", "name"), Written(6, 7, final=True), Credit(6, 7, 8)),
        *(Data(6, 7, b"data"), Reset(6, ResetReason.LOST, "words"), Gone(6)),
        *(Introduce(8, PeerId(ALICE.peer_id)), Convey(8, b'{"veiled": ""}'), Cease(8, CeaseReason.REFUSED)),
        *(
            Signal(b'{"veiled": ""}'),
            Gate(gate_public_key(bytes(32)), 80, "aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dyp3kead"),
            GateKept(bytes(32)),
        ),
    )
)


OLD, NEW = Identity(bytes(range(32))), Identity(bytes(range(32, 64)))
ROTATION = RotationStatement.make(OLD, NEW, now_ms=1_700_000_000_000)


def delimited(*messages: bytes) -> bytes:
    return b"".join(len(message).to_bytes(2, "big") + message for message in messages)


TARGETS = {
    "canonical": Target(
        canonical, (RemoteError,), (b'{"b":[1,-2.5e-7,"\\ud83d\\ude00\\n"],"a":{"":null,"c":true}}',)
    ),
    "envelope": Target(envelope_line, (EnvelopeError,), ENVELOPES),
    "reply": Target(reply_line, (EnvelopeError,), (*ENVELOPES, b'{"ok": false, "error": "refused"}')),
    "invite": Target(
        invite_bytes,
        (InviteError,),
        (*INVITES, INVITES[0].decode().encode("utf-16"), b"\xef\xbb\xbf" + INVITES[1]),
    ),
    "invite_text": Target(invite_text, (InviteError,), INVITES),
    "contacts": Target(contacts, (ContactError,), (CONTACTS, b"[]")),
    "contact_reference": Target(contact_reference, (ContactError,), (ALICE.peer_id.encode(), b"laptop")),
    "contact_name": Target(contact_name, (InputError,), (b"laptop 2", "Küche 👩\u200d💻".encode())),
    "payload": Target(
        payload,
        (RemoteError,),
        dumped(
            described(p4=P4),
            described("answer"),
            {"type": "busy", "session_id": "s"},
            {"type": "ping", "session_id": "s", "p4": {**P4, **REACH}},
            {"type": "candidates", "session_id": SESSION, "candidates": [SDP_LINES[9][2:]] * 2, "done": True},
        ),
    ),
    "sealed": Target(sealed, (RemoteError,), dumped(sealed_payload(sealed_bytes(json.dumps(PING).encode())))),
    "veiled": Target(veiled, (RemoteError,), (line(veiled_bytes(LINE.encode())).encode(),)),
    "endpoint": Target(endpoint, (ValueError,), (b"192.0.2.1:4000", b"[2001:db8::1]:65535")),
    "stored_reach": Target(stored_reach, (ValueError,), dumped({**REACH, "through": [ALICE.peer_id]})),
    "description": Target(description, (SignalingError,), (sdp().encode(), sdp(end="\n").encode())),
    "frame": Target(frame, (FrameError,), (*FRAMES, bundle(FRAMES[3:9]))),
    "frames_in_parts": Target(
        frames_in_parts,
        (FrameError,),
        (
            *(
                delimited(encode(Part(data[:9])), encode(Part(data[9:12])), encode(Last(data[12:])))
                for data in map(encode, MESSAGES)
            ),
            delimited(
                encode(Part(FRAMES[0][:9])), encode(Ping(1)), bundle(FRAMES[:3]), encode(Last(FRAMES[0][9:]))
            ),
        ),
    ),
    "body": Target(body, (FrameError,), (b'{"b":[1,-2.5e-7,"\\ud83d\\ude00\\n"],"a":{"":null,"c":true}}',)),
    "stun": Target(
        stun,
        (ValueError,),
        (
            b"\x01\x01\0\x18!\x12\xa4B" + bytes(12) + b"\0\x20\0\x08\0\x01aaaaaa\x80\x2c\0\x08\0\x01aaaaaa",
            b"\x01\x11\0\x08!\x12\xa4B" + bytes(12) + b"\0\x09\0\x04\0\0\x04\x14",
        ),
    ),
    "lan_txt": Target(
        lan_txt,
        (SignalingError,),
        (encode_txt([bytes([number]) * 10 for number in range(96)]), b"\x03v=1\x0dt0=0123456789\x04x=\xff\0"),
    ),
    "ice_check": Target(
        ice_check,
        (ValueError,),
        (b"\0\x01\0\x10!\x12\xa4B" + bytes(12) + b"\0\x24\0\x04abcd\0\x06\0\x03a:b\0",),
    ),
    **PAIRING_TARGETS,
    "rotation": Target(rotation, (RemoteError,), (ROTATION.encoded,)),
    "key": Target(key, (ValueError,), (ALICE.public_key_b64.encode(),)),
}
