"""What commands need of a state directory that no node has opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from p4.cli.output import complain
from p4.errors import StateError

if TYPE_CHECKING:
    from p4.adapters.store.state_dir import StateDirectory
    from p4.core.identity import Identity

__all__ = ["open_initialised", "open_or_initialise"]


def open_initialised(path: Path) -> tuple[StateDirectory, Identity]:
    """An existing state directory and the identity in it. A missing directory is not created.

    Raises:
        StateError: code ``not-initialised`` with the command that mends it, or what the directory says.
    """
    from p4.adapters.store.state_dir import StateDirectory

    identity = None
    if path.exists():
        state = StateDirectory(path, warn=complain)
        state.prepare()
        identity = state.load_identity()
    if identity is None:
        raise StateError(
            f"{path} holds no identity yet. `p4 invite`, `p4 add` and `p4 up` make one when they begin, "
            f'and so does: p4 init --state-dir "{path}"',
            path=str(path),
            code="not-initialised",
        )
    return state, identity


def open_or_initialise(path: Path) -> tuple[StateDirectory, Identity]:
    """The state directory and its identity; both are made where there are none.

    Raises:
        StateError: what the directory says.
    """
    from p4.adapters.clock import SystemEntropy
    from p4.adapters.store.state_dir import StateDirectory

    state = StateDirectory(path, warn=complain)
    state.prepare()
    identity = state.load_identity()
    if identity is None:
        with state.lock():
            # Asked again: another process may have been quicker.
            identity = state.load_identity() or state.create_identity(SystemEntropy().token(32))
    return state, identity
