"""How the vectors of the local network are run against our core."""

from __future__ import annotations

from typing import Any

from p4.core.identity import Identity, decode_key, peer_id_of
from p4.core.lan import (
    Recognition,
    announced_tags,
    decode_txt,
    encode_txt,
    filling_key,
    lan_tag,
    meeting_filling_key,
    meeting_tag,
    pair_key,
)
from p4.errors import SignalingError

Outcome = tuple[str, str, Any]  # layer, code, value


def lan_pair(given: dict[str, Any]) -> Outcome:
    return "lan", "ok", {"key_hex": _key(given["seed_b64"], given["public_key_b64"]).hex()}


def lan_recognise(given: dict[str, Any]) -> Outcome:
    recognition = Recognition(given["period"])
    for key in given["contacts_b64"]:
        recognition.add(peer_id_of(decode_key(key)), _key(given["seed_b64"], key))
    tags = [bytes.fromhex(tag) for tag in given["tags_hex"]]
    return "lan", "ok", {"peer_id": recognition.recognise(tags)}


def lan_announce(given: dict[str, Any]) -> Outcome:
    identity, period = Identity(decode_key(given["seed_b64"])), given["period"]
    tags = [lan_tag(_key(given["seed_b64"], key), period, identity.peer_id) for key in given["contacts_b64"]]
    announced = announced_tags(tags, filling_key(identity), period)
    return "lan", "ok", {"txt_hex": encode_txt(announced).hex()}


def lan_meeting(given: dict[str, Any]) -> Outcome:
    seed, period = decode_key(given["seed_b64"]), given["period"]
    tag = meeting_tag(seed, period)
    text = encode_txt(announced_tags([tag], meeting_filling_key(seed), period))
    return "lan", "ok", {"tag_hex": tag.hex(), "txt_hex": text.hex()}


def lan_txt(given: dict[str, Any]) -> Outcome:
    try:
        tags = decode_txt(bytes.fromhex(given["bytes"]["hex"]))
    except SignalingError as error:
        return "lan", error.code, None
    return "lan", "ok", {"tags_hex": [tag.hex() for tag in tags]}


def _key(seed_b64: str, public_key_b64: str) -> bytes:
    return pair_key(Identity(decode_key(seed_b64)), decode_key(public_key_b64))
