"""One self-contained HTML page from one result: works offline, years later."""

import base64
import dataclasses
import functools
import hashlib
import importlib.resources
import json
import math
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from atomgraft.core.storage import write_atomically
from atomgraft.report.blocks import Figure, Section
from atomgraft.report.record import record_sections
from atomgraft.report.sections import score_sections
from atomgraft.report.wording import (
    bytes_text,
    count_text,
    duration_text,
    percent_text,
    time_text,
)
from atomgraft.results.schema import RunResult

PAGE = "report.html"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Mark:
    """The verdict as one word and one shape."""

    name: str
    word: str


MARKS: dict[bool | None, Mark] = {
    True: Mark(name="took", word="Took"),
    False: Mark(name="failed", word="Did not take"),
    None: Mark(name="open", word="Not judged"),
}

PARTIAL = Mark(name="partial", word="Took in part")


def write_page(folder: Path, result: RunResult) -> Path:
    """Write the page of a run into its folder, whole or not at all.

    Parameters
    ----------
    folder
        The run folder.
    result
        What the run knows, as in its ``result.json``.

    Raises
    ------
    StorageError
        The folder cannot be written; an older page is left as it was.
    """
    path = folder / PAGE
    write_atomically(path, page_text(result))
    return path


def page_text(result: RunResult) -> str:
    """Return the page as HTML; everything it needs is inside."""
    sections = [*score_sections(result), *record_sections(result)]
    scripts = (_plotly_script(), _template_text("page.js"))
    return _template().render(
        result=result,
        mark=PARTIAL if result.verdict.is_partial else MARKS[result.verdict.took],
        key_facts=key_facts(result),
        written=time_text(result.provenance[-1].started) if result.provenance else "",
        sections=sections,
        style=Markup(_template_text("page.css")),
        scripts=[Markup(script) for script in scripts],
        script_hashes=[script_hash(script) for script in scripts],
        figures=embedded_json(_figures(sections)),
    )


def key_facts(result: RunResult) -> list[tuple[str, str]]:
    """Return the handful of numbers under the verdict."""
    moving = sum(role.n_weights_moving for role in result.coverage)
    whole = sum(role.n_weights for role in result.coverage)
    trained_on = [card for card in result.data if card.role == "train"]
    n_train = sum(card.n_structures for card in trained_on)
    return [
        ("Base", result.base.name),
        ("Training structures", count_text(n_train)),
        ("Weights moving", percent_text(moving, whole)),
        ("Steps", count_text(result.training.n_steps_done)),
        ("Training time", duration_text(result.training.seconds)),
        ("Graft size", bytes_text(result.graft_bytes)),
    ]


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


def _figures(sections: list[Section]) -> dict[str, Any]:
    return {
        plot.name: plot.figure
        for section in sections
        for block in section.blocks
        if isinstance(block, Figure)
        for plot in block.plots
    }


@functools.cache
def _plotly_script() -> str:
    from plotly.offline import get_plotlyjs

    return get_plotlyjs()


@functools.cache
def _template_text(name: str) -> str:
    folder = importlib.resources.files("atomgraft.report") / "templates"
    return (folder / name).read_text(encoding="utf-8")


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.from_string(_template_text("page.html"))
