"""What a run starts from: split, cleaned, checked, and refused with a reason."""

import dataclasses

import ase.io
import numpy as np
import pytest
import torch
from ase import Atoms
from ase.build import bulk
from ase.calculators.singlepoint import SinglePointCalculator

from atomgraft.adaptation.axes import ElementMap
from atomgraft.adaptation.element_maps import AppliedMap, decide_map
from atomgraft.core.errors import BadInputError
from atomgraft.core.units import BOHR_IN_ANGSTROM, HARTREE_IN_EV
from atomgraft.data.checks.suite import Sets, examine
from atomgraft.data.labels import ENERGY, FORCES
from atomgraft.data.readers import read_structures
from atomgraft.models.prediction import predict_structures
from atomgraft.run.inputs import (
    base_card,
    data_card,
    load_base,
    numbers_of,
    read_inputs,
    require_finished,
)
from atomgraft.run.references import refit_references
from atomgraft.run.spec import parse_spec
from atomgraft.run.starts import knowledge_of
from atomgraft.run.structures import without_lone_atoms
from tests.trials import NEEDS_SEVENN, loaded

SILICON = "pair:sw-si"

SHIFT = -1.25
"""eV per atom between the labels' zero and that of the base."""

HARDER = 1.02
"""Forces of the labels over those of the base."""

LONE = 40.0
"""eV: a free atom far from any line through the crystals."""

EXACT = 1e-9
"""eV per atom: one unknown in float64."""


def crystals(n, *, seed=0):
    """Return rattled silicon with the base's energies, shifted, and harder forces."""
    rng = np.random.default_rng(seed)
    frames = [bulk("Si", cubic=True) for _ in range(n)]
    for frame in frames:
        frame.positions += 0.08 * rng.normal(size=(8, 3))
    for frame, one in zip(
        frames, predict_structures(loaded(SILICON), frames), strict=True
    ):
        label(frame, energy=one.energy + 8 * SHIFT, forces=HARDER * one.forces)
    return frames


def label(frame, **labels):
    frame.calc = SinglePointCalculator(frame, **labels)


def lone_atom(name="IsolatedAtom"):
    frame = Atoms("Si", cell=[20.0] * 3, pbc=True)
    frame.info["config_type"] = name
    label(frame, energy=LONE, forces=np.zeros((1, 3)))
    return frame


@pytest.fixture
def write(tmp_path):
    """Return a function that writes frames and returns the name of the file."""

    def put(frames, name="train.extxyz"):
        ase.io.write(tmp_path / name, frames)
        return str(tmp_path / name)

    return put


def spec_of(train, **given):
    document = {"base": SILICON, "train": train, "recipe": "full"} | given
    return parse_spec(document, "test")


def uneven_germanium(n):
    """Return germanium whose forces are the mapped base's, times another factor each.

    A lone atom of germanium is among them.
    """
    base = AppliedMap(donors={"Ge": "Si"}).apply(loaded(SILICON))
    frames = [bulk("Ge", a=5.5, cubic=True) for _ in range(n)]
    for i, frame in enumerate(frames):
        frame.rattle(0.08, seed=i)
    told = predict_structures(base, frames)
    for i, (frame, one) in enumerate(zip(frames, told, strict=True)):
        label(frame, energy=one.energy, forces=(0.5 + 0.1 * i) * one.forces)
    alone = Atoms("Ge", cell=[20.0] * 3, pbc=True)
    alone.info["config_type"] = "IsolatedAtom"
    label(alone, energy=0.0, forces=np.zeros((1, 3)))
    return [*frames, alone]


def test_scales_are_fitted_without_the_frames_that_validate(write):
    path = write(uneven_germanium(8))
    wanted = ElementMap(elements={"Ge": "Si"}, energy="fit")
    starts = {"map": {"elements": {"Ge": "Si"}, "energy": "fit"}}
    spec = spec_of(path, axes={"starts": starts}, validation_fraction=0.25)
    inputs = read_inputs(spec)
    base = loaded(SILICON)
    assert (len(inputs.train), len(inputs.validation)) == (6, 2)
    own = decide_map(wanted, base, inputs.train)
    every = decide_map(wanted, base, [*inputs.train, *inputs.validation])
    assert inputs.element_map.energy == own.energy
    assert inputs.element_map.energy != every.energy


# --- the cards of a result


def test_the_data_card_counts_what_is_there(write):
    path = write([*crystals(3), lone_atom()])
    frames = read_structures([path])
    card = data_card("train", [path], frames)
    assert (card.n_structures, card.n_atoms) == (4, 25)
    assert (card.n_energies, card.n_forces, card.n_stresses) == (4, 4, 0)
    assert (card.role, card.files, card.elements) == ("train", (path,), ("Si",))


