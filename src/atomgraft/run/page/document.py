"""The page of a run from its result."""

from atomgraft.page.blocks import Note, Section
from atomgraft.page.document import PAGE, Cover, Mark, document_text, page_writer
from atomgraft.page.wording import (
    bytes_text,
    count_text,
    duration_text,
    percent_text,
)
from atomgraft.records.scores import Verdict
from atomgraft.run.page.record import base_text, record_sections, written_text
from atomgraft.run.page.scores import score_sections, suite_sections
from atomgraft.run.page.use import enough, lost_sentences, title_of, use_section
from atomgraft.run.record import RunResult

MARKS: dict[bool | None, Mark] = {
    True: Mark(name="took", word="Took"),
    False: Mark(name="failed", word="Did not take"),
    None: Mark(name="open", word="Not judged"),
}

PARTIAL = Mark(name="partial", word="Took in part")

UNCLEAR = Mark(name="open", word="Unclear")

COSTLY = Mark(name="partial", word="Took, severe forgetting")


def page_text(result: RunResult) -> str:
    """Return the page as HTML; everything it needs is inside."""
    sections = [
        use_section(result),
        *judgement_sections(result),
        *score_sections(result),
        *suite_sections(result),
        *record_sections(result),
    ]
    return document_text(_cover(result), sections)


write_page = page_writer(page_text, PAGE)
"""Write the page of a run into its folder."""


def _cover(result: RunResult) -> Cover:
    warning = ("This run has not finished.", result.training.ended)
    judged = enough(result)
    title = title_of(result)
    return Cover(
        title=title,
        aside="" if title == result.name else f"Folder {result.name}",
        second_mark=None if judged is None else judged[0],
        label="Verdict",
        mark=mark_of(result.verdict),
        headline=result.verdict.headline,
        sentences=result.verdict.sentences
        if judged is None
        else (judged[1], *lost_sentences(result)[:1]),
        warning=None if result.finished else warning,
        key_facts=tuple(key_facts(result)),
        written=written_text(result.provenance),
        source="result.json",
    )


def judgement_sections(result: RunResult) -> list[Section]:
    """Return what the verdict rests on, where the cover has no room for it."""
    if enough(result) is None:
        return []
    notes = tuple(Note(text=one) for one in result.verdict.sentences)
    return [Section(name="judgement", title="Did it take?", blocks=notes)]


def mark_of(verdict: Verdict) -> Mark:
    """Return the verdict at a glance."""
    if verdict.is_partial:
        return PARTIAL
    if verdict.is_unclear:
        return UNCLEAR
    if verdict.took and verdict.forgetting == "severe":
        return COSTLY
    return MARKS[verdict.took]


def key_facts(result: RunResult) -> list[tuple[str, str]]:
    """Return the handful of numbers under the verdict."""
    base = result.base
    trained = sum(role.n_trainable for role in result.coverage)
    whole = sum(role.n_weights for role in result.coverage)
    trained_on = [card for card in result.data if card.role == "train"]
    n_train = sum(card.n_structures for card in trained_on)
    return [
        ("Base", base_text(result)),
        *([("Element map", base.map_text)] if base.map_text else []),
        ("Training structures", count_text(n_train)),
        ("Numbers trained", percent_text(trained, whole)),
        ("Steps", count_text(result.training.n_steps_done)),
        ("Training time", duration_text(result.training.seconds)),
        ("Graft size", bytes_text(result.graft_bytes)),
    ]
