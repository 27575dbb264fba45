"""atomgraft phonons from start to end: what it writes is what phonopy reads."""

import importlib.metadata
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from ase import Atoms
from ase.build import bulk
from ase.io import write

from atomgraft.cli import main
from atomgraft.lattice.harmonic import with_forces
from atomgraft.lattice.spectra import mesh_frequencies
from atomgraft.phonons import work as experiment
from atomgraft.phonons.record import PHONONS, REFERENCE
from tests.integration.test_bad_input import contents, run
from tests.vibrations import (
    AT_REST,
    BORN,
    displaced_silicon,
    harmonic_salt,
    harmonic_silicon,
    outputs_of,
    save,
)

QUICK = "--model pair:sw-si --mesh 4 --supercell 2"

SAME = 1e-4
"""THz; forces in files have ten decimals."""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("POSCAR", bulk("Si", a=5.5))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return the result of silicon far from rest, and its folder."""
    folder = tmp_path_factory.mktemp("phonons")
    write(folder / "POSCAR", bulk("Si", a=5.5))
    assert run(f"phonons {folder / 'POSCAR'} {QUICK} --out {folder / 'out'}") == 0
    return folder / "out"


def as_json(command, capsys):
    capsys.readouterr()
    assert run(f"{command} --json") == 0
    return json.loads(capsys.readouterr().out)


def frequencies(file):
    import phonopy

    loaded = phonopy.load(str(file), log_level=0)
    mesh = loaded.run_mesh([4, 4, 4], is_gamma_center=True)
    return np.sort(mesh.frequencies, axis=1)


def test_what_it_leaves(finished):
    names = {one.name for one in finished.iterdir()}
    assert names == {
        ".atomgraft.json", ".lock", "phonons.html", "phonons.json", "phonons.yaml",
        "phonopy-base.yaml",
    }  # fmt: skip
    result = PHONONS.read(finished)
    [spectrum] = result.spectra
    assert spectrum.contestant == "base"
    assert spectrum.is_stable
    assert spectrum.bands
    assert spectrum.density is not None
    assert spectrum.thermal is not None
    assert result.errors == ()
    assert [one.verb for one in result.provenance] == ["phonons"]


def test_the_crystal_is_relaxed_and_says_so(finished):
    result = PHONONS.read(finished)
    record = result.spectra[0].relaxation
    assert record is not None
    assert record.is_converged
    assert record.space_group_before == record.space_group_after == "Fd-3m (227)"
    assert record.volume == pytest.approx(AT_REST**3 / 8, rel=1e-3)
    assert result.settings.geometry == "relaxed"
    assert result.spectra[0].residual_force == pytest.approx(0, abs=1e-4)


def test_its_numbers_are_those_of_the_library(finished):
    expected = mesh_frequencies(harmonic_silicon(), (4, 4, 4)).frequencies
    [spectrum] = PHONONS.read(finished).spectra
    assert spectrum.maximum == pytest.approx(expected.max(), abs=2e-3)
    found = frequencies(finished / "phonopy-base.yaml")
    np.testing.assert_allclose(found, expected, atol=2e-3)


def test_settings_are_pinned(finished):
    settings = PHONONS.read(finished).settings
    assert settings.mesh == (4, 4, 4)
    assert settings.n_atoms_supercell == 16
    assert settings.n_displacements == 1
    assert settings.displacement == pytest.approx(0.01)
    assert settings.kind == "one atom"
    assert settings.has_charges is False
    assert settings.dtype == "float64"
    assert settings.versions["phonopy"] == importlib.metadata.version("phonopy")


def test_it_is_one_json_document_and_resumes(capsys, monkeypatch):
    first = as_json(f"phonons POSCAR {QUICK} --out out", capsys)
    assert first == json.loads(Path("out", PHONONS.file).read_text())
    monkeypatch.setattr(experiment, "load_contestants", None)  # not asked again
    assert as_json(f"phonons POSCAR {QUICK} --out out", capsys) == first


def test_how_many_at_once_is_no_other_question(capsys):
    first = as_json(f"phonons POSCAR {QUICK} --out out", capsys)
    again = as_json(f"phonons POSCAR {QUICK} --out out --max-atoms 16", capsys)
    assert again == first


@pytest.mark.parametrize(
    "change",
    [
        lambda: f"phonons POSCAR {QUICK} --threshold 0.2",
        lambda: (write("POSCAR", bulk("Si", a=5.6)), f"phonons POSCAR {QUICK}")[1],
    ],
    ids=["another spec", "another crystal"],
)
def test_another_question_needs_another_folder(change, capsys):
    assert run(f"phonons POSCAR {QUICK} --out out") == 0
    command = change()
    before = contents()
    capsys.readouterr()
    assert run(f"{command} --out out") == 2
    assert "--fresh" in capsys.readouterr().err
    assert contents() == before
    assert run(f"{command} --out out --fresh") == 0
    assert contents() != before


@pytest.mark.parametrize("text", ["[1, 2", "- 1", "\x00"])
def test_a_spec_changed_by_hand_is_the_user_s_to_remove(text, capsys):
    assert run(f"phonons POSCAR {QUICK} --out out") == 0
    Path("out", "phonons.yaml").write_text(text)
    before = contents()
    for option in ("", " --fresh"):
        capsys.readouterr()
        assert run(f"phonons POSCAR {QUICK} --out out{option}") == 2
        told = capsys.readouterr().err
        assert "phonons.yaml" in told or "another phonon calculation" in told
        assert contents() == before
    Path("out", "phonons.yaml").unlink()
    assert run(f"phonons POSCAR {QUICK} --out out --fresh") == 0


def softened():
    """Write a calculation that finds silicon softer than the model does."""
    forces = 0.8 * harmonic_silicon().forces
    save(with_forces(displaced_silicon(), forces).phonon, "phonopy.yaml")


def test_fresh_leaves_nothing_of_the_old(capsys):
    softened()
    assert run("phonons phonopy.yaml --model pair:sw-si --mesh 2 --out out") == 0
    assert Path("out", "phonopy-reference.yaml").exists()
    assert run(f"phonons POSCAR {QUICK} --out out --fresh") == 0
    assert not Path("out", "phonopy-reference.yaml").exists()
    assert [one.contestant for one in PHONONS.read(Path("out")).spectra] == ["base"]


def test_the_folder_is_named_after_the_crystal():
    write("my crystal.vasp", bulk("Si", a=AT_REST))
    arguments = ["my crystal.vasp", "--no-relax", "--tmax", "700", *QUICK.split()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["atomgraft", "phonons", *arguments])
        with pytest.raises(SystemExit) as end:
            main.main()
    assert end.value.code in {0, None}
    result = PHONONS.read(Path("phonons-my-crystal"))
    assert result.settings.geometry == "given"
    assert result.spectra[0].relaxation is None
    thermal = result.spectra[0].thermal
    assert thermal is not None
    assert 300.0 in thermal.temperatures  # whatever the highest one is


@pytest.mark.parametrize("kind", ["one atom", "all atoms"])
def test_beside_a_calculation_of_phonopy(kind, capsys):
    """The model made it: no error is left, and baselines stand there all the same."""
    harmonic = harmonic_silicon(kind)
    save(harmonic.phonon, "phonopy_params.yaml")
    command = "phonons phonopy_params.yaml --model pair:sw-si --mesh 4 --out out"
    document = as_json(command, capsys)
    rows = {one["baseline"]: one for one in document["errors"]}
    assert set(rows) == {None, "own scalar"}
    assert rows[None]["frequency_mae"] == pytest.approx(0, abs=SAME)
    assert rows["own scalar"]["factor"] == pytest.approx(1, abs=SAME)
    assert document["settings"]["geometry"] == "reference"
    assert document["settings"]["kind"] == kind
    found = [frequencies(f"out/phonopy-{name}.yaml") for name in ("base", REFERENCE)]
    expected = mesh_frequencies(harmonic, (4, 4, 4)).frequencies
    np.testing.assert_allclose(found[0], expected, atol=SAME)
    np.testing.assert_allclose(found[1], expected, atol=SAME)


def test_each_file_for_phonopy_is_of_its_own_contestant(capsys):
    """The negative control: DFT and the model are not each other's copies."""
    softened()
    command = "phonons phonopy.yaml --model pair:sw-si --mesh 4 --out out"
    document = as_json(command, capsys)
    highest = {one["contestant"]: one["maximum"] for one in document["spectra"]}
    for name in ("base", REFERENCE):
        found = frequencies(f"out/phonopy-{name}.yaml").max()
        assert found == pytest.approx(highest[name], abs=0.02)
    assert highest["base"] - highest[REFERENCE] > 1
    rows = {one["baseline"]: one["frequency_mae"] for one in document["errors"]}
    assert rows["own scalar"] < rows[None]
    assert document["errors"][1]["factor"] == pytest.approx(0.8, abs=1e-3)
    assert any("--global-factor" in one for one in document["notices"])
    given = as_json(f"{command} --fresh --global-factor 0.9", capsys)
    assert {one["baseline"] for one in given["errors"]} == {
        None, "own scalar", "global scalar",
    }  # fmt: skip


