"""What is measured of one germanium model, and of the DFT labels, part by part.

A part is computed in one go and returns plain numbers, so that it can be kept as a row
of ``properties.py``: ``frames`` (predictions for labelled frames), ``crystal`` (at
rest), ``vacancy``, ``motion`` (300 K) and ``melt`` (1817 K).
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.build import bulk
from strains import GROUP as ELASTIC
from strains import constants, of_labels, strained_frames
from temperatures import CRYSTAL, VACANCY, temperatures_of

COLD, HOT = 300, 1817
"""K, of the crystal and of the melt."""

CELLS = 2
"""Conventional cells along each axis of all supercells of 64 atoms."""

MESH = (10, 10, 10)
SUPERCELL = 4
"""Primitive cells along each vector, of force constants at rest."""

VACANCY_LENGTH = 10.0

TIMESTEP = 4.0
SETTLE, TIME, WINDOW = 0.4, 1.0, 1.0
MELT, MELT_TIME = 3000.0, 1.0
"""fs; ps; K and ps of melting."""

MELT_SHELL = 3.3
"""Å; where the first shell of the melt ends, in the DFT frames."""

N_BLOCKS = 5
"""Of the DFT frames of a run, each as if it were a run."""


@dataclasses.dataclass(frozen=True)
class Labels:
    """Labelled frames of germanium by what they are used for.

    Parameters
    ----------
    elastic
        Strained crystals.
    cold, hot
        Crystals at 300 K, and the melt at 1817 K.
    vacancies
        At 300 K.
    """

    elastic: list[Atoms]
    cold: list[Atoms]
    hot: list[Atoms]
    vacancies: list[Atoms]

    @property
    def lattice_constant(self) -> float:
        """Of the cells of all molecular dynamics, Å."""
        return float(self.cold[0].cell.lengths()[0]) / CELLS


def read_labels(files: Sequence[str]) -> Labels:
    """Return the frames of all files."""
    from atomgraft.data.readers import read_structures

    found: dict[tuple[str, int | None], list[Atoms]] = {}
    for name in files:
        frames = read_structures([name])
        for atoms, T in zip(frames, temperatures_of(frames), strict=True):
            found.setdefault((atoms.info["config_type"], T), []).append(atoms)
    return Labels(
        found[ELASTIC, None],
        found[CRYSTAL, COLD],
        found[CRYSTAL, HOT],
        found[VACANCY, COLD],
    )


def vacancy_of_energies(
    labels: Labels, crystals: Sequence[float], vacancies: Sequence[float]
) -> tuple[float, float]:
    """Return mean formation energy at 300 K and its standard error, eV.

    Of frames with and without a vacancy in one cell: E(N-1) - (N-1)/N E(N).
    """
    share = len(labels.vacancies[0]) / len(labels.cold[0])
    means = np.mean(vacancies) - share * np.mean(crystals)
    variances = [np.var(vacancies, ddof=1) / len(vacancies)]
    variances.append(share**2 * np.var(crystals, ddof=1) / len(crystals))
    return float(means), float(np.sqrt(sum(variances)))


def hot_frequencies(
    labels: Labels, forces: Sequence[np.ndarray], kept: slice = slice(None)
) -> dict:
    """Return frequencies of the effective force constants at 300 K, THz.

    These are the harmonic force constants that fit best to the forces of the frames.
    """
    from atomgraft.data.phonopy_files import to_ase
    from atomgraft.lattice.harmonic import with_forces
    from atomgraft.lattice.spectra import mesh_frequencies
    from atomgraft.lattice.supercells import prepare

    unit = bulk("Ge", a=labels.lattice_constant, cubic=True)
    phonon = prepare(unit, supercell=CELLS * np.eye(3, dtype=int))
    sites = to_ase(phonon.supercell)
    displacements, ordered = [], []
    for atoms, force in zip(labels.cold[kept], forces[kept], strict=True):
        moved, own = displaced(sites, atoms, force)
        displacements.append(moved)
        ordered.append(own)
    phonon.dataset = {"displacements": np.array(displacements)}
    found = mesh_frequencies(with_forces(phonon, np.array(ordered)), MESH)
    return on_mesh(found.frequencies, found.weights)


def displaced(
    sites: Atoms, atoms: Atoms, forces: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return displacements from the nearest sites and forces, in the order of sites.

    The crystal as a whole may have moved, and its sites may be others: the shift of
    the best fit is searched from each site to the first atom.
    """
    edge = sites.cell.lengths()[0]

    def apart(shift: np.ndarray) -> np.ndarray:
        vectors = atoms.positions[None] - shift - sites.positions[:, None]
        return vectors - edge * np.round(vectors / edge)

    found: list[tuple[np.ndarray, np.ndarray]] = []
    for site in sites.positions:  # of either sublattice
        vectors = apart(atoms.positions[0] - site)
        order = np.linalg.norm(vectors, axis=2).argmin(axis=1)
        own = vectors[np.arange(len(sites)), order]
        found.append((own - own.mean(axis=0), order))
    own, order = min(found, key=lambda one: float((one[0] ** 2).sum()))
    if len(set(order.tolist())) < len(sites):
        raise SystemExit("A frame at 300 K is no crystal with every site occupied.")
    return own, forces[order]


