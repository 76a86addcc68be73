"""The jar of the SDK for Java, with its sources, documentation and pom, laid out as a Maven repository."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from pathlib import Path
from xml.etree import ElementTree as ET

from trial import stage
from work import (
    CACHE,
    Example,
    PackageError,
    copy_sources,
    need,
    only,
    program,
    run_offline_first,
)

MAVEN = ("--batch-mode", "--quiet", "--no-transfer-progress")
POM = "{http://maven.apache.org/POM/4.0.0}"


def build(scratch: Path, output: Path) -> None:
    """`mvn package`; its tests are run by scripts/sdk-java."""
    need("javac")
    sdk = copy_sources(scratch, "sdks/java", "LICENSE") / "sdks" / "java"
    goals = ("package", "-DskipTests")
    maven = program("mvn")
    run_offline_first((maven, "--offline", *MAVEN, *goals), (maven, *MAVEN, *goals), cwd=sdk)
    group, name, version = coordinates(sdk / "pom.xml")
    place = output / group.replace(".", "/") / name / version
    place.mkdir(parents=True)
    shutil.copy(sdk / "pom.xml", place / f"{name}-{version}.pom")
    for kind in ("", "-sources", "-javadoc"):
        shutil.copy(only(sdk / "target", f"{name}-{version}{kind}.jar"), place)
    for path in sorted(place.iterdir()):  # what Maven compares downloads with
        digest = hashlib.sha1(path.read_bytes(), usedforsecurity=False).hexdigest()
        path.with_name(f"{path.name}.sha1").write_text(digest, "utf-8")


async def try_out(output: Path, project: Path) -> str:
    """A Maven project that has the SDK as its dependency, and nothing else."""
    pom = only(output, "**/*.pom")
    group, name, version = coordinates(pom)
    text = Example.of("sdks/java/README.md", "java").text
    found = re.search(r"^public class (\w+)", text, re.MULTILINE)
    if found is None:
        raise PackageError("the example of sdks/java/README.md has no public class")
    source = project / "src" / "main" / "java" / f"{found[1]}.java"
    source.parent.mkdir(parents=True)
    source.write_text(text, "utf-8")
    (project / "pom.xml").write_text(
        PROJECT.format(group=group, name=name, version=version, repository=output.as_uri()), "utf-8"
    )
    maven, local = program("mvn"), f"-Dmaven.repo.local={_local_repository(group)}"
    goals = (local, "compile", "dependency:copy-dependencies")
    run_offline_first((maven, "--offline", *MAVEN, *goals), (maven, *MAVEN, *goals), cwd=project)
    classes = os.pathsep.join(("target/classes", "target/dependency/*"))
    async with stage() as home:
        await home.perform(
            *("java", f"-Duser.home={home.home}", "-cp", classes, found[1]),
            cwd=project,
            expected="delivered: true",
        )
    return "the example of its README ran"


def coordinates(pom: Path) -> tuple[str, str, str]:
    """Group, name and version of a pom."""
    root = ET.parse(pom).getroot()  # noqa: S314 - our own file
    group, name, version = (root.findtext(f"{POM}{key}") for key in ("groupId", "artifactId", "version"))
    if not (group and name and version):
        raise PackageError(f"{pom} does not say what it is")
    return group, name, version


def _local_repository(group: str) -> Path:
    """Maven's downloads, apart from the user's: Maven looks only once for a package of a version."""
    local = CACHE / "maven"
    users = Path.home() / ".m2" / "repository"
    if not local.exists() and users.exists():
        shutil.copytree(users, local)
    shutil.rmtree(local / group.replace(".", "/"), ignore_errors=True)
    return local


PROJECT = """\
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>example</groupId>
  <artifactId>hello</artifactId>
  <version>1</version>
  <properties>
    <maven.compiler.source>17</maven.compiler.source>
    <maven.compiler.target>17</maven.compiler.target>
    <project.build.sourceEncoding>UTF-8</project.build.sourceEncoding>
  </properties>
  <repositories>
    <repository><id>packages</id><url>{repository}</url></repository>
  </repositories>
  <dependencies>
    <dependency><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version></dependency>
  </dependencies>
</project>
"""
