"""The pages and the code on them."""

import dataclasses
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

PAGES = (REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md")))

FENCE = re.compile(r"^```(?P<kind>\w*)\n(?P<code>.*?)^```$", re.M | re.S)


@dataclasses.dataclass(frozen=True)
class CodeBlock:
    """Code between two fences."""

    page: Path
    line: int
    kind: str
    code: str

    @property
    def name(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path, kind: str | None = None) -> Iterator[CodeBlock]:
    text = page.read_text()
    for match in FENCE.finditer(text):
        line = text[: match.start()].count("\n") + 1
        if kind in (None, match["kind"]):
            code = textwrap.dedent(match["code"])
            yield CodeBlock(page, line, match["kind"], code)


def all_blocks(kind: str) -> list[CodeBlock]:
    return [block for page in PAGES for block in blocks(page, kind)]


def commands() -> list[tuple[str, str]]:
    """Return where each command of atomgraft stands, and the command."""
    return [
        (block.name, line.partition("  #")[0].strip())
        for block in all_blocks("")
        for line in block.code.splitlines()
        if line.startswith("atomgraft ")
    ]