def test_displacements_and_their_outputs(tmp_path, capsys):
    harmonic = harmonic_silicon("all atoms")
    save(harmonic.phonon, "phonopy_disp.yaml", has_forces=False)
    forces = " ".join(f"--forces {one}" for one in outputs_of(harmonic, tmp_path))
    command = f"phonons phonopy_disp.yaml {forces} --model pair:sw-si --mesh 4"
    document = as_json(f"{command} --out out", capsys)
    assert document["errors"][0]["frequency_mae"] == pytest.approx(0, abs=SAME)


def test_a_part_of_a_calculation(capsys):
    save(harmonic_silicon("all atoms").phonon, "phonopy.yaml")
    command = "phonons phonopy.yaml@:2 --model pair:sw-si --mesh 4 --out out"
    assert as_json(command, capsys)["settings"]["n_displacements"] == 2


def test_relaxing_lets_the_reference_go_and_says_so(capsys):
    save(harmonic_silicon().phonon, "phonopy.yaml")
    command = "phonons phonopy.yaml --model pair:sw-si --mesh 4 --relax"
    document = as_json(f"{command} --out out", capsys)
    assert document["errors"] == []
    assert [one["contestant"] for one in document["spectra"]] == ["base"]
    assert any("there is no comparison with DFT" in one for one in document["notices"])


