"""Expansion and conductivity reach the result of phonons, contestant by contestant."""

import ase.io
import numpy as np
import pytest
from ase.build import bulk

from atomgraft.core.errors import BadInputError
from atomgraft.models.pair import stillinger_weber
from atomgraft.phonons import heat as phonon_heat
from atomgraft.phonons.crystals import read_crystal
from atomgraft.phonons.heat import Heated, with_heat
from atomgraft.phonons.judge import Judged
from atomgraft.phonons.record import PHONONS, REFERENCE
from atomgraft.phonons.setup import Prepared
from atomgraft.phonons.spec import PhononSpec
from atomgraft.phonons.work import compute_phonons
from tests.example_phonons import conductivity, errors, make_phonons
from tests.vibrations import AT_REST, displaced_silicon

pytestmark = pytest.mark.slow

SMALL = {
    "supercell": [[2, 0, 0], [0, 2, 0], [0, 0, 2]],
    "mesh": (4, 4, 4),
    "conductivity_mesh": (3, 3, 3),
    "temperature_max": 400,
}

SHORT = 6.0
"""Å, of supercells of third order: sixteen atoms instead of 128."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("heat")
    ase.io.write(folder / "si.vasp", bulk("Si", a=AT_REST))
    return folder


def spec_of(place, **asked):
    crystal = asked.pop("crystal", str(place / "si.vasp"))
    return PhononSpec(crystal=crystal, models=("pair:sw-si",), **SMALL | asked)


@pytest.fixture(scope="module")
def expanded(place):
    steps = []
    result = compute_phonons(
        spec_of(place, expansion=True),
        place / "expanded",
        device="cpu",
        progress=lambda what, *_: steps.append(what),
    )
    return result, steps


@pytest.fixture(scope="module")
def conducting(place):
    pytest.importorskip("phono3py")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(phonon_heat, "THIRD_ORDER_LENGTH", SHORT)
        spec = spec_of(place, conductivity=True)
        return compute_phonons(spec, place / "conducting", device="cpu")


def test_silicon_expands_under_its_model(expanded):
    result, steps = expanded
    [base] = result.spectra
    found = base.expansion
    assert found is not None
    assert found.mesh == (4, 4, 4)
    assert found.n_atoms_supercell == 16
    assert found.static_volume == pytest.approx(AT_REST**3 / 8, rel=1e-3)
    assert min(found.volumes) < found.static_volume < max(found.volumes)
    assert "base: phonons at several volumes" in steps
    assert base.conductivity is None
    assert not any("expansion" in one for one in result.notices)


def test_the_bulk_modulus_is_that_of_the_elastic_constants(expanded):
    """Known of Stillinger-Weber silicon: (C11 + 2 C12) / 3 = 101.4 GPa."""
    [base] = expanded[0].spectra
    assert base.expansion.bulk_modulus[0] == pytest.approx(101.4, rel=0.03)


def test_expansion_is_in_the_file(expanded, place):
    assert PHONONS.read(place / "expanded") == expanded[0]


def test_silicon_conducts_under_its_model(conducting):
    [base] = conducting.spectra
    found = base.conductivity
    assert found is not None
    assert found.mesh == (3, 3, 3)
    assert found.n_atoms_supercell == 16
    rows = np.array(found.conductivity)
    assert np.allclose(rows[:, :1], rows[:, :3], rtol=1e-3)  # cubic
    assert np.abs(rows[:, 3:]).max() < 1e-3 * rows[:, 0].max()
    assert np.all(np.diff(rows[-5:, 0]) < 0)  # falls where it is hot
    assert base.expansion is None


def test_without_a_reference_conductivity_is_not_judged(conducting):
    assert all(row.conductivity_error is None for row in conducting.errors)
    assert conducting.spectrum(REFERENCE) is None


def test_a_reference_of_second_order_has_no_conductivity(place, monkeypatch):
    """The model conducts on supercells of its own; there is nothing to compare with."""
    pytest.importorskip("phono3py")
    monkeypatch.setattr(phonon_heat, "THIRD_ORDER_LENGTH", SHORT)
    asked = {"conductivity": True, "crystal": "shipped:si-phonons", "supercell": None}
    result = compute_phonons(spec_of(place, **asked), place / "known", device="cpu")
    reference, base = result.spectrum(REFERENCE), result.spectrum("base")
    assert reference is not None
    assert base is not None
    assert reference.conductivity is None
    assert base.conductivity is not None
    assert all(row.srme is None for row in result.errors)


def heated_of(place, *, models=("base",), **asked):
    """Return what is heated, with nothing displaced: every step is replaced."""
    spec = spec_of(place, **asked)
    crystal = read_crystal(spec.crystal)
    model = stillinger_weber(["Si"])
    return Heated(
        spec=spec,
        found=Prepared(phonons={}, relaxations={}, crystal=crystal),
        judged=Judged(spectra=(), errors=(), harmonics={}, own_factor=None),
        models=dict.fromkeys(models, model),
    )


def test_nothing_asked_is_nothing_computed(place):
    """Negative control: no phonons are there to be asked for."""
    plain = make_phonons()
    cold = [
        one.model_copy(update={"expansion": None, "conductivity": None})
        for one in plain.spectra
    ]
    plain = plain.model_copy(update={"spectra": tuple(cold)})
    assert with_heat(plain, heated_of(place)) == plain


def test_a_crystal_that_cannot_be_expanded_is_told_and_the_rest_goes_on(
    place, monkeypatch
):
    phonon = displaced_silicon()
    heated = heated_of(place, models=("base", "adapted"), expansion=True)
    heated.found.phonons.update(base=phonon, adapted=phonon)
    asked = []

    def refusing(*_, **__):
        asked.append(1)
        if len(asked) == 1:
            raise BadInputError("Only 2 volumes are left.", "Four.", "Look at it.")
        return "expanded"

    monkeypatch.setattr(phonon_heat, "quasiharmonic", refusing)
    record = make_phonons().spectra[0].expansion
    monkeypatch.setattr(phonon_heat, "expansion_record", lambda *_: record)
    result = with_heat(make_phonons(), heated)
    assert len(asked) == 2
    base, adapted = result.spectrum("base"), result.spectrum("adapted")
    assert base.expansion is None
    assert adapted.expansion == record
    assert result.notices[-1] == (
        "No thermal expansion under base: Only 2 volumes are left."
    )


def modes_of(factor):
    """Return a record of three modes, each `factor` times what DFT says."""
    modes = ((10.0 * factor, 20.0 * factor, 30.0 * factor),)
    return conductivity(1.0).model_copy(
        update={"mode_conductivity": modes, "mode_frequencies": ((1.0, 2.0, 3.0),)}
    )


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
def test_a_model_is_judged_by_its_own_conductivity(place, monkeypatch, factor):
    records = {REFERENCE: modes_of(1.0), "base": modes_of(factor)}
    monkeypatch.setattr(phonon_heat, "_conductivities", lambda _: records)
    plain = make_phonons().model_copy(
        update={
            "errors": (
                errors("base", 0.3),
                errors("base", 0.1, baseline="own scalar"),
                errors("adapted", 0.05),
            )
        }
    )
    result = with_heat(plain, heated_of(place, conductivity=True))
    base, scaled, adapted = result.errors
    assert base.conductivity_error == pytest.approx(factor - 1)
    assert base.srme == pytest.approx(2 * abs(factor - 1) / (factor + 1))
    assert scaled == plain.errors[1]  # a baseline has no third order
    assert adapted == plain.errors[2]  # nobody computed its own
    assert result.spectrum("base").conductivity == records["base"]


def test_too_many_supercells_of_third_order_end_it(place, monkeypatch):
    pytest.importorskip("phono3py")

    def refuse(*_, **__):
        raise BadInputError("There are 9999 supercells.", "Fewer.", "--pair-cutoff")

    monkeypatch.setattr(phonon_heat, "_anharmonic", refuse)
    with pytest.raises(BadInputError, match="9999 supercells"):
        with_heat(make_phonons(), heated_of(place, conductivity=True))
