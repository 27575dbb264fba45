"""The page of a tree of distortions: the verdict, then parent, mode, daughter."""

from pathlib import Path

from atomgraft.core.outputs import write_beside
from atomgraft.page.blocks import Block, Facts, Note, Section, Table
from atomgraft.page.document import PAGE, Cover, Mark, document_text
from atomgraft.page.wording import (
    MISSING,
    counted,
    duration_text,
    number_text,
    signed_text,
    time_text,
)
from atomgraft.run.page.record import session_blocks
from atomgraft.stabilise.figure import tree_figure
from atomgraft.stabilise.record import (
    CrystalRecord,
    StabiliseResult,
    StepRecord,
)

STABLE = Mark(name="took", word="Stable")
FOUND = Mark(name="took", word="Stable daughter found")
LOST = Mark(name="failed", word="No stable daughter")
OPEN = Mark(name="open", word="Not finished")


def write_page(folder: Path, result: StabiliseResult) -> Path:
    """Write the page of a tree into its folder, whole or not at all.

    Parameters
    ----------
    folder
        Of the tree.
    result
        As in its ``stabilise.json``.

    Raises
    ------
    StorageError
        The folder cannot be written; an older page is left as it was.
    """
    path = folder / PAGE
    write_beside(path, page_text(result))
    return path


def page_text(result: StabiliseResult) -> str:
    """Return the page as HTML; everything it needs is inside."""
    sections = [
        _section("tree", "The tree", tree_figure(result)),
        _section("crystals", "Crystals", _crystal_table(result)),
        _section("ways", "From parent by mode to daughter", _step_table(result)),
        _section("notes", "What to know", *_notes(result)),
        _section("settings", "Settings", _settings(result)),
        _section("provenance", "Provenance", *_provenance(result)),
    ]
    kept = [section for section in sections if section is not None]
    return document_text(_cover(result), kept)


def _mark(result: StabiliseResult) -> Mark:
    if not result.finished or not result.crystals:
        return OPEN
    if result.crystals[0].is_stable:
        return STABLE
    return LOST if result.best_stable() is None else FOUND


def _cover(result: StabiliseResult) -> Cover:
    sessions = result.provenance
    warning = ("This tree has not finished.", "Run the same command again.")
    return Cover(
        title=f"Instabilities of {result.formula}",
        label="Where it goes",
        mark=_mark(result),
        headline=result.headline,
        sentences=result.notices,
        warning=None if result.finished else warning,
        key_facts=_key_facts(result),
        written=time_text(sessions[-1].started) if sessions else "",
        source="stabilise.json",
    )


def _key_facts(result: StabiliseResult) -> tuple[tuple[str, str], ...]:
    root = next(iter(result.crystals), None)  # a tree that has just begun has none
    best = result.best_stable()
    n_stable = sum(bool(one.is_stable) for one in result.crystals)
    softest = None if root is None else root.lowest_frequency
    gain = MISSING if best is None else energy_text(best) + " meV/atom"
    return (
        ("Model", result.model.name),
        ("Start", MISSING if root is None else root.space_group),
        ("Softest mode", MISSING if softest is None else frequency_text(softest)),
        ("Crystals found", str(len(result.crystals))),
        ("Of these stable", str(n_stable)),
        ("Most stable", MISSING if best is None else best.space_group),
        ("Its energy", gain),
        ("Time", duration_text(sum((one.seconds for one in result.provenance), 0.0))),
    )


def frequency_text(frequency: float) -> str:
    """Return a frequency as spectroscopists write it, ``7.47i THz``.

    Examples
    --------
    >>> frequency_text(-7.468), frequency_text(2.5)
    ('7.47i THz', '2.50 THz')
    """
    if abs(frequency) < 0.005:
        return "0.00 THz"
    return f"{abs(frequency):.2f}{'i' if frequency < 0 else ''} THz"


def _crystal_table(result: StabiliseResult) -> Table | None:
    if not result.crystals:
        return None
    first = {one.daughter: one for one in result.steps if one.is_first}
    return Table(
        caption=(
            "Every crystal once, by the way it was found first. Energy and volume per "
            "atom against the first crystal; the lowest frequency is that of the "
            "commensurate grid of its own supercell."
        ),
        columns=(
            "Crystal",
            "Space group",
            "Reached by",
            "Atoms",
            "Energy, meV/atom",
            "Volume, %",
            "Lowest frequency",
            "State",
            "File",
        ),
        rows=tuple(_crystal_row(one, first) for one in result.crystals),
        is_text=(True, True, True, False, False, False, False, True, True),
    )


