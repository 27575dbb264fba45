"""One of everything that users hand over, and commands that read it."""

import contextlib
import io
import json
import lzma
import os
import random
import resource
import select
import shutil
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import ase.io
import numpy as np
import yaml
from ase.build import bulk

from atomgraft.cli import main
from atomgraft.data.readers import read_structures
from atomgraft.lattice.forces import forces_of_supercells
from atomgraft.lattice.supercells import displaced_supercells, prepare
from atomgraft.models.pair import stillinger_weber
from tests.mutations import damaged
from tests.unit.data.test_readers import PWO, VASPRUN

SECONDS, GIGABYTES = 10.0, 3.0
"""What one command may take."""

BASE = "pair:sw-si"

BORN = "14.4\n11.7 0 0 0 11.7 0 0 0 11.7\n0.1 0 0 0 0.1 0 0 0 0.1\n"

OUTCAR = """ vasp.6.4.2 20Jul23
 POTCAR:    PAW_PBE Si 05Jan2001
 POTCAR:    PAW_PBE Si 05Jan2001
   ions per type =               2
   number of ions     NIONS =      2
   NELM   =     60;   NELMIN=  2; NELMDL= -5     # of ELM steps
--- Iteration      1(   1)  ---
 aborting loop because EDIFF is reached
  in kB       1.00000     1.00000     1.00000     0.10000     0.00000     0.00000
      direct lattice vectors                 reciprocal lattice vectors
     0.000000000  2.715000000  2.715000000    -0.184  0.184  0.184
     2.715000000  0.000000000  2.715000000     0.184 -0.184  0.184
     2.715000000  2.715000000  0.000000000     0.184  0.184 -0.184

 POSITION                                       TOTAL-FORCE (eV/Angst)
 -----------------------------------------------------------------------------------
      0.00000      0.00000      0.00000         0.100000      0.000000      0.000000
      1.40000      1.35750      1.35750        -0.100000      0.000000      0.000000
 -----------------------------------------------------------------------------------
  FREE ENERGIE OF THE ION-ELECTRON SYSTEM (eV)
  ---------------------------------------------------
  free  energy   TOTEN  =       -10.80000000 eV

  energy  without entropy=      -10.80000000  energy(sigma->0) =      -10.80000000
"""

KEPT = ["0.1.0", "atomgraft[mace]==0.1.0"]

HEAD = {"train": "train.extxyz"}

TREE = "--depth 1 --supercell 1 --out o"

