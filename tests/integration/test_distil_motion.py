"""From trajectories of some materials to a student that sees structure alone."""

import csv
import sys

import numpy as np
import pytest
from ase.build import bulk
from ase.io import write

import atomgraft as ag
from atomgraft.cli import main
from atomgraft.core.errors import BadInputError
from atomgraft.label.engines.trajectory_files import write_trajectory
from atomgraft.label.labelling.record import (
    LABELS,
    EngineRecord,
    JobRecord,
    LabelResult,
    MaterialRecord,
)
from atomgraft.transport.distil.materials import collected
from atomgraft.transport.distil.spec import DistilSpec
from atomgraft.transport.distil.trajectories import read_run
from atomgraft.transport.distil.work import weights_of
from atomgraft.transport.features.motion import COLUMNS

pytest.importorskip("pymatgen", reason="needs the extra transport")
pytest.importorskip("sklearn", reason="needs the extra transport")

SALTS = [(ion, other) for ion in ("Li", "Na", "K") for other in ("F", "Cl", "Br", "I")]
TEMPERATURES = (600, 1000)
N_FRAMES = 80
STARTS = {"from scratch", "structure start", "shuffled motion", "taught by the label"}


def crystal(k):
    ion, other = SALTS[k]
    return bulk(f"{ion}{other}", "rocksalt", a=4.0 + 0.2 * k, cubic=True)


def run(path, atoms, k, temperature, *, melts=False) -> float:
    """Write a run in which ions walk, and return the width of their steps."""
    rng = np.random.default_rng(k)
    larger = atoms * (2, 1, 1)
    size = 0.02 * (1 + k) * temperature / 1000
    moves = size * rng.normal(size=(N_FRAMES, len(larger), 3))
    is_ion = larger.symbols == SALTS[k][0]
    if not melts:
        moves[:, ~is_ion] = 0.0
        moves += 0.01  # the framework drifts
    else:
        moves *= 20
    positions = larger.positions + np.cumsum(moves, axis=0)
    write_trajectory(
        path,
        larger,
        positions,
        energies=np.zeros(N_FRAMES),
        frame_every=100,
        timestep=2.0,
    )
    return size


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder of `label --md` with twelve salts at two temperatures, by hand."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "structures").mkdir()
    jobs, names = [], []
    for k in range(len(SALTS)):
        atoms = crystal(k)
        name = "".join(SALTS[k])
        write(folder / "structures" / f"{name}.extxyz", atoms, format="extxyz")
        names.append(name)
        for temperature in TEMPERATURES:
            size = run(
                folder / f"{name}-{temperature}.extxyz.gz", atoms, k, temperature
            )
            jobs.append(
                JobRecord(
                    name=f"{name}-{temperature}",
                    material=name,
                    status="done",
                    path=f"{name}-{temperature}.extxyz.gz",
                    temperature=temperature,
                    mobile=(SALTS[k][0],),
                    msd={SALTS[k][0]: 3 * size**2 * N_FRAMES, SALTS[k][1]: 0.0},
                )
            )
    jobs[-1] = jobs[-1].model_copy(update={"status": "molten", "reason": "It melts."})
    LABELS.write(
        folder,
        LabelResult(
            name="runs",
            task="trajectories",
            spec={"structures": [str(folder / "structures")]},
            engine=EngineRecord(name="hand", version="", settings={}, identity="0"),
            materials=tuple(
                MaterialRecord(name=one, file=one, formula=one, n_atoms=8)
                for one in names
            ),
            jobs=tuple(jobs),
            finished=True,
            provenance=(),
        ),
    )
    return folder


def spec(materials, **more) -> DistilSpec:
    given = {"materials": [str(materials)], "target": "msd", "mobile": "ion"}
    return DistilSpec.model_validate(given | {"decades": True} | more)


def test_a_folder_of_runs_is_read(runs):
    asked = spec(runs)
    found = collected(asked.materials, asked)
    assert len(found.known) == 2 * len(SALTS) - 1
    assert found.left_out == {"KI@1000K": "It melts"}
    first = found.known[0]
    assert first.material.temperature == 600
    assert first.material.motion is not None
    assert first.material.motion.shape == (4, len(COLUMNS["all"]))
    assert first.value == pytest.approx(np.log10(3 * (0.02 * 0.6) ** 2 * N_FRAMES))
    # a material at two temperatures counts once, and is never divided
    assert weights_of(found.known).tolist() == [0.5] * 22 + [1.0]
    assert first.keys == found.known[1].keys


def test_ions_of_labelled_runs_may_cross_cells_at_once(tmp_path):
    # engines write unwrapped positions: a long step is no wrapped one
    atoms = crystal(0)
    path = tmp_path / "run.extxyz.gz"
    larger = atoms * (2, 1, 1)
    positions = np.repeat(larger.positions[None], N_FRAMES, axis=0)
    is_ion = larger.symbols == "Li"
    positions[40:, is_ion] += [0.0, 0.6 * atoms.cell[1, 1], 0.0]
    write_trajectory(
        path,
        larger,
        positions,
        energies=np.zeros(N_FRAMES),
        frame_every=100,
        timestep=2.0,
    )
    found = read_run(path, "Li", 600.0, is_unwrapped=True)
    msd = float(found.measured("msd"))
    assert msd == pytest.approx((0.6 * atoms.cell[1, 1]) ** 2)
    # the shortest way is another one
    assert float(read_run(path, "Li", 600.0).measured("msd")) < 0.5 * msd