def _crystal_row(one: CrystalRecord, first: dict[int, StepRecord]) -> tuple[str, ...]:
    lowest = one.lowest_frequency
    step = first.get(one.number)
    way = "given, relaxed with its symmetry"
    if step is not None:
        way = f"{step.parent}, {step.label} {frequency_text(step.frequency)}"
    return (
        str(one.number),
        f"{one.space_group} ({one.space_group_number})",
        f"{way} {step.direction}" if step else way,
        str(len(one.structure.symbols)),
        energy_text(one),
        signed_text(one.volume_change, n_decimals=2) if one.number else "0",
        MISSING if lowest is None else frequency_text(lowest),
        state_of(one),
        one.file,
    )


def state_of(one: CrystalRecord) -> str:
    """Return whether a crystal is stable, in a word or two."""
    if not one.is_converged:
        return "not relaxed to the end"
    if one.is_stable is None:
        return "no phonons"
    return "stable" if one.is_stable else "unstable"


def energy_text(one: CrystalRecord) -> str:
    """Return the energy of a crystal against the first one, without its unit."""
    return signed_text(one.energy_change, n_decimals=2) if one.number else "0"


def _step_table(result: StabiliseResult) -> Table | None:
    if not result.steps:
        return None
    return Table(
        caption=(
            "Each distortion that led to another crystal: the mode that was frozen "
            "in, the direction of its order parameter with the number of equal "
            "domains and the symmetry it leaves, the amplitude of lowest energy "
            "before anything was relaxed (displacement of the atom that moves most), "
            "and what became of it. Energies against the parent."
        ),
        columns=(
            "Parent",
            "Mode",
            "Direction",
            "Domains",
            "Symmetry left",
            "Amplitude, Å",
            "Energy there, meV/atom",
            "Daughter",
            "Energy, meV/atom",
        ),
        rows=tuple(_step_row(one, result) for one in result.steps),
        is_text=(True, True, True, False, True, False, False, True, False),
    )


def _step_row(step: StepRecord, result: StabiliseResult) -> tuple[str, ...]:
    parent, daughter = result.crystals[step.parent], result.crystals[step.daughter]
    known = "" if step.is_first else ", known"
    free = "" if step.is_fixed else ", one of many"
    return (
        f"{parent.number}: {parent.space_group}",
        f"{step.label} {frequency_text(step.frequency)}",
        step.direction + free,
        str(step.n_domains),
        step.trial_space_group,
        number_text(abs(step.amplitude)),
        signed_text(step.line_energy, n_decimals=2),
        f"{daughter.number}: {daughter.space_group}{known}",
        signed_text(step.energy_change, n_decimals=2),
    )


def _notes(result: StabiliseResult) -> list[Block]:
    blocks: list[Block] = [Note(text=text) for text in result.notices]
    for one in result.crystals:
        trials = ", ".join(f"{n} {what}" for what, n in one.counts.items() if n)
        texts = [f"trials: {trials}"] if trials else []
        blocks += [
            Note(text=f"Crystal {one.number}, {one.space_group}: {text}.")
            for text in (*texts, *one.notes)
        ]
    return blocks


def _settings(result: StabiliseResult) -> Facts:
    plan = result.settings
    rows = "; ".join(" ".join(f"{x:g}" for x in row) for row in plan.supercell)
    return Facts(
        pairs=(
            ("Depth", counted(plan.depth, "distortion")),
            ("Trials relaxed a crystal", f"at most {plan.max_daughters}"),
            ("Imaginary below", f"-{plan.threshold:g} THz"),
            ("Supercell of the first crystal", rows),
            ("Supercells of its daughters", f"at least {plan.length:.2f} Å thick"),
            ("Relaxed to", f"{plan.fmax:g} eV/Å, at most {plan.max_steps} steps"),
            ("Displacement of phonons", f"{plan.displacement:g} Å"),
            ("Amplitudes tried", ", ".join(f"{x:g}" for x in plan.amplitudes) + " Å"),
            ("Symmetry sought at", ", ".join(f"{x:g}" for x in plan.symprecs) + " Å"),
            (
                "One crystal if within",
                f"{plan.same_energy:g} meV/atom and {plan.same_distance:g} Å in all "
                "distances",
            ),
            ("Precision", plan.dtype),
        )
    )


def _provenance(result: StabiliseResult) -> list[Block]:
    model = result.model
    pairs = (
        ("Model", model.name + (f", head {model.head}" if model.head else "")),
        ("Framework", model.framework),
        ("Licence of the weights", model.licence or MISSING),
        ("Hash of the weights", model.weights_hash),
    )
    blocks: list[Block] = [Facts(pairs=pairs)]
    for session in result.provenance:
        blocks += session_blocks(session)
    return blocks


def _section(name: str, title: str, *blocks: Block | None) -> Section | None:
    kept = tuple(block for block in blocks if block is not None)
    return Section(name=name, title=title, blocks=kept) if kept else None
