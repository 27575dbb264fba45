"""Training on all-electron energies is training on interactions: nothing is rounded."""

import numpy as np
import pytest
import torch
from ase.build import molecule

from atomgraft.data.labels import ENERGY, energy_of, set_labels
from atomgraft.models.prediction import predict_structures
from atomgraft.run.references import refit_references
from atomgraft.training.objective import make_targets
from tests.trials import (
    NEEDS_SEVENN,
    Listener,
    adapted_by,
    in_precision,
    labelled_for,
    loaded,
    tensors_of,
    train,
)

GOLD = -534999.2231234567
"""eV: an all-electron energy of one atom."""

SAME = 1e-3
"""Relative difference of what training changed: rounding of single labels, grown over
the steps."""

MEV = 1e-3

EXACT = 1e-6
"""eV: sums of nine references of thousands of eV in float64."""

ETHANOL = -3900.0
"""eV: PBE with all electrons minus GFN2-xTB."""

NAMES = ["pair:sw-si", pytest.param("sevennet:tiny:Si", marks=NEEDS_SEVENN)]


def frames_of(name, shift=0.0):
    frames = labelled_for(in_precision(name, torch.float64), 6)
    for atoms in frames:
        atoms.info[ENERGY] += shift * len(atoms)
    return frames


def started(name, frames):
    base = in_precision(name, torch.float32)
    shifts, record = refit_references(base, frames, wanted=True)
    return adapted_by("full", base, shifts=shifts), record


def residuals(potential, frames):
    found = predict_structures(potential, frames)
    return np.array(
        [
            (one.energy - energy_of(atoms)) / len(atoms)
            for one, atoms in zip(found, frames, strict=True)
        ]
    )


@pytest.mark.parametrize("name", NAMES)
def test_step_0_is_as_close_to_the_labels_as_the_fit(name):
    frames = frames_of(name, GOLD)
    adapted, record = started(name, frames)
    errors = residuals(adapted.potential, frames)
    rms = float((errors**2).mean() ** 0.5)
    assert rms / MEV == pytest.approx(record.residual_after, rel=1e-3, abs=1e-3)
    assert "float32 would round energies to 62 meV/atom" in record.note


@pytest.mark.parametrize("name", NAMES)
def test_a_run_on_totals_is_a_run_on_interactions(name, tmp_path):
    ends, changes, records = [], [], []
    for shift in (0.0, GOLD):
        frames = frames_of(name, shift)
        adapted, _ = started(name, frames)
        before = tensors_of(adapted)
        listener, folder = Listener(), tmp_path / str(shift)
        folder.mkdir()
        train(
            adapted,
            frames,
            folder,
            validation=frames[:2],
            observer=listener,
            validate_every=1,
            objective={"energy": 1.0, "forces": 1.0, "stress": 0.0},
        )
        ends.append(tensors_of(adapted))
        changes.append(
            max(float((one - before[k]).abs().max()) for k, one in ends[-1].items())
        )
        records.append(listener.records[-1])
    apart = max(float((ends[0][k] - one).abs().max()) for k, one in ends[1].items())
    assert changes[0] > 0
    assert apart < SAME * changes[0]
    assert records[0]["loss"] == pytest.approx(records[1]["loss"], rel=SAME)
    told = [one["validation"]["energy"] for one in records]
    assert told[0] == pytest.approx(told[1], rel=SAME)


def test_labels_lose_their_references_before_they_are_rounded():
    frames = frames_of("pair:sw-si", GOLD)
    model = loaded("pair:sw-si").clone()
    model.add_references({14: GOLD})
    table = model.reference_table().numpy()
    targets = make_targets(frames, dtype=torch.float32, references=table)
    bare = make_targets(frames_of("pair:sw-si"), dtype=torch.float32)
    assert targets.energy.dtype == torch.float32
    assert torch.allclose(targets.energy, bare.energy, atol=1e-6)
    lost = make_targets(frames, dtype=torch.float32).energy.double() - GOLD
    assert float((lost - bare.energy).abs().max()) > 1e-3  # what float32 does to totals


@NEEDS_SEVENN
@pytest.mark.parametrize("wanted", ["residual", "labels"])
def test_thousands_of_ev_between_two_methods_cost_single_precision_nothing(wanted):
    """Errors are those of the float32 module; with references in it they are not."""
    base = in_precision("sevennet:tiny:H,C,O", torch.float32)
    rng = np.random.default_rng(0)
    frames = []
    for energy in ETHANOL + 0.19 * rng.normal(size=12):
        frame = molecule("CH3CH2OH")
        frame.positions += 0.05 * rng.normal(size=frame.positions.shape)
        set_labels(frame, energy=energy)
        frames.append(frame)
    shifts, record = refit_references(base, frames, wanted=wanted)
    model = base.clone()
    model.add_references(shifts)
    module = np.array(
        [
            float(one.energy) - float(base.reference_table()[frame.numbers].sum())
            for one, frame in zip(predict_structures(base, frames), frames, strict=True)
        ]
    )
    references = [
        sum(record.energies[symbol] for symbol in frame.symbols) for frame in frames
    ]
    labels = np.array(list(map(energy_of, frames)))
    expected = (module + references - labels) / 9
    assert residuals(model, frames) == pytest.approx(expected, abs=EXACT / 9)
    assert 1e3 * float((expected**2).mean() ** 0.5) == pytest.approx(
        record.residual_after, rel=1e-3
    )
    # the negative control: references that are added in single precision
    total = module.astype(np.float32) + np.array(references, dtype=np.float32)
    lost = np.abs(total.astype(np.float64) - module - references)
    assert lost.max() > 100 * EXACT