def test_the_data_card_knows_data_by_content(write):
    frames = read_structures([write(crystals(2))])
    same = read_structures([write(crystals(2), "copy.extxyz")])
    card = data_card("train", ["a"], frames)
    assert data_card("train", ["b"], same).fingerprint == card.fingerprint
    same[0].info[ENERGY] += 1e-3
    assert data_card("train", ["a"], same).fingerprint != card.fingerprint


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_base_card_is_that_of_the_source(dtype):
    base = loaded("pair:sw-sige")
    card = base_card(base.clone(dtype=dtype), base.weights_hash())
    assert card.weights_hash == base.weights_hash()
    assert (card.name, card.framework, card.head) == ("pair:sw-sige", "pair", None)
    assert card.n_weights == sum(one.numel() for one in base.module.parameters())
    assert card.elements == ("Si", "Ge")
    assert card.cutoff == base.cutoff


def test_numbers_are_those_of_the_periodic_table():
    assert numbers_of(["Si", "H", "Og", "Si"]) == {14, 1, 118}
    assert numbers_of([]) == set()


# --- reading


def test_large_cells_in_hartree_are_refused(write):
    """Two energies alone would agree with the base in any unit."""
    frames = [bulk("Si", cubic=True) * (2, 2, 4) for _ in range(6)]
    for i, frame in enumerate(frames):
        frame.rattle(0.04 + 0.02 * i, seed=i)
    for frame, one in zip(
        frames, predict_structures(loaded(SILICON), frames), strict=True
    ):
        label(frame, energy=one.energy / HARTREE_IN_EV, forces=one.forces)
    with pytest.raises(BadInputError, match="energies in hartree"):
        read_inputs(spec_of(write(frames)))


def test_what_check_finds_a_run_finds(write):
    """Both ask the base about the same structures: here one of 40 is wrong."""
    frames = crystals(40)
    frames[11].calc.results["forces"] *= BOHR_IN_ANGSTROM / HARTREE_IN_EV
    path = write(frames)
    found = examine(
        Sets(train=read_structures([path])), lambda: knowledge_of(loaded(SILICON))
    )
    [finding] = [one for one in found.findings if one.severity == "error"]
    assert finding.frames == (f"{path}, frame 11",)
    with pytest.raises(BadInputError) as caught:
        read_inputs(spec_of(path))
    assert caught.value.came == finding.message


def test_inputs_are_in_the_precision_of_the_run(write):
    path = write(crystals(4))
    inputs = {
        name: read_inputs(spec_of(path, dtype=name)) for name in ("float32", "float64")
    }
    for name, one in inputs.items():
        kinds = {value.dtype for value in one.base.module.parameters()}
        assert kinds == {getattr(torch, name)}
        assert one.base_hash == loaded(SILICON).weights_hash()
        assert (len(one.train), one.validation) == (4, ())


@pytest.mark.parametrize("n", [4, 39, 40, 41])
def test_everything_is_trained_on_whatever_there_is(n, write):
    """A rule that changes with the number of structures bends a learning curve."""
    found = read_inputs(spec_of(write(crystals(n))))
    assert (len(found.train), len(found.validation)) == (n, 0)


def test_validation_is_split_off_where_it_was_asked_for(write):
    path = write(crystals(10))
    asked = read_inputs(spec_of(path, validation_fraction=0.2))
    patient = read_inputs(spec_of(path, training={"steps": 2, "patience": 3}))
    sizes = [(len(one.train), len(one.validation)) for one in (asked, patient)]
    assert sizes == [(8, 2), (9, 1)]


def test_clean_data_need_no_notice_and_warnings_become_one(write):
    clean = read_inputs(spec_of(write(crystals(4))))
    assert clean.notices == ()
    frames = crystals(4)
    broken = frames[0].calc.results["forces"].copy()
    broken[0, 0] += 60.0
    frames[0].calc.results["forces"] = broken
    warned = read_inputs(spec_of(write(frames)))
    assert any("force" in notice for notice in warned.notices)


def test_errors_in_the_data_are_refused(write):
    path = write(crystals(3))
    with pytest.raises(BadInputError, match="both sides of a split"):
        read_inputs(spec_of(path, validation=path))


# --- isolated atoms


def test_isolated_atoms_are_not_trained_on(write):
    path = write([*crystals(4), lone_atom(), lone_atom("isolated_atom")])
    inputs = read_inputs(spec_of(path))
    assert [len(atoms) for atoms in inputs.train] == [8] * 4
    assert any("2 frames of isolated atoms" in one for one in inputs.notices)


def test_a_crystal_of_one_atom_is_no_isolated_atom():
    primitive = Atoms("Si", cell=[2.3] * 3, pbc=True)
    primitive.info["config_type"] = "simple cubic"
    frames = [primitive, lone_atom()]
    assert without_lone_atoms(frames)[0] == [primitive]
    assert without_lone_atoms([primitive]) == ([primitive], None)


