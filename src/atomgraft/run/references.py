"""Reference energies of a run: fitted in closed form before the first step."""

import dataclasses
from collections.abc import Container, Mapping, Sequence

import numpy as np
import torch
from ase import Atoms
from ase.data import chemical_symbols
from jaxtyping import Float, Int

from atomgraft.adaptation.axes import ReferenceFit as Way
from atomgraft.adaptation.axes import References, fit_of
from atomgraft.core.errors import BadInputError
from atomgraft.core.progress import Progress, told
from atomgraft.core.properties import PROPERTIES, Property
from atomgraft.data.checks.findings import is_isolated_atom
from atomgraft.data.labels import energy_of
from atomgraft.data.reference_energies import (
    ILL_CONDITIONED,
    ReferenceFit,
    count_elements,
    fit_reference_shifts,
    root_mean_square,
    undetermined_text,
)
from atomgraft.models.base import NEGLIGIBLE_ROUNDING, AbstractPotential
from atomgraft.models.graph import find_neighbours, make_graph
from atomgraft.models.prediction import batches_by_atoms, predict
from atomgraft.run.record import ReferenceRefit

MAX_ATOMS = 256

LARGEST_ENERGY = 1e7
"""eV/atom; with all its electrons the heaviest atom has less."""

MEV_PER_ATOM = PROPERTIES[Property.ENERGY].report_factor


SAME_RESIDUAL = 1.0
"""meV/atom: what one fit leaves more than another before it is worth a sentence."""

SAME_ATOM = 1e-3
"""eV: energies of an isolated atom that differ by more are those of several states."""


def refit_references(
    base: AbstractPotential,
    structures: Sequence[Atoms],
    *,
    wanted: References,
    progress: Progress | None = None,
) -> tuple[dict[int, float], ReferenceRefit]:
    """Fit the shift per element that brings the base to the labels' energy scale.

    Parameters
    ----------
    base
        Evaluated in float64.
    structures
        Training structures, isolated atoms among them; those without energies do not
        count. An isolated atom says how strongly a material is bound, on which a base
        may be wrong by an eV per atom, so it only decides what compositions leave
        open, unless it is asked for more.
    wanted
        How; false leaves the references as they are, and says so.
    progress
        Is told how many structures the base has answered.

    Returns
    -------
    dict[int, float]
        eV per atom, by atomic number.
    ReferenceRefit
        The record of it.

    Raises
    ------
    BadInputError
        References of isolated atoms are wanted, and there is none.
    """
    with_energy = [atoms for atoms in structures if energy_of(atoms) is not None]
    labelled = [atoms for atoms in with_energy if not is_isolated_atom(atoms)]
    way = fit_of(wanted)
    if way is None:
        return {}, _unchanged("not refitted, as requested", len(labelled))
    known = base.elements
    if way != "isolated":  # what no structure has keeps the zero that the base knows
        known = {int(number) for atoms in labelled for number in atoms.numbers}
    lone = _LoneAtoms.among(with_energy, known)
    if way == "isolated" and not lone.frames:
        raise BadInputError(
            "references: isolated takes the energies of isolated atoms, and the "
            "training files have none.",
            "Expected single atoms with an energy, marked config_type=IsolatedAtom.",
            "Add them to the training files, or use references: residual.",
        )
    if not labelled and not lone.frames:
        return {}, _unchanged("not refitted: no structure has an energy", 0)
    sample = _Sample.of(base, labelled, lone, progress)
    fit = sample.fitted(way)
    shifted = base.clone(device=base.device)
    shifted.add_references(fit.shifts)
    record = _refit_record(sample, fit, way, shifted.rounding_in(torch.float32))
    table = shifted.reference_table()
    energies = {number: float(table[number]) for number in fit.shifts}
    return dict(fit.shifts), record.model_copy(update={"energies": by_symbol(energies)})


