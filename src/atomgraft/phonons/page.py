"""The page of one crystal's vibrations: works offline, from ``phonons.json`` alone."""

from pathlib import Path

from atomgraft.core.outputs import write_beside
from atomgraft.page.blocks import Block, Section
from atomgraft.page.document import Cover, Mark, document_text
from atomgraft.page.wording import capitalised, counted, time_text
from atomgraft.phonons.record import PHONONS, REFERENCE, PhononResult
from atomgraft.phonons.sections import (
    crystal_title,
    phonon_parts,
    without_sentences,
)
from atomgraft.phonons.wording import (
    best_baseline,
    errors_of,
    headline,
    is_gain,
    sentences,
)
from atomgraft.run.page.record import session_blocks

PAGE = "phonons.html"

BETTER = Mark(name="took", word="Frequencies better")

PARTLY = Mark(name="partial", word="Better in part")

NO_BETTER = Mark(name="failed", word="Frequencies no better")

STABLE = Mark(name="took", word="Stable")

UNSTABLE = Mark(name="failed", word="Unstable")

DISAGREE = Mark(name="partial", word="Models disagree")

COMPARED = Mark(name="open", word="Compared")

OTHER = Mark(name="failed", word="Other stability")


def write_page(folder: Path, result: PhononResult) -> Path:
    """Write the page of a crystal's vibrations, whole or not at all.

    Parameters
    ----------
    folder
        Where ``phonons.html`` is to stand; it exists.
    result
        As in its ``phonons.json``.

    Raises
    ------
    StorageError
        The folder cannot be written; an older page is left as it was.
    """
    path = folder / PAGE
    write_beside(path, page_text(result))
    return path


def page_text(result: PhononResult) -> str:
    """Return the page as HTML; everything it needs is inside."""
    parts = [without_sentences(part) for part in phonon_parts(result)]
    return document_text(_cover(result), [*parts, *_provenance(result)])


def _cover(result: PhononResult) -> Cover:
    sessions = result.provenance
    return Cover(
        title=f"Phonons of {crystal_title(result)}",
        label="Vibrations",
        mark=mark_of(result),
        headline=headline(result),
        sentences=sentences(result),
        warning=None,
        key_facts=_key_facts(result),
        written=time_text(sessions[-1].started) if sessions else "",
        source=PHONONS.file,
    )


def mark_of(result: PhononResult) -> Mark:
    """Return the result at a glance: are frequencies better, is the crystal stable.

    That is about this crystal. Whether a run took is said on its own page, about the
    material that it was made for, which may be another one.
    """
    adapted, base = errors_of(result, "adapted"), errors_of(result, "base")
    if not result.errors:
        return _stability_mark(result)
    if adapted is None or base is None:
        found = [one for one in result.errors if one.baseline is None]
        return (
            COMPARED if all(_agrees(result, one.is_stable) for one in found) else OTHER
        )
    if not is_gain(adapted, base):
        return NO_BETTER
    best = best_baseline(result)
    is_beaten = best is not None and not is_gain(adapted, best)
    if is_beaten or not _agrees(result, adapted.is_stable):
        return PARTLY
    return BETTER


def _stability_mark(result: PhononResult) -> Mark:
    words = {one.is_stable for one in result.spectra}
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


def _provenance(result: PhononResult) -> list[Section]:
    blocks: list[Block] = []
    for entry in result.provenance:
        blocks += session_blocks(entry)
    if not blocks:
        return []
    return [Section(name="provenance", title="Provenance", blocks=tuple(blocks))]