QUICK = (
    ("train.extxyz", "check train.extxyz"),
    ("train.extxyz", f"check train.extxyz --base {BASE}"),
    ("train.extxyz", f"adapt --base {BASE} --train train.extxyz --steps 0 --out o"),
    ("train.extxyz", "prove run --test train.extxyz"),
    ("train.db", "check train.db"),
    ("train.json", "check train.json"),
    ("train.traj", "check train.traj"),
    ("train.extxyz.xz", "check train.extxyz.xz"),
    ("vasprun.xml", "check vasprun.xml"),
    ("scf.pwo", "check scf.pwo"),
    ("phonopy.yaml", "check phonopy.yaml"),
    ("disp.yaml", "check disp.yaml"),
    ("FORCE_SETS", "check disp.yaml"),
    ("crystals/POSCAR", f"campaign phonons crystals --model {BASE} --dry-run"),
    ("crystals/si.cif", f"campaign phonons crystals --model {BASE} --dry-run"),
    ("run.yaml", "adapt run.yaml --steps 2 --out o"),
    ("run.yaml", f"compare run.yaml --base {BASE} --dry-run --out o"),
    ("compare.yaml", "compare compare.yaml --dry-run --out o"),
    ("fidelity.yaml", "fidelity fidelity.yaml --dry-run --out o"),
    ("train.extxyz", "fidelity fidelity.yaml --dry-run --out o"),
    ("campaign.yaml", "campaign phonons campaign.yaml --dry-run"),
    ("run/spec.yaml", "adapt run"),
    ("run/result.json", "report run"),
    ("run/result.json", "merge run --out m.safetensors"),
    ("run/result.json", "adapt run"),
    ("run/graft.safetensors", "merge run --out m.safetensors"),
    ("run/graft.safetensors", "prove run --test train.extxyz"),
    ("half/checkpoint.pt", "adapt half"),
    ("half/metrics.jsonl", "adapt half"),
    (
        "model.safetensors",
        "adapt --base model.safetensors --train train.extxyz --out o",
    ),
    ("model.safetensors", "check train.extxyz --base model.safetensors"),
    ("model.pth", "check train.extxyz --base model.pth"),
    ("OUTCAR", "check OUTCAR"),
    ("FORCE_SETS", "check FORCE_SETS"),
    ("headed/graft.safetensors", "merge headed --head cheap --out m.safetensors"),
    ("chosen/label/001/gpaw/label.extxyz", "select chosen --collect all.extxyz"),
    ("contract.json", "adapt run.yaml --plan contract.json --out o"),
    ("kept/mace/kept.json", "env list"),
    ("stored/compare.json", "report stored/compare.json"),
    ("stored/fidelity.json", "report stored/fidelity.json"),
    ("stored/budget.json", "report stored/budget.json"),
    ("stored/fidelity.json", "budget stored --cpu-hours 1 --out o"),
    ("stored/campaign.json", "report stored/campaign.json"),
    ("stored/phonons.json", "report stored/phonons.json"),
    ("stored/stabilise.json", "report stored/stabilise.json"),
    ("stored/select.json", "report stored/select.json"),
    ("stored/diffusivity.json", "report stored/diffusivity.json"),
    ("stored/distil.json", "report stored/distil.json"),
    ("stored/screen.json", "report stored/screen.json"),
)
"""A file to damage and a command that reads it; a few hundredths of a second each."""

SLOW = (
    ("phonopy.yaml", f"phonons phonopy.yaml --model {BASE} --mesh 2 --out o"),
    ("phonopy.yaml.xz", f"phonons phonopy.yaml.xz --model {BASE} --mesh 2 --out o"),
    ("BORN", f"phonons phonopy.yaml --born BORN --model {BASE} --mesh 2 --out o"),
    ("FORCE_SETS", f"phonons disp.yaml --model {BASE} --mesh 2 --out o"),
    (
        "crystals/POSCAR",
        f"phonons crystals/POSCAR --model {BASE} --mesh 2 --supercell 1 --out o",
    ),
    (
        "crystals/si.cif",
        f"select crystals/si.cif --model {BASE} --count 2 --proposals 1"
        " --supercell 1 --inputs none --out o",
    ),
    ("train.extxyz", f"plan --base {BASE} --train train.extxyz --steps 2"),
    ("OUTCAR", f"adapt --base {BASE} --train OUTCAR --steps 0 --out o"),
    ("headed/result.json", "merge headed --head cheap --out m.safetensors"),
    ("chosen/select.json", "select chosen --collect all.extxyz"),
    ("chosen/select.extxyz", "select chosen --collect all.extxyz"),
    ("crystals/POSCAR", f"stabilise crystals/POSCAR --model {BASE} {TREE}"),
    ("crystals/si.cif", f"stabilise crystals/si.cif --model {BASE} {TREE}"),
    (
        "model.safetensors",
        f"stabilise crystals/POSCAR --model model.safetensors {TREE}",
    ),
)
"""As `QUICK`, half a second each."""


class Outcome(NamedTuple):
    """What a command did with a damaged file."""

    case: int
    file: str
    command: str
    code: object
    seconds: float
    told: str

    @property
    def fault(self) -> str | None:
        """What was wrong with it; none if it was as it should be."""
        if self.code not in {0, 2}:
            return f"exit {self.code}"
        if self.seconds > SECONDS:
            return f"{self.seconds:.0f} s"
        ends = self.told.strip().splitlines()[-1:]
        if "Traceback" in self.told or (
            self.code == 2
            and not self.command.startswith("check")  # whose findings are a list
            and not ends[0].startswith("Error: ")
        ):
            return "no paragraph"
        return None


