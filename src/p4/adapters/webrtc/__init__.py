"""Direct paths over WebRTC data channels: the `p4.ports.Link` port on two libraries.

``wrtc`` (Chrome's library) is the default: ten times faster, and quicker to set up. ``aiortc`` (pure
Python) serves where wrtc has no wheel, and checks in tests that both speak the same protocol.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable

from p4.errors import InputError, LocalError
from p4.ports import LinkBackend

__all__ = ["select_backend"]


def select_backend(name: str = "auto", *, warn: Callable[[str], None] | None = None) -> LinkBackend:
    """The library that makes links. The libraries are imported here and not before.

    Args:
        name: ``wrtc``, ``aiortc``, or ``auto``: what the environment variable P4_LINK_BACKEND says,
            else wrtc if it is installed, else aiortc.
        warn: told in one sentence about a STUN or TURN server that the library cannot use; the log if None.

    Raises:
        InputError: code ``link-backend``: no library of this name is known.
        LocalError: code ``no-link-backend``: the library is not installed, or none is.
    """
    wanted = name
    if wanted == "auto":
        wanted = os.environ.get("P4_LINK_BACKEND") or "auto"
    if wanted not in {"auto", "wrtc", "aiortc"}:
        raise InputError(f"{wanted!r} is no link backend. Choose wrtc, aiortc or auto.", code="link-backend")

    tried: list[str] = []
    for candidate in ("wrtc", "aiortc") if wanted == "auto" else (wanted,):
        try:
            return _load(candidate, warn)
        except ImportError as error:
            tried.append(f"{candidate}: {error}")
    raise LocalError(
        f"No WebRTC library could be loaded ({'; '.join(tried)}). Without one there is no direct path to "
        "anybody. Install one with: pip install wrtc, or: pip install aiortc",
        code="no-link-backend",
    )


def _load(name: str, warn: Callable[[str], None] | None) -> LinkBackend:
    if importlib.util.find_spec("webrtc" if name == "wrtc" else "aiortc") is None:
        raise ImportError(f"{name} is not installed")
    if name == "wrtc":
        from p4.adapters.webrtc.wrtc_backend import WrtcBackend

        return WrtcBackend() if warn is None else WrtcBackend(warn=warn)
    from p4.adapters.webrtc.aiortc_backend import AiortcBackend

    return AiortcBackend() if warn is None else AiortcBackend(warn=warn)