@dataclasses.dataclass(frozen=True, kw_only=True)
class _LoneAtoms:
    """The isolated atom of lowest energy of each element.

    Parameters
    ----------
    frames
        One for each element.
    spreads
        Differences of the energies of one element, eV, where they are not the same.
    """

    frames: tuple[Atoms, ...]
    spreads: dict[int, float]

    @classmethod
    def among(cls, structures: Sequence[Atoms], known: Container[int]) -> "_LoneAtoms":
        """Find them; all structures have energies."""
        found: dict[int, list[Atoms]] = {}
        for atoms in structures:
            if is_isolated_atom(atoms) and (number := int(atoms.numbers[0])) in known:
                found.setdefault(number, []).append(atoms)
        lists = [sorted(found[number], key=_label) for number in sorted(found)]
        spreads = {
            int(ones[0].numbers[0]): _label(ones[-1]) - _label(ones[0])
            for ones in lists
        }
        return cls(
            frames=tuple(ones[0] for ones in lists),
            spreads={Z: one for Z, one in spreads.items() if one > SAME_ATOM},
        )

    @property
    def labels(self) -> dict[int, float]:
        """Their energies, eV, by atomic number."""
        return {int(atoms.numbers[0]): _label(atoms) for atoms in self.frames}

    @property
    def symbols(self) -> str:
        """The elements in words."""
        return ", ".join(by_symbol(self.labels))


def _label(atoms: Atoms) -> float:
    energy = energy_of(atoms)
    assert energy is not None  # frames without energy were left out
    return energy


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Sample:
    """What reference energies are fitted to.

    Parameters
    ----------
    structures
        With energies, without isolated atoms.
    lone
        Isolated atoms.
    labels, residuals
        Of the structures: label, and label minus base, eV.
    lone_residuals
        Of isolated atoms: label minus base, eV, by atomic number.
    compositions, elements
        Those of the structures; of all elements, isolated ones among them.
    own
        Reference energies of the base, eV, by atomic number.
    """

    structures: Sequence[Atoms]
    lone: _LoneAtoms
    labels: Float[np.ndarray, " structures"]
    residuals: Float[np.ndarray, " structures"]
    lone_residuals: dict[int, float]
    compositions: Int[np.ndarray, "structures elements"]
    elements: tuple[int, ...]
    own: dict[int, float]

    @classmethod
    def of(
        cls,
        base: AbstractPotential,
        structures: Sequence[Atoms],
        lone: _LoneAtoms,
        progress: Progress | None,
    ) -> "_Sample":
        """Ask the base for its energies."""
        labels = np.array(list(map(_label, structures)), dtype=float)
        compositions, elements = count_elements([*structures, *lone.frames])
        table = base.reference_table()
        alone = _energies(base, lone.frames, None)
        return cls(
            structures=structures,
            lone=lone,
            labels=labels,
            residuals=labels - _energies(base, structures, progress),
            lone_residuals={
                Z: label - float(one)
                for (Z, label), one in zip(lone.labels.items(), alone, strict=True)
            },
            compositions=compositions[: len(structures)],
            elements=elements,
            own={Z: float(table[Z]) for Z in elements},
        )

    def fitted(self, way: Way) -> ReferenceFit:
        """Return shifts of the base's references, and what they leave of residuals."""
        is_raw = way == "labels"
        fit = fit_reference_shifts(
            self.labels if is_raw else self.residuals,
            self.compositions,
            self.elements,
            isolated=self.lone.labels if is_raw else self.lone_residuals,
            is_exact=way == "isolated",
        )
        if not is_raw:
            return fit
        shifts = {Z: one - self.own[Z] for Z, one in fit.shifts.items()}
        left = self.residuals - self.compositions @ np.array(list(shifts.values()))
        n_atoms = self.compositions.sum(axis=1)
        return dataclasses.replace(
            fit,
            shifts=shifts,
            residual_before=root_mean_square(self.residuals / n_atoms),
            residual_after=root_mean_square(left / n_atoms),
        )


def _energies(
    base: AbstractPotential, structures: Sequence[Atoms], progress: Progress | None
) -> np.ndarray:
    """Return energies in float64, eV."""
    exact = base.clone(dtype=torch.float64)
    energies: list[np.ndarray] = [np.zeros(0)]
    groups = list(batches_by_atoms(structures, MAX_ATOMS))
    for group in told(groups, "refitting reference energies", len(groups), progress):
        neighbours = [find_neighbours(atoms, exact.cutoff) for atoms in group]
        graph = make_graph(group, neighbours, dtype=torch.float64)
        with torch.no_grad():
            energies.append(predict(exact, graph, frozenset()).energy.numpy())
    return np.concatenate(energies)


