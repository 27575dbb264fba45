"""The structures of a comparison, read and checked before any model is loaded."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ase import Atoms

from atomgraft.adaptation.axes import AUTO, ElementMap
from atomgraft.compare.spec import (
    COMPARE_SPEC,
    CompareSpec,
    read_compare_spec,
)
from atomgraft.core.errors import BadInputError
from atomgraft.core.specs import changes, listed
from atomgraft.core.storage import is_file
from atomgraft.data.checks.calculations import UNKNOWN_ELEMENT
from atomgraft.data.checks.findings import Finding, refuse_unaccepted
from atomgraft.data.checks.suite import Sets, check_alone
from atomgraft.data.labels import structures_fingerprint
from atomgraft.data.readers import read_structures
from atomgraft.run.held_out import compared_with_base
from atomgraft.run.structures import notices_of, without_lone_atoms


class Structures(NamedTuple):
    """Pool, validation and test set, and what the user should know of them."""

    pool: tuple[Atoms, ...]
    validation: tuple[Atoms, ...]
    test: tuple[Atoms, ...]
    notices: tuple[str, ...] = ()

    @property
    def sets(self) -> Sets:
        """What is checked."""
        return Sets(train=self.pool, validation=self.validation, test=self.test)


def read_pool(spec: CompareSpec) -> Structures:
    """Read the structures of a comparison and check what needs no model.

    Parameters
    ----------
    spec
        The comparison.

    Raises
    ------
    BadInputError
        Something cannot be used as it is, the test set leaks into the pool, or a
        warning was not accepted.
    """
    pool, note = without_lone_atoms(_read(spec, spec.train))
    validation = _without_lone(_read(spec, spec.validation)) if spec.validation else []
    test = _without_lone(_read(spec, spec.test))
    _refuse_same(pool, test, "test")
    _refuse_same(pool, validation, "validation")
    found = Structures(tuple(pool), tuple(validation), tuple(test))
    findings = check_alone(found.sets)
    notices = [note.replace("training", "the pool")] if note else []
    for name in spec.base:
        more, told = compared_with_base([name], test)
        findings, notices = findings + more, notices + told
    refuse_unaccepted(findings, spec.accept)
    notices += [*notices_of(findings), *_unused_scales(spec)]
    return found._replace(notices=tuple(notices))


def _unused_scales(spec: CompareSpec) -> list[str]:
    """Say which recipes start without the scales of element maps."""
    scaled, fresh = spec.unused_scales()
    if not scaled:
        return []
    return [
        f"{name} starts from fresh weights: it has room for the elements of "
        f"{', '.join(scaled)}, and does not use the scale."
        for name in fresh
    ]


def refuse_other_frame(folder: Path, spec: CompareSpec) -> None:
    """Check that a folder holds no comparison of other data, bases or budget.

    Parameters
    ----------
    folder
        Of a comparison, if it is there.
    spec
        The comparison that would be written into it.

    Raises
    ------
    BadInputError
        It does.
    """
    stored = folder / COMPARE_SPEC
    if not is_file(stored):
        return
    before, after = read_compare_spec(stored).frame(), spec.frame()
    if before != after:
        differing = listed(changes(before, after))
        raise other_comparison(folder, f"another comparison: {differing}")


def other_comparison(folder: Path, what: str) -> BadInputError:
    """Return the error for a folder that is taken."""
    return BadInputError(
        f"{folder} holds {what}.",
        "A folder holds one comparison, with one base, one data set and one "
        "budget; recipes, sizes, learning rates and seeds may be added.",
        "Choose another folder with --out, or use --fresh to delete the old "
        "comparison.",
    )


def told_of_maps(
    findings: Sequence[Finding],
    spec: CompareSpec,
    wanted: ElementMap | None,
    unknown: Sequence[str],
) -> list[Finding]:
    """Return findings that say by which map a base can take up unknown elements.

    Parameters
    ----------
    findings
        Of the data in the light of a base.
    spec
        The comparison.
    wanted
        The map that the base has; none is the base as it is.
    unknown
        Symbols of the elements that it does not know then.
    """
    own = dict.fromkeys(unknown, AUTO)
    complete = ElementMap(elements={**(wanted.elements if wanted else {}), **own})
    others = [f"--map {one.words}" for one in spec.maps if one is not None]
    said = ""
    if wanted is not None:
        remedy = f"Map these elements as well: --map {complete.words}"
    elif spec.maps:
        said = " --map none compares this base as it is."
        kept = " ".join(others) or f"--map {complete.words}"
        remedy = f"Leave --map none out, and use {kept}"
    else:
        remedy = (
            "Remove these structures, choose a base that supports the elements, or"
            f" start them from similar ones: --map {complete.words}"
        )
    return [
        dataclasses.replace(one, message=f"{one.message}{said}", remedy=remedy)
        if one.code == UNKNOWN_ELEMENT
        else one
        for one in findings
    ]


def _read(spec: CompareSpec, files: Sequence[str]) -> list[Atoms]:
    return read_structures(files, **spec.labels())


def _without_lone(structures: list[Atoms]) -> list[Atoms]:
    """Leave isolated atoms out: they say nothing of where the material's zero lies."""
    return without_lone_atoms(structures)[0]


def _refuse_same(pool: Sequence[Atoms], others: Sequence[Atoms], role: str) -> None:
    """Check that no structure of another set is in the pool, to the last digit."""
    known = {structures_fingerprint([atoms]) for atoms in pool}
    both = [
        str(atoms.info.get("source"))
        for atoms in others
        if structures_fingerprint([atoms]) in known
    ]
    if both:
        raise BadInputError(
            f"{len(both)} {role} structures are also in the pool ({both[0]}).",
            f"Expected {role} structures that are not in the pool.",
            f"Give other frames with --{role}; 'file.extxyz@20:' leaves the first 20 "
            "out.",
        )
