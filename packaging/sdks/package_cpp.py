"""The SDK for C++: its CMake installation, the C library included."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from trial import stage
from work import (
    CACHE,
    REPOSITORY,
    Example,
    PackageError,
    copy_sources,
    need,
    only,
    program,
    run,
    write_archive,
)

STATIC_LIBRARY = "p4_core.lib" if os.name == "nt" else "libp4_core.a"


def build(scratch: Path, output: Path) -> None:
    """Configured, built and installed into an empty prefix, from which the archive is made."""
    need("cmake", "cargo")
    cmake = program("cmake")
    target = CACHE / "cargo-native"
    native = REPOSITORY / "native"
    cargo = ("cargo", "build", "--quiet", "--release", "--locked", "-p", "p4-ffi")
    run(*cargo, cwd=native, environment={"CARGO_TARGET_DIR": str(target)})
    sdk = copy_sources(scratch, "sdks/cpp", "native/include") / "sdks" / "cpp"
    made, prefix = scratch / "made", scratch / "prefix"
    run(
        *(cmake, "-S", sdk, "-B", made, "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_INSTALL_LIBDIR=lib"),
        *("-DP4_BUILD_TESTS=OFF", "-DP4_BUILD_EXAMPLES=OFF", f"-DCMAKE_INSTALL_PREFIX={prefix}"),
        f"-DP4_CORE_LIBRARY={target / 'release' / STATIC_LIBRARY}",
        cwd=scratch,
    )
    run(cmake, "--build", made, "--config", "Release", "--parallel", str(os.cpu_count() or 1), cwd=scratch)
    run(cmake, "--install", made, "--config", "Release", cwd=scratch)
    found = re.search(r"project\(p4 VERSION ([\d.]+)", (sdk / "CMakeLists.txt").read_text("utf-8"))
    if found is None:
        raise PackageError("sdks/cpp/CMakeLists.txt has no version")
    name = f"p4-cpp-{found[1]}-{sys.platform}-{os.uname().machine if os.name != 'nt' else 'x64'}"
    files = {
        path.relative_to(prefix).as_posix(): path for path in sorted(prefix.rglob("*")) if not path.is_dir()
    }
    write_archive(output / f"{name}.tar.gz", name, files)


async def try_out(output: Path, project: Path) -> str:
    """A CMake project that finds the installation by `find_package`."""
    cmake, archive = program("cmake"), only(output, "*.tar.gz")
    run(cmake, "-E", "tar", "xzf", archive, cwd=project)
    installed = project / archive.name.removesuffix(".tar.gz")
    (project / "CMakeLists.txt").write_text(PROJECT, "utf-8")
    (project / "hello.cpp").write_text(Example.of("sdks/cpp/README.md", "cpp").text, "utf-8")
    made = project / "build"
    run(
        *(cmake, "-S", project, "-B", made, "-DCMAKE_BUILD_TYPE=Release", f"-DCMAKE_PREFIX_PATH={installed}"),
        cwd=project,
    )
    run(cmake, "--build", made, "--config", "Release", cwd=project)
    async with stage() as home:
        await home.perform(made / "hello", cwd=project, expected="delivered: true\n")
    return "found by CMake; the example of its README ran"


PROJECT = """\
cmake_minimum_required(VERSION 3.21)
project(hello LANGUAGES CXX)
find_package(p4 REQUIRED)
add_executable(hello hello.cpp)
target_link_libraries(hello PRIVATE p4::p4)
"""