def test_models_side_by_side(capsys):
    other = "sevennet:tiny:Si"
    pytest.importorskip("sevenn")
    command = f"phonons POSCAR {QUICK} --model {other} --no-relax --out out"
    document = as_json(command, capsys)
    titles = {one["contestant"]: one["title"] for one in document["spectra"]}
    assert titles == {"base": "pair:sw-si", "adapted": other}


def test_the_spec_on_disk_is_what_was_asked(finished):
    known = yaml.safe_load((finished / "phonons.yaml").read_text())
    assert known["supercell"] == [[2, 0, 0], [0, 2, 0], [0, 0, 2]]
    assert known["relax"] == "auto"
    assert known["models"] == ["pair:sw-si"]


def phonons(crystal="POSCAR", more="", model="pair:sw-si"):
    return f"phonons {crystal} --model {model} --mesh 4 --out out {more}"


def made(write_it, command):
    write_it()
    return command


def salt_with_charges(text):
    save(harmonic_salt().phonon, "salt.yaml")
    Path("BORN").write_text(text)
    return phonons("salt.yaml", "--born BORN", model="sevennet:tiny:Na,Cl")


def wrong_outputs():
    harmonic = harmonic_silicon("all atoms")
    save(harmonic.phonon, "phonopy_disp.yaml", has_forces=False)
    files = outputs_of(harmonic, Path())[::-1]
    return phonons("phonopy_disp.yaml", " ".join(f"--forces {one}" for one in files))


def rattled():
    crystal = bulk("Si", a=AT_REST, cubic=True)
    crystal.rattle(1e-4, seed=0)
    write("rattled.vasp", crystal)


def coincident():
    crystal = bulk("Si", a=AT_REST)
    crystal.positions[1] = crystal.positions[0]
    write("two.vasp", crystal)


def molecule():
    write("molecule.xyz", Atoms("Si2", [[0, 0, 0], [0, 0, 2.3]]))


def several():
    write("XDATCAR", [bulk("Si", a=5.4), bulk("Si", a=5.5)])


