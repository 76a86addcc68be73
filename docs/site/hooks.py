"""What makes a site of the repository's pages: README, specification and others join docs/ at their places.

Pages link to each other as files of the repository, so that they can be read there. Here each link is led to
where the page is on the site; what is not part of the site (a source file) is named without a link.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parent.parent.parent
ALONGSIDE = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
}
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not in docs/."""
    for source in (*ALONGSIDE, *(f"spec/{page.name}" for page in sorted((ROOT / "spec").glob("*.md")))):
        uri = _place(source)
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / source)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead each relative link to its page on the site."""
    here = page.file.src_uri
    source = _source(here)

    def lead(found: re.Match[str]) -> str:
        mark, text, target = found.groups()
        path, hash_mark, anchor = target.partition("#")
        if not path or ":" in path:
            return found.group()
        there = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        if (ROOT / there).is_dir():
            there = posixpath.join(there, "README.md")
        uri = _place(there)
        if files.get_file_from_path(uri) is None:
            return text
        link = posixpath.relpath(uri, PurePosixPath(here).parent.as_posix())
        return f"{mark}[{text}]({link}{hash_mark}{anchor})"

    pieces, at = [], 0
    for code in FENCED.finditer(markdown):
        pieces += [LINK.sub(lead, markdown[at : code.start()]), code.group()]
        at = code.end()
    return "".join([*pieces, LINK.sub(lead, markdown[at:])])


def _place(source: str) -> str:
    """Where a file of the repository is on the site."""
    return ALONGSIDE.get(source, source.removeprefix("docs/"))


def _source(uri: str) -> str:
    """The file of the repository that is at a place of the site."""
    for source, place in ALONGSIDE.items():
        if place == uri:
            return source
    return uri if uri.startswith("spec/") else f"docs/{uri}"
