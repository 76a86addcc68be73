"""Makes the packages, and tries each out in an empty project; started by scripts/packages."""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import sys
import tempfile
import time
from pathlib import Path

from work import BUILD, OUTPUT, REPOSITORY, MissingToolError, PackageError, empty, write_sums

from p4.errors import P4Error

sys.path.append(str(REPOSITORY))  # the devices of conformance/

NAMES = ("python", "js", "java", "rust", "php", "cpp", "native")


def main() -> int:
    """Returns the exit code: 0 if all is well, 1 if a package was not made or did not work."""
    parser = argparse.ArgumentParser(prog="scripts/packages", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(NAMES)}")
    parser.add_argument("--build-only", action="store_true", help="does not try them out")
    options = parser.parse_args()
    unknown = sorted(set(options.names) - set(NAMES))
    if unknown:
        parser.error(f"there is no package {', '.join(unknown)}")
    wrong = [
        name for name in NAMES if name in (options.names or NAMES) and not make(name, options.build_only)
    ]
    count = write_sums(OUTPUT)
    print(f"packages   {count} files and SHA256SUMS in {OUTPUT.relative_to(REPOSITORY)}/")
    if wrong:
        print(f"packages   FAILED: {', '.join(wrong)}", file=sys.stderr)
    return 1 if wrong else 0


def make(name: str, build_only: bool) -> bool:
    """Build a package and try it out; says how that went. Returns whether it may count as well."""
    package = importlib.import_module(f"package_{name}")
    begin = time.monotonic()
    output = empty(OUTPUT / name)
    BUILD.mkdir(exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=f"p4-{name}-", ignore_cleanup_errors=True) as directory:
            scratch, project = Path(directory, "build"), Path(directory, "project")
            scratch.mkdir()
            project.mkdir()
            package.build(scratch, output)
            tried = "" if build_only else asyncio.run(package.try_out(output, project))
    except MissingToolError as error:
        print(f"{name:<10} skipped: {error}", file=sys.stderr, flush=True)
        return not os.environ.get("CI")
    except (PackageError, P4Error, OSError, RuntimeError, TimeoutError) as error:  # the daemons' included
        print(f"{name:<10} FAILED: {error}", file=sys.stderr, flush=True)
        return False
    for path in sorted(output.rglob("*")):
        if path.is_file() and path.suffix != ".sha1":
            print(f"{name:<10} {path.relative_to(output).as_posix()}, {path.stat().st_size:,} bytes")
    print(f"{name:<10} ok, {time.monotonic() - begin:.0f} s{': ' if tried else ''}{tried}", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
