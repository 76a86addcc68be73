"""The Composer archive of the SDK for PHP."""

from __future__ import annotations

import json
import shutil
import zipfile
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
        (project / "composer.json").write_text(json.dumps(project_of(archive)), "utf-8")
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


def project_of(archive: Path) -> dict[str, object]:
    """A composer.json that knows this one archive, and no other source; as a registry would describe it."""
    with zipfile.ZipFile(archive) as packed:
        about = json.loads(packed.read("composer.json"))
    described = {**about, "dist": {"type": "zip", "url": archive.as_uri()}}
    return {
        "repositories": [{"type": "package", "package": described}, {"packagist.org": False}],
        "require": {about["name"]: "*"},
        "minimum-stability": "dev",
    }


AUTOLOAD = "<?php require __DIR__ . '/p4/sdk/autoload.php';\n"