def test_properties_are_measured_in_runs(runs):
    asked = spec(runs, target="diffusivity")
    found = collected(asked.materials, asked)
    exact = {one.material.name: one.value for one in found.known if not one.is_limit}
    # <d²> = 6 D t: steps of 0.2 ps, 1 Å²/ps = 1e-4 cm²/s
    k = SALTS.index(("K", "Cl"))
    size = 0.02 * (1 + k)
    wanted = np.log10(3 * size**2 / (6 * 0.2) * 1e-4)
    assert exact["KCl@1000K"] == pytest.approx(wanted, abs=0.3)


@pytest.fixture(scope="module")
def finished(runs, tmp_path_factory):
    folder = tmp_path_factory.mktemp("out")
    found = ag.distil(
        runs,
        "msd",
        "ion",
        decades=True,
        unit="decades",
        features=["composition", "temperature", "sites"],
        methods=["taught", "kim2026"],
        folds=3,
        out=folder / "taught",
        progress=False,
    )
    return folder, found


@pytest.mark.slow
def test_all_starts_are_compared_and_the_question_is_answered(finished):
    _, found = finished
    names = {one.name for one in found.result.methods}
    assert names >= STARTS | {"taught", "kim2026", "constant", "ridge"}
    assert "transferred" not in names
    assert found.result.n_motion == 23
    assert found.result.motion.answer in {"yes", "no", "unresolved"}
    assert "Does the trajectory help beyond a shuffled one" in found.page.read_text()
    taught = next(one for one in found.result.methods if one.name == "taught")
    assert set(taught.settings) == {"lambda", "noise", "steps"}
    assert (finished[0] / "taught" / "teacher.safetensors").is_file()


@pytest.mark.slow
def test_the_same_call_resumes_to_the_same_numbers(runs, finished, tmp_path):
    folder, found = finished
    out = tmp_path / "again"
    out.mkdir()
    # the divisions that were finished before the stop
    for name in ("validation.json", ".atomgraft.json"):
        if (folder / "taught" / name).is_file():
            (out / name).write_bytes((folder / "taught" / name).read_bytes())
    again = ag.distil(
        runs,
        "msd",
        "ion",
        decades=True,
        unit="decades",
        features=["composition", "temperature", "sites"],
        methods=["taught", "kim2026"],
        folds=3,
        out=out,
        progress=False,
    )
    same = {"provenance"}
    assert again.result.model_dump(exclude=same) == found.result.model_dump(
        exclude=same
    )


def salts(path):
    frames = []
    for k in range(len(SALTS)):
        atoms = crystal(k)
        atoms.info = {"name": "".join(SALTS[k]), "ion": SALTS[k][0], "rate": 2.0 * k}
        atoms.info["kelvin"] = 800.0
        frames.append(atoms)
    write(path, frames, format="extxyz")
    return path


@pytest.mark.slow
def test_a_student_of_a_teacher_learns_from_structures_alone(finished, tmp_path):
    folder, _ = finished
    known = salts(tmp_path / "salts.extxyz")
    found = ag.distil(
        known,
        "rate",
        "ion",
        temperature="kelvin",
        teacher=str(folder / "taught"),
        features=["composition", "temperature", "sites"],
        methods=["transferred", "taught"],
        folds=3,
        out=tmp_path / "out",
        progress=False,
    )
    names = {one.name for one in found.result.methods}
    assert {"transferred", "from scratch"} <= names
    assert "taught" not in names
    assert any("taught left out" in one for one in found.result.notices)
    assert found.result.motion is None


@pytest.mark.slow
def test_networks_are_screened_at_a_temperature(runs, tmp_path, monkeypatch):
    from atomgraft.transport.distil import judge, work

    few = {one: work.METHODS[one] for one in ("constant", "taught", "from scratch")}
    for module in (judge, work):
        monkeypatch.setattr(module, "METHODS", few)
    ag.distil(
        runs,
        "msd",
        "ion",
        decades=True,
        features=["sites"],
        methods=["taught"],
        folds=3,
        out=tmp_path / "p",
        progress=False,
    )
    predictor = tmp_path / "p"
    card = (predictor / "predictor.json").read_text()
    if '"method": "constant"' in card:
        pytest.skip("no network was chosen")
    how = {"mobile": "Li", "progress": False}
    files = runs / "structures"
    with pytest.raises(BadInputError, match="several temperatures"):
        ag.screen(files, predictor, out=tmp_path / "none", **how)
    cold, hot = (
        ag.screen(files, predictor, out=tmp_path / str(one), temperature=one, **how)
        for one in (600.0, 1000.0)
    )
    assert len(hot.result.ranked) == 4
    assert hot.result.ranked[0].predicted > cold.result.ranked[0].predicted
    again = ag.screen(
        files,
        predictor,
        out=tmp_path / "c",
        temperature=1000.0,
        cache=str(tmp_path / "1000.0" / "features"),
        **how,
    )
    assert again.result.n_from_cache == 4
    assert [one.predicted for one in again.result.ranked] == pytest.approx(
        [one.predicted for one in hot.result.ranked]
    )


