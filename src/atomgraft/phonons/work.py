"""A phonon calculation from crystal and models to the record."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
import yaml

from atomgraft.adaptation.graft import GRAFT
from atomgraft.core.errors import BadInputError
from atomgraft.core.outputs import examine, held
from atomgraft.core.progress import Progress
from atomgraft.core.provenance import file_fingerprint, fingerprint, now
from atomgraft.core.specs import changes, listed
from atomgraft.core.storage import is_file, write_atomically
from atomgraft.core.trust import NO_TRUST, Trust
from atomgraft.core.yaml_files import read_settings
from atomgraft.data.labels import structures_fingerprint
from atomgraft.data.readers import read_structures
from atomgraft.lattice.constants_files import constants_hdf5, params_text
from atomgraft.lattice.third_order import require_phono3py
from atomgraft.models.base import AbstractPotential
from atomgraft.models.memory import keep_freed_buffers
from atomgraft.phonons.crystals import Crystal, read_crystal
from atomgraft.phonons.heat import Heated, with_heat
from atomgraft.phonons.judge import (
    ROOM_TEMPERATURE,
    Judged,
    Question,
    judge_crystal,
    known_factor,
)
from atomgraft.phonons.labels import Labelled, label_notices, read_labelled
from atomgraft.phonons.record import ALONE, PHONONS, REFERENCE, PhononResult
from atomgraft.phonons.setup import (
    BASE,
    load_contestants,
    phonon_notices,
    phonon_settings,
    prepared,
    relaxation_record,
)
from atomgraft.phonons.spec import PhononSpec
from atomgraft.run.folders import inputs_of
from atomgraft.study.sessions import Clock, provenance
from atomgraft.training.devices import DeviceName, resolve_device

if TYPE_CHECKING:
    from atomgraft.lattice.supercells import Phonopy

SPEC = "phonons.yaml"
"""What was asked, in the folder of a result."""

SAVED = "phonopy-{}.yaml"
"""A contestant's displacements and forces, for phonopy."""


SAVED_PARAMS, SAVED_CONSTANTS = "phonopy_params-{}.yaml", "force_constants-{}.hdf5"
"""Force constants of a model and labels combined, for phonopy."""


def compute_phonons(
    spec: PhononSpec,
    folder: Path,
    *,
    device: DeviceName = "auto",
    trust: Trust = NO_TRUST,
    bases: Mapping[str, str] = MappingProxyType({}),
    fresh: bool = False,
    progress: Progress | None = None,
) -> PhononResult:
    """Compute the vibrations of a crystal and write them, or return what is there.

    Parameters
    ----------
    spec
        What is asked.
    folder
        Where the result goes; made if it is not there.
    device
        Where models run.
    trust
        Which checkpoints may run code.
    bases
        Where the bases of run folders are, by folder, if they were moved.
    fresh
        Throw away what an earlier call left.
    progress
        Called with what is done, steps done and steps in all.

    Raises
    ------
    BadInputError
        Something cannot be used as it is; nothing has been written.
    AtomgraftError
        The crystal fell apart, or a model predicts no finite forces.
    """
    clock = Clock(started=now(), counter=time.perf_counter())
    read = inputs_of(spec)
    examine(folder, "phonons", inputs=read, fresh=fresh)
    keep_freed_buffers()
    crystal = read_crystal(
        spec.crystal, outputs=spec.outputs, born=spec.born, symprec=spec.symprec
    )
    inputs = _inputs(spec, crystal)
    if not fresh and (done := _finished(spec, inputs, folder)) is not None:
        return done
    if spec.conductivity:
        require_phono3py()
    place = resolve_device(device)
    models = load_contestants(spec, place, trust=trust, bases=bases)
    titles = dict(zip(models, spec.models, strict=True))
    result, judged = phonons_of(spec, crystal, models, titles=titles, progress=progress)
    session = provenance("phonons", clock, place, spec.dtype, spec.kernels)
    result = result.model_copy(update={"provenance": (session,)})
    head = {"identity": spec.identity(), "inputs": inputs}
    with held(folder, "phonons", inputs=read, fresh=fresh) as place:
        place.remove(PHONONS.file)  # whoever stops this half-way leaves no result
        _write(folder, head, spec, result, judged)
    return result


def _inputs(spec: PhononSpec, crystal: Crystal) -> str:
    """Return a hash of what the names in a spec stand for."""
    atoms, known = crystal.atoms, crystal.reference
    arrays = [atoms.numbers, atoms.positions, atoms.cell.array]
    if np.any(moments := atoms.get_initial_magnetic_moments()):
        arrays.append(moments)
    parts = [np.ascontiguousarray(one, dtype=np.float64).tobytes() for one in arrays]
    if known is not None:
        parts.append(known.sets.content.encode())
    if spec.labels:
        parts.append(structures_fingerprint(read_structures(spec.labels)).encode())
    named = (*spec.models, spec.born)
    files = [Path(one) for one in named if one is not None]
    files += [one / GRAFT for one in files]
    parts += [file_fingerprint(one).encode() for one in files if is_file(one)]
    return fingerprint(parts)


