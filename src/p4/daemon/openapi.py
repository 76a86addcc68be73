"""The description of the API: ``python -m p4.daemon.openapi`` writes spec/daemon-api/openapi.json."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from p4.daemon.application import create_application

__all__ = ["DOCUMENT", "document"]

DOCUMENT = Path(__file__).parents[3] / "spec" / "daemon-api" / "openapi.json"
"""Where it is kept in the source tree."""


def document() -> str:
    """The description as text, the same for the same routes."""
    return json.dumps(create_application(None).openapi(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def _main() -> int:
    DOCUMENT.write_text(document(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