def table(folder, **change):
    """Write a table of four salts, the first changed; return its path."""
    rows = []
    for k in range(4):
        name = "".join(SALTS[k])
        atoms = crystal(k)
        write(folder / f"{name}.cif", atoms)
        run(folder / f"{name}.extxyz.gz", atoms, k, 800)
        rows.append({"name": name, "ion": "Li", "K": "800", "run": f"{name}.extxyz.gz"})
    rows[0] |= change
    with (folder / "t.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0]])
        writer.writeheader()
        writer.writerows(rows)
    return folder / "t.csv"


def asked(path, **more):
    given = {
        "structures": "{name}.cif",
        "trajectory": "{run}",
        "temperature": "K",
    }
    return spec(path, **(given | more))


def test_a_table_names_trajectories(tmp_path):
    path = table(tmp_path, run="")
    found = collected((str(path),), asked(path))
    # without a run there is no MSD to measure
    assert found.left_out == {"LiF": "msd is '', no number"}
    assert [one.material.motion is not None for one in found.known] == [True] * 3
    spectrum = collected((str(path),), asked(path, motion="spectrum"))
    motion = spectrum.known[0].material.motion
    assert motion is not None
    assert motion.shape[1] == len(COLUMNS["spectrum"])


def broken(folder, kind):
    """Write a trajectory that cannot be used, and return the change of the row."""
    atoms = crystal(0)
    path = folder / "bad.extxyz.gz"
    if kind == "other atoms":
        run(path, atoms[:-1], 0, 800)
    elif kind == "one frame":
        write(folder / "bad.extxyz", atoms, format="extxyz")
        return {"run": "bad.extxyz"}
    elif kind == "molten":
        run(path, atoms, 0, 800, melts=True)
    return {"run": "bad.extxyz.gz"}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "bad.extxyz.gz is not there"),
        ("other atoms", "has 14 atoms, and the structure"),
        ("one frame", "has 1 frame"),
        ("molten", "molten, or not stable"),
    ],
)
def test_a_trajectory_that_cannot_be_used_is_counted(tmp_path, kind, said):
    path = table(tmp_path, **broken(tmp_path, kind))
    found = collected((str(path),), asked(path))
    assert said in found.left_out["LiF"]
    assert len(found.known) == 3


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--trajectory", "{run}"], "without temperature"),
        (["--trajectory", "{run}", "--temperature", "kelvin"], "column of"),
        (["--trajectory", "{run", "--temperature", "K"], "is no path"),
        (["--motion", "waves"], "spectrum"),
        (["--teacher", "nowhere"], "holds no teacher.safetensors"),
    ],
)
def test_wrong_words_get_one_paragraph(tmp_path, more, said, monkeypatch, capsys):
    path = table(tmp_path)
    text = path.read_text().replace("name,", "rate,name,", 1)
    lines = text.splitlines()
    path.write_text("\n".join([lines[0], *(f"1.5,{one}" for one in lines[1:])]))
    words = ["distil", str(path), "--target", "rate", "--mobile", "ion"]
    words += ["--structures", "{name}.cif", "--out", str(tmp_path / "out"), *more]
    monkeypatch.setattr(sys, "argv", ["atomgraft", *words])
    with pytest.raises(SystemExit) as ended:
        main.main()
    told = capsys.readouterr().err
    assert ended.value.code == 2
    assert said in " ".join(told.split())
    assert "Traceback" not in told
    assert not (tmp_path / "out").exists()


def test_a_temperature_that_is_no_number_is_counted(tmp_path):
    path = table(tmp_path, K="hot")
    found = collected((str(path),), asked(path))
    assert found.left_out == {"LiF": "its temperature is 'hot'"}


def test_any_number_may_be_privileged(tmp_path):
    known = salts(tmp_path / "salts.extxyz")
    given = spec(known, target="rate", decades=False, privileged=["kelvin"])
    found = collected(given.materials, given)
    motion = found.known[0].material.motion
    assert motion is not None
    assert motion.tolist() == [[800.0]]


def test_labels_without_motion_are_refused(runs, tmp_path):
    labels = LABELS.read(runs).model_copy(update={"task": "labels"})
    LABELS.write(tmp_path, labels)
    with pytest.raises(BadInputError, match="no trajectories"):
        collected((str(tmp_path),), spec(tmp_path))
    moved = LABELS.read(runs).model_copy(update={"spec": {"structures": ["gone"]}})
    LABELS.write(tmp_path, moved)
    with pytest.raises(BadInputError, match="cannot be read"):
        collected((str(tmp_path),), spec(tmp_path))
