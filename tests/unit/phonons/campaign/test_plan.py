"""Is nobody judged by a model that has seen it, and is what cannot be done refused?"""

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

from atomgraft.core.errors import BadInputError
from atomgraft.data.force_sets import read_force_sets
from atomgraft.phonons.campaign.plan import (
    drawn_supercells,
    plan_phonon_campaign,
    training_identity,
)
from atomgraft.phonons.campaign.spec import (
    campaign_spec_text,
    parse_campaign_spec,
    read_campaign_spec,
)
from tests.phonon_folders import BASE, CRYSTALS, make_folder, write_calculation

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return make_folder(tmp_path_factory.mktemp("plan"))


def spec(folder, **changes):
    least = {"folder": str(folder), "base": BASE, "recipes": ["full"]}
    return parse_campaign_spec(least | changes, "a test")


def plan(folder, **changes):
    return plan_phonon_campaign(spec(folder, **changes))


# --- one adaptation for all


def test_no_material_is_judged_by_a_model_that_has_seen_it(folder):
    found = plan(folder, mode="all", folds=2, recipes=["full", "lora"], seeds=[0, 1])
    assert len(found.trainings) == 2 * 2 * 2
    for material in found.judged:
        for entrant in found.spec.recipes:
            for seed in (0, 1):
                judge = found.training_for(material, entrant, seed)
                assert material.name not in judge.supercells
                assert (judge.entrant, judge.seed) == (entrant, seed)


def test_every_other_material_is_learned_from(folder):
    found = plan(folder, mode="all", folds=4)
    for training in found.trainings:
        assert len(training.supercells) == len(CRYSTALS) - 1
        assert training.n_labels == 2 * (len(CRYSTALS) - 1)


def test_a_family_is_on_one_side(folder):
    found = plan(folder, mode="all", folds=3, keeps_families=True)
    folds = {one.name: one.card.fold for one in found.materials}
    assert folds["rocksalt"] == folds["rocksalt-wide"]
    families = {one.name: one.card.family for one in found.materials}
    assert families["rocksalt"] == families["rocksalt-wide"] == "AB Fm-3m (225) Cl"
    torn = [
        plan(folder, mode="all", folds=4, seeds=[seed]).materials for seed in range(2)
    ]
    for materials in torn:  # negative control: without the wish they are apart
        apart = {one.name: one.card.fold for one in materials}
        assert apart["rocksalt"] != apart["rocksalt-wide"]


def test_more_folds_than_families_are_refused(folder):
    with pytest.raises(BadInputError, match="3 groups"):
        plan(folder, mode="all", folds=4, keeps_families=True)


# --- one adaptation each


def test_each_is_adapted_on_a_strict_subset_of_its_own(folder):
    found = plan(folder)
    assert {one.stem for one in found.trainings} == set(CRYSTALS)
    for training in found.trainings:
        [(name, chosen)] = training.supercells.items()
        assert name == training.stem
        assert len(chosen) == training.n_labels == 1


def draws(found):
    return [
        tuple(drawn_supercells(found.spec, one, seed) for one in found.judged)
        for seed in range(6)
    ]


def test_the_seed_draws_the_supercells(folder):
    found = plan(folder, pseudo_labels=False)
    assert len(set(draws(found))) > 1
    assert draws(found) == draws(found)


def test_where_the_base_answers_for_the_rest_the_lighter_atom_is_labelled(folder):
    """Both have as many images; that leaves nothing to chance."""
    found = plan(folder)
    assert len(set(draws(found))) == 1
    for material, chosen in zip(found.judged, draws(found)[0], strict=True):
        labelled = {
            team.displaced.mass
            for team in material.teams
            if set(team.supercells) & set(chosen)
        }
        assert labelled == {min(team.displaced.mass for team in material.teams)}


def test_seeds_that_label_the_same_are_told(folder):
    several = {"seeds": [0, 1, 2]}
    [told] = [one for one in plan(folder, **several).notices if "All seeds" in one]
    assert "rocksalt" in told
    for changes in ({}, several | {"pseudo_labels": False}, several | {"mode": "all"}):
        assert not any("All seeds" in one for one in plan(folder, **changes).notices)


