"""Whatever a sender calls its files: nothing outside the folder changes, nothing that was there is lost."""

from __future__ import annotations

import errno
import os
import tempfile
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.apps.files.hostile_sender import (
    digest_of,
    file_entry,
    folder_entry,
    link_entry,
    make_intake,
    names_given,
    numbers,
    send_all,
    snapshot,
)
from tests.counts import examples

from p4.apps.files import present
from p4.apps.files.frames import (
    Data,
    End,
    Entry,
    EntryKind,
    Failed,
    FileFrame,
    FileStart,
    Finish,
    Listed,
    Manifest,
    Stored,
    Verdicts,
    check_path,
)
from p4.apps.files.names import (
    HERE,
    POSIX,
    WINDOWS,
    folder_name,
    is_partial,
    numbered,
    partial_name,
    stays_inside,
)
from p4.apps.files.places import NotInsideError, open_below, open_folder, posix
from p4.apps.files.places.portable import PortableFolder
from p4.apps.files.wire import FrameReader, encode
from p4.errors import TransferError

NASTY = ["..", ".", "", "/", "/etc/passwd", "../x", "a\0b", "x" * 256, "\ud800"]
ODD = [
    *("CON", "nul.txt", "com1", "LPT9.log", "CONIN$", "aux", "COM¹", "NUL .txt", "a.", "a ", "a:b", "C:"),
    *(
        "C:evil",
        "a\\b",
        "\\\\server\\share",
        "a::$DATA",
        "?",
        "*",
        "<",
        "|",
        '"',
        "\x01",
        "-rf",
        "~",
        "$(id)",
    ),
    *("\x1b[2J", "é", "e\u0301", "ß", "SS", "ſ", "S", "K", "\u212a", "ﬁ", "fi", "A", "a", "İ", "i̇", "ı", "𝒜"),
    *(
        ".p4-" + "0" * 32 + ".part",
        "name (2)",
        "x" * 255,
        "é" * 127,
        "a\u202egnp.exe",
        ".",
        "...",
        ". ",
        "con .",
    ),
    *("\u2025", "․․", "／", "name"),
]
NAMES = st.one_of(st.sampled_from(ODD), st.text(min_size=1, max_size=30), st.sampled_from(["a", "b", "link"]))


def is_name(name: str) -> bool:
    try:
        check_path((name,))
    except TransferError:
        return False
    return True


GOOD_NAMES = NAMES.filter(is_name)
PATHS = st.lists(GOOD_NAMES, min_size=1, max_size=4).map(tuple)
TARGETS = st.builds(
    lambda up, rest: (*[".."] * up, *rest),
    st.integers(0, 4),
    st.lists(st.one_of(st.just(".."), GOOD_NAMES), min_size=1, max_size=3),
)
CONTENT = st.binary(max_size=20)
ENTRIES = st.one_of(
    st.tuples(PATHS, CONTENT).map(lambda found: (file_entry(*found[0], content=found[1]), found[1])),
    PATHS.map(lambda path: (folder_entry(*path), b"")),
    st.tuples(PATHS, TARGETS).map(lambda found: (link_entry(*found), b"")),
)


@pytest.mark.parametrize("name", NASTY)
@pytest.mark.parametrize("kind", ["entry", "start", "first"])
def test_what_is_no_name_breaks_the_transfer(name: str, kind: str) -> None:
    path = (name, "a") if kind == "first" else ("a", name)
    entry = Entry(EntryKind.FILE, 0o644, 0, 0, path)
    raw = "/".join(path).encode(errors="surrogatepass")
    good = encode(Manifest(entry._replace(path=("x" * (len(raw)),)))) if kind != "start" else b""
    data = good.replace(b"x" * len(raw), raw) if good and raw else b""
    if kind == "start":
        good = encode(FileStart(0, 0, entry._replace(path=("x" * len(raw),))))
        data = good.replace(b"x" * len(raw), raw)
    with pytest.raises(TransferError) as refused:
        list(FrameReader().feed(data))
    assert refused.value.code == "protocol"


