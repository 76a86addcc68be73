"""What the figures were taken on."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import tempfile
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import psutil


def facts() -> dict[str, Any]:
    """Processor, memory, load, disk and versions."""
    return {
        "time": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "system": _system(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_before": round(psutil.getloadavg()[0], 2),
        "file_system": _file_system(),
        "python": platform.python_version(),
        **{name: _version(name) for name in ("p4-node", "wrtc", "aiortc", "cryptography")},
        "tor": _tor_version(),
        "commit": _commit(),
    }


def _system() -> str:
    try:
        name = platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        name = platform.platform(terse=True)
    return f"{name}, {platform.system()} {platform.release()}, {platform.machine()}"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except FileNotFoundError:
        pass
    return platform.processor() or "unknown"


def _file_system() -> str:
    """The kind of file system that the nodes' state lies on: a durable message costs what its fsync costs."""
    directory = Path(tempfile.gettempdir()).resolve()
    mounts = {Path(entry.mountpoint): entry.fstype for entry in psutil.disk_partitions(all=True)}
    return next((mounts[path] for path in (directory, *directory.parents) if path in mounts), "unknown")


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"


def _tor_version() -> str:
    program = shutil.which("tor")
    return _first_line([program, "--version"]) if program else "none"


def _commit() -> str:
    return _first_line(["git", "describe", "--always", "--dirty"])


def _first_line(command: list[str]) -> str:
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return output.splitlines()[0].strip() if output else "unknown"
