"""The page of one crystal's vibrations and its sections, from the record alone."""

import dataclasses
from collections.abc import Sequence

from atomgraft.page.blocks import (
    Alert,
    Block,
    Facts,
    Folded,
    Heading,
    Note,
    Section,
    Table,
    section,
)
from atomgraft.page.document import Cover, Mark, document_text, page_writer
from atomgraft.page.wording import MISSING, capitalised, counted, number_text
from atomgraft.phonons.curves import (
    conductivity_figure,
    expansion_figure,
    speeds_figure,
    thermal_figure,
)
from atomgraft.phonons.figures import bands_figure
from atomgraft.phonons.record import (
    ALONE,
    PHONONS,
    REFERENCE,
    Matrix,
    PhononResult,
    PhononSettings,
)
from atomgraft.phonons.tables import (
    frequency_table,
    labels_table,
    physics_table,
    soft_table,
    spectra_table,
)
from atomgraft.phonons.wording import (
    best_baseline,
    contestants,
    doubts,
    errors_of,
    headline,
    is_gain,
    q_text,
    reference_name,
    sentences,
    subject_errors,
    threshold_text,
)
from atomgraft.run.page.record import session_blocks, written_text


def crystal_title(result: PhononResult) -> str:
    """Return the crystal as a heading: its formula and its space group."""
    return f"{result.formula}, {result.settings.space_group}"


def phonon_sections(results: Sequence[PhononResult]) -> list[Section]:
    """Return one section for each crystal, and one that sums several up.

    Parameters
    ----------
    results
        Of a run; none gives no section.
    """
    found = [
        _crystal_section(result, f"phonons-{i}")
        for i, result in enumerate(results, start=1)
    ]
    if len(results) < 2:
        return found
    overview = Section(
        name="phonons-all",
        title="Phonons, crystal by crystal",
        blocks=(_overview(results),),
    )
    return [overview, *found]


def _overview(results: Sequence[PhononResult]) -> Table:
    return Table(
        caption=(
            "Mean absolute error of the frequencies against the reference (THz), "
            "and predicted stability, for each crystal."
        ),
        columns=("Crystal", "Base", "Adapted", "In words"),
        rows=tuple(_overview_row(result) for result in results),
        is_text=(True, False, False, True),
    )


def _overview_row(result: PhononResult) -> tuple[str, ...]:
    found = (errors_of(result, "base"), errors_of(result, "adapted"))
    return (
        crystal_title(result),
        *(number_text(one.frequency_mae) if one else MISSING for one in found),
        headline(result),
    )


def _crystal_section(result: PhononResult, prefix: str) -> Section:
    blocks: list[Block] = [Note(text=headline(result))]
    for part in phonon_parts(result, prefix):
        heading = Heading(text=part.title)
        blocks += [heading, *part.blocks] if part.title else part.blocks
    return Section(
        name=prefix, title=f"Phonons of {crystal_title(result)}", blocks=tuple(blocks)
    )


def phonon_parts(result: PhononResult, prefix: str = "phonons") -> list[Section]:
    """Return the parts of a crystal's vibrations, each a section of its own.

    Parameters
    ----------
    result
        Of one crystal.
    prefix
        Makes names unique on the page.
    """
    named: dict[str, tuple[str, Sequence[Block | None]]] = {
        "errors": (_errors_title(result), [*_alerts(result), *_errors(result)]),
        "labels": ("Model and labels", [labels_table(result)]),
        "bands": ("Bands and density of states", [bands_figure(result, prefix)]),
        "soft": ("Soft modes", [soft_table(result)]),
        "thermal": ("Thermal properties", [thermal_figure(result, prefix)]),
        "expansion": ("Thermal expansion", [expansion_figure(result, prefix)]),
        "conductivity": ("Conductivity", [conductivity_figure(result, prefix)]),
        "speeds": ("Group velocities", [speeds_figure(result, prefix)]),
        "settings": ("Settings", [settings_block(result)]),
    }
    found: list[Section] = []
    for name, (title, blocks) in named.items():
        kept = tuple(block for block in blocks if block is not None)
        if kept:
            found.append(Section(name=f"{prefix}-{name}", title=title, blocks=kept))
    return found


def _errors_title(result: PhononResult) -> str:
    return f"Against {reference_name(result)}" if result.errors else "Frequencies"


def _alerts(result: PhononResult) -> list[Alert | None]:
    found = doubts(result)
    grave = Alert(title="Read with care", sentences=found) if found else None
    notes = Alert(title="Notices", sentences=result.notices, is_grave=False)
    return [grave, notes if result.notices else None]


def _errors(result: PhononResult) -> list[Block]:
    notes = [Note(text=sentence) for sentence in sentences(result)]
    if not result.errors:
        caption = "On the mesh, and thermal properties at 300 K."
        return [*notes, spectra_table(result, caption)]
    return [*notes, frequency_table(result), physics_table(result)]


def without_sentences(section: Section) -> Section:
    """Return a section whose sentences stand elsewhere on the page already."""
    kept = tuple(block for block in section.blocks if not isinstance(block, Note))
    return dataclasses.replace(section, blocks=kept)


