"""One self-contained HTML document with a verdict and sections."""

import base64
import dataclasses
import functools
import hashlib
import importlib.resources
import json
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import jinja2
from markupsafe import Markup

from atomgraft.core.outputs import write_beside
from atomgraft.page.blocks import Block, Columns, Figure, Section

PLOTLY = "plotly-basic.min.js"
"""plotly.js, the basic bundle: a quarter of the whole, and draws `TRACES`."""

TRACES = frozenset({"bar", "pie", "scatter"})

RecordT = TypeVar("RecordT")

PAGE = "report.html"
"""Name of the page in the folder of its result."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mark:
    """A verdict as a word and a shape.

    Parameters
    ----------
    name
        ``took``, ``partial``, ``failed`` or ``open``: which shape and colour.
    word
        What stands beside it.
    """

    name: str
    word: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cover:
    """The header of a page.

    Parameters
    ----------
    title
        Name of the run or comparison.
    label
        Name of the box with the verdict.
    mark
        The verdict at a glance.
    headline, sentences
        The verdict in words.
    warning
        What is unfinished, first in a few words and then in more; or none.
    key_facts
        The handful of numbers under it.
    written
        When, in words; may be empty.
    source
        The file that holds the same numbers.
    aside
        What stands small under the title.
    second_mark
        A further judgement at a glance.
    """

    title: str
    label: str
    mark: Mark
    headline: str
    sentences: tuple[str, ...]
    warning: tuple[str, str] | None
    key_facts: tuple[tuple[str, str], ...]
    written: str
    source: str
    aside: str = ""
    second_mark: Mark | None = None


def page_writer(
    page_text: Callable[[RecordT], str], name: str
) -> Callable[[Path, RecordT], Path]:
    """Return what writes the page of a record into a folder that exists.

    It returns the path of the page, which is written whole or not at all. It raises
    StorageError where the folder cannot be written; an older page is left as it was.

    Parameters
    ----------
    page_text
        Returns the page of a record, as HTML.
    name
        Of the file.
    """

    def write_page(folder: Path, record: RecordT) -> Path:
        path = folder / name
        write_beside(path, page_text(record))
        return path

    return write_page


def document_text(cover: Cover, parts: Sequence[Section | None]) -> str:
    """Return a document as HTML; everything it needs is inside.

    Parameters
    ----------
    cover
        The verdict.
    parts
        In this order.
    """
    sections = [part for part in parts if part is not None]
    scripts = (_template_text(PLOTLY), _template_text("page.js"))
    return _template().render(
        cover=cover,
        sections=sections,
        style=Markup(_template_text("page.css")),
        scripts=[Markup(script) for script in scripts],
        script_hashes=[script_hash(script) for script in scripts],
        figures=embedded_json(_figures(sections)),
    )


def embedded_json(document: object) -> Markup:
    r"""Return JSON that cannot end the script element it stands in.

    Numbers that are not finite have no JSON; they become gaps.

    Examples
    --------
    >>> print(embedded_json({"name": "</script>", "x": [float("nan")]}))
    {"name":"\u003c/script\u003e","x":[null]}
    """
    text = json.dumps(
        _with_gaps(document),
        allow_nan=False,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _with_gaps(value: Any) -> Any:  # noqa: ANN401 any JSON document
    if isinstance(value, dict):
        return {key: _with_gaps(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_with_gaps(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def script_hash(script: str) -> str:
    """Return the hash by which the page's security policy admits a script."""
    digest = hashlib.sha256(script.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _figures(sections: Sequence[Section]) -> dict[str, Any]:
    return {
        plot.name: plot.figure
        for section in sections
        for block in _flat(section.blocks)
        if isinstance(block, Figure)
        for plot in block.plots
    }


def _flat(blocks: Sequence[Block]) -> Iterator[Block]:
    for block in blocks:
        if isinstance(block, Columns):
            for _, inside in block.sides:
                yield from _flat(inside)
        else:
            yield block


@functools.cache
def _template_text(name: str) -> str:
    folder = importlib.resources.files("atomgraft.page") / "templates"
    return (folder / name).read_text(encoding="utf-8")


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.from_string(_template_text("page.html"))
