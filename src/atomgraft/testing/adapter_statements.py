"""Checks of an adapter: inputs are taken as they are, and what it says is true."""

import dataclasses
import math
import re
from collections.abc import Mapping

import numpy as np
import torch
from ase import Atoms
from ase.data import chemical_symbols
from torch import Tensor

from atomgraft.core.errors import BadInputError
from atomgraft.core.properties import Property
from atomgraft.core.seeding import torch_generator
from atomgraft.models.base import (
    EMBEDDING,
    RADIAL_BASIS,
    READOUT,
    REFERENCE_ENERGIES,
    SCALE,
    AbstractPotential,
    Block,
    RowKey,
)
from atomgraft.models.calculator import GraftCalculator
from atomgraft.models.prediction import Prediction, StructurePrediction, predict
from atomgraft.testing.measuring import (
    Tolerances,
    TrialStructures,
    assert_close,
    assert_same_prediction,
    graph_of,
    in_double,
    measure,
    measure_one,
)


def check_inputs_untouched(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require that an evaluation leaves its structures as they were."""
    given = structures.all()
    outside = given[0]
    outside.positions += 2 * outside.cell.array[0]  # nobody may wrap it back
    outside.info["note"] = "mine"
    before = [atoms.copy() for atoms in given]
    measure(potential, given)
    for atoms, copy in zip(given, before, strict=True):
        same = (
            atoms == copy
            and atoms.info == copy.info
            and set(atoms.arrays) == set(copy.arrays)
            and atoms.calc is None
        )
        if not same:
            raise AssertionError(f"{atoms.symbols} was changed by an evaluation")


def check_batch_equals_single(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require the same numbers in a batch of unlike structures as alone."""
    double = in_double(potential)
    given = structures.all()
    for atoms, together in zip(given, measure(double, given), strict=True):
        alone = measure_one(double, atoms)
        assert_same_prediction(
            f"{atoms.symbols} in a batch and alone",
            together,
            alone,
            tolerances.round_off,
        )


def check_calculator_equals_prediction(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require of the ASE calculator what `predict` gives."""
    double = in_double(potential)
    for atoms in structures.all():
        expected = measure_one(double, atoms)
        atoms.calc = GraftCalculator(double)
        got = StructurePrediction(
            energy=atoms.get_potential_energy(),
            forces=atoms.get_forces(),
            stress=atoms.get_stress(),
        )
        assert_same_prediction(
            f"{atoms.symbols} by ASE's calculator and by predict",
            got,
            expected,
            tolerances.round_off,
        )


def check_unknown_element_refused(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require that the calculator names an element the potential does not know."""
    unknown = sorted(set(range(1, 104)) - potential.elements)
    if not unknown:
        return
    symbol = chemical_symbols[unknown[0]]
    atoms = structures.molecule.copy()
    atoms.symbols[0] = symbol
    try:
        GraftCalculator(potential).get_property("energy", atoms)
    except BadInputError as error:
        if symbol not in str(error):
            raise AssertionError(f"the refusal does not name {symbol}") from error
        return
    raise AssertionError(f"{symbol} is not among the elements and was accepted")


def check_one_atom_cell(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require that an atom among its own images is bound by them, without force."""
    double = in_double(potential)
    cell = structures.one_atom
    single = measure_one(double, cell)
    many = measure_one(double, cell.repeat((2, 2, 2)))
    assert_close(
        "energy of a one-atom cell and of its supercell, eV/atom",
        single.energy,
        many.energy / 8,
        tolerances.round_off,
    )
    assert_close(
        "force on the only atom of a cell, eV/Å",
        single.forces,
        np.zeros((1, 3)),
        tolerances.round_off,
    )


def check_molecule_without_cell(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require that a molecule floats freely, in a wide box or in none."""
    double = in_double(potential)
    molecule = structures.molecule
    free = measure_one(double, molecule)
    assert_close(
        "stress of a molecule, eV/Å³", free.stress, np.zeros(6), tolerances.round_off
    )
    moved = molecule.copy()
    moved.positions += (3.0, -20.0, 7.0)
    boxed = molecule.copy()
    boxed.set_cell(np.eye(3) * (np.ptp(molecule.positions) + 2 * potential.cutoff + 1))
    boxed.pbc = True
    for atoms, words in ((moved, "moved away"), (boxed, "in a wide periodic box")):
        other = measure_one(double, atoms)
        assert_close(
            f"energy of a molecule {words}, eV",
            other.energy,
            free.energy,
            tolerances.round_off,
        )
        assert_close(
            f"forces of a molecule {words}, eV/Å",
            other.forces,
            free.forces,
            tolerances.round_off,
        )


def check_structures_do_not_mix(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require no gradient of one structure's energy in the atoms of another."""
    double = in_double(potential)
    moved = structures.crystal.copy()
    moved.positions[0] += (0.1, 0.05, 0.02)  # off any site without a force
    graph = graph_of(double, [moved, structures.crystal, structures.molecule])
    graph.positions.requires_grad_()
    first = double.module(graph)[graph.owner == 0].sum()
    (gradient,) = torch.autograd.grad(first, graph.positions)
    foreign = gradient[graph.owner != 0]
    if bool(foreign.count_nonzero()):
        raise AssertionError("the energy of a structure depends on another structure")
    if not bool(gradient.count_nonzero()):
        raise AssertionError("the energy of a structure does not depend on its atoms")


SINGLE_ROLES = (EMBEDDING, RADIAL_BASIS, READOUT, REFERENCE_ENERGIES, SCALE)


def check_dtype_kept(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require that a copy in another precision computes in it, to its digits."""
    before = potential.weights_hash()
    found = {}
    for dtype in (torch.float32, torch.float64):
        copy = potential.clone(dtype=dtype, device=potential.device)
        prediction = predict(copy, graph_of(copy, structures.all()))
        tensors = (prediction.interaction, prediction.forces, prediction.stress)
        kinds = {str(one.dtype) for one in tensors if one is not None}
        if copy.dtype != dtype or kinds != {str(dtype)}:
            raise AssertionError(f"a copy in {dtype} computes in {sorted(kinds)}")
        found[dtype] = measure(copy, structures.all())
        with torch.no_grad():
            next(copy.module.parameters()).add_(1.0)
    if potential.weights_hash() != before:
        raise AssertionError("changing a copy changed the original")
    for single, double in zip(*found.values(), strict=True):
        assert_same_prediction(
            "float32 and float64", single, double, tolerances.single_precision
        )


def check_roles(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require that every parameter plays exactly one role, and no other is named."""
    named = [name for members in potential.roles.values() for name in members]
    actual = {name for name, _ in potential.module.named_parameters()}
    twice = sorted({name for name in named if named.count(name) > 1})
    for problem, names in (
        ("play two roles", twice),
        ("play no role", sorted(actual - set(named))),
        ("are named in a role and do not exist", sorted(set(named) - actual)),
    ):
        if names:
            raise AssertionError(f"these parameters {problem}: {', '.join(names)}")
    for role in potential.roles:
        if role not in SINGLE_ROLES and not re.fullmatch(r"interaction\.\d+", role):
            raise AssertionError(f"{role!r} is no role that adaptations know")
    for role in (READOUT, REFERENCE_ENERGIES):
        if not potential.roles.get(role):
            raise AssertionError(f"no parameter plays the role {role!r}")


def check_blocks(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require blocks inside their parameter, without overlap, and one at least."""
    n_blocks = 0
    for name, value in potential.module.named_parameters():
        blocks = sorted(potential.blocks(name), key=lambda block: block.offset)
        n_blocks += len(blocks)
        end = 0
        for block in blocks:
            _check_block(name, block)
            if block.offset < end:
                raise AssertionError(f"blocks of {name} overlap at {block.offset}")
            end = block.offset + block.size
        if end > value.numel():
            raise AssertionError(
                f"a block of {name} ends at {end}, the parameter at {value.numel()}"
            )
    if not n_blocks:
        raise AssertionError(
            "no parameter has a block: low-rank deltas would do nothing"
        )


def _check_block(name: str, block: Block) -> None:
    if block.offset < 0 or min(block.rows, block.columns) < 1:
        raise AssertionError(f"{name} has an impossible block: {block}")
    if not (block.scale > 0 and math.isfinite(block.scale)):
        raise AssertionError(f"a block of {name} has the scale {block.scale}")


def check_row_keys(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require that rows are used by what they name, and that no name is missing.

    Low-rank deltas leave the rows of absent elements and heads alone; a row without
    its key would be moved at random.
    """
    double = in_double(potential)
    heads = [double.for_head(head) for head in double.heads] or [double]
    elements = sorted({int(one) for one in structures.crystal.numbers})
    used = {
        frozenset({element, head.card.head or 0}): _used_rows(head, atoms)
        for element in elements
        for atoms in [_of_one_element(structures.crystal, element)]
        for head in heads
    }
    for name, _ in double.module.named_parameters():
        for i, block in enumerate(double.blocks(name)):
            where = f"block {i} of {name}"
            if len(block.row_keys) not in {0, block.rows}:
                raise AssertionError(
                    f"{where} has {block.rows} rows and {len(block.row_keys)} keys"
                )
            rows = {present: one[name][i] for present, one in used.items()}
            _check_keys(where, block, rows)


def _check_keys(
    where: str, block: Block, used: Mapping[frozenset[RowKey], Tensor]
) -> None:
    """Compare the rows that predictions depend on with those that a block names."""
    anywhere = torch.stack(list(used.values())).any(0)
    for present, rows in used.items():
        named = torch.zeros(block.rows, dtype=torch.bool)
        named[block.unused_rows(present)] = True
        if wrong := torch.nonzero(rows & named).flatten().tolist():
            raise AssertionError(
                f"{where}: row {wrong[0]} has the key {block.row_keys[wrong[0]]!r} and "
                f"is used with {sorted(map(str, present))} alone"
            )
        if missing := torch.nonzero(anywhere & ~rows & ~named).flatten().tolist():
            raise AssertionError(
                f"{where}: row {missing[0]} is not used with "
                f"{sorted(map(str, present))}, and no key says so"
            )


def _used_rows(double: AbstractPotential, atoms: Atoms) -> dict[str, list[Tensor]]:
    """Return which rows energies and forces depend on: for each block of a name."""
    weights = {
        name: one.detach().clone().requires_grad_()
        for name, one in double.module.named_parameters()
    }
    graph = graph_of(double, [atoms])
    found = predict(
        double, graph, frozenset({Property.FORCES}), weights=weights, for_training=True
    )
    assert found.forces is not None
    generator = torch_generator(0, "signs of forces")
    signs = torch.randn(found.forces.shape, generator=generator).to(found.forces)
    gradients = torch.autograd.grad(
        found.energy.sum() + (signs * found.forces).sum(),
        list(weights.values()),
        allow_unused=True,
        materialize_grads=True,
    )
    return {
        name: [
            block.matrix(gradient.contiguous()).ne(0).any(1).cpu()
            for block in double.blocks(name)
        ]
        for name, gradient in zip(weights, gradients, strict=True)
    }


def _of_one_element(atoms: Atoms, element: int) -> Atoms:
    changed = atoms.copy()
    changed.numbers[:] = element
    return changed


def check_reference_shift(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require that shifted references add n times the shift, and to energies only."""
    double = in_double(potential)
    numbers = {int(one) for atoms in structures.all() for one in atoms.numbers}
    shifts = {number: 0.5 + 0.01 * number for number in sorted(numbers)}
    graph = graph_of(double, structures.all())
    before = predict(double, graph)
    values = double.with_shifted_references(shifts)
    foreign = set(values) - set(double.roles[REFERENCE_ENERGIES])
    if foreign:
        raise AssertionError(f"shifting references changes {sorted(foreign)}")
    after = predict(double, graph, weights=values)
    expected = [
        sum(shifts[int(number)] for number in atoms.numbers)
        for atoms in structures.all()
    ]
    assert_close(
        "energies gained by shifted references, eV",
        after.energy - before.energy,
        expected,
        tolerances.round_off,
    )
    for what, other in (
        (
            "shifted references",
            dataclasses.replace(after, interaction=before.interaction),
        ),
        ("own references after shifted ones", predict(double, graph)),
    ):
        _assert_same_graph_prediction(what, other, before, tolerances.round_off)


def check_large_references(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require that in float32 references of a million eV cost no digit of anything.

    Whether they were added to the model or stand in its weights, what the material
    changes has the same bits, on a CPU, and energies gain the exact sums.
    """
    single = potential.clone(dtype=torch.float32)
    numbers = sorted({int(one) for atoms in structures.all() for one in atoms.numbers})
    graph = graph_of(single, structures.all())
    before = predict(single, graph)
    shifts = {number: -1e5 - 12345.678901 * number for number in numbers}
    added, inside = single.clone(), single.clone()
    added.add_references(shifts)
    for name, value in single.with_shifted_references(shifts).items():
        inside.module.get_parameter(name).data = value
    for model in (added, inside):
        after = predict(model, graph)
        for field in ("interaction", "forces", "stress"):
            if not torch.equal(getattr(after, field), getattr(before, field)):
                raise AssertionError(f"large references change the {field}")
        table = (model.reference_table() - single.reference_table()).tolist()
        assert_close(
            "energies gained by large references, eV",
            after.energy - before.energy,
            [sum(table[one] for one in atoms.numbers) for atoms in structures.all()],
            tolerances.exact,
        )
    kept = (added.reference_table() - single.reference_table())[numbers]
    expected = [shifts[number] for number in numbers]
    assert_close("large references, eV", kept, expected, tolerances.exact)


def check_given_weights(
    potential: AbstractPotential, structures: TrialStructures, tolerances: Tolerances
) -> None:
    """Require that own weights, given from outside, change nothing; others do."""
    double = in_double(potential)
    graph = graph_of(double, structures.all())
    own = {name: one.detach() for name, one in double.module.named_parameters()}
    before = predict(double, graph)
    _assert_same_graph_prediction(
        "the potential's own weights, given from outside",
        predict(double, graph, weights=own),
        before,
        tolerances.round_off,
    )
    readout = {name: 1.5 * own[name] for name in double.roles[READOUT]}
    other = predict(double, graph, weights=readout).energy
    if torch.allclose(other, before.energy):
        raise AssertionError("energies ignore a readout given from outside")


def _assert_same_graph_prediction(
    what: str, got: Prediction, expected: Prediction, tolerance: float
) -> None:
    for field in dataclasses.fields(Prediction):
        assert_close(
            f"{field.name} with {what}",
            getattr(got, field.name),
            getattr(expected, field.name),
            tolerance,
        )
