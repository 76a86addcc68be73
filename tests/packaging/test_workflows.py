"""The workflows of continuous integration: readable, complete, and every command in them is there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # comes with mkdocs, without types

ROOT = Path(__file__).resolve().parents[2]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PLATFORMS = {
    "Linux x64": "ubuntu-24.04",
    "Linux arm64": "ubuntu-24.04-arm",
    "macOS x64": "macos-15-intel",
    "macOS arm64": "macos-15",
    "Windows x64": "windows-2025",
    "Windows arm64": "windows-11-arm",
}
"""The runner of each; the labels are GitHub's."""
ACTIONS = {"checkout@v4", "setup-python@v5", "setup-node@v4", "setup-java@v4", "upload-artifact@v4"}
"""Of `actions/`, that is GitHub itself; nobody else's code runs with our checkout."""
SYSTEMS_OWN = {"apt-get", "brew", "cargo", "echo", "python", "rustup"}
ARGUMENT = re.compile(r"\$\{\{ *matrix\.(\w+) *\}\}")


def load(path: Path) -> dict[str, Any]:
    """The workflow; YAML 1.1 reads its key `on` as True."""
    workflow: dict[Any, Any] = yaml.safe_load(path.read_text("utf-8"))
    return {"on" if key is True else key: value for key, value in workflow.items()}


JOBS: dict[str, dict[str, Any]] = {
    f"{path.stem}/{name}": job for path in WORKFLOWS for name, job in load(path)["jobs"].items()
}


def filled_in(text: str, case: dict[str, str]) -> str:
    """A text of a workflow, with the values of the matrix."""
    return ARGUMENT.sub(lambda found: str(case[found[1]]), text)


def cases(job: dict[str, Any]) -> list[dict[str, str]]:
    """What the matrix of a job unfolds to."""
    matrix = dict(job.get("strategy", {}).get("matrix", {}))
    include: list[dict[str, str]] = matrix.pop("include", [])
    exclude: list[dict[str, str]] = matrix.pop("exclude", [])
    if not matrix:
        return include or [{}]
    unfolded = [dict(zip(matrix, values, strict=True)) for values in product(*matrix.values())]
    return [one for one in unfolded if one not in exclude] + include


def commands(job: dict[str, Any]) -> Iterator[list[str]]:
    """The words of each command line that a job runs, the matrix filled in."""
    for case in cases(job):
        for step in job["steps"]:
            for line in filter(None, re.split(r"\n|&&|\|\|", filled_in(step.get("run", ""), case))):
                words = [word for word in line.split() if "=" not in word.partition("/")[0]]
                words = words[1:] if words[:1] == ["sudo"] else words
                words = words[1:] if words[:1] == ["sh"] else words
                if words and not words[0].startswith(("[", '"$programs', "<")):
                    yield words


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_what_it_needs_and_may_do_little(path: Path) -> None:
    workflow = load(path)
    assert workflow.keys() <= {"name", "on", "permissions", "concurrency", "jobs", "env"}
    assert workflow["name"] == path.stem
    assert {"push", "pull_request"} <= workflow["on"].keys()
    assert workflow["permissions"] == {"contents": "read"}


@pytest.mark.parametrize("job", JOBS.values(), ids=list(JOBS))
def test_a_job_is_complete(job: dict[str, Any]) -> None:
    known = {"runs-on", "container", "timeout-minutes", "strategy", "env", "defaults", "steps"}
    assert job.keys() <= known
    assert job["timeout-minutes"] <= 60
    for case in cases(job):
        assert filled_in(job["runs-on"], case) in PLATFORMS.values()
    for step in job["steps"]:
        assert ("uses" in step) is not ("run" in step)
        assert step.keys() <= {"uses", "with", "run", "if", "name", "env"}
        if "uses" in step:
            publisher, _, action = step["uses"].partition("/")
            assert publisher == "actions"
            assert action in ACTIONS


@pytest.mark.parametrize("job", JOBS.values(), ids=list(JOBS))
def test_every_command_exists_here(job: dict[str, Any]) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    found = list(commands(job))
    assert found
    for words in found:
        if "/" in words[0]:
            assert os.access(ROOT / words[0], os.X_OK), words
        elif words[0] == "make":
            assert words[1] in targets, words
        else:
            assert words[0] in SYSTEMS_OWN, words
        for option, file in pairwise(words):
            assert option != "--requirement" or (ROOT / file).exists(), words


def test_the_packages_that_are_named_exist() -> None:
    made = {path.stem.removeprefix("package_") for path in (ROOT / "packaging" / "sdks").glob("package_*.py")}
    (job,) = load(ROOT / ".github" / "workflows" / "packages.yml")["jobs"].values()
    for case in cases(job):
        assert set(case["names"].split()) <= made
    assert set(cases(job)[0]["names"].split()) == made


@pytest.mark.parametrize("workflow", ["packages", "native"])
def test_every_platform_is_built_for(workflow: str) -> None:
    runners = {
        case.get("os") for name, job in JOBS.items() if name.startswith(workflow) for case in cases(job)
    }
    assert set(PLATFORMS.values()) <= runners


def test_the_page_of_platforms_knows_every_runner() -> None:
    page = (ROOT / "docs" / "platforms.md").read_text("utf-8")
    for platform, runner in PLATFORMS.items():
        assert re.search(rf"^\| {platform} \| `{runner}` \|", page, re.MULTILINE), platform


def test_a_command_that_is_not_there_is_noticed() -> None:
    job: dict[str, Any] = {
        "steps": [{"run": "scripts/${{ matrix.sdk }} --fast"}],
        "strategy": {"matrix": {"sdk": ["none"]}},
    }
    assert list(commands(job)) == [["scripts/none", "--fast"]]
    with pytest.raises(AssertionError):
        test_every_command_exists_here(job)


def test_the_workflows_own_linter_agrees() -> None:
    linter = shutil.which("actionlint")
    if linter is None:
        pytest.skip("there is no actionlint here")
    # Older ones do not know all of the labels; those are checked above.
    done = subprocess.run(
        [linter, "-ignore", 'label ".+" is unknown', *WORKFLOWS], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
