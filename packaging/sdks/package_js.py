"""The npm tarball of the SDK for JavaScript and TypeScript."""

from __future__ import annotations

from pathlib import Path

from trial import stage
from work import REPOSITORY, Example, copy_sources, need, only, program, run, run_offline_first

SDK = REPOSITORY / "sdks" / "js"
QUIET = ("--no-audit", "--no-fund")


def build(scratch: Path, output: Path) -> None:
    """`npm pack`, which compiles both forms of the package first."""
    need("node")
    npm = program("npm")
    package = copy_sources(scratch, "sdks/js", "spec/daemon-api") / "sdks" / "js"
    run_offline_first((npm, "ci", "--offline", *QUIET), (npm, "ci", *QUIET), cwd=package)
    run(npm, "pack", "--pack-destination", output, cwd=package)


async def try_out(output: Path, project: Path) -> str:
    """As an ES module and as CommonJS, from an empty project."""
    npm, tarball = program("npm"), only(output, "*.tgz")
    (project / "package.json").write_text('{ "private": true }\n', "utf-8")
    install = (npm, "install", "--ignore-scripts", *QUIET)
    run_offline_first((*install, "--offline", tarball), (*install, tarball), cwd=project)
    (project / "hello.mjs").write_text(Example.of("sdks/js/README.md", "js").text, "utf-8")
    (project / "hello.cjs").write_text(COMMON_JS, "utf-8")
    async with stage() as home:
        await home.perform("node", "hello.mjs", cwd=project, expected="true\n")
        await home.perform("node", "hello.cjs", cwd=project, expected="phone\n")
    return "the example of its README ran, and CommonJS"


COMMON_JS = """\
const { connect } = require("p4-sdk");

connect().then(async (me) => {
  console.log((await me.contact("phone").status()).name);
  me.close();
});
"""
