"""Negative controls: each check of the adapter kit fails on what it is for."""

import copy
import dataclasses

import pytest
import torch
from ase.build import bulk

from atomgraft.models import calculator, prediction
from atomgraft.models.base import (
    READOUT,
    REFERENCE_ENERGIES,
    AbstractPotential,
    Block,
)
from atomgraft.models.calculator import GraftCalculator
from atomgraft.models.graph import find_neighbours
from atomgraft.models.pair import PRESETS
from atomgraft.testing import ADAPTER_CHECKS, Tolerances, failed_checks, structures_for

SMALL = 1e-3
"""eV; small to the eye, large to the kit."""


def spoil_energies(potential, change):
    """Add a hook: it survives copies, unlike a patched method."""

    def hook(module, arguments, energies):
        (graph,) = arguments
        return change(graph, energies)

    potential.module.register_forward_hook(hook)


def spoil_graph(potential, change):
    potential.module.register_forward_pre_hook(
        lambda module, arguments: (change(arguments[0]),)
    )


def per_atom(graph, edge_values):
    return edge_values.new_zeros(len(graph.numbers)).index_add(
        0, graph.edges[0], edge_values
    )


def wraps_atoms(potential, monkeypatch):
    def wrapping(atoms, cutoff):
        atoms.wrap()
        return find_neighbours(atoms, cutoff)

    monkeypatch.setattr(prediction, "find_neighbours", wrapping)


def depends_on_batch(potential, monkeypatch):
    spoil_energies(potential, lambda graph, e: e + SMALL * graph.n_structures)


def mixes_structures(potential, monkeypatch):
    spoil_energies(potential, lambda graph, e: e + SMALL * e.mean())


def turns_stress_in_calculator(potential, monkeypatch):
    original = GraftCalculator.calculate

    def turned(self, *arguments, **settings):
        original(self, *arguments, **settings)
        self.results["stress"] = -self.results["stress"]

    monkeypatch.setattr(GraftCalculator, "calculate", turned)


def takes_any_element(potential, monkeypatch):
    monkeypatch.setattr(calculator, "_require_known", lambda atoms, potential: None)
    known = min(potential.elements)
    spoil_graph(
        potential,
        lambda graph: dataclasses.replace(
            graph, numbers=torch.full_like(graph.numbers, known)
        ),
    )


def overlooks_own_images(potential, monkeypatch):
    def without(graph):
        keep = graph.edges[0] != graph.edges[1]
        return dataclasses.replace(
            graph, edges=graph.edges[:, keep], shifts=graph.shifts[keep]
        )

    spoil_graph(potential, without)


def sees_the_origin(potential, monkeypatch):
    spoil_energies(potential, lambda graph, e: e + SMALL * graph.positions[:, 0] ** 2)


def sees_an_axis(potential, monkeypatch):
    def change(graph, energies):
        return energies + SMALL * per_atom(graph, graph.edge_vectors()[:, 2] ** 2)

    spoil_energies(potential, change)


def counts_the_atoms(potential, monkeypatch):
    def change(graph, energies):
        place = torch.arange(len(energies)) % 7
        return energies * (1 + SMALL * place)

    spoil_energies(potential, change)


def grows_with_size(potential, monkeypatch):
    spoil_energies(
        potential,
        lambda graph, e: e * (1 + SMALL * graph.n_atoms[graph.owner]),
    )


def halves_the_gradient(potential, monkeypatch):
    spoil_energies(potential, lambda graph, e: (e + e.detach()) / 2)


def keeps_cells_out_of_the_gradient(potential, monkeypatch):
    spoil_graph(
        potential,
        lambda graph: dataclasses.replace(graph, cells=graph.cells.detach()),
    )


def ends_abruptly(potential, monkeypatch):
    def change(graph, energies):
        near = graph.edge_vectors().norm(dim=-1) < 0.9 * potential.cutoff
        return energies - SMALL * per_atom(graph, near.to(energies))

    spoil_energies(potential, change)


def detaches_a_weight(potential, monkeypatch):
    def hook(module, arguments, energies):
        return energies * module.readout.detach().mean()

    potential.module.register_forward_hook(hook)


def answers_in_double(potential, monkeypatch):
    spoil_energies(potential, lambda graph, e: e.double())


def forgets_a_parameter(potential, monkeypatch):
    potential.roles = {**potential.roles, READOUT: ("nothing",)}


def overlaps_blocks(potential, monkeypatch):
    block = Block(offset=0, rows=1, columns=2, scale=1.0)
    potential.blocks = lambda name: (block, dataclasses.replace(block, offset=1))


def change_keys(potential, change):
    original = potential.blocks
    potential.blocks = lambda name: tuple(
        dataclasses.replace(block, row_keys=change(block.row_keys))
        for block in original(name)
    )


def names_no_element(potential, monkeypatch):
    change_keys(potential, lambda keys: ())


def shifts_twice(potential, monkeypatch):
    original = potential.with_shifted_references
    potential.with_shifted_references = lambda shifts: original(
        {number: 2 * shift for number, shift in shifts.items()}
    )


def rounds_references(potential, monkeypatch):
    """Put shifts where they are as precise as the weights."""

    def add(self, shifts):
        for name, value in self.with_shifted_references(shifts).items():
            self.module.get_parameter(name).data = value

    monkeypatch.setattr(AbstractPotential, "add_references", add)


def keeps_its_own_weights(potential, monkeypatch):
    frozen = copy.deepcopy(potential.module).double()
    spoil_energies(potential, lambda graph, e: frozen(graph))


