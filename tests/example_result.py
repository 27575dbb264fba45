"""A realistic result, and the poorer ones a page must also survive."""

import math
import re
from collections.abc import Iterable
from typing import Any

import numpy as np

from atomgraft.phonons.record import PhononResult
from atomgraft.records.documents import Provenance
from atomgraft.records.scores import Parity, Score, Verdict
from atomgraft.run.record import (
    BaseCard,
    CurvePoint,
    DataCard,
    ReferenceRefit,
    RoleCoverage,
    RunResult,
    TrainingRecord,
    parity_of,
)

HOSTILE = "<script>document.title='owned'</script>&\"'é.extxyz"
"""A file name that must reach the page as text."""

QUANTITIES = {
    "energy": ("meV/atom", {"base": 6.81, "adapted": 0.913, "scratch": 41.2}),
    "forces": ("meV/Å", {"base": 34.3, "adapted": 11.24, "scratch": 198.0}),
    "stress": ("GPa", {"base": 0.412, "adapted": 0.1038, "scratch": 2.9}),
}

MEASURED = tuple(
    re.findall(
        r"\w+",
        "H Li Be B C N O F Na Mg Al Si P S Cl K Ca Sc Ti V Cr Mn Fe Co Ni Cu Zn Ga Ge "
        "As Se Br Rb Sr Y Zr Nb Mo Ru Rh Pd Ag Cd In Sn Sb Te I Cs Ba La Ce Hf Ta W "
        "Re Os Ir Pt Au Tl Pb Bi",
    )
)


def interval(value: float, width: float = 0.12) -> tuple[float, float]:
    return value * (1 - width), value * (1 + 1.3 * width)


def label_scores() -> list[Score]:
    scores = []
    for quantity, (unit, values) in QUANTITIES.items():
        for model, value in values.items():
            metrics = [("mae", 1.0), ("rmse", 1.37)]
            if quantity == "energy":
                metrics += [("mae_aligned", 0.4), ("rmse_aligned", 0.5)]
            for metric, factor in metrics:
                scores.append(
                    Score(
                        model=model,
                        suite="labels",
                        quantity=quantity,
                        metric=metric,
                        value=value * factor,
                        unit=unit,
                        interval=interval(value * factor),
                        n=120,
                    )
                )
            if model != "base":
                change = value - values["base"]
                scores.append(
                    Score(
                        model=model,
                        suite="labels",
                        quantity=quantity,
                        metric="mae_change",
                        value=change,
                        unit=unit,
                        interval=(change - 0.1 * abs(change), change * 0.9),
                        n=120,
                    )
                )
            for kind, factor in (("rattled", 0.6), ("strained", 0.9), ("hot", 2.1)):
                scores.append(
                    Score(
                        model=model,
                        suite="labels",
                        quantity=quantity,
                        metric="mae",
                        value=value * factor * (4 if (model, kind) == hot() else 1),
                        unit=unit,
                        interval=interval(value * factor, 0.4),
                        n=40,
                        group=f"config_type:{kind}",
                    )
                )
    for model, cosine in (("base", 0.947), ("adapted", 0.9912), ("scratch", 0.71)):
        scores.append(
            Score(
                model=model,
                suite="labels",
                quantity="forces",
                metric="direction",
                value=cosine,
                unit="1",
                n=120,
            )
        )
    return scores


def hot() -> tuple[str, str]:
    return "adapted", "strained"


def forgetting_scores(rng: np.random.Generator) -> list[Score]:
    scores = []
    for quantity, (unit, _) in QUANTITIES.items():
        for model, drift in (("adapted", 12.4), ("scratch", 2140.0)):
            scores.append(
                Score(
                    model=model,
                    suite="forgetting",
                    quantity=quantity,
                    metric="drift",
                    value=drift,
                    unit=unit,
                    interval=interval(drift, 0.3),
                    n=60,
                )
            )
            for group, factor in (("near", 3.0), ("far", 0.4), ("crystal:GaAs", 9.0)):
                scores.append(
                    Score(
                        model=model,
                        suite="forgetting",
                        quantity=quantity,
                        metric="worst" if ":" in group else "drift",
                        value=drift * factor,
                        unit=unit,
                        n=30,
                        group=group,
                    )
                )
        for symbol in MEASURED:
            value = float(
                rng.lognormal(2.0 if symbol not in {"Si", "Ge"} else 4.5, 0.8)
            )
            scores.append(
                Score(
                    model="adapted",
                    suite="forgetting",
                    quantity=quantity,
                    metric="drift",
                    value=value,
                    unit=unit,
                    n=int(rng.integers(1, 5)),
                    group=f"element:{symbol}",
                )
            )
    return scores


