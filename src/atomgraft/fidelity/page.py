"""The page of a study of levels of theory."""

from atomgraft.fidelity.figures import line_figure, size_figure
from atomgraft.fidelity.record import Fidelity
from atomgraft.fidelity.tables import (
    claim_table,
    level_table,
    missing_table,
    row_table,
    source_table,
)
from atomgraft.page.blocks import section
from atomgraft.page.document import PAGE, Cover, Mark, document_text, page_writer
from atomgraft.page.wording import counted, duration_text
from atomgraft.run.page.record import (
    base_blocks,
    data_table,
    session_blocks,
    spec_code,
    written_text,
)

HELPS = Mark(name="took", word="Sources help")
NOTHING = Mark(name="failed", word="No gain")
UNCLEAR = Mark(name="partial", word="Unclear")
OPEN = Mark(name="open", word="Not finished")


def page_text(study: Fidelity) -> str:
    """Return the page as HTML; everything it needs is inside."""
    sections = [
        section("answers", "Answers", claim_table(study)),
        section("line", "Error after fine-tuning by error before", line_figure(study)),
        section("sizes", "Error by labels of the source", size_figure(study)),
        section("table", "Models of the target", row_table(study)),
        section("sources", "Models of the sources", source_table(study)),
        section("missing", "Cells without a result", missing_table(study)),
        section("data", "Data", level_table(study), data_table(study.data)),
        section("spec", "Spec", spec_code(study.spec, "study")),
        section(
            "provenance",
            "Provenance",
            *base_blocks(study.bases),
            *session_blocks(*study.provenance),
        ),
    ]
    return document_text(_cover(study), sections)


write_page = page_writer(page_text, PAGE)
"""Write the page of a study into its folder."""


def _mark(study: Fidelity) -> Mark:
    if not study.finished:
        return OPEN
    helping = [one for one in study.claims if " help?" in one.question]
    if any(one.answer == "yes" for one in helping):
        return HELPS
    if helping and all(one.answer == "no" for one in helping):
        return NOTHING
    return UNCLEAR


def _cover(study: Fidelity) -> Cover:
    n_open = sum(one.status == "open" for one in study.models)
    warning = (
        "This study has not finished.",
        f"{counted(n_open, 'cell')} left; run the same command again.",
    )
    return Cover(
        title=study.name,
        label="Result",
        mark=_mark(study),
        headline=study.headline,
        sentences=study.sentences,
        warning=None if study.finished else warning,
        key_facts=_key_facts(study),
        written=written_text(study.provenance),
        source="fidelity.json",
    )


def _key_facts(study: Fidelity) -> tuple[tuple[str, str], ...]:
    done = [one for one in study.models if one.status == "done"]
    names = [one.name for one in study.levels if one.name != "target"]
    [target] = [one for one in study.levels if one.name == "target"]
    return (
        ("Sources", ", ".join(names)),
        ("Base", ", ".join(dict.fromkeys(one.base for one in study.models))),
        ("Models done", f"{len(done)} of {len(study.models)}"),
        ("Pool of the target", counted(target.n_pool, "structure")),
        ("Judged on", counted(target.n_test, "structure")),
        (
            "Training time in all",
            duration_text(sum((one.seconds or 0.0 for one in done), 0.0)),
        ),
    )