def on_mesh(frequencies: np.ndarray, weights: np.ndarray) -> dict:
    """Return frequencies on irreducible points, as they are kept."""
    return {
        "THz": np.sort(frequencies, axis=1).round(4).tolist(),
        "weights": weights.astype(int).tolist(),
    }


def on_all_points(kept: dict) -> np.ndarray:
    """Return kept frequencies on all points of the mesh, a row each."""
    return np.repeat(np.array(kept["THz"]), kept["weights"], axis=0)


def label_frames(labels: Labels) -> dict:
    """Return the part ``frames`` of the labels themselves, with uncertainties."""
    energies = [
        [one.info["REF_energy"] for one in group]
        for group in (labels.cold, labels.vacancies)
    ]
    forces = [one.arrays["REF_forces"] for one in labels.cold]
    vacancy, error = vacancy_of_energies(labels, *energies)
    found: dict = {name: list(one) for name, one in of_labels(labels.elastic).items()}
    found["edge"] = strained_frames(labels.elastic)[1]
    found["vacancy_300K"] = [vacancy, 2 * error]
    one, other = (
        on_all_points(hot_frequencies(labels, forces, slice(k, None, 2)))
        for k in (0, 1)
    )
    found["frequencies_300K"] = hot_frequencies(labels, forces)
    # halves differ by twice the error of all frames: each has 1.4 times that error
    found["frequency_noise"] = float(np.abs(one - other).mean() / 2)
    return found


def frames(model, labels: Labels) -> dict:  # noqa: ANN001
    """Return what a model says of the frames, as the labels' own properties."""
    from atomgraft.models.prediction import predict_structures

    kept, edge = strained_frames(labels.elastic)
    groups = [[one.atoms for one in kept], labels.cold, labels.vacancies]
    strained, cold, vacancies = (list(predict_structures(model, one)) for one in groups)
    elastic = constants(
        kept,
        [one.energy for one in strained],
        [one.forces for one in strained],
        edge**3,
    )
    energies = [[one.energy for one in group] for group in (cold, vacancies)]
    return {
        **{name: value for name, (value, _) in elastic.items()},
        "vacancy_300K": vacancy_of_energies(labels, *energies)[0],
        "frequencies_300K": hot_frequencies(labels, [one.forces for one in cold]),
    }


def relaxed_cell(model, labels: Labels) -> Atoms:  # noqa: ANN001
    """Return the primitive cell at rest."""
    from atomgraft.core.errors import AtomgraftError
    from atomgraft.lattice.relaxation import relax

    ended = relax(bulk("Ge", a=labels.lattice_constant), model)
    if not ended.is_converged:
        raise AtomgraftError("The crystal did not come to rest.", "", "")
    return ended.atoms