def consistency_scores() -> list[Score]:
    return [
        Score(
            model=model,
            suite="consistency",
            quantity=quantity,
            metric=metric,
            value=value,
            unit=unit,
            n=3,
        )
        for model, value in (("base", 3.1e-7), ("adapted", 4.4e-7))
        for quantity, unit in (("forces", "meV/Å"), ("stress", "GPa"))
        for metric in ("finite_difference", "equivariance")
    ]


def parities(rng: np.random.Generator) -> list[Parity]:
    spreads = {"energy": (120.0, -5400.0), "forces": (900.0, 0.0), "stress": (4.0, 0.5)}
    found = []
    for quantity, (unit, values) in QUANTITIES.items():
        scale, centre = spreads[quantity]
        n_points = 120 if quantity == "energy" else 1600
        reference = rng.normal(centre, scale, n_points)
        for model, error in values.items():
            offset = 30.0 if (model, quantity) == ("base", "energy") else 0.0
            predicted = reference + offset + rng.normal(0, 1.25 * error, n_points)
            found.append(
                Parity(
                    model=model,
                    quantity=quantity,
                    unit=unit,
                    reference=tuple(reference.tolist()),
                    predicted=tuple(predicted.tolist()),
                    n_total=120 if quantity == "energy" else 2880,
                )
            )
    return found


def curve(rng: np.random.Generator, n_steps: int = 2400) -> list[CurvePoint]:
    points = []
    for step in range(n_steps + 1):
        decay = math.exp(-step / 500)
        validation = None
        if step % 100 == 0:
            overfit = 1 + 0.15 * max(0, step - 1800) / 600
            validation = {
                quantity: (
                    values["adapted"] + (values["base"] - values["adapted"]) * decay
                )
                * overfit
                for quantity, (_, values) in QUANTITIES.items()
            }
        points.append(
            CurvePoint(
                step=step,
                learning_rate=1e-2
                * min(1, (step + 1) / 100)
                * 0.5
                * (1 + math.cos(math.pi * step / n_steps)),
                loss=(0.02 + 1.4 * decay) * float(rng.lognormal(0, 0.25)),
                validation=validation,
            )
        )
    return points


def data_cards() -> tuple[DataCard, ...]:
    cards = []
    for role, n, name in (
        ("train", 100, "silicon_germanium_train.extxyz"),
        ("validation", 20, "validation.extxyz"),
        ("test", 120, HOSTILE),
    ):
        cards.append(
            DataCard(
                role=role,
                files=(f"a/rather/long/path/to/{name}",),
                fingerprint="3f9a" * 16,
                n_structures=n,
                n_atoms=8 * n,
                n_energies=n,
                n_forces=n,
                n_stresses=n - 3,
                elements=("Si", "Ge"),
            )
        )
    return tuple(cards)


COVERAGE = (
    ("embedding", 1, 0, 11392, 0, 0),
    ("interaction 0", 8, 7, 162304, 160256, 10976),
    ("interaction 1", 8, 7, 301568, 299520, 19456),
    ("interaction 2", 8, 7, 357376, 355328, 27432),
    ("readout", 2, 2, 8256, 8256, 8256),
    ("reference energies", 1, 1, 89, 89, 2),
)


def provenance(verb: str) -> Provenance:
    return Provenance(
        verb="adapt",
        command=f"atomgraft {verb} --base 7net-0 --train train.extxyz --recipe lora "
        "--out runs/si",
        started="2026-08-01T12:34:56+00:00",
        seconds=312.4,
        versions={"python": "3.11.9", "atomgraft": "0.1.0", "torch": "2.9.1"},
        machine={
            "system": "Linux x86_64",
            "processor": "A <b>fast</b> one",
            "cores": 2,
        },
        device="cpu",
        dtype="float32",
        n_threads=2,
    )