def names_no_row_of_an_element(potential, monkeypatch):
    monkeypatch.setattr(type(potential), "blocks", lambda self, name: ())


def grows_by_another_function(potential, monkeypatch):
    original = type(potential).with_more_elements

    def spoiled(self, numbers):
        larger = original(self, numbers)
        with torch.no_grad():
            larger.module.readout.mul_(1.1)
        return larger

    monkeypatch.setattr(type(potential), "with_more_elements", spoiled)


def scales_no_cutoff(potential, monkeypatch):
    original = type(potential).rescaled
    monkeypatch.setattr(
        type(potential),
        "rescaled",
        lambda self, *, length, energy=1.0: original(self, length=1.0, energy=energy),
    )


BROKEN = {
    "inputs_untouched": wraps_atoms,
    "batch_equals_single": depends_on_batch,
    "structures_do_not_mix": mixes_structures,
    "calculator_equals_prediction": turns_stress_in_calculator,
    "unknown_element_refused": takes_any_element,
    "one_atom_cell": overlooks_own_images,
    "molecule_without_cell": sees_the_origin,
    "lattice_translation": sees_the_origin,
    "rotation": sees_an_axis,
    "permutation": counts_the_atoms,
    "supercell": grows_with_size,
    "forces_by_difference": halves_the_gradient,
    "stress_by_difference": keeps_cells_out_of_the_gradient,
    "smooth_at_cutoff": ends_abruptly,
    "training_gradient": detaches_a_weight,
    "dtype_kept": answers_in_double,
    "roles": forgets_a_parameter,
    "blocks": overlaps_blocks,
    "row_keys": names_no_element,
    "reference_shift": shifts_twice,
    "large_references": rounds_references,
    "given_weights": keeps_its_own_weights,
    "element_copied": names_no_row_of_an_element,
    "element_added": grows_by_another_function,
    "rescaled": scales_no_cutoff,
}


def test_every_check_has_a_negative_control():
    assert set(BROKEN) == set(ADAPTER_CHECKS)


@pytest.mark.parametrize("name", BROKEN)
def test_check_fails_on_a_broken_potential(name, monkeypatch):
    potential = PRESETS["pair:sw-sige"]()
    structures = structures_for(potential)
    ADAPTER_CHECKS[name](potential, structures, Tolerances())
    BROKEN[name](potential, monkeypatch)
    with pytest.raises(AssertionError):
        ADAPTER_CHECKS[name](potential, structures, Tolerances())


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"interaction.0": ("a", "a")}, "play two roles"),
        ({"interaction.0": ()}, "play no role"),
        ({"interaction.0": ("interaction.epsilon",)}, "play no role"),
    ],
)
def test_roles_are_told_apart(roles, message):
    potential = PRESETS["pair:lj-ar"]()
    potential.roles = {**potential.roles, **roles}
    with pytest.raises(AssertionError, match=message):
        ADAPTER_CHECKS["roles"](potential, structures_for(potential), Tolerances())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda keys: keys[::-1], "is used with"),
        (lambda keys: (0, *keys[1:]), "no key says so"),
        (lambda keys: keys[1:], "2 rows and 1 keys"),
    ],
)
def test_keys_of_rows_are_compared_with_what_is_used(change, message):
    potential = PRESETS["pair:sw-sige"]()
    change_keys(potential, change)
    with pytest.raises(AssertionError, match=message):
        ADAPTER_CHECKS["row_keys"](potential, structures_for(potential), Tolerances())


def test_a_role_that_adaptations_do_not_know_is_refused():
    potential = PRESETS["pair:lj-ar"]()
    roles = dict(potential.roles)
    roles["heart"] = roles.pop("interaction.0")
    potential.roles = roles
    with pytest.raises(AssertionError, match="heart"):
        ADAPTER_CHECKS["roles"](potential, structures_for(potential), Tolerances())


def test_a_force_that_ends_abruptly_is_found_though_the_energy_does_not():
    """Shifted, not switched: φ(r) - φ(c) inside the cutoff."""
    potential = PRESETS["pair:lj-ar"]()

    def change(graph, energies):
        gap = potential.cutoff - graph.edge_vectors().norm(dim=-1)
        return energies - SMALL * per_atom(graph, gap)

    spoil_energies(potential, change)
    with pytest.raises(AssertionError, match="just inside the cutoff"):
        ADAPTER_CHECKS["smooth_at_cutoff"](
            potential, structures_for(potential), Tolerances()
        )


def test_references_outside_their_role_are_found():
    potential = PRESETS["pair:lj-ar"]()
    original = potential.with_shifted_references
    potential.with_shifted_references = lambda shifts: {
        "readout": original(shifts)[REFERENCE_ENERGIES]
    }
    with pytest.raises(AssertionError, match="readout"):
        ADAPTER_CHECKS["reference_shift"](
            potential, structures_for(potential), Tolerances()
        )


def test_failed_checks_names_what_failed():
    potential = PRESETS["pair:sw-si"]()
    sees_an_axis(potential, None)
    rebuilt = {"element_copied", "element_added", "rescaled"}  # without the hook
    assert set(failed_checks(potential)) == {"rotation", "smooth_at_cutoff", *rebuilt}


def test_structures_can_be_given():
    potential = PRESETS["pair:sw-si"]()
    own = dataclasses.replace(structures_for(potential), crystal=bulk("Si", a=5.3))
    assert failed_checks(potential, own) == {}