@examples(1.5)
@given(sent=st.lists(ENTRIES, max_size=8), windows=st.booleans(), overwrite=st.booleans())
@example(
    sent=[(link_entry(("a", "up"), ("..",)), b""), (file_entry("a", "up", "x", content=b"1"), b"1")],
    windows=False,
    overwrite=True,
)
@example(
    sent=[
        (folder_entry("a", "b"), b""),
        (link_entry(("a", "b", "c"), ("..", "..")), b""),
        (link_entry(("a", "d"), ("b", "c", "..", "x")), b""),
    ],
    windows=False,
    overwrite=False,
)
def test_nothing_outside_ever_changes(
    sent: list[tuple[Entry, bytes]], windows: bool, overwrite: bool
) -> None:
    with tempfile.TemporaryDirectory() as name:
        outside = Path(name).resolve()
        share = outside / "share"
        (share / "laptop").mkdir(parents=True)
        (outside / "x").write_bytes(b"outside")
        (outside / "a").mkdir()
        # Links that our own user has there lead outside; a contact does not get through them.
        (share / "laptop" / "link").symlink_to(outside / "a")
        (share / "laptop" / "name").symlink_to(outside / "x")
        before = {path: seen for path, seen in snapshot(outside).items() if not path.startswith(str(share))}
        intake = make_intake(share, rules=WINDOWS if windows else POSIX, overwrite=overwrite)
        told = send_all(intake, sent)
        intake.close()
        after = {path: seen for path, seen in snapshot(outside).items() if not path.startswith(str(share))}
        assert after == before
        for planted in ("link", "name"):
            (share / "laptop" / planted).unlink()
        for path in share.rglob("*"):
            if path.is_symlink():
                assert Path(os.path.realpath(path)).is_relative_to(share), f"{path} leads out"
            assert not is_partial(path.name)
        # What was stored is there with its content, under one name for each.
        given_names = names_given(told)
        files = [path for path in share.rglob("*") if path.is_file() and not path.is_symlink()]
        contents = [path.read_bytes() for path in files]
        for number in numbers(told, Stored) if not overwrite else ():
            assert sent[number][1] in contents, given_names


@examples(1)
@given(name=GOOD_NAMES)
def test_names_that_windows_would_change_are_refused_there(name: str) -> None:
    if not WINDOWS.refusal(name):
        stem = name.split(".")[0].rstrip().upper()
        assert stem not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT1", "CONIN$", "COM¹"}
        assert not set(name) & set('<>:"/\\|?*')
        assert name[-1] not in ". "
        assert min(map(ord, name)) >= 32
    assert not is_partial(name) or POSIX.refusal(name)


@examples(1)
@given(name=GOOD_NAMES)
def test_numbered_names_are_names(name: str) -> None:
    found = [other for other, _ in zip(numbered(name), range(4), strict=False)]
    assert len(set(found)) == 4
    for other in found[1:]:
        check_path((other,))
        assert not is_partial(other)


@given(st.text(max_size=300))
def test_the_folder_of_a_contact_is_one_folder(contact: str) -> None:
    name = folder_name(contact, "ab" * 12)
    check_path((name,))
    assert not WINDOWS.refusal(name)


@pytest.mark.parametrize(
    ("path", "target", "inside"),
    [
        (("a", "l"), ("b",), True),
        (("a", "l"), ("..", "b"), False),
        (("a", "b", "l"), ("..",), True),
        (("a", "b", "l"), ("..", ".."), False),
        (("l",), ("x",), False),
        (("a", "b", "l"), ("c", "..", "d"), False),
    ],
)
def test_links_that_stay_inside(path: tuple[str, ...], target: tuple[str, ...], inside: bool) -> None:
    assert stays_inside(path, target) is inside


