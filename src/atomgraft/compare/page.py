"""The page of a comparison: advice, figures and tables."""

from atomgraft.compare.figures import front_figure, learning_figure
from atomgraft.compare.record import Comparison
from atomgraft.compare.tables import (
    cost_table,
    error_table,
    missing_table,
    steps_text,
    target_table,
)
from atomgraft.page.blocks import Block, section
from atomgraft.page.document import PAGE, Cover, Mark, document_text, page_writer
from atomgraft.page.wording import counted, duration_text
from atomgraft.run.page.record import (
    base_blocks,
    data_table,
    session_blocks,
    spec_code,
    written_text,
)

MARKS = {
    "worthwhile": Mark(name="took", word="Label more"),
    "stop": Mark(name="took", word="Stop labelling"),
    "unclear": Mark(name="partial", word="No law yet"),
}

NO_CHOICE = Mark(name="failed", word="No gain")

UNCLEAR = Mark(name="open", word="Unclear")

OPEN = Mark(name="open", word="Not finished")


def page_text(comparison: Comparison) -> str:
    """Return the page as HTML; everything it needs is inside."""
    sections = [
        section("learning", "Learning curves", learning_figure(comparison)),
        section("table", "The table", *_tables(comparison)),
        section("front", "Error against forgetting", front_figure(comparison)),
        section("missing", "Cells without a result", missing_table(comparison)),
        section("data", "Data", data_table(comparison.data)),
        section("spec", "Spec", spec_code(comparison.spec, "comparison")),
        section(
            "provenance",
            "Provenance",
            *base_blocks(comparison.bases),
            *session_blocks(*comparison.provenance),
        ),
    ]
    return document_text(_cover(comparison), sections)


write_page = page_writer(page_text, PAGE)
"""Write the page of a comparison into its folder."""


def _cover(comparison: Comparison) -> Cover:
    advice = comparison.advice
    without = UNCLEAR if advice.outcome == "unclear" else NO_CHOICE
    mark = MARKS[advice.more_labels] if advice.choice else without
    n_open = sum(cell.status == "open" for cell in comparison.cells)
    warning = (
        "This comparison has not finished.",
        f"{counted(n_open, 'cell')} left; run the same command again.",
    )
    return Cover(
        title=comparison.name,
        label="Advice",
        mark=mark if comparison.finished else OPEN,
        headline=advice.headline,
        sentences=advice.sentences,
        warning=None if comparison.finished else warning,
        key_facts=_key_facts(comparison),
        written=written_text(comparison.provenance),
        source="compare.json",
    )


def _key_facts(comparison: Comparison) -> tuple[tuple[str, str], ...]:
    done = [cell for cell in comparison.cells if cell.status == "done"]
    seconds = sum((cell.seconds or 0.0 for cell in done), 0.0)
    roles = {card.role: card.n_structures for card in comparison.data}
    return (
        ("Base", ", ".join(dict.fromkeys(c.base for c in comparison.contestants))),
        ("Cells done", f"{len(done)} of {len(comparison.cells)}"),
        ("Pool", counted(roles.get("train", 0), "structure")),
        ("Chosen on", counted(roles.get("validation", 0), "structure")),
        ("Judged on", counted(roles.get("test", 0), "structure")),
        ("Steps a cell", steps_text(comparison)),
        ("Training time in all", duration_text(seconds)),
    )


def _tables(comparison: Comparison) -> list[Block | None]:
    if comparison.target is None:
        return []
    return [
        target_table(comparison),
        error_table(comparison),
        cost_table(comparison),
    ]
