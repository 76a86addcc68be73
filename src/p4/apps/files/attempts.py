"""One attempt of a transfer, in each of its four directions: from an opened stream to its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from p4.apps.files.conversation import (
    Run,
    agreed_hash,
    check_version,
    end_badly,
    frames_of,
    raise_over,
    text_in,
    to_the_end,
    write,
)
from p4.apps.files.frames import Ask, EntryKind, Over, not_a_frame
from p4.apps.files.hashing import HASHES
from p4.apps.files.intake import Intake
from p4.apps.files.names import folder_name
from p4.apps.files.partials import Partials
from p4.apps.files.placement import OnlySource, place_here, place_in_share
from p4.apps.files.places import open_folder
from p4.apps.files.plan import IntakePlan
from p4.apps.files.receiving import Receiving
from p4.apps.files.sending import Sending
from p4.apps.files.share import Share
from p4.apps.files.transfer import Transfer
from p4.apps.files.tree import Tree, tree_of_paths, tree_of_share
from p4.apps.files.wire import FrameReader
from p4.core import limits
from p4.errors import TransferError
from p4.node.peer import Peer
from p4.node.streams import Stream

__all__ = ["Attempts", "fetched_names"]

Told = Callable[[Transfer], Awaitable[None]]


def fetched_names(sources: list[str], contact: str) -> list[str]:
    """What fetched sources are called: the last name of each path. Raises TransferError ``exists``."""
    names = []
    for source in sources:
        parts = [part for part in source.split("/") if part not in ("", ".")]
        names.append(parts[-1] if parts else contact)
    if len(set(names)) < len(names):
        raise TransferError("Two sources have the same name. Fetch them apart.", code="exists")
    return names


class Attempts:
    """What all attempts need.

    Args:
        share: the present one.
        keep: writes down what is new about half files.
    """

    def __init__(
        self, run: Run, partials: Partials, share: Callable[[], Share], keep: Callable[[], Awaitable[None]]
    ) -> None:
        self._run = run
        self._partials = partials
        self._share = share
        self._keep = keep

    async def send(self, transfer: Transfer, stream: Stream, decided: Told) -> None:
        """Our user sends. Raises TransferError, StreamError.

        Args:
            decided: called when it is known where the files go. It must stay so in later attempts, though
                this one makes folders.
        """
        tree = await to_the_end(self._run(_own_tree, transfer))
        for _, code, text in tree.notes:
            transfer.progress.note(code, text)
        offer = {
            "transfer": transfer.id,
            "target": transfer.target,
            "into": transfer.into,
            "source": _only_source(tree, len(transfer.sources)),
            "overwrite": transfer.overwrite,
        }

        async def accepted(into: bool) -> None:
            transfer.into = into
            await decided(transfer)

        await Sending(stream, tree, offer, transfer.progress, self._run, accepted=accepted).work()

    async def fetch(self, transfer: Transfer, stream: Stream, peer: Peer, decided: Told) -> None:
        """Our user fetches. Raises TransferError, StreamError.

        Args:
            decided: as for `send`.
        """
        names = fetched_names(transfer.sources, folder_name(peer.name, peer.peer_id))
        asked = [{"path": path, "name": name} for path, name in zip(transfer.sources, names, strict=True)]
        content = {
            "version": limits.FILES_VERSION,
            "transfer": transfer.id,
            "hashes": list(HASHES),
            "recursive": transfer.recursive,
            "sources": asked,
        }
        await write(stream, [Ask(content)])

        async def begin(offer: Mapping[str, Any], hash_name: str) -> tuple[Intake, bool]:
            begun = await to_the_end(self._run(self._intake_here, transfer, offer, names, hash_name))
            try:
                await decided(transfer)
            except BaseException:
                await self._run(begun[0].close)
                raise
            return begun

        await Receiving(stream, begin, transfer.progress, self._run, self._keep).work()

    async def receive(self, stream: Stream, transfer: Transfer, known: Told) -> None:
        """The contact sends. Raises TransferError, StreamError.

        Args:
            known: called when it has said what it sends.
        """

        async def begin(offer: Mapping[str, Any], hash_name: str) -> tuple[Intake, bool]:
            transfer.id, transfer.target = text_in(offer, "transfer"), text_in(offer, "target")
            source = OnlySource.of(offer)
            transfer.sources = [source.name] if source else []
            transfer.overwrite = offer.get("overwrite") is True
            await known(transfer)
            plan = self._intake_in_share, transfer, offer, source, hash_name, stream.peer
            return await to_the_end(self._run(*plan))

        await Receiving(stream, begin, transfer.progress, self._run, self._keep).work()

    async def serve(self, stream: Stream, transfer: Transfer, known: Told) -> None:
        """The contact fetches. Raises TransferError, StreamError."""
        reader = FrameReader()
        try:
            ask = await anext(frames_of(stream, reader), None)
            if isinstance(ask, Over):
                raise_over(ask)
            if not isinstance(ask, Ask):
                raise not_a_frame("a question that is none.")
            check_version(ask.content)
            hash_name = agreed_hash(ask.content)
            transfer.id = text_in(ask.content, "transfer")
            sources = _asked(ask.content)
            transfer.sources = [path for path, _ in sources]
            transfer.recursive = ask.content.get("recursive") is True
            await known(transfer)
            share = self._share()
            share.open(create=False).close()
            tree = await to_the_end(self._run(_shared_tree, share.path, sources, transfer.recursive))
        except TransferError as error:
            if not error.by_contact:
                await end_badly(stream, error)
            raise
        offer = {
            "transfer": transfer.id,
            "target": "",
            "into": None,
            "source": _only_source(tree, len(sources)),
            "overwrite": False,
        }
        await Sending(
            stream, tree, offer, transfer.progress, self._run, reader=reader, hashes=(hash_name,)
        ).work()

    # -- in a thread ------------------------------------------------------------------------------------

    def _intake_here(
        self, transfer: Transfer, offer: Mapping[str, Any], names: list[str], hash_name: str
    ) -> tuple[Intake, bool]:
        source = OnlySource.of(offer) if len(names) == 1 else None
        if source is not None and source.name != names[0]:
            raise not_a_frame("a file that was not asked for.")
        path, placement = place_here(transfer.target, transfer.into, source)
        transfer.into = placement.into
        roots = {name: placement.renamed or name for name in names}
        plan = IntakePlan(placement.base, roots, transfer.overwrite, transfer.peer_id, str(path), hash_name)
        return Intake(open_folder(path), plan, self._partials), placement.into

    def _intake_in_share(
        self,
        transfer: Transfer,
        offer: Mapping[str, Any],
        source: OnlySource | None,
        hash_name: str,
        peer: Peer,
    ) -> tuple[Intake, bool]:
        share = self._share()
        if share.read_only:
            raise TransferError(
                "The shared folder of that device is for reading only. `p4 share FOLDER` there changes that.",
                code="read-only",
            )
        into = offer.get("into")
        if into is not None and not isinstance(into, bool):
            raise not_a_frame("its 'into' is neither true nor false.")
        folder = share.open(create=True)
        try:
            placement = place_in_share(
                folder, transfer.target, into, source, contact_folder=folder_name(peer.name, peer.peer_id)
            )
        except BaseException:
            folder.close()
            raise
        roots = {source.name: placement.renamed} if source is not None and placement.renamed else None
        plan = IntakePlan(
            placement.base, roots, transfer.overwrite, transfer.peer_id, str(share.path), hash_name
        )
        return Intake(folder, plan, self._partials), placement.into


def _own_tree(transfer: Transfer) -> Tree:
    paths = [Path(source) for source in transfer.sources]
    return tree_of_paths(paths, recursive=transfer.recursive, follow=transfer.follow)


def _shared_tree(share: Path, sources: list[tuple[str, str]], recursive: bool) -> Tree:
    return tree_of_share(share, sources, recursive=recursive)


def _only_source(tree: Tree, sources: int) -> dict[str, Any] | None:
    if sources != 1:
        return None
    entry = tree.found[0].entry
    return {"name": entry.path[0], "folder": entry.kind is EntryKind.FOLDER}


def _asked(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    sources = content.get("sources")
    if not isinstance(sources, list) or not sources:
        raise not_a_frame("it asks for nothing.")
    found = []
    for source in sources:
        if not isinstance(source, dict):
            raise not_a_frame("it asks for what is no path.")
        found.append((text_in(source, "path"), text_in(source, "name")))
    if len({name for _, name in found}) < len(found):
        raise not_a_frame("two sources have the same name.")
    return found
