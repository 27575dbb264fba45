"""The pages and the code on them."""

import dataclasses
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

DOCS = REPOSITORY / "docs"

PAGES = (REPOSITORY / "README.md", *sorted(DOCS.rglob("*.md")))

TUTORIALS = tuple(sorted((DOCS / "tutorials").glob("*.md")))

SMALL = {
    '"7net-0"': '"pair:sw-si"',
    " 7net-0": " pair:sw-si",
    'recipe="lora"': 'recipe="full", steps=2',
    "--recipe lora --out": "--recipe full --steps 2 --out",
    "--recipe ridge --out": "--recipe readout --steps 2 --out",
    "--recipe replay --out": "--recipe replay --steps 2 --out",
    "--recipe full --out": "--recipe full --steps 2 --out",
    "--workers 1": "--dry-run",
    "sevennet:mini:Si": "pair:sw-si",
    "--recipe scratch --train": "--recipe full --train",
    "--steps 2000": "--steps 2",
    "--steps 300": "--steps 2",
}
"""What stands in the place of a large model and of many steps, where pages are run."""

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
        return f"{name_of(self.page)}:{self.line}"


def name_of(page: Path) -> str:
    """Return the path of a page from docs/, and README.md."""
    return str(page.relative_to(DOCS)) if DOCS in page.parents else page.name


def at_small_size(text: str) -> str:
    """Return commands or code of a page with a small model and a few steps.

    Examples
    --------
    >>> at_small_size("atomgraft adapt --base 7net-0 --recipe lora --out runs/si")
    'atomgraft adapt --base pair:sw-si --recipe full --steps 2 --out runs/si'
    """
    pattern = re.compile("|".join(map(re.escape, SMALL)))
    return pattern.sub(lambda match: SMALL[match[0]], text)


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
        (block.name, line)
        for block in all_blocks("")
        for line in commands_in(block.code)
    ]


def commands_in(code: str) -> list[str]:
    """Return the commands of atomgraft in the text of a terminal."""
    lines = code.replace("\\\n", " ").splitlines()
    typed = (line.removeprefix("$ ") for line in lines)
    return [
        " ".join(line.partition("  #")[0].split())
        for line in typed
        if line.startswith("atomgraft ")
    ]