def make_result(seed: int = 0) -> RunResult:
    rng = np.random.default_rng(seed)
    points = curve(rng)
    return RunResult(
        name="silicon-germanium <lora>",
        finished=True,
        spec={
            "base": {"name": "7net-0", "head": None},
            "recipe": {"name": "lora", "rank": 4, "alpha": 8.0},
            "train": [f"a/rather/long/path/{HOSTILE}"],
            "steps": 2400,
            "learning_rate": 0.01,
        },
        base=BaseCard(
            name="7net-0",
            framework="sevennet",
            weights_hash="c0ffee42" * 8,
            licence="MIT",
            n_weights=842623,
            cutoff=5.0,
            elements=tuple(MEASURED),
        ),
        data=data_cards(),
        coverage=tuple(
            RoleCoverage(
                role=role,
                n_tensors=tensors,
                n_tensors_moving=moving,
                n_weights=weights,
                n_weights_moving=weights_moving,
                n_trainable=trainable,
            )
            for role, tensors, moving, weights, weights_moving, trainable in COVERAGE
        ),
        reference=ReferenceRefit(
            was_refitted=True,
            shifts={"Si": -0.031254, "Ge": 1.20443},
            rank=2,
            condition=3.41,
            n_energies=100,
            is_identifiable=True,
            residual_before=913.2,
            residual_after=6.9,
            note="Refitted on 100 energies.",
        ),
        training=TrainingRecord(
            n_steps_planned=2400,
            n_steps_done=2400,
            best_step=1800,
            ended="All planned steps were done.",
            seconds=287.2,
            seconds_per_step=0.1197,
            peak_memory_mib=1412.7,
            n_split_batches=2,
            curve=tuple(points),
        ),
        graft_bytes=242_318,
        base_bytes=3_412_000,
        scores=tuple(label_scores() + forgetting_scores(rng) + consistency_scores()),
        details=drawn(parities(rng)),
        verdict=Verdict(
            took=True,
            headline="The graft took: held-out errors are 3 to 7 times lower.",
            sentences=(
                "Forces on held-out structures improved from 34.3 to 11.2 meV/Å.",
                "Energies improved from 6.81 to 0.913 meV/atom after the reference "
                "energies were refitted.",
                "Strained structures are the weak spot: label a few more of them.",
            ),
        ),
        provenance=(provenance("adapt"), provenance("prove")),
    )


def drawn(parities: Iterable[Parity]) -> dict[str, Any]:
    """Return parity plots as the suite of labels keeps them."""
    return {"labels": {"parity": [one.model_dump(mode="json") for one in parities]}}


def with_phonons(result: RunResult, *phonons: PhononResult) -> RunResult:
    """Return a run whose crystals' vibrations were compared."""
    kept = {"crystals": [one.model_dump(mode="json") for one in phonons]}
    return result.model_copy(update={"details": result.details | {"phonons": kept}})


def make_unproved() -> RunResult:
    """What ``adapt`` alone leaves: no scores, no validation, no reference refit."""
    full = make_result()
    training = full.training.model_copy(
        update={
            "curve": tuple(
                point.model_copy(update={"validation": None})
                for point in full.training.curve
            )
        }
    )
    reference = full.reference.model_copy(
        update={
            "was_refitted": False,
            "shifts": {},
            "note": "The training data hold no energies.",
        }
    )
    return full.model_copy(
        update={
            "scores": (),
            "details": {},
            "finished": False,
            "training": training,
            "reference": reference,
            "verdict": Verdict(
                took=None, headline="Adapted; not yet proved.", sentences=()
            ),
        }
    )


def make_failed() -> RunResult:
    """A run without scratch and stresses, whose graft did not take."""
    full = make_result()
    return full.model_copy(
        update={
            "scores": tuple(
                score
                for score in full.scores
                if score.model != "scratch" and score.quantity != "stress"
            ),
            "details": drawn(
                parity
                for parity in parity_of(full)
                if parity.model != "scratch" and parity.quantity != "stress"
            ),
            "verdict": Verdict(
                took=False,
                headline="The graft did not take: forces got worse.",
                sentences=("Use a lower learning rate.",),
            ),
        }
    )