def command_line(command: str) -> tuple[object, str]:
    """Run a command in this process; return its exit code and what it told."""
    told = io.StringIO()
    sys.argv = ["atomgraft", *command.split()]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(told):
        try:
            main.main()
        except SystemExit as end:
            return end.code or 0, told.getvalue()
    return None, told.getvalue()


def make_kit(place: Path) -> None:
    """Write one of everything, whole, into an empty folder."""
    frames = [one.copy() for one in read_structures(["shipped:si-train@:3"])]
    for atoms in frames:
        kept = {key: one for key, one in atoms.info.items() if key.startswith("REF_")}
        atoms.info = kept
    for name in ("train.extxyz", "train.traj", "train.json", "train.db"):
        ase.io.write(place / name, frames)
    _write_vibrations(place)
    (place / "vasprun.xml").write_text(VASPRUN)
    (place / "scf.pwo").write_text(PWO)
    (place / "OUTCAR").write_text(OUTCAR)
    (place / "stored").mkdir()
    for path in (Path(__file__).parent / "regression" / "stored").glob("*-1.json"):
        shutil.copy(path, place / "stored" / path.name.replace("-1", ""))
    with contextlib.chdir(place):
        _write_settings()
        for command in (
            "adapt run.yaml --out run",
            "adapt run.yaml --out half",
            "adapt headed.yaml --out headed",
            f"select crystals/POSCAR --model {BASE} --count 1 --proposals 1"
            " --kinds rattle --inputs gpaw --out chosen",
            "merge run --out model.safetensors",
            "plan run.yaml --write contract.json",
        ):
            code, told = command_line(command)
            assert code == 0, told
        Path("half/result.json").unlink()
        labelled = ase.io.read("chosen/label/001/gpaw/structure.extxyz")
        labelled.info["REF_energy"] = -1.0
        labelled.arrays["REF_forces"] = 0.01 * labelled.positions
        ase.io.write("chosen/label/001/gpaw/label.extxyz", labelled)
        shutil.copy("run/checkpoint.pt", "model.pth")
        Path("kept/mace").mkdir(parents=True)
        Path("kept/mace/kept.json").write_text(json.dumps(KEPT))
        for name in ("train.extxyz", "phonopy.yaml"):
            Path(f"{name}.xz").write_bytes(lzma.compress(Path(name).read_bytes()))


def _write_vibrations(place: Path) -> None:
    unit = bulk("Si", a=5.431)
    (place / "crystals").mkdir()
    ase.io.write(place / "crystals" / "POSCAR", unit, format="vasp")
    ase.io.write(place / "crystals" / "si.cif", unit)
    phonon = prepare(unit, supercell=np.diag([2, 2, 1]))
    model = stillinger_weber(["Si"])
    phonon.forces = forces_of_supercells(model, displaced_supercells(phonon))
    settings = {"force_sets": True, "force_constants": False}
    phonon.save(str(place / "phonopy.yaml"), settings=settings)
    phonon.save(str(place / "disp.yaml"), settings=dict.fromkeys(settings, False))
    from phonopy.file_IO import write_FORCE_SETS

    with contextlib.chdir(place):
        write_FORCE_SETS(phonon.dataset)
    (place / "BORN").write_text(BORN)