def _finished(spec: PhononSpec, inputs: str, folder: Path) -> PhononResult | None:
    """Return the result of the same spec and inputs, or refuse to overwrite another."""
    stored = folder / SPEC
    if not is_file(stored) or not is_file(folder / PHONONS.file):
        return None
    known = read_settings(stored)
    known = known if isinstance(known, dict) else {}
    is_other = known.get("identity") != spec.identity()
    if is_other or known.get("inputs", inputs) != inputs:
        what = "phonons of other files"
        if is_other:
            asked = spec.model_dump(mode="json", exclude={"max_atoms"})
            before_labels = {"labels": [], "cutoff": None}
            earlier = {k: v for k, v in (before_labels | known).items() if k in asked}
            what = f"another phonon calculation: {listed(changes(earlier, asked))}"
        raise BadInputError(
            f"{folder} holds {what}.",
            "A folder holds one calculation, with the same settings and files.",
            "Choose another folder with --out, or use --fresh to delete the old "
            "result.",
        )
    return PHONONS.read(folder)


def phonons_of(
    spec: PhononSpec,
    crystal: Crystal,
    models: Mapping[str, AbstractPotential],
    *,
    titles: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> tuple[PhononResult, Judged]:
    """Compute the vibrations of a crystal under models that are loaded already.

    Parameters
    ----------
    spec
        What is asked.
    crystal
        What was read.
    models
        By contestant, ``base`` among them; in the precision of the spec.
    titles
        What people call the contestants.
    progress
        Called with what is done, steps done and steps in all.

    Raises
    ------
    BadInputError
        A model does not know an element, or relaxing changes the space group.
    """
    found = prepared(spec, crystal, models, progress)
    reference = found.crystal.reference
    labelled = None
    if spec.labels:
        labelled = read_labelled(spec.labels, found.phonons[BASE], cutoff=spec.cutoff)
    judged = judge_crystal(
        models,
        found.phonons,
        _question(spec, models[BASE]),
        reference=None if reference is None else reference.harmonic,
        labelled=labelled,
        titles={REFERENCE: "DFT", **(titles or {})},
        progress=progress,
    )
    records = {
        name: relaxation_record(name, one) for name, one in found.relaxations.items()
    }
    spectra = tuple(
        one.model_copy(update={"relaxation": records.get(one.contestant)})
        for one in judged.spectra
    )
    harmonic = PhononResult(
        name=found.crystal.name,
        formula=found.crystal.atoms.get_chemical_formula(empirical=True),
        settings=phonon_settings(spec, found, judged),
        spectra=spectra,
        errors=judged.errors,
        notices=(
            *phonon_notices(found, judged, spectra),
            *_of_labels(labelled, judged),
        ),
    )
    heated = Heated(
        spec=spec, found=found, judged=judged, models=models, progress=progress
    )
    return with_heat(harmonic, heated), judged


def _of_labels(labelled: Labelled | None, judged: Judged) -> tuple[str, ...]:
    if labelled is None:
        return ()
    return tuple(label_notices(labelled, judged.combinations[ALONE].n_free))


def _question(spec: PhononSpec, base: AbstractPotential) -> Question:
    top = int(spec.temperature_max)
    temperatures = {*range(0, top + 1, max(10, top // 50))}
    temperatures |= {ROOM_TEMPERATURE} if top >= ROOM_TEMPERATURE else set()
    return Question(
        mesh=spec.mesh,
        temperatures=tuple(sorted(float(T) for T in temperatures)),
        threshold=spec.threshold,
        global_factor=spec.global_factor or known_factor(base),
        max_atoms=spec.max_atoms,
    )


def _write(
    folder: Path,
    head: Mapping[str, str],
    spec: PhononSpec,
    result: PhononResult,
    judged: Judged,
) -> None:
    """Write each contestant as files of phonopy, spec, and result."""
    for name, harmonic in judged.harmonics.items():
        if name in judged.combinations:
            phonon = harmonic.phonon
            write_atomically(folder / SAVED_PARAMS.format(name), params_text(phonon))
            content = constants_hdf5(phonon)
            write_atomically(folder / SAVED_CONSTANTS.format(name), content)
        else:
            _save(folder / SAVED.format(name), harmonic.phonon)
    document = {**head, **spec.model_dump(mode="json")}
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True)
    write_atomically(folder / SPEC, text)
    PHONONS.write(folder, result)


def _save(path: Path, phonon: "Phonopy") -> None:
    """Write displacements and forces so that phonopy itself can go on from them."""
    document = phonon.to_phonopy_yaml(settings={"force_sets": True})
    write_atomically(path, str(document))
