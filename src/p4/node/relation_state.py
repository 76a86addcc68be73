"""What the store knows about the messages of a contact, as their machine takes it."""

from __future__ import annotations

from p4.core.session.messages.relation import RelationState
from p4.ports import PeerRecord

__all__ = ["relation_state"]


def relation_state(record: PeerRecord) -> RelationState:
    """The part of the record that concerns messages."""
    return RelationState(
        out_epoch=record.out_epoch,
        out_first=record.out_first,
        out_next=record.out_next,
        out_offered=record.out_offered,
        out_retired=record.out_retired,
        out_waiting=record.out_waiting,
        in_epoch=record.in_epoch,
        in_next=record.in_next,
        in_retired=record.in_retired,
        in_waiting=record.in_waiting,
        in_waiting_bytes=record.in_waiting_bytes,
    )