def test_where_all_are_isolated_all_are_kept():
    frames = [lone_atom(), lone_atom()]
    assert without_lone_atoms(frames) == (frames, None)


def test_isolated_atoms_do_not_move_the_references(write):
    frames = read_structures([write([*crystals(4), lone_atom()])])
    base = loaded(SILICON)
    shifts, record = refit_references(base, frames, wanted=True)
    assert shifts == {14: pytest.approx(SHIFT, abs=EXACT)}
    assert record.n_energies == 4
    frames[-1].info["config_type"] = "no mark at all"
    assert refit_references(base, frames, wanted=True)[0] == shifts
    frames[-1].set_cell([2.5] * 3)  # a crystal of one atom
    shifts, record = refit_references(base, frames, wanted=True)
    assert shifts[14] > SHIFT + 1.0
    assert record.n_energies == 5


# --- refusals


def test_a_batch_is_no_larger_than_the_data(write):
    path = write(crystals(3))
    assert len(read_inputs(spec_of(path, training={"batch_size": 3})).train) == 3
    with pytest.raises(BadInputError, match="batch size is 4") as caught:
        read_inputs(spec_of(path, training={"batch_size": 4}))
    assert "3 or smaller" in caught.value.remedy


def test_isolated_atoms_do_not_fill_a_batch(write):
    path = write([*crystals(3), lone_atom()])
    with pytest.raises(BadInputError, match="batch size is 4"):
        read_inputs(spec_of(path, training={"batch_size": 4}))


FORCES_ALONE = {"objective": {"energy": 0.0, "forces": 1.0, "stress": 0.0}}


def without_forces(frames):
    for frame in frames:
        del frame.calc.results["forces"]
    return frames


@pytest.mark.parametrize("bare", ["training", "validation"])
def test_labels_that_the_objective_wants_must_be_there(write, bare):
    sets = {"training": crystals(3), "validation": crystals(3, seed=1)}
    complete = {kind: write(one, f"{kind}.xyz") for kind, one in sets.items()}
    short = complete | {bare: write(without_forces(sets[bare]), "bare.xyz")}

    def read(files, **given):
        spec = spec_of(files["training"], validation=files["validation"], **given)
        return read_inputs(spec)

    assert len(read(complete, training=FORCES_ALONE).validation) == 3
    assert len(read(short).validation) == 3  # energies will do
    with pytest.raises(BadInputError, match=f"The {bare} structures have no forces"):
        read(short, training=FORCES_ALONE)


@pytest.mark.parametrize("name", ["x" * 5000, "x" * 5000 + ".safetensors", "nothing"])
def test_what_names_no_base_is_bad_input(name):
    with pytest.raises(BadInputError):
        load_base(name)


def test_a_folder_without_a_graft_is_no_run(tmp_path):
    with pytest.raises(BadInputError):
        load_base(str(tmp_path))
    with pytest.raises(BadInputError, match="holds no"):
        require_finished(tmp_path)


def test_a_head_that_is_not_there_is_refused():
    with pytest.raises(BadInputError, match="no heads"):
        load_base(SILICON, head="PBE")


def test_inputs_stay_as_they_are(write):
    inputs = read_inputs(spec_of(write(crystals(2))))
    assert all(FORCES in atoms.arrays for atoms in inputs.train)
    with pytest.raises(dataclasses.FrozenInstanceError):
        inputs.train = ()


@NEEDS_SEVENN
def test_a_base_with_fresh_weights_has_no_opinion():
    fresh = loaded("sevennet:tiny:Si")
    assert knowledge_of(fresh).predict is None
    assert knowledge_of(fresh).elements == {14}
    assert knowledge_of(loaded(SILICON)).predict is not None


def test_elements_of_a_further_head_are_named_too(monkeypatch):
    base = loaded("pair:sw-sige").clone()
    base.card = dataclasses.replace(base.card, untrained=frozenset({32}))
    monkeypatch.setattr("atomgraft.run.inputs.load_base", lambda *_, **__: base)
    spec = parse_spec(
        {
            "base": "sige",
            "train": "shipped:si-train@:3",
            "recipe": "full",
            "heads": {"germanium": {"train": "shipped:ge-train@:3"}},
        },
        "test",
    )
    told = " ".join(read_inputs(spec).notices)
    assert "sw-sige has room for Ge and was never trained on it" in told
    mapped = spec.axes.starts.model_copy(
        update={"map": ElementMap(elements={"Ge": "Si"})}
    )
    axes = spec.axes.model_copy(update={"starts": mapped})
    told = " ".join(read_inputs(spec.model_copy(update={"axes": axes})).notices)
    assert "is mapped, but in no training structure" not in told
