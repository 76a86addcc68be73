"""Where things go: as with `cp`, but the same command twice does the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from p4.apps.files.placement import OnlySource, place_here, place_in_share
from p4.apps.files.places import open_folder
from p4.apps.files.share import Share
from p4.errors import InputError, TransferError

FILE = OnlySource("notes.txt", folder=False)
FOLDER = OnlySource("Photos", folder=True)


@pytest.mark.parametrize(
    ("target", "source", "base", "renamed"),
    [
        ("", FILE, ("phone",), ""),
        ("", None, ("phone",), ""),
        ("/", FILE, (), ""),
        (".", FILE, (), ""),
        ("new.txt", FILE, (), "new.txt"),
        ("new/", FILE, ("new",), ""),
        ("deep/new.txt", FILE, ("deep",), "new.txt"),
        ("there", FILE, ("there",), ""),
        ("there/file", FILE, ("there",), "file"),
        ("several", None, ("several",), ""),
        ("Photos", FOLDER, (), "Photos"),
        ("there", FOLDER, ("there",), ""),
        ("album", FOLDER, (), "album"),
        ("there/Photos", FOLDER, ("there",), "Photos"),
    ],
)
def test_in_a_share(
    target: str, source: OnlySource | None, base: tuple[str, ...], renamed: str, tmp_path: Path
) -> None:
    (tmp_path / "Photos").mkdir()
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "file").write_bytes(b"")
    with open_folder(tmp_path) as share:
        placement = place_in_share(share, target, None, source, contact_folder="phone")
        assert (placement.base, placement.renamed) == (base, renamed)
        again = place_in_share(share, target, placement.into, source, contact_folder="phone")
        assert again == placement


@pytest.mark.parametrize("target", ["..", "../x", "a/../b", "x" * 256, "a\0b"])
def test_what_is_no_target(target: str, tmp_path: Path) -> None:
    with open_folder(tmp_path) as share, pytest.raises(TransferError) as refused:
        place_in_share(share, target, None, FILE, contact_folder="phone")
    assert refused.value.code == "bad-path"


def test_here(tmp_path: Path) -> None:
    assert place_here(f"{tmp_path}/new/", None, FILE)[0] == tmp_path / "new"
    folder, placement = place_here(str(tmp_path / "a" / "mine.txt"), None, FILE)
    assert (folder, placement.renamed, placement.into) == (tmp_path / "a", "mine.txt", False)
    folder, placement = place_here(str(tmp_path / "a"), None, FILE)
    assert (folder, placement.renamed) == (tmp_path / "a", "")


def test_what_may_be_shared(tmp_path: Path) -> None:
    assert Share.chosen(tmp_path / "x", read_only=True).read_only
    (tmp_path / "file").write_bytes(b"")
    for path in ("/", "~", str(Path.home()), tmp_path / "file"):
        with pytest.raises(InputError) as refused:
            Share.chosen(path, read_only=False)
        assert refused.value.code == "bad-folder"


@pytest.mark.parametrize("shared", ["keys", "keys/below", ".", "link"])
def test_the_keys_of_the_device_are_not_shared(tmp_path: Path, shared: str) -> None:
    keys = tmp_path / "keys"
    (keys / "below").mkdir(parents=True)
    (tmp_path / "link").symlink_to(keys)
    with pytest.raises(InputError, match="keys of this device"):
        Share.chosen(tmp_path / shared, read_only=True, private=keys)
    assert Share.chosen(tmp_path / "films", read_only=True, private=keys).path == tmp_path / "films"


def test_what_is_above_the_home_folder_is_not_shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The keys of this device are below."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "people" / "anna")
    with pytest.raises(InputError) as refused:
        Share.chosen(tmp_path / "people", read_only=True)
    assert refused.value.code == "bad-folder"