@pytest.mark.parametrize("portable", [False, True])
def test_a_link_that_somebody_plants_meanwhile_is_not_followed(portable: bool, tmp_path: Path) -> None:
    share, outside = tmp_path / "share", tmp_path / "outside"
    (share / "laptop" / "Photos").mkdir(parents=True)
    outside.mkdir()
    (outside / "victim").write_bytes(b"mine")
    folder = PortableFolder.open(share) if portable else open_folder(share)
    intake = make_intake(folder)
    sent = (file_entry("Photos", "a", content=b"evil"), file_entry("Photos", "victim", content=b"evil"))
    for entry in sent:
        list(intake.take(Manifest(entry)))
    # Between the list and the content, another program of this machine changes the folder.
    (share / "laptop" / "Photos").rename(share / "laptop" / "old")
    (share / "laptop" / "Photos").symlink_to(outside)
    list(intake.take(Listed(2)))
    told: list[FileFrame] = []
    for number, entry in enumerate(sent):
        for frame in (FileStart(number, 0, entry), Data(b"evil"), End(digest_of(b"evil"))):
            told += intake.take(frame)
    told += intake.take(Finish())
    intake.close()
    assert numbers(told, Failed) == {0, 1}
    assert snapshot(outside).keys() == {str(outside / "victim")}
    assert (outside / "victim").read_bytes() == b"mine"


def test_a_half_file_that_is_a_link_or_has_two_names_is_not_written_to(tmp_path: Path) -> None:
    share = tmp_path / "share"
    (share / "laptop").mkdir(parents=True)
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    entry = file_entry("film", content=b"evil")
    partial = partial_name("a" * 24, "/share", "laptop", "film", entry.size, entry.mtime_ns)
    for plant in (Path.symlink_to, Path.hardlink_to):
        plant(share / "laptop" / partial, victim)
        intake = make_intake(share, overwrite=True)
        told = send_all(intake, [(entry, b"evil")])
        intake.close()
        assert numbers(told, Stored) == {0} or any(isinstance(frame, Verdicts) for frame in told)
        assert victim.read_bytes() == b"mine"
        assert (share / "laptop" / "film").read_bytes() == b"evil"
        (share / "laptop" / "film").unlink()


def test_devices_are_neither_read_nor_written(tmp_path: Path) -> None:
    share = tmp_path / "share"
    (share / "laptop").mkdir(parents=True)
    os.mkfifo(share / "laptop" / "pipe")
    with open_folder(share) as folder, open_below(folder, ("laptop",)) as laptop:
        with pytest.raises(NotInsideError):
            laptop.read("pipe")
        with pytest.raises(NotInsideError):
            laptop.write("pipe", anew=False)
    for overwrite in (False, True):
        intake = make_intake(share, overwrite=overwrite)
        told = send_all(intake, [(file_entry("pipe", content=b"x"), b"x")])
        intake.close()
        assert names_given(told) == {0: "pipe (2)"}
        (share / "laptop" / "pipe (2)").unlink()
        assert (share / "laptop" / "pipe").is_fifo()


def test_never_setuid_and_no_more_than_the_mask_allows(tmp_path: Path) -> None:
    (tmp_path / "share").mkdir()
    intake = make_intake(tmp_path / "share")
    send_all(intake, [(file_entry("run", content=b"x", mode=0o777), b"x")])
    intake.close()
    mode = (tmp_path / "share" / "laptop" / "run").stat().st_mode
    assert mode & 0o7000 == 0
    assert mode & 0o022 == 0


def test_the_rules_of_this_machine() -> None:
    assert HERE is (WINDOWS if os.name == "nt" else POSIX)
    assert unicodedata.normalize("NFC", "e\u0301") == "é"
    assert NotInsideError("x").errno == errno.ENOTDIR


def test_the_mutant_that_follows_links_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(posix, "_BELOW", posix._FOLDER)
    with pytest.raises(AssertionError):
        test_a_link_that_somebody_plants_meanwhile_is_not_followed(False, tmp_path)


def test_the_mutant_that_lets_every_link_be_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(present, "stays_inside", lambda path, target: True)
    with pytest.raises(AssertionError):
        test_nothing_outside_ever_changes()
