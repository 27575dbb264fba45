"""Which structures of a run train as force differences, recorded and said."""

from collections.abc import Sequence
from typing import Literal

from ase import Atoms

from atomgraft.data.differences import (
    Mode,
    count_kinds,
    find_partners,
    require_partners,
)
from atomgraft.run.record import DifferenceRecord


def difference_record(
    structures: Sequence[Atoms],
    mode: Mode,
    *,
    role: Literal["train", "validation"],
    head: str | None = None,
) -> DifferenceRecord | None:
    """Count partners; none where all structures train as they are.

    Parameters
    ----------
    structures
        Labelled structures.
    mode
        Which of them train as differences.
    role
        What the set is for.
    head
        Of a further level of theory.

    Raises
    ------
    BadInputError
        All must have partners, and one has none.
    """
    partners = find_partners(structures, mode)
    if mode == "required":
        require_partners(structures, partners)
    kinds = count_kinds(partners)
    if not kinds:
        return None
    return DifferenceRecord(
        role=role,
        head=head,
        n_structures=len(structures),
        n_by_symmetry=kinds["symmetry"],
        n_opposite=kinds["opposite"],
        n_undisplaced=kinds["undisplaced"],
        n_reference=kinds["reference"],
        n_plain=len(structures) - kinds.total(),
    )


def notice_of(record: DifferenceRecord) -> str:
    """Return what the user should know of a set with force differences.

    Parameters
    ----------
    record
        Of the set.

    Examples
    --------
    >>> one = DifferenceRecord(role="train", n_structures=3, n_opposite=2, n_plain=1)
    >>> notice_of(one).split(".")[0]
    '2 of 3 train structures train as force differences (2 against the opposite \
displacement) and 1 as they are'
    """
    kinds = {
        "by symmetry": record.n_by_symmetry,
        "against the opposite displacement": record.n_opposite,
        "against the undisplaced cell": record.n_undisplaced,
        "undisplaced itself": record.n_reference,
    }
    words = ", ".join(f"{n} {kind}" for kind, n in kinds.items() if n)
    name = f"{record.role} ({record.head})" if record.head else record.role
    return (
        f"{sum(kinds.values())} of {record.n_structures} {name} structures train as "
        f"force differences ({words}) and {record.n_plain} as they are. "
        "training.differences: never trains all as they are."
    )
