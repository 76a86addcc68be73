"""Write every vector and the manifest: `python -m vectors.generate`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from vectors.generate import (
    binding,
    bodies,
    canonical,
    chat,
    envelope,
    frames,
    gate_frames,
    identity,
    introduction_frames,
    invite,
    lan,
    lane_frames,
    pairing,
    pairing_exchanges,
    punch,
    replay,
    rotation,
    sealed,
    signaling,
    stream_frames,
    stream_transcripts,
    transcripts,
    veiled,
    verification,
    x25519,
)
from vectors.generate import (
    files as copied_files,
)
from vectors.generate.common import Vector

SOURCES = (
    *(identity, canonical, envelope, replay, invite, signaling, x25519, sealed, veiled, binding, lan, punch),
    *(rotation, verification, pairing, pairing_exchanges),
    *(frames, introduction_frames, stream_frames, lane_frames, bodies, transcripts, stream_transcripts),
    gate_frames,
    copied_files,
    chat,
)


def vectors() -> Iterator[Vector]:
    for source in SOURCES:
        yield from source.vectors()


def files() -> dict[str, str]:
    """Relative path and content of every generated file."""
    content: dict[str, str] = {}
    for vector in vectors():
        if vector.path in content:
            raise ValueError(f"two vectors are called {vector.path}")
        content[vector.path] = vector.to_text()
    manifest = {"format": 1, "vectors": sorted(content)}
    return {**content, "manifest.json": json.dumps(manifest, indent=2) + "\n"}


def main() -> None:
    root = Path(__file__).resolve().parent.parent
    for old in root.glob("*/*.json"):
        old.unlink()
    for path, content in files().items():
        target = root / path
        target.parent.mkdir(exist_ok=True)
        target.write_text(content, encoding="utf-8", newline="\n")
    print(f"{len(files()) - 1} vectors written")


if __name__ == "__main__":
    main()
