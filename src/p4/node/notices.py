"""What a restored backup, a full inbox or a refused message means, in sentences for a person."""

from __future__ import annotations

from p4.core.session.messages.events import Dropped, DropReason, Notice, NoticeKind

__all__ = ["refusal", "sentence"]


def refusal(dropped: Dropped, label: str) -> str:
    """What to tell the user of messages that the contact does not take.

    Args:
        dropped: with reason ``REFUSED`` or ``NOT_SUPPORTED``.
        label: what the contact is called.
    """
    count = "One message" if len(dropped.numbers) == 1 else f"{len(dropped.numbers)} messages"
    if dropped.reason is DropReason.NOT_SUPPORTED:
        return (
            f"{count} to {label} cannot be delivered: it runs an older program, which takes chat texts only."
        )
    return (
        f"{count} to {label} cannot be delivered: {label} does not let you use {dropped.service!r}. It has "
        "to grant it first; then send again."
    )


def sentence(notice: Notice, label: str) -> str:
    """What to tell the user.

    Args:
        label: what the contact is called.
    """
    count = "one message" if notice.count == 1 else f"{notice.count} messages"
    match notice.kind:
        case NoticeKind.OUTBOX_RENEWED:
            return (
                f"Your queue towards {label} was older than what {label} has, as if this device was restored "
                f"from a backup. What waits in it ({count}) is sent anew; messages already delivered may "
                "arrive again."
            )
        case NoticeKind.PEER_LOST:
            return (
                f"{label} has lost {count} that it had confirmed, as if it was restored from a backup. They "
                "are not sent again by themselves; later ones arrive."
            )
        case NoticeKind.MISSING_HERE:
            return (
                f"Missing here: {count} from {label}, delivered to this device once, as if it was restored "
                "from a backup since. Ask for them again if you need them; later ones arrive."
            )
        case NoticeKind.PEER_RENEWED:
            return (
                f"{label} sends from a new queue: it was restored from a backup or set up anew, or had "
                "removed you for a while. Some of its messages may arrive a second time."
            )
        case NoticeKind.INBOX_FULL:
            return (
                f"Too much from {label} waits here for a program that takes it: {count}. {label} keeps "
                "further ones until then."
            )
