"""Test structures of a run, read and compared with its training structures.

Nothing here loads torch: a test structure that was trained on is refused at once.
"""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.core.storage import is_file
from atomgraft.data.checks.findings import Finding, refuse_errors
from atomgraft.data.checks.heads import HEAD
from atomgraft.data.checks.repeats import check_repeats
from atomgraft.data.checks.suite import Sets, check_alone
from atomgraft.data.label_keys import LabelKeys
from atomgraft.data.labels import structures_fingerprint
from atomgraft.data.readers import read_structures
from atomgraft.run.places import base_run, places_of, specs_today
from atomgraft.run.record import RESULT, RunResult
from atomgraft.run.spec import SPEC, RunSpec, read_spec
from atomgraft.run.structures import (
    across_levels,
    marked,
    of_head,
    read_files,
    without_lone_atoms,
)

LEAKS = ("split-leak", "trajectory-leak")
"""Findings about structures that are related to trained ones."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HeldOut:
    """Test structures of a run.

    Parameters
    ----------
    structures
        Of the level of theory that the run was made for.
    heads
        Those of further heads, by name.
    findings
        What was found without a model.
    notes
        How they were read, where not by the default.
    """

    structures: list[Atoms]
    heads: dict[str, list[Atoms]]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def sets(self) -> Sets:
        """What is checked."""
        return Sets(train=self.structures)


def read_held_out(
    spec: RunSpec,
    result: RunResult,
    files: Sequence[str],
    *,
    folder: Path,
    base: str | None = None,
    default_labels: bool = False,
    head: str | None = None,
) -> HeldOut:
    """Read test structures, and run the checks that need no model.

    Runs that the run grew on were trained, too: their structures count as its own.

    Parameters
    ----------
    spec
        The run.
    result
        What it has read.
    files
        Of held-out structures.
    folder
        Of the run.
    base
        Where the run is that it grew on; none looks where the run says.
    default_labels
        Read them by the default keys and units, not by those of the run.
    head
        The further head that all of them belong to; none: frames say it themselves.

    Raises
    ------
    BadInputError
        They cannot be used, were trained on, or the training files have changed.
    """
    if default_labels:
        read, notes = read_structures(files), []
    else:
        read = read_files(spec, files)
        notes = [
            f"Test labels are read with {option} {unit}, as training."
            for option, unit in LabelKeys(**spec.labels()).units().items()
        ]
    if head is not None:
        require_head(spec, head)
        for one in read:
            one.info[HEAD] = head
    structures, note = without_lone_atoms(of_target(spec, read))
    notes += [note.replace("training", "the test")] if note else []
    heads = judging_heads(spec, read)
    trained = _trained(spec, result, folder)
    every = [*structures, *(one for ones in heads.values() for one in ones)]
    _refuse_trained(trained, every)
    across = check_repeats({"train": trained, "test": every})
    sets = {None: Sets(train=structures, heads=tuple(spec.heads))} if structures else {}
    sets |= {name: Sets(train=ones) for name, ones in heads.items()}
    findings = tuple(
        marked(one, name) for name, ones in sets.items() for one in check_alone(ones)
    )
    findings += tuple(one for one in across if one.code in LEAKS)
    more, told = _compared_with_heads(spec, result, folder, every)
    findings, notes = findings + more, notes + told
    refuse_errors(findings)
    own = _Run(spec=spec, result=result, folder=folder)
    places = [base] if base else own.base_places()
    more, told = compared_with_base(places, every, _own_bases(spec, folder))
    refuse_errors(more)
    findings, notes = findings + more, notes + told
    return HeldOut(
        structures=structures, heads=heads, findings=findings, notes=tuple(notes)
    )


def require_head(spec: RunSpec, head: str) -> None:
    """Check that a run has a further head.

    Raises
    ------
    BadInputError
        It has no such head.
    """
    if head not in spec.heads:
        known = ", ".join(spec.heads) or "none besides its target head"
        raise BadInputError(
            f"The run has no head {head!r}.",
            f"Its further heads: {known}.",
            "Leave --head out to test the target head of the run.",
        )


def _own_bases(spec: RunSpec, folder: Path) -> frozenset[Path]:
    """Return the folders of the runs that a run file makes before its last one."""
    found: set[Path] = set()
    below = base_run(spec, folder)
    while below is not None:
        found.add(below[1].resolve())
        below = base_run(*below)
    return frozenset(found)


def _of_this_run(finding: Finding) -> Finding:
    """Return a finding about the base of a run as one about the run itself."""
    is_leak = finding.code == "split-leak"
    return dataclasses.replace(finding, severity="error") if is_leak else finding


def judging(spec: RunSpec, structures: Sequence[Atoms]) -> list[Atoms]:
    """Return frames that judge a run: of its level of theory, lone atoms left out.

    Parameters
    ----------
    spec
        The run.
    structures
        As they were read.
    """
    return without_lone_atoms(of_target(spec, structures))[0]


def judging_heads(spec: RunSpec, structures: Sequence[Atoms]) -> dict[str, list[Atoms]]:
    """Return frames that judge further heads, by head; lone atoms are left out.

    Parameters
    ----------
    spec
        The run.
    structures
        As they were read.
    """
    found: dict[str, list[Atoms]] = {}
    for name in spec.heads:
        own = [one for one in structures if one.info.get(HEAD) == name]
        if own:
            found[name] = without_lone_atoms(list(map(of_head, own)))[0]
    return found


def of_target(spec: RunSpec, structures: Sequence[Atoms]) -> list[Atoms]:
    """Return frames of the level of theory that a run is made for.

    Parameters
    ----------
    spec
        The run.
    structures
        Frames of further heads may be among them.
    """
    return [one for one in structures if one.info.get(HEAD) not in spec.heads]


def compared_with_base(
    places: Sequence[str],
    structures: Sequence[Atoms],
    own: frozenset[Path] = frozenset(),
) -> tuple[tuple[Finding, ...], list[str]]:
    """Compare test structures with what a base was trained on, run by run.

    Parameters
    ----------
    places
        Where the base may be; what is no run folder was trained by others.
    structures
        To test on.
    own
        Folders of bases that the same run file makes: their data are other levels of
        theory of one run, of which test structures are held out.

    Returns
    -------
    :
        Warnings, and what could not be compared.

    Raises
    ------
    BadInputError
        A run was trained on one of the structures.
    """
    findings, notes = (), []
    for one in _runs_in(places, frozenset()):
        more, told = one.compared_with(structures)
        if one.folder.resolve() in own:
            of_heads, about_heads = _compared_with_heads(
                one.spec, one.result, one.folder, structures
            )
            more = (*map(_of_this_run, more), *of_heads)
            told += about_heads
        findings, notes = findings + more, notes + told
    return findings, notes


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Run:
    """A finished run."""

    spec: RunSpec
    result: RunResult
    folder: Path

    def base_places(self) -> list[str]:
        """Return where the base may be that its weights come from."""
        if self.spec.axes.starts.weights == "fresh":
            return []
        if (found := base_run(self.spec, self.folder)) is not None:
            return [str(found[1])]
        return places_of(str(self.spec.base), self.result.made_in, self.folder)

    def compared_with(
        self, structures: Sequence[Atoms]
    ) -> tuple[tuple[Finding, ...], list[str]]:
        """Return what test structures share with what this run was trained on.

        The same structure with other labels is a warning: a base may know another
        level of theory. Training files that are gone cannot be read, which is said.
        """
        base = f"the base in {self.folder}"
        try:
            trained = _trained(self.spec, self.result, self.folder)
        except BadInputError as error:
            told = f"Test structures are not compared with what {base} was trained on"
            return (), [f"{told}: {error.came}"]
        _refuse_trained(trained, structures, f" of {base}")
        findings = tuple(
            dataclasses.replace(
                one,
                severity="warning",
                message=f"The base in {self.folder} was trained on some of them, or on "
                f"their neighbours: {one.message}",
            )
            for one in check_repeats({"train": trained, "test": structures})
            if one.code in LEAKS
        )
        return findings, []


def _runs_in(places: Sequence[str], seen: frozenset[Path]) -> Iterator[_Run]:
    """Yield the run in the first place that holds another one, and those before it."""
    runs = [Path(one) for one in places if _is_run(Path(one))]
    unseen = [one for one in runs if one.resolve() not in seen]
    for folder in unseen[:1]:
        found = _Run(
            spec=read_spec(folder / SPEC), result=RESULT.read(folder), folder=folder
        )
        yield found
        yield from _runs_in(found.base_places(), seen | {folder.resolve()})


def _is_run(folder: Path) -> bool:
    return is_file(folder / SPEC) and is_file(folder / RESULT.file)


def refuse_early(
    folder: Path,
    files: Sequence[str],
    *,
    base: str | None = None,
    default_labels: bool,
    head: str | None = None,
) -> None:
    """Refuse held-out structures before anything heavy is loaded.

    Parameters
    ----------
    folder
        Of the run; one without spec and result is left to who judges it.
    files
        Of held-out structures.
    base, default_labels, head
        See `read_held_out`.

    Raises
    ------
    BadInputError
        See `read_held_out`.
    """
    if _is_run(folder):
        spec, result = read_spec(folder / SPEC), RESULT.read(folder)
        if result.finished:
            read_held_out(
                spec,
                result,
                files,
                folder=folder,
                base=base,
                default_labels=default_labels,
                head=head,
            )


def _trained(spec: RunSpec, result: RunResult, folder: Path) -> list[Atoms]:
    """Read again what was trained on, wherever it is today, and check that it is."""
    failures: list[BadInputError] = []
    for one in specs_today(spec, result.made_in, folder):
        try:
            return _read_again(one, result)
        except BadInputError as error:
            failures.append(error)
    raise failures[0]


def _read_again(spec: RunSpec, result: RunResult) -> list[Atoms]:
    everything = read_files(spec, (*spec.train, *spec.validation))
    trained = [one for one in everything if one.info.get("head") not in spec.heads]
    known = {card.role: card for card in result.data if card.head is None}
    n_then = sum(
        known[role].n_structures for role in ("train", "validation") if role in known
    )
    today, _ = without_lone_atoms(trained)
    is_whole = "validation" not in known
    same = structures_fingerprint(today) == known["train"].fingerprint
    if len(today) != n_then or (is_whole and not same):
        raise BadInputError(
            f"The training files of the run ({', '.join(spec.train)}) have changed "
            "since it was made.",
            "They are read again to check that no test structure was trained on.",
            "Restore the files, or make the run again.",
        )
    return trained


def _compared_with_heads(
    spec: RunSpec, result: RunResult, folder: Path, structures: Sequence[Atoms]
) -> tuple[tuple[Finding, ...], list[str]]:
    """Return what test structures share with the data of further heads.

    Files that are gone cannot be read, which is said.
    """
    findings, notes = (), []
    for name in spec.heads:
        try:
            trained = _trained_head(spec, result, folder, name)
        except BadInputError as error:
            notes.append(
                "Test structures are not compared with those of the head "
                f"{name!r}: {error.came}"
            )
        else:
            findings += across_levels(structures, {name: trained})
    return findings, notes


def _trained_head(
    spec: RunSpec, result: RunResult, folder: Path, name: str
) -> list[Atoms]:
    """Read what trained a head, wherever it is today."""
    failures: list[BadInputError] = []
    for one in specs_today(spec, result.made_in, folder):
        head = one.heads[name]
        try:
            mixed = read_files(one, (*one.train, *one.validation))
            own = read_files(one, (*head.train, *head.validation))
        except BadInputError as error:
            failures.append(error)
        else:
            found = [atoms for atoms in mixed if atoms.info.get(HEAD) == name] + own
            _refuse_fewer(result, name, found)
            return found
    raise failures[0]


def _refuse_fewer(result: RunResult, name: str, found: list[Atoms]) -> None:
    """Check that the files of a head still hold as many structures as then."""
    n_then = sum(
        card.n_structures
        for card in result.data
        if card.head == name and card.role in {"train", "validation"}
    )
    n_today = len(without_lone_atoms(found)[0])
    if n_today != n_then:
        raise BadInputError(
            f"The training files of the head {name!r} have changed since the run was "
            f"made: {n_today} structures, and {n_then} then.",
            "They are read again to check that no test structure was trained on.",
            "Restore the files, or make the run again.",
        )


def _refuse_trained(
    trained: Sequence[Atoms], structures: Sequence[Atoms], whose: str = ""
) -> None:
    """Check that no test structure was trained on, to the last digit."""
    known = {structures_fingerprint([atoms]) for atoms in trained}
    both = [
        str(atoms.info.get("source"))
        for atoms in structures
        if structures_fingerprint([atoms]) in known
    ]
    if both:
        raise BadInputError(
            f"{len(both)} test structures are also training structures{whose} "
            f"({both[0]}).",
            "Expected test structures that are not in the training set.",
            "Give other frames with --test; 'file.extxyz@20:' leaves the first 20 out.",
        )
