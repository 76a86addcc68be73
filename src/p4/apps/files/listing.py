"""What is in the shared folder, for contacts that may read it (spec/files.md, Listing)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from p4.apps.files.conversation import Run
from p4.apps.files.frames import check_path
from p4.apps.files.names import is_partial
from p4.apps.files.places import FoundKind, open_below
from p4.apps.files.refusals import refusal_of, spelled
from p4.apps.files.share import Share
from p4.core import limits
from p4.errors import CallFailed, TransferError
from p4.node.calls import IncomingCall

__all__ = ["Listings", "listing_of"]


class Listings:
    """Answers the calls of ``files.read``.

    Args:
        share: the present one.
    """

    def __init__(self, share: Callable[[], Share], run: Run) -> None:
        self._share = share
        self._run = run

    async def answer(self, call: IncomingCall) -> object:
        """The names in one folder, in order."""
        question = call.argument
        if not isinstance(question, dict) or not isinstance(question.get("list"), str):
            raise CallFailed("bad-path", "It asks for no listing.")
        return await self._run(self._list, question["list"])

    def _list(self, path: str) -> dict[str, Any]:
        names = tuple(part for part in path.split("/") if part not in ("", "."))
        entries = []
        try:
            if names:
                check_path(names)
            with self._share().open(create=False) as share, open_below(share, names) as folder:
                present = sorted(name for name in folder.names() if not is_partial(name) and _is_text(name))
                for name in present[: limits.FILE_LISTING]:
                    found = folder.look(name)
                    if found is not None and found.kind is not FoundKind.OTHER:
                        entries.append(
                            {
                                "name": name,
                                "kind": found.kind.value,
                                "size": found.size,
                                "mtime_ms": found.mtime_ns // 1_000_000,
                            }
                        )
        except TransferError as error:
            code = "bad-path" if error.code == "protocol" else error.code
            raise CallFailed(code, f"{spelled(names)} cannot be listed: {error.message}") from None
        except OSError as error:
            refusal = refusal_of(error, names)
            raise CallFailed(refusal.code, refusal.text) from None
        return _within_a_result(entries, more=len(present) > limits.FILE_LISTING)


def _within_a_result(entries: list[dict[str, Any]], *, more: bool) -> dict[str, Any]:
    """As many entries as surely fit into the result of a call."""
    room = limits.BODY_BYTES - 1024
    for kept, entry in enumerate(entries):
        room -= 12 * len(entry["name"]) + 100
        if room < 0:
            return {"entries": entries[:kept], "more": True}
    return {"entries": entries, "more": more}


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def listing_of(result: object) -> dict[str, Any]:
    """What a contact answered, as far as it is a listing. Raises TransferError ``protocol``."""
    entries = result.get("entries") if isinstance(result, dict) else None
    if not isinstance(result, dict) or not isinstance(entries, list):
        raise TransferError("The other device's program answers with what is no listing.", code="protocol")
    kept = []
    for entry in entries:
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            size, mtime_ms = entry.get("size"), entry.get("mtime_ms")
            kept.append(
                {
                    "name": entry["name"],
                    "kind": entry["kind"] if entry.get("kind") in ("file", "folder", "link") else "file",
                    "size": size if isinstance(size, int) else 0,
                    "mtime_ms": mtime_ms if isinstance(mtime_ms, int) else 0,
                }
            )
    return {"entries": kept, "more": result.get("more") is True}