def crystal(model, labels: Labels) -> dict:  # noqa: ANN001
    """Return lattice constant, elastic constants and frequencies of the crystal."""
    from atomgraft.core.units import EV_PER_A3_IN_GPA
    from atomgraft.lattice.harmonic import harmonic_of
    from atomgraft.lattice.spectra import mesh_frequencies
    from atomgraft.lattice.static_properties import elasticity, equation_of_state
    from atomgraft.lattice.supercells import prepare
    from atomgraft.lattice.symmetry import EXACT_SYMPREC, conventional

    cell = relaxed_cell(model, labels)
    cube = conventional(cell, EXACT_SYMPREC)
    tensor = elasticity(model, cube).tensor * EV_PER_A3_IN_GPA
    phonon = prepare(cell, supercell=SUPERCELL * np.eye(3, dtype=int))
    found = mesh_frequencies(harmonic_of(model, phonon), MESH)
    return {
        "lattice_constant": float(cube.cell.lengths()[0]),
        "B0": equation_of_state(model, cell).modulus * EV_PER_A3_IN_GPA,
        "C11": float(tensor[0, 0]),
        "C12": float(tensor[0, 1]),
        "C44": float(tensor[3, 3]),
        "frequencies": on_mesh(found.frequencies, found.weights),
        "raman": float(found.frequencies.max()),
    }


def vacancy(model, labels: Labels) -> dict:  # noqa: ANN001
    """Return the relaxed formation energy of a vacancy, eV."""
    from atomgraft.lattice.symmetry import EXACT_SYMPREC, conventional
    from atomgraft.lattice.vacancies import vacancy_energies

    cube = conventional(relaxed_cell(model, labels), EXACT_SYMPREC)
    [energy] = vacancy_energies(model, cube, length=VACANCY_LENGTH, seed=0)
    return {"vacancy": energy}


def plan_of_motion(labels: Labels, n_replicas: int, *, is_melt: bool):  # noqa: ANN201
    """Return what every model does in the cell of the DFT runs."""
    from atomgraft.evaluation.motion.setup import plan_of
    from atomgraft.evaluation.motion.spec import MotionOptions

    melting: dict[str, Any] = {}
    if is_melt:
        melting = {"melt": MELT, "melt_time": MELT_TIME}
    options = MotionOptions(
        temperatures=(float(HOT if is_melt else COLD),),
        settle=SETTLE,
        time=TIME,
        window=WINDOW,
        timestep=TIMESTEP,
        atoms=64,
        **melting,
    )
    cube = bulk("Ge", a=labels.lattice_constant, cubic=True)
    plan = plan_of(options, cube, has_trajectory=is_melt)
    return dataclasses.replace(plan, n_replicas=n_replicas)


def label_motion(labels: Labels, *, is_melt: bool) -> dict:
    """Return the distributions of the DFT frames, in blocks."""
    from atomgraft.evaluation.motion.trials import Trial

    frames = labels.hot if is_melt else labels.cold
    size = len(frames) // N_BLOCKS
    trial = Trial(
        seeds=tuple(range(N_BLOCKS)),
        frames=tuple(tuple(frames[size * k : size * (k + 1)]) for k in range(N_BLOCKS)),
        interval=None,
        spectra=None,
        temperatures=np.zeros(0),
        intact=np.zeros(0),
    )
    return distributions(trial, labels, N_BLOCKS, is_melt=is_melt)


def motion(
    model,  # noqa: ANN001
    labels: Labels,
    n_replicas: int,
    seed: int,
    *,
    is_melt: bool,
) -> dict:
    """Run molecular dynamics, and return distributions of each run."""
    from atomgraft.evaluation.motion.trials import run_trial

    plan = plan_of_motion(labels, n_replicas, is_melt=is_melt)
    [trial] = run_trial(model, plan, seed=seed)
    found: dict = {"failures": list(trial.failures)}
    if trial.frames:
        found |= distributions(trial, labels, n_replicas, is_melt=is_melt)
    return found


def distributions(trial, labels: Labels, n_runs: int, *, is_melt: bool) -> dict:  # noqa: ANN001
    """Return g(r), angles and spectra of each run.

    Angles are those between neighbours of the first shell.
    """
    from atomgraft.evaluation.motion.measure import measured, radial_rows

    plan = plan_of_motion(labels, n_runs, is_melt=is_melt)
    radial = radial_rows(trial, plan)
    cutoff = MELT_SHELL if is_melt else plan.system.intact
    found = measured(trial, radial, cutoff, plan, is_melt=is_melt)
    return {
        quantity: np.round(rows, 5).tolist()
        for (quantity, part), rows in found.rows.items()
        if not part
    }
