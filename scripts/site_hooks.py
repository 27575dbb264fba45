"""What the site adds to the pages in docs/: the Python API and the benchmark tables.

The pages themselves are plain Markdown, so that they can be read on a code host. Two
things are added when the site is built: pages of the Python API, as ``docs/api.toml``
lists them, and the content of result files, in the place of a line that only links to
one.
"""

import re
import tomllib
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).parents[1]

API = REPOSITORY / "docs" / "api.toml"

RESULT_LINE = re.compile(
    r"^!?\[[^\]\n]*\]\(\.\./(?P<path>benchmarks/results/[\w.]+)\)$", re.M
)
"""A line that is a link to a result file, and nothing else."""

HEADING = re.compile(r"^(#+) ", re.M)


def api_pages() -> dict[str, str]:
    """Return the text of each page of the Python API, by its path in the site."""
    pages = tomllib.loads(API.read_text())["page"]
    return {f"api/{page['name']}.md": _api_text(page) for page in pages}


def _api_text(page: dict) -> str:
    directives = "\n".join(f"::: {one}" for one in page["objects"])
    return f"# {page['title']}\n\n{directives}\n"


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages of the Python API."""
    for path, text in api_pages().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_page_markdown(
    markdown: str, *, page: Page, config: MkDocsConfig, files: Files
) -> str:
    """Put result files in the place of lines that link to them."""
    return RESULT_LINE.sub(_content, markdown)


def _content(link: re.Match[str]) -> str:
    text = (REPOSITORY / link["path"]).read_text()
    return HEADING.sub(r"##\1 ", text) if link["path"].endswith(".md") else text