def test_teams_are_read_from_displacements(tmp_path):
    """Wurtzite has no operation that turns its polar axis."""
    place = tmp_path / "crystals"
    place.mkdir()
    wurtzite = bulk("NaCl", "wurtzite", a=4.3, c=7.0)
    n_cells = write_calculation(place / "wurtzite.yaml", wurtzite, 1)
    [material] = plan(place).judged
    given = [team.supercells for team in material.teams]
    assert sorted(i for team in given for i in team) == list(range(n_cells))
    displacements = read_force_sets(place / "wurtzite.yaml").displacements
    pairs = [team for team in given if len(team) == 2]
    assert pairs
    for i, j in pairs:
        assert np.allclose(displacements[i], -displacements[j], atol=1e-9)
    displaced = {team.displaced for team in material.teams}
    n_atoms = material.card.n_atoms_supercell
    assert {(one.images, one.mass) for one in displaced} == {
        (n_atoms // 2, 22.99),
        (n_atoms // 2, 35.45),
    }
    assert material.can_be_answered


def test_as_many_labels_as_supercells_are_refused(folder):
    with pytest.raises(BadInputError, match=r"rocksalt \(2\)") as caught:
        plan(folder, labels=2)
    assert "--labels 0.5" in caught.value.remedy


def test_a_single_supercell_has_no_subset(tmp_path):
    folder = make_folder(tmp_path, ["rocksalt"])
    write_calculation(folder / "sodium.yaml", bulk("Na", "fcc", a=3.5, cubic=True))
    found = plan(folder)
    assert [one.stem for one in found.trainings] == ["rocksalt"]
    with pytest.raises(BadInputError, match="sodium"):
        plan(folder, labels=1)


def test_a_structure_cannot_be_adapted_on(tmp_path):
    folder = make_folder(tmp_path, ["rocksalt"])
    write(folder / "POSCAR-salt", bulk("NaCl", "rocksalt", a=5.3), format="vasp")
    with pytest.raises(BadInputError, match="No forces are known for POSCAR-salt"):
        plan(folder)
    assert len(plan(folder, recipes=[]).judged) == 2


# --- what pins a cell


def test_an_adaptation_is_pinned_to_its_labels_and_settings(folder):
    def identities(**changes):
        found = plan(folder, **changes)
        return [training_identity(found, one) for one in found.trainings]

    known = identities()
    assert identities() == known
    assert identities(mesh=[4, 4, 4], dft_hours=3.0) == known
    assert not set(identities(training={"steps": 7})) & set(known)
    assert not set(identities(mode="all", folds=2)) & set(known)
    assert not set(identities(pseudo_labels=False)) & set(known)


def test_pseudo_labels_are_for_one_material_and_for_differences(folder):
    def materials(**changes):
        found = plan(folder, **changes)
        return [found.pseudo_labelled_material(one) for one in found.trainings]

    assert {one.name for one in materials()} == set(CRYSTALS)
    assert set(materials(pseudo_labels=False)) == {None}
    assert set(materials(mode="all", folds=2)) == {None}
    assert set(materials(training={"differences": "never"})) == {None}


def test_labels_alone_are_told(folder, tmp_path):
    assert not plan(folder).notices
    [notice] = plan(folder, training={"differences": "never"}).notices
    assert "Trained on labels only: pseudo-labels need force differences." in notice
    far = make_folder(tmp_path, ["rocksalt"])
    write_calculation(far / "far.yaml", *CRYSTALS["zincblende"], distance=0.2)
    found = plan(far)
    [notice] = found.notices
    assert "far" in notice
    assert "rocksalt" not in notice
    [one] = (one for one in found.trainings if one.stem == "far")
    assert found.pseudo_labelled_material(one) is None


# --- what cannot be used


def test_an_empty_folder_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("nothing")
    with pytest.raises(
        BadInputError, match=r"contains no phonopy calculation and no structure\."
    ):
        plan(tmp_path)
    with pytest.raises(BadInputError, match="is no folder"):
        plan(tmp_path / "notes.txt")


def test_what_is_passed_over_is_told(tmp_path):
    folder = make_folder(tmp_path, ["rocksalt"])
    (folder / "index.csv").write_text("file\n")
    [notice] = plan(folder).notices
    assert "index.csv" in notice


def test_a_calculation_without_forces_is_refused(folder, tmp_path):
    whole = (folder / "rocksalt.yaml").read_text().splitlines()
    lines = iter(whole)
    kept = []
    for line in lines:
        if line.strip() == "forces:":
            for _ in range(8):
                next(lines)
        else:
            kept.append(line)
    (tmp_path / "rocksalt.yaml").write_text("\n".join(kept) + "\n")
    with pytest.raises(BadInputError, match=r"rocksalt\.yaml"):
        plan(tmp_path)


def test_two_materials_of_one_name_are_refused(folder, tmp_path):
    text = (folder / "rocksalt.yaml").read_text()
    for name in ("rocksalt.a.yaml", "rocksalt.b.yaml"):
        (tmp_path / name).write_text(text)
    with pytest.raises(BadInputError, match="Two materials have the name rocksalt"):
        plan(tmp_path)


def test_a_material_that_the_base_does_not_know_is_marked(tmp_path):
    folder = make_folder(tmp_path, ["rocksalt"])
    write(folder / "silicon.cif", bulk("Si"))
    found = plan(folder)
    reasons = {one.name: one.card.reason for one in found.materials}
    assert reasons == {"rocksalt": None, "silicon": "The base does not support Si."}
    assert [one.name for one in found.judged] == ["rocksalt"]
    assert any("silicon" in notice for notice in found.notices)


def test_a_base_that_knows_nothing_of_it_is_refused(tmp_path):
    write(tmp_path / "silicon.cif", bulk("Si"))
    with pytest.raises(BadInputError, match="supports none of the 1 materials"):
        plan(tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"recipes": ["fulll"]}, "fulll"),
        ({"recipes": ["full", "full"]}, "two recipes have one name"),
        ({"recipes": [{"name": "base", "recipe": "full"}]}, "cannot be called base"),
        ({"mode": "some"}, "mode"),
        ({"labels": 0}, "labels"),
        ({"labels": 1.5}, "labels"),
        ({"labels": "many"}, "labels"),
        ({"folds": 1}, "folds"),
        ({"seeds": [1, 1]}, "twice"),
        ({"dft_hours": 0}, "dft_hours"),
        ({"label": 3}, "' is an unknown key"),
    ],
    ids=str,
)
def test_what_makes_no_campaign_is_refused(changes, said, folder):
    with pytest.raises(BadInputError, match=said):
        spec(folder, **changes)


def test_a_spec_survives_its_file(folder, tmp_path):
    found = spec(folder, labels=0.25, mode="all", keeps_families=True, dft_hours=2)
    path = tmp_path / "campaign.yaml"
    path.write_text(campaign_spec_text(found))
    assert read_campaign_spec(path) == found
