"""The labelled structures of a run, read and checked before any model is loaded.

Nothing here loads torch: what can be refused without a model is refused at once.
"""

import contextlib
import dataclasses
from collections.abc import Generator, Iterator, Mapping, Sequence
from typing import Literal

from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.core.properties import Property
from atomgraft.data.checks.findings import (
    Finding,
    is_isolated_atom,
    refuse_errors,
    refuse_unaccepted,
)
from atomgraft.data.checks.heads import HEAD
from atomgraft.data.checks.repeats import TRAIN, check_repeats
from atomgraft.data.checks.suite import Sets, check_alone
from atomgraft.data.labels import count_labels
from atomgraft.data.partners import (
    Mode,
    count_kinds,
    find_partners,
    require_partners,
)
from atomgraft.data.readers import read_structures
from atomgraft.run.record import DifferenceRecord
from atomgraft.run.spec import RunSpec


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeadInputs:
    """The labelled structures of a head."""

    train: tuple[Atoms, ...]
    validation: tuple[Atoms, ...]
    isolated: tuple[Atoms, ...] = ()
    """Isolated atoms of its training files, once they are not among `train`."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunData:
    """The structures of a run as its files give them.

    Parameters
    ----------
    own
        Those of the level of theory that the run is made for.
    heads
        Those of further heads, by name.
    findings
        What was found without a model.
    asks
        Warnings that change what is learned stop the run until they are accepted; not
        where somebody has been asked before.
    base
        Those of the run that makes the base, where it is part of the spec.
    """

    own: HeadInputs
    heads: Mapping[str, HeadInputs]
    findings: tuple[Finding, ...]
    asks: bool = True
    base: "RunData | None" = None

    @property
    def trained(self) -> dict[str | None, tuple[Atoms, ...]]:
        """Training structures by head; none is the run's own."""
        heads = {name: one.train for name, one in self.heads.items()}
        return {None: self.own.train, **heads}

    def refuse(self, findings: Sequence[Finding], accepted: Sequence[str]) -> None:
        """Raise a finding that stops the run.

        Parameters
        ----------
        findings
            Of these data.
        accepted
            Codes of warnings that do not.

        Raises
        ------
        BadInputError
            There is one.
        """
        if self.asks:
            refuse_unaccepted(findings, accepted)
        else:
            refuse_errors(findings)

    def sets(self, spec: RunSpec) -> dict[str | None, Sets]:
        """Return what is checked together, by head; none is the run's own.

        Parameters
        ----------
        spec
            The run.
        """
        own = Sets(
            train=self.own.train,
            validation=self.own.validation,
            heads=tuple(spec.heads),
        )
        further = {
            name: Sets(train=one.train, validation=one.validation)
            for name, one in self.heads.items()
        }
        return {None: own, **further}


@contextlib.contextmanager
def about_the_base() -> Generator[None]:
    """Say of a refusal that it concerns the run that makes the base.

    Examples
    --------
    >>> with about_the_base():
    ...     raise BadInputError("a.xyz is empty.", "One frame.", "Check the path.")
    Traceback (most recent call last):
    ...
    atomgraft.core.errors.BadInputError: In the run that makes the base: a.xyz is empty. One frame. Check the path.
    """  # noqa: E501 - a message is one line
    try:
        yield
    except BadInputError as error:
        came = error.came
        error.reword(lambda text: f"{OF_BASE}{text}" if text == came else text)
        raise


OF_BASE = "In the run that makes the base: "


def read_run_data(spec: RunSpec, *, asks: bool = True) -> RunData:
    """Read the structures of a run and check what needs no model.

    Parameters
    ----------
    spec
        The run.
    asks
        See :class:`RunData`.

    Raises
    ------
    BadInputError
        Something cannot be used as it is, or a warning was not accepted.
    """
    base = None
    if not isinstance(spec.base, str):
        with about_the_base():
            base = read_run_data(spec.base, asks=asks)
    train = read_files(spec, spec.train)
    validation = read_files(spec, spec.validation) if spec.validation else []
    own = HeadInputs(
        train=tuple(one for one in train if one.info.get(HEAD) not in spec.heads),
        validation=tuple(
            one for one in validation if one.info.get(HEAD) not in spec.heads
        ),
    )
    heads = {name: _read_head(spec, name, train, validation) for name in spec.heads}
    data = RunData(own=own, heads=heads, findings=(), asks=asks, base=base)
    sets = data.sets(spec)
    found = {name: check_alone(one) for name, one in sets.items()}
    findings = tuple(
        marked(one, name) for name, those in found.items() for one in those
    )
    findings += tuple(
        finding
        for name, one in sets.items()
        for finding in across_levels(
            one.validation,
            {key: other.train for key, other in sets.items() if key != name},
        )
    )
    findings += tuple(
        dataclasses.replace(finding, message=f"{OF_BASE}{finding.message}")
        for below in _bases(base)
        for one in sets.values()
        for finding in across_levels(one.validation, below.trained)
    )
    data.refuse(findings, spec.accept)
    require_batch(spec, without_lone_atoms(list(own.train))[0])
    return dataclasses.replace(data, findings=found[None])