def _refit_record(
    sample: _Sample, fit: ReferenceFit, way: Way, rounding: float
) -> ReferenceRefit:
    """Return the record of a fit to energies that float32 would round, eV per atom."""
    largest = max(map(abs, fit.shifts.values()), default=0.0)
    parts = [_how(sample, fit, way)]
    if text := undetermined_text(fit, sample.structures):
        parts.append(
            f"{text}; the minimum-norm solution is used, energies of other "
            "compositions are not to be compared"
        )
    if fit.condition > ILL_CONDITIONED:
        parts.append(
            f"the compositions hardly vary (condition {fit.condition:.2g}), so that an "
            "error of 1 meV/atom in energies may become "
            f"{fit.condition:.2g} meV in a reference energy"
        )
    best = sample.fitted("residual").residual_after * MEV_PER_ATOM
    after = fit.residual_after * MEV_PER_ATOM
    if after > best + SAME_RESIDUAL:
        parts.append(
            f"energies differ by {after:.0f} meV/atom (rms) before training; "
            f"references: residual would leave {best:.0f}"
        )
    if rounding > NEGLIGIBLE_ROUNDING:
        parts.append(
            "kept in float64 beside the weights: float32 would round energies to "
            f"{rounding * MEV_PER_ATOM:.2g} meV/atom"
        )
    if largest > LARGEST_ENERGY:
        parts.append(
            f"shifts of {largest:.0e} eV/atom are those of a model whose energies "
            "mean nothing, and so will its errors: of a law (pair:) fresh weights are "
            "random lengths, so start from its own"
        )
    takes_atoms = way == "isolated" or fit.n_from_atoms > 0
    has_structures = bool(sample.structures)
    return ReferenceRefit(
        was_refitted=True,
        method=way,
        shifts=by_symbol(fit.shifts),
        isolated=by_symbol(sample.lone.labels) if takes_atoms else {},
        rank=fit.rank,
        n_from_atoms=fit.n_from_atoms,
        condition=fit.condition,
        n_energies=fit.n_structures,
        is_identifiable=fit.is_identifiable,
        residual_before=fit.residual_before * MEV_PER_ATOM if has_structures else None,
        residual_after=after if has_structures else None,
        note="; ".join(parts),
    )


def _how(sample: _Sample, fit: ReferenceFit, way: Way) -> str:
    """Say what was fitted to what, and which part isolated atoms took in it."""
    fitted = f"fitted to {fit.n_structures} energies"
    squares = ", per-atom least squares in float64"
    atoms = f"isolated atoms of {sample.lone.symbols}"
    if way == "labels":
        text = f"{fitted} alone (references: labels){squares}; those of the base are"
        text += " replaced"
    elif way == "isolated":
        text = f"those of {atoms} (references: isolated)"
        is_whole = len(sample.lone.frames) == len(sample.elements)
        text += "" if is_whole else f"; of other elements {fitted}{squares}"
    else:
        text = fitted + squares
    if way != "isolated" and fit.n_from_atoms:
        text += f"; {atoms} decide what the compositions leave open"
    is_used = way == "isolated" or fit.n_from_atoms > 0
    for symbol, spread in by_symbol(sample.lone.spreads if is_used else {}).items():
        text += f"; energies of isolated {symbol} differ by {spread:.3g} eV, and the "
        text += "lowest is used"
    return text


def _unchanged(note: str, n_energies: int) -> ReferenceRefit:
    return ReferenceRefit(
        was_refitted=False,
        shifts={},
        rank=0,
        condition=1.0,
        n_energies=n_energies,
        is_identifiable=True,
        note=note,
    )


def by_symbol(shifts: Mapping[int, float]) -> dict[str, float]:
    """Return shifts under chemical symbols.

    Examples
    --------
    >>> by_symbol({14: 0.5})
    {'Si': 0.5}
    """
    return {chemical_symbols[number]: float(one) for number, one in shifts.items()}