def settings_block(result: PhononResult) -> Folded:
    """Return everything that decides the numbers."""
    one = result.settings
    cells = f"{counted(one.n_atoms_supercell, 'atom')}, {_matrix(one.supercell_matrix)}"
    versions = ", ".join(f"{name} {text}" for name, text in one.versions.items())
    return Folded(
        summary="Settings (phonons are comparable only with the same settings)",
        facts=Facts(
            pairs=(
                ("Space group", one.space_group),
                ("Geometry", capitalised(one.geometry)),
                ("Supercell", cells),
                ("Primitive cell", counted(one.n_atoms_primitive, "atom")),
                ("Primitive matrix", _matrix(one.primitive_matrix)),
                ("Displacements", _displacements(one)),
                ("Forces of the undisplaced crystal", capitalised(one.undisplaced)),
                ("Symmetrisation", one.symmetrisation),
                ("Non-analytical term", charges_text(one)),
                ("Mesh", "×".join(map(str, one.mesh))),
                ("Unstable", f"a frequency below −{threshold_text(result)} THz"),
                ("Symmetry tolerance", f"{number_text(one.symprec)} Å"),
                ("Precision", one.dtype),
                ("Versions", versions or MISSING),
                *_checks(result),
            )
        ),
    )


def charges_text(settings: PhononSettings) -> str:
    """Say whether Born charges are in."""
    if settings.has_charges:
        return "Included, with the same Born charges for every contestant"
    return "Not included: no Born charges"


def _displacements(one: PhononSettings) -> str:
    moved = f"{one.kind} at a time" if one.kind == "one atom" else one.kind
    size = number_text(one.displacement, digits=1)
    return f"{counted(one.n_displacements, 'supercell')}, {moved}, up to {size} Å"


def _matrix(matrix: Matrix) -> str:
    """Return a matrix, a diagonal one by its diagonal."""
    is_diagonal = all(
        abs(value) < 1e-9
        for i, row in enumerate(matrix)
        for j, value in enumerate(row)
        if i != j
    )
    if is_diagonal:
        numbers = (_entry(row[i]) for i, row in enumerate(matrix))
        return "×".join(numbers)
    return "; ".join(" ".join(map(_entry, row)) for row in matrix)


def _entry(value: float) -> str:
    return q_text((value,)).strip("()")


def _checks(result: PhononResult) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for one in contestants(result):
        parts = [f"drift {number_text(one.drift)} eV/Å²"]
        if one.rotation is not None:
            parts.append(f"rotation {number_text(one.rotation)} eV/Å")
        if one.residual_force is not None:
            parts.append(f"undisplaced force {number_text(one.residual_force)} eV/Å")
        if one.relaxation is not None:
            relaxed = one.relaxation
            parts.append(
                f"relaxed in {counted(relaxed.n_steps, 'step')} to "
                f"{number_text(relaxed.largest_force)} eV/Å, "
                f"{number_text(relaxed.volume)} Å³/atom"
            )
        found.append((f"Residuals, {one.title}", "; ".join(parts)))
    return found


PAGE = "phonons.html"

BETTER = Mark(name="took", word="Frequencies better")

PARTLY = Mark(name="partial", word="Better in part")

NO_BETTER = Mark(name="failed", word="Frequencies not better")

STABLE = Mark(name="took", word="Stable")

UNSTABLE = Mark(name="failed", word="Unstable")

DISAGREE = Mark(name="partial", word="Models disagree")

COMPARED = Mark(name="open", word="Compared")

OTHER = Mark(name="failed", word="Other stability")


def page_text(result: PhononResult) -> str:
    """Return the page as HTML; everything it needs is inside."""
    parts = [without_sentences(part) for part in phonon_parts(result)]
    return document_text(
        _cover(result),
        [
            *parts,
            section("provenance", "Provenance", *session_blocks(*result.provenance)),
        ],
    )


write_page = page_writer(page_text, PAGE)
"""Write the page of a crystal's vibrations into its folder."""


def _cover(result: PhononResult) -> Cover:
    return Cover(
        title=f"Phonons of {crystal_title(result)}",
        label="Vibrations",
        mark=mark_of(result),
        headline=headline(result),
        sentences=sentences(result),
        warning=None,
        key_facts=_key_facts(result),
        written=written_text(result.provenance),
        source=PHONONS.file,
    )


def mark_of(result: PhononResult) -> Mark:
    """Return the result at a glance: are frequencies better, is the crystal stable.

    That is about this crystal. Whether a run took is said on its own page, about the
    material that it was made for, which may be another one.
    """
    base = errors_of(result, "base")
    if not result.errors:
        return _stability_mark(result)
    adapted = subject_errors(result)
    if adapted is None or adapted is base or base is None:
        found = [one for one in result.errors if one.baseline is None]
        return (
            COMPARED if all(_agrees(result, one.is_stable) for one in found) else OTHER
        )
    if not is_gain(adapted, base):
        return NO_BETTER
    baselines = (best_baseline(result), errors_of(result, ALONE))
    is_beaten = any(one is not None and not is_gain(adapted, one) for one in baselines)
    if is_beaten or not _agrees(result, adapted.is_stable):
        return PARTLY
    return BETTER


def _stability_mark(result: PhononResult) -> Mark:
    joined = [one for one in result.spectra if one.labels and one.labels.shape]
    words = {one.is_stable for one in joined or result.spectra}
    if len(words) > 1:
        return DISAGREE
    return STABLE if True in words else UNSTABLE


def _agrees(result: PhononResult, is_stable: bool) -> bool:  # noqa: FBT001 one truth
    reference = result.spectrum(REFERENCE)
    return reference is None or reference.is_stable == is_stable


def _key_facts(result: PhononResult) -> tuple[tuple[str, str], ...]:
    one = result.settings
    return (
        ("Crystal", result.name),
        ("Geometry", capitalised(one.geometry)),
        ("Supercell", counted(one.n_atoms_supercell, "atom")),
        ("Displacements", counted(one.n_displacements, "supercell")),
        ("Mesh", "×".join(map(str, one.mesh))),
        ("Born charges", "in" if one.has_charges else "none"),
    )