def result_of_something_else():
    Path("out").mkdir()
    Path("out", "phonons.yaml").write_text("identity: 1")
    Path("out", PHONONS.file).write_text("{}")


BAD = {
    "no model": lambda: "phonons POSCAR --out out",
    "needs a crystal": lambda: "phonons --model pair:sw-si",
    "crystal is not there": lambda: phonons("nothing"),
    "crystal is a folder": lambda: made(Path("empty").mkdir, phonons("empty")),
    "crystal is no structure": lambda: made(
        lambda: Path("a.cif").write_text("x"), phonons("a.cif")
    ),
    "calculation is no YAML": lambda: made(
        lambda: Path("phonopy.yaml").write_text("a: ["), phonons("phonopy.yaml")
    ),
    "several structures": lambda: made(several, phonons("XDATCAR")),
    "frames of no calculation": lambda: phonons("shipped:si-train"),
    "molecule": lambda: made(molecule, phonons("molecule.xyz")),
    "molecule as it is": lambda: made(molecule, phonons("molecule.xyz", "--no-relax")),
    "two atoms on one site": lambda: made(coincident, phonons("two.vasp")),
    "space group changes": lambda: made(
        rattled, phonons("rattled.vasp", "--supercell 1")
    ),
    "element the model lacks": lambda: made(
        lambda: write("ge.vasp", bulk("Ge")), phonons("ge.vasp")
    ),
    "unknown model": lambda: phonons(model="8net-0"),
    "one model twice": lambda: phonons(more="--model pair:sw-si"),
    "supercell in words": lambda: phonons(more="--supercell two"),
    "supercell of two numbers": lambda: phonons(more="--supercell 2x2"),
    "supercell of nothing": lambda: phonons(more="--supercell 0"),
    "supercell inside out": lambda: phonons(more="--supercell=-2x2x2"),
    "huge supercell": lambda: phonons(more="--supercell 40"),
    "supercell for a reference": lambda: phonons("shipped:si-phonons", "--supercell 2"),
    "mesh in words": lambda: phonons(more="--mesh fine"),
    "mesh of two": lambda: phonons(more="--mesh 4,4"),
    "mesh of nothing": lambda: phonons(more="--mesh 0"),
    "mesh of thousands": lambda: phonons(more="--mesh 5000"),
    "negative length": lambda: phonons(more="--length -3"),
    "distance that is no number": lambda: phonons(more="--distance nan"),
    "temperature below all": lambda: phonons(more="--tmax -5"),
    "negative threshold": lambda: phonons(more="--threshold -1"),
    "factor of zero": lambda: phonons(more="--global-factor 0"),
    "half precision": lambda: phonons(more="--dtype float16"),
    "unknown device": lambda: phonons(more="--device tpu"),
    "no atoms at once": lambda: phonons(more="--max-atoms 0"),
    "forces for a structure": lambda: phonons(more="--forces FORCE_SETS"),
    "outputs in another order": wrong_outputs,
    "charges that are not there": lambda: phonons(more="--born nothing"),
    "charges of another cell": lambda: salt_with_charges(BORN.format(1) + "1 " * 9),
    "output is a file": lambda: phonons().replace("--out out", "--out POSCAR"),
    "output of something else": lambda: made(result_of_something_else, phonons()),
}


def test_a_taken_name_is_refused_before_the_crystal_is_read(capsys):
    Path("taken").write_text("mine")
    assert run("phonons nothing --model pair:sw-si --out taken/deeper") == 2
    assert "taken/deeper cannot be created" in capsys.readouterr().err
    assert Path("taken").read_text() == "mine"


@pytest.mark.parametrize("make", BAD.values(), ids=BAD)
def test_bad_input_is_refused_in_one_paragraph(make, capsys):
    command = make()
    before = contents()
    capsys.readouterr()
    code = run(command)
    printed = capsys.readouterr().err
    errors = [line for line in printed.splitlines() if line.startswith("Error: ")]
    assert code == 2
    assert len(errors) == 1, printed
    assert printed.rstrip().endswith(errors[0]), "the paragraph goes on"
    assert len(errors[0]) < 800
    assert "Traceback" not in printed
    assert contents() == before
