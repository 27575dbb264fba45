"""Outputs of programs are known by their content, and what is not read is named."""

import pytest

from atomgraft.core.errors import BadInputError
from atomgraft.data.ase_files import unconverged_steps
from atomgraft.data.readers import output_format, read_structures
from atomgraft.data.sources import kind_of_text

HEADS = {
    "CP2K output": " CP2K| version string: CP2K version 2025.1\n",
    "FHI-aims output": "          Invoking FHI-aims ...\n",
    "ORCA output": "\n      * O   R   C   A *\n",
    "Gaussian output": " Entering Gaussian System, Link 0=g16\n",
    "Quantum ESPRESSO output": "     Program PWSCF v.7.2 starts on  1Jan2026\n",
    "VASP OUTCAR": " vasp.6.4.2 20Jul23\n",
    "LAMMPS dump": "ITEM: TIMESTEP\n0\n",
    "HDF5": "\x89HDF\r\n\x1a\n",
}


@pytest.mark.parametrize("name", HEADS)
def test_a_file_is_known_by_its_content(name):
    kind = kind_of_text(HEADS[name].encode("latin-1"))
    assert kind is not None
    assert kind.name == name
    assert kind_of_text(b"2\nLattice\n") is None


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("cp2k.out", HEADS["CP2K output"], ("CP2K output", "fmt='cp2k/output'")),
        ("run.log", HEADS["CP2K output"], ("CP2K output",)),
        ("vasprun.xml", HEADS["CP2K output"], ("CP2K output",)),
        ("dump.txt", HEADS["LAMMPS dump"], ("LAMMPS dump",)),
        ("data.h5", "x", ("HDF5",)),
        ("data.aselmdb", "x", ("ASE-LMDB", "AseDBDataset")),
        ("orca.engrad", "x", ("ORCA engrad", ".out")),
        ("aims.out", HEADS["FHI-aims output"], ("aims-output",)),
        (
            "notes.out",
            "nothing of the kind\n",
            ("has no known format, by its name and content.",),
        ),
    ],
)
def test_what_is_not_read_is_named(name, content, words, tmp_path):
    path = tmp_path / name
    path.write_text(content, encoding="latin-1")
    with pytest.raises(BadInputError) as caught:
        read_structures([path])
    text = str(caught.value)
    assert name in text
    assert "espresso" not in text.lower() or "Readable" in text
    for word in words:
        assert word in text


def test_a_deepmd_folder_is_named(tmp_path):
    (tmp_path / "type.raw").write_text("0\n1\n")
    with pytest.raises(BadInputError, match="DeePMD-kit data set") as caught:
        read_structures([tmp_path])
    assert f"dpdata.LabeledSystem('{tmp_path}', fmt='deepmd/npy')" in str(caught.value)


def test_the_content_decides_between_programs(tmp_path):
    path = tmp_path / "relax.out"
    path.write_text(HEADS["Quantum ESPRESSO output"])
    assert output_format(path) == "espresso-out"
    path.write_text(HEADS["ORCA output"])
    assert output_format(path) == "orca-output"


def outcar(*cycles, limit=4, reached="EDIFF is reached"):
    yield f"   NELM   =   {limit};   NELMIN=  2; NELMDL= -5     # of ELM steps\n"
    for step, n in enumerate(cycles, 1):
        for i in range(1, n + 1):
            yield f"--- Iteration {step:6d}({i:4d})  ---\n"
        if n < limit:
            yield f" aborting loop because {reached}\n"
        yield "  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)\n"


def test_loose_electrons_of_an_outcar():
    assert unconverged_steps(outcar(3, 4, 2, 4), "vasp-out") == {
        1: "NELM = 4 reached",
        3: "NELM = 4 reached",
    }
    assert unconverged_steps(outcar(3, 2), "vasp-out") == {}


def espresso(*steps):
    yield "     Program PWSCF v.7.2 starts on  1Jan2026\n"
    for i, step in enumerate(steps):
        if i:
            yield "ATOMIC_POSITIONS (angstrom)\n"
        yield (
            "!    total energy              =     -31.5 Ry\n"
            if step == "good"
            else "     convergence NOT achieved after 100 iterations: stopping\n"
        )
        yield "     Forces acting on atoms (cartesian axes, Ry/au):\n"


def test_loose_electrons_of_quantum_espresso():
    found = unconverged_steps(espresso("good", "bad", "good"), "espresso-out")
    assert found == {1: "convergence NOT achieved"}
    assert unconverged_steps(espresso("bad"), "espresso-out").keys() == {0}


def test_loose_electrons_of_a_vasprun():
    lines = ['  <i type="int" name="NELM">    3</i>\n']
    for n in (2, 3, 1, 3):
        lines += ["<calculation>\n", *["<scstep>\n"] * n, "</calculation>\n"]
    assert unconverged_steps(lines, "vasp-xml").keys() == {1, 3}
    assert unconverged_steps(lines, "traj") == {}


def test_digits_without_end_are_no_limit():
    lines = [f'<i name="NELM"> {"9" * 5000}</i>', "<calculation>", "</calculation>"]
    assert unconverged_steps(lines, "vasp-xml") == {}
    assert unconverged_steps([f"NELM = {'9' * 5000}"], "vasp-out") == {}


@pytest.mark.parametrize("name", ["run.pwo", "run.out"])
def test_an_output_without_a_step_says_as_what_it_was_read(name, tmp_path):
    path = tmp_path / name
    path.write_text("     Program PWSCF v.7.2 starts\n")
    with pytest.raises(BadInputError, match="was read as espresso-out and holds no"):
        read_structures([path])
