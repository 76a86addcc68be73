"""The Composer archive of the SDK for PHP."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from trial import stage
from work import Example, PackageError, copy_sources, need, only, program, run, write_archive


def build(scratch: Path, output: Path) -> None:
    """A zip as `composer archive` makes it: everything but what composer.json excludes."""
    sdk = copy_sources(scratch, "sdks/php") / "sdks" / "php"
    about = json.loads((sdk / "composer.json").read_text("utf-8"))
    excluded = [sdk / pattern.strip("/") for pattern in about["archive"]["exclude"]]
    files = {
        path.relative_to(sdk).as_posix(): path
        for path in sorted(sdk.rglob("*"))
        if path.is_file()
        and path.name != ".gitignore"
        and not any(path.is_relative_to(other) for other in excluded)
    }
    for wanted in ("composer.json", "autoload.php", "README.md", "LICENSE"):
        if wanted not in files:
            raise PackageError(f"the archive would be without its {wanted}")
    write_archive(output / f"{about['name'].replace('/', '-')}-{about['version']}.zip", "", files)


async def try_out(output: Path, project: Path) -> str:
    """Installed by Composer if it is here, otherwise by hand where Composer would put it."""
    need("php")
    archive = only(output, "*.zip")
    example = Example.of("sdks/php/README.md", "php").text
    if shutil.which("composer"):
        how = "installed by Composer"
        (project / "composer.json").write_text(json.dumps(project_of(output)), "utf-8")
        run(program("composer"), "install", "--no-interaction", "--no-progress", "--quiet", cwd=project)
    else:
        how = "unpacked by hand"
        place = project / "vendor" / "p4" / "sdk"
        shutil.unpack_archive(archive, place)
        (project / "vendor" / "autoload.php").write_text(AUTOLOAD, "utf-8")
    (project / "hello.php").write_text(example, "utf-8")
    async with stage() as home:
        await home.perform("php", "hello.php", cwd=project, expected="connected\n")
    return f"{how}; the example of its README ran"


def project_of(output: Path) -> dict[str, object]:
    """A composer.json that knows the archives of a directory, and no other source."""
    return {
        "repositories": [{"type": "artifact", "url": str(output)}, {"packagist.org": False}],
        "require": {"p4/sdk": "*"},
        "minimum-stability": "dev",
    }


AUTOLOAD = "<?php require __DIR__ . '/p4/sdk/autoload.php';\n"
