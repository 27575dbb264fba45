"""The page of a labelling: what was computed, what was left out, and why."""

import statistics
from collections.abc import Callable, Sequence

from atomgraft.label.labelling.record import (
    LABELS,
    JobRecord,
    LabelResult,
    MaterialRecord,
    n_with,
)
from atomgraft.page.blocks import Facts, Note, Table, section
from atomgraft.page.document import PAGE, Cover, Mark, document_text, page_writer
from atomgraft.page.wording import MISSING, counted, duration_text, number_text
from atomgraft.run.page.record import session_blocks, spec_code, written_text

WHOLE = Mark(name="took", word="Finished")

PARTLY = Mark(name="partial", word="Finished in part")

OPEN = Mark(name="open", word="Not finished")

FAILED = Mark(name="failed", word="No result")

WORDS = {"labels": ("structure", "labelled"), "trajectories": ("run", "recorded")}

Column = tuple[str, bool, Callable[[JobRecord], str]]
"""Head, whether it is text, and the text of a job."""


def _number(value: float | None) -> str:
    return MISSING if value is None else number_text(value)


NAME: Column = ("Structure", True, lambda one: one.material)
STATUS: Column = ("Status", True, lambda one: one.status)
SECONDS: Column = ("CPU, s", False, lambda one: _number(one.cpu_seconds))
ATOMS: Column = ("Atoms", False, lambda one: str(one.n_atoms or MISSING))

OF_RUNS: tuple[Column, ...] = (
    NAME,
    ("T, K", False, lambda one: _number(one.temperature)),
    ("Seed", False, lambda one: str(one.seed)),
    STATUS,
    ATOMS,
    ("Density, g/cm³", False, lambda one: _number(one.density)),
    ("Framework MSD, Å²", False, lambda one: _number(one.framework_msd)),
    ("Mobile MSD, Å²", True, lambda one: _mobile_text(one)),
    SECONDS,
)

OF_LABELS: tuple[Column, ...] = (
    NAME,
    STATUS,
    ATOMS,
    ("Energy, eV", False, lambda one: _number(one.energy)),
    SECONDS,
)


def _mobile_text(job: JobRecord) -> str:
    shown = [f"{one} {number_text(job.msd[one])}" for one in job.mobile]
    return ", ".join(shown) or MISSING


def headline(result: LabelResult) -> str:
    """Return the result in a sentence."""
    noun, verb = WORDS[result.task]
    n_done, n_all = n_with(result, "done"), len(result.jobs)
    return f"{n_done} of {counted(n_all, noun)} {verb} by {result.engine.name}."


def sentences(result: LabelResult) -> tuple[str, ...]:
    """Return what the user should know besides."""
    n_out = sum(one.reason is not None for one in result.materials)
    n_molten, n_failed = n_with(result, "molten"), n_with(result, "failed")
    n_open = n_with(result, "open")
    said = [
        f"{counted(n_molten, 'run')} with a molten framework." if n_molten else "",
        f"{counted(n_failed, 'job')} failed." if n_failed else "",
        f"{counted(n_open, 'job')} not finished." if n_open else "",
        f"{counted(n_out, 'structure')} left out." if n_out else "",
        _cost(result),
    ]
    return tuple(one for one in said if one)


def _cost(result: LabelResult) -> str:
    times = [one.cpu_seconds for one in result.jobs]
    seconds = [one for one in times if one is not None]
    if not seconds:
        return ""
    return (
        f"All jobs took {duration_text(sum(seconds))} of CPU time, half of them at "
        f"most {number_text(statistics.median(seconds))} s."
    )


def jobs_table(result: LabelResult) -> Table | None:
    """Return one row a job, or none without jobs."""
    return _table(result, result.jobs)


def short_table(result: LabelResult, *, most: int) -> Table | None:
    """Return a few rows, those without a result first.

    Parameters
    ----------
    result
        The index.
    most
        Rows.
    """
    order = ("failed", "open", "molten", "done")
    jobs = sorted(result.jobs, key=lambda one: order.index(one.status))
    return _table(result, jobs[:most])


def _table(result: LabelResult, jobs: Sequence[JobRecord]) -> Table | None:
    if not jobs:
        return None
    columns = OF_LABELS if result.task == "labels" else OF_RUNS
    caption = (
        "Energies are on the engine's own zero."
        if result.task == "labels"
        else "Mean square displacements between the mean positions in the first and in "
        "the last fifth of a run."
    )
    return Table(
        caption=caption,
        columns=tuple(name for name, _, _ in columns),
        rows=tuple(tuple(text(job) for _, _, text in columns) for job in jobs),
        is_text=tuple(is_text for _, is_text, _ in columns),
    )


def missing_table(result: LabelResult) -> Table | None:
    """Return the reasons of everything without a result, or none."""
    rows = [
        (one.name, f"{one.formula or MISSING}", "left out", one.reason)
        for one in result.materials
        if one.reason is not None
    ]
    formulas = {one.name: one.formula for one in result.materials}
    rows += [
        (one.name, formulas.get(one.material, MISSING), one.status, one.reason or "")
        for one in result.jobs
        if one.status != "done"
    ]
    if not rows:
        return None
    return Table(
        caption="Structures and jobs without a result, each with its reason.",
        columns=("Name", "Formula", "Status", "Reason"),
        rows=tuple(rows),
        is_text=(True,) * 4,
    )


def page_text(result: LabelResult) -> str:
    """Return the page as HTML; everything it needs is inside."""
    sections = [
        section("jobs", "Jobs", jobs_table(result)),
        section(
            "missing",
            "Without a result",
            *(Note(text=one) for one in result.notices),
            missing_table(result),
        ),
        section(
            "settings", "Settings", _settings(result), spec_code(result.spec, "label")
        ),
        section("provenance", "Provenance", *session_blocks(*result.provenance)),
    ]
    return document_text(_cover(result), sections)


write_page = page_writer(page_text, PAGE)
"""Write the page of a labelling into its folder."""


def _settings(result: LabelResult) -> Facts:
    return Facts(
        pairs=(
            ("Engine", result.engine.name),
            ("Version", result.engine.version),
            ("Hash of engine and settings", result.engine.identity[:16]),
            ("Structures", str(len(result.materials))),
        )
    )


def _mark(result: LabelResult) -> Mark:
    n_done = n_with(result, "done")
    if not result.finished:
        return OPEN
    if n_done == 0:
        return FAILED
    is_whole = n_done == len(result.jobs) and not _left_out(result.materials)
    return WHOLE if is_whole else PARTLY


def _left_out(materials: Sequence[MaterialRecord]) -> int:
    return sum(one.reason is not None for one in materials)


def _cover(result: LabelResult) -> Cover:
    n_open = n_with(result, "open")
    warning = (
        "Not all jobs have finished.",
        f"{counted(n_open, 'job')} without a result yet; run the same command again.",
    )
    return Cover(
        title=result.name,
        label="Labels" if result.task == "labels" else "Trajectories",
        mark=_mark(result),
        headline=headline(result),
        sentences=sentences(result),
        warning=None if result.finished else warning,
        key_facts=(
            ("Engine", result.engine.name),
            ("Structures", str(len(result.materials))),
            ("Jobs with a result", str(n_with(result, "done"))),
        ),
        written=written_text(result.provenance),
        source=LABELS.file,
    )
