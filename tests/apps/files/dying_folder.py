"""A folder whose process dies at a given operation: before it, or after it and before anybody hears of it."""

from __future__ import annotations

from typing import IO, Any

from p4.apps.files.places import Folder, Found

__all__ = ["DyingFolder", "Life", "PowerFailure"]


class PowerFailure(BaseException):
    """The process is no more. Nothing catches it."""


class Life:
    """Counts operations.

    Args:
        operations: how many are still carried out; None for all.
    """

    def __init__(self, operations: int | None = None) -> None:
        self.left = operations
        self.done = 0

    def step(self) -> None:
        if self.left is not None and self.done >= self.left:
            raise PowerFailure
        self.done += 1


class DyingFolder(Folder):
    """Does in a real folder what it is told, as long as its process lives."""

    def __init__(self, real: Folder, life: Life) -> None:
        self.real = real
        self.life = life

    def _do(self, name: str, *arguments: Any, **options: Any) -> Any:
        self.life.step()
        result = getattr(self.real, name)(*arguments, **options)
        self.life.step()
        return result

    def close(self) -> None:
        self.real.close()

    def enter(self, name: str = "") -> Folder:
        return DyingFolder(self.real.enter(name), self.life)

    def names(self) -> list[str]:
        return self.real.names()

    def look(self, name: str) -> Found | None:
        return self.real.look(name)

    def read_link(self, name: str) -> str:
        return self.real.read_link(name)

    def read(self, name: str) -> IO[bytes]:
        return self.real.read(name)

    def write(self, name: str, *, anew: bool) -> IO[bytes]:
        self.life.step()
        file = self.real.write(name, anew=anew)
        try:
            self.life.step()
        except PowerFailure:
            file.close()
            raise
        return file

    def seal(self, file: IO[bytes], name: str, mode: int, mtime_ns: int) -> None:
        self._do("seal", file, name, mode, mtime_ns)

    def make_folder(self, name: str, mode: int = 0o777) -> bool:
        return bool(self._do("make_folder", name, mode))

    def make_link(self, name: str, target: str) -> None:
        self._do("make_link", name, target)

    def place(self, name: str, final: str, *, replace: bool) -> None:
        self._do("place", name, final, replace=replace)

    def remove(self, name: str) -> None:
        self._do("remove", name)

    def set_time(self, mtime_ns: int) -> None:
        self._do("set_time", mtime_ns)

    def sync(self) -> None:
        self._do("sync")

    def free(self) -> int:
        return self.real.free()