def _bases(base: RunData | None) -> Iterator[RunData]:
    """Yield the data of the run that makes the base, of that which makes its, ..."""
    while base is not None:
        yield base
        base = base.base


def across_levels(
    judging: Sequence[Atoms], trained: Mapping[str | None, Sequence[Atoms]]
) -> tuple[Finding, ...]:
    """Find structures that judge one level of theory and train another one.

    Labels differ, so geometries are compared: a model that saw a structure at another
    level has learned something of its answer.

    Parameters
    ----------
    judging
        To test or to validate on.
    trained
        By the name of the head; none is the run's own.
    """
    return tuple(
        marked(finding, head)
        for head, structures in trained.items()
        for finding in check_repeats({TRAIN: structures, "judging": judging})
        if finding.code == "split-leak"
    )


def marked(finding: Finding, head: str | None) -> Finding:
    """Return a finding that names the head whose data it is about."""
    if head is None:
        return finding
    message = f"In the data of the head {head!r}: {finding.message}"
    return dataclasses.replace(finding, message=message)


def _read_head(
    spec: RunSpec, name: str, train: Sequence[Atoms], validation: Sequence[Atoms]
) -> HeadInputs:
    """Read the structures of a further head; frames that name it belong to it."""
    head = spec.heads[name]
    own = [one for one in train if one.info.get(HEAD) == name]
    own += [of_head(one) for one in read_files(spec, head.train)] if head.train else []
    if not own:
        raise BadInputError(
            f"The head {name!r} has no training structures.",
            "A head needs labels of its own level of theory.",
            f"Name files under heads.{name}.train, or mark frames with head={name}.",
        )
    judging = [one for one in validation if one.info.get(HEAD) == name]
    judging += read_files(spec, head.validation) if head.validation else []
    return HeadInputs(
        train=tuple(map(of_head, own)), validation=tuple(map(of_head, judging))
    )


def of_head(atoms: Atoms) -> Atoms:
    """Return a frame without the name of a head: it is where it belongs."""
    atoms.info.pop(HEAD, None)
    return atoms


def read_files(spec: RunSpec, files: Sequence[str]) -> list[Atoms]:
    """Read structures with the label keys and units of a spec."""
    return read_structures(files, **spec.labels())


def without_lone_atoms(train: list[Atoms]) -> tuple[list[Atoms], str | None]:
    """Leave isolated atoms out: they say nothing about the material's forces.

    Returns
    -------
    list[Atoms]
        The others; everything where there is nothing else.
    str | None
        What the user should know.
    """
    kept = [atoms for atoms in train if not is_isolated_atom(atoms)]
    n_left = len(train) - len(kept)
    if not n_left or not kept:
        return train, None
    return kept, f"{n_left} frames of isolated atoms are not used for training."


def lone_atoms(train: Sequence[Atoms]) -> tuple[Atoms, ...]:
    """Return what `without_lone_atoms` leaves out: reference energies use it.

    Parameters
    ----------
    train
        Of one level of theory, as it was read.
    """
    found = tuple(atoms for atoms in train if is_isolated_atom(atoms))
    return found if len(found) < len(train) else ()


def notices_of(findings: Sequence[Finding]) -> list[str]:
    """Return the warnings among findings, in words."""
    return [
        f"{finding.message} {finding.remedy}"
        for finding in findings
        if finding.severity == "warning"
    ]


def require_labels(spec: RunSpec, structures: Sequence[Atoms], kind: str) -> None:
    """Check that the objective finds something to compare with.

    Parameters
    ----------
    spec
        The run.
    structures
        Of one set; none are fine.
    kind
        What they are for, in words.

    Raises
    ------
    BadInputError
        No label that counts is there.
    """
    if not structures:
        return
    count = count_labels(structures)
    there = {
        Property.ENERGY: count.n_energies,
        Property.FORCES: count.n_forces,
        Property.STRESS: count.n_stresses,
    }
    wanted = sorted(spec.training.objective.wanted)
    if not any(there[one] for one in wanted):
        raise BadInputError(
            f"The {kind} structures have no {' or '.join(wanted)}.",
            "Expected labels for a property with a weight in the objective.",
            "Give labelled structures, or other weights under training.objective.",
        )


def require_batch(spec: RunSpec, train: Sequence[Atoms]) -> None:
    """Check that a batch is no larger than what is trained on.

    Parameters
    ----------
    spec
        The run.
    train
        What is trained on.

    Raises
    ------
    BadInputError
        It is larger.
    """
    size = spec.training.batch_size
    if size != "auto" and size > len(train):
        raise BadInputError(
            f"The batch size is {size}, and there are {len(train)} training "
            "structures.",
            "A batch contains each structure at most once.",
            f"Use --batch-size {len(train)} or smaller, or leave it out.",
        )


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
    """Return the notice about a set with force differences.

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