def _write_settings() -> None:
    run = {"base": BASE, "train": "train.extxyz", "recipe": "full"}
    compared = {**run, "test": "train.extxyz", "recipes": ["full"], "sizes": [2]}
    del compared["recipe"]
    levels = {
        "base": BASE,
        "train": "train.extxyz@:2",
        "test": "train.extxyz@2:",
        "sources": {"cheap": "train.extxyz"},
        "source_sizes": [1],
        "sizes": [1],
    }
    for name, document in (
        ("run", {**run, "training": {"steps": 2}}),
        ("headed", {**run, "training": {"steps": 2}, "heads": {"cheap": HEAD}}),
        ("compare", compared),
        ("fidelity", levels),
        ("campaign", {"base": BASE, "materials": "crystals"}),
    ):
        Path(f"{name}.yaml").write_text(yaml.safe_dump(document))


def attack(
    kit: Path, place: Path, cases: Sequence[tuple[str, str]], numbers: range
) -> Iterator[Outcome]:
    """Damage files and run commands, in processes that may crash.

    Parameters
    ----------
    kit
        From `make_kit`.
    place
        For copies.
    cases
        Files and commands, taken in turn.
    numbers
        Of the inputs; each is the seed of its damage.
    """
    waiting = list(numbers)
    while waiting:
        n_waiting = len(waiting)
        for outcome in _in_own_process(kit, place, cases, waiting):
            del waiting[0]
            yield outcome
        assert len(waiting) < n_waiting, "the process never began"


def _in_own_process(
    kit: Path, place: Path, cases: Sequence[tuple[str, str]], numbers: Sequence[int]
) -> Iterator[Outcome]:
    """Do inputs in a new process, up to the first that ends it.

    A fork of this one would hang: phonopy's threads do not live in a fork.
    """
    numbers = list(numbers)  # the caller shortens its own
    asked = json.dumps([str(kit), str(place), list(cases), numbers])
    reading, writing = os.pipe()
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.attacked", str(writing)],
        stdin=subprocess.PIPE,
        pass_fds=[writing],
        cwd=Path(__file__).parents[1],
        text=True,
    )
    os.close(writing)
    assert child.stdin is not None
    with child.stdin:
        child.stdin.write(asked)
    n_done, hangs = 0, False
    with os.fdopen(reading, "rb", buffering=0) as stream:
        while n_done < len(numbers):
            hangs = not select.select([stream], [], [], 6 * SECONDS)[0]
            line = b"" if hangs else stream.readline()
            if not line.endswith(b"\n"):
                break
            n_done += 1
            yield Outcome(*json.loads(line))
    if hangs:
        child.kill()
    if status := child.wait():
        case = numbers[n_done]
        yield Outcome(case, *cases[case % len(cases)], f"status {status}", 0.0, "")


def _work(
    kit: Path,
    place: Path,
    cases: Sequence[tuple[str, str]],
    numbers: Sequence[int],
    answers: Any,
) -> None:
    """Do one input after the other, and tell what came of each."""
    warnings.simplefilter("ignore")
    os.environ["ATOMGRAFT_ENVIRONMENTS"] = "kept"
    for case in numbers:
        file, command = cases[case % len(cases)]
        folder = place / str(case)
        shutil.copytree(kit, folder)
        path = folder / file
        path.write_bytes(damaged(path.read_bytes(), random.Random(case)))
        with contextlib.chdir(folder):
            begun = time.process_time()
            code, told = _limited(command)
            seconds = time.process_time() - begun
        if resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > GIGABYTES * 1024**2:
            code = "memory"
        outcome = Outcome(case, file, command, code, seconds, told[-2000:])
        answers.write(json.dumps(outcome) + "\n")
        answers.flush()
        if outcome.fault is None:
            shutil.rmtree(folder)
        if code == "memory":
            os._exit(0)


def _limited(command: str) -> tuple[object, str]:
    def stop(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, 4 * SECONDS)  # of a busy machine
    try:
        return command_line(command)
    except BaseException:  # noqa: BLE001 - what main() lets through
        return "traceback", traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    kit, place, cases, numbers = json.load(sys.stdin)
    with os.fdopen(int(sys.argv[1]), "w") as answers:
        _work(Path(kit), Path(place), cases, numbers, answers)
