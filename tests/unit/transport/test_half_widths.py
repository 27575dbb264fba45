"""Do intervals around predictions hold the share of new groups that they promise?"""

import numpy as np
import pytest

from atomgraft.transport.distil.spec import DistilSpec, folder_of
from atomgraft.transport.extra import require_transport
from atomgraft.transport.materials import Hop, Material

pytest.importorskip("sklearn", reason="needs the extra transport")
pytest.importorskip("pymatgen", reason="needs the extra transport")

from atomgraft.core.errors import MissingExtraError
from atomgraft.transport.distil.judge import clusters_of, half_widths

N_TRIALS = 400


def errors(rng, n_groups, each):
    """Return absolute errors of groups that differ in how large theirs are."""
    size = rng.lognormal(0.0, 0.7, n_groups)
    return np.abs(size[:, None] * rng.normal(size=(n_groups, each)))


@pytest.mark.parametrize(("n_groups", "each"), [(30, 1), (60, 4)])
def test_new_groups_are_inside_as_often_as_promised(n_groups, each):
    rng = np.random.default_rng(0)
    inside = np.zeros(2)
    for _ in range(N_TRIALS):
        known = errors(rng, n_groups, each)
        groups = np.repeat(np.arange(n_groups), each)
        widths = half_widths(known.ravel(), groups)
        new = errors(rng, 20, each)
        inside += [float((new <= width).mean()) for width in widths]
    low, high = inside / N_TRIALS
    assert low == pytest.approx(0.68, abs=0.04)
    assert high == pytest.approx(0.95, abs=0.03)


def test_a_large_group_counts_once():
    # forty rows of one group with large errors, ten groups with small ones
    wrong = np.concatenate([np.full(40, 10.0), np.full(10, 0.1)])
    groups = np.concatenate([np.zeros(40, dtype=int), np.arange(1, 11)])
    low, high = half_widths(wrong, groups)
    assert low == pytest.approx(0.1)
    assert high == pytest.approx(10.0)


def test_rows_of_groups():
    assert clusters_of(np.array([3, 1, 3])) == [[1], [0, 2]]


def test_the_folder_is_named_by_the_property():
    spec = DistilSpec(materials=("a.csv",), target="E a/eV", mobile="Li")
    assert str(folder_of(spec)) == "distil-E-a-eV"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"lattice": ("a", "b")}, "six"),
        ({"decades": True, "scale": "log"}, "decades are a scale"),
        ({"folds": 1}, "greater than or equal to 2"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_specs_that_make_no_sense_are_refused(more, said):
    given = {"materials": ("a.csv",), "target": "E", "mobile": "Li"}
    with pytest.raises(ValueError, match=said):
        DistilSpec.model_validate(given | more)


def test_other_content_is_another_identity(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("name\n1\n")
    spec = DistilSpec(materials=(str(path),), target="E", mobile="Li")
    seeds = spec.model_copy(update={"seeds": 2})
    assert spec.identity() == spec.identity()
    assert spec.identity() != seeds.identity()


def test_an_absent_library_is_named_with_what_to_type():
    with pytest.raises(MissingExtraError, match="no_such_module") as told:
        require_transport("distil", "no_such_module", "numpy")
    assert "pip install 'atomgraft[transport]'" in told.value.remedy


def test_names_do_not_count_in_fingerprints():
    one = Material(name="a", amounts={"Li": 1.0}, mobile="Li")
    same = Material(name="b", amounts={"Li": 1.0}, mobile="Li")
    other = Material(name="a", amounts={"Li": 2.0}, mobile="Li")
    assert one.fingerprint() == same.fingerprint() != other.fingerprint()


def test_the_way_counts_in_fingerprints():
    path = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    found = {
        Material(
            name="a", amounts={"Li": 1.0}, mobile="Li", hop=Hop(atom=0, path=one)
        ).fingerprint()
        for one in (path, 2 * path, path.copy())
    }
    assert len(found) == 2
