"""A selection as its result file holds it, made without any model."""

from atomgraft.label.record import (
    ChosenStructure,
    CrystalCard,
    DescriptorCard,
    PoolCard,
    PoolMap,
    PoolPoint,
    SelectionResult,
)
from atomgraft.run.record import BaseCard, Provenance

KINDS = ("rattle", "modes", "pool")

N_EACH = 4

MODEL = BaseCard(
    name="7net-0",
    framework="sevennet",
    weights_hash="ab" * 32,
    licence="MIT",
    n_weights=842_440,
    cutoff=5.0,
    elements=("Ge", "Si"),
)

PROVENANCE = Provenance(
    verb="select",
    command="atomgraft select POSCAR --model 7net-0",
    started="2026-01-01T00:00:00+00:00",
    seconds=12.0,
    versions={"python": "3.11"},
    machine={"cores": 2},
    device="cpu",
    dtype="float32",
    n_threads=1,
)


def chosen(number: int, kind: str, *, disagreement: float | None) -> ChosenStructure:
    is_pool = kind == "pool"
    return ChosenStructure(
        number=number,
        index=4 * number,
        kind=kind,
        amplitude=None if is_pool else 0.05,
        unit="" if is_pool else "Å",
        note="frame 3 of <b>md</b>.extxyz" if is_pool else "",
        formula="Si8",
        n_atoms=8,
        distance=2.0 / number,
        max_force=1.25,
        disagreement=disagreement,
    )


def selection_of(*, with_committee: bool = True, n_known: int = 2) -> SelectionResult:
    """Return a selection of three structures among twelve."""
    points = [
        PoolPoint(
            x=float(i), y=float(i % 3), kind=kind, number=k + 1 if i == 0 else None
        )
        for k, kind in enumerate(KINDS)
        for i in range(N_EACH)
    ]
    disagreement = 0.125 if with_committee else None
    return SelectionResult(
        spec={"structure": "POSCAR", "model": "7net-0", "rule": "both", "seed": 0},
        crystal=CrystalCard(
            file="POSCAR",
            formula="Si8",
            n_atoms=8,
            supercell=(1, 1, 1),
            fingerprint="0",
        ),
        model=MODEL,
        committee=(MODEL.model_copy(update={"name": "other"}),) * with_committee,
        pool=tuple(PoolCard(kind=kind, n=N_EACH, n_chosen=1) for kind in KINDS),
        n_known=n_known,
        descriptor=DescriptorCard(words="features", n_features=128, is_models_own=True),
        chosen=tuple(
            chosen(i, kind, disagreement=disagreement)
            for i, kind in enumerate(KINDS, start=1)
        ),
        map=PoolMap(
            shares=(0.75, 0.125),
            points=tuple(points),
            known=((0.5, 0.5),) * n_known,
        ),
        inputs=("vasp", "gpaw"),
        notices=("VASP: add a POTCAR to each folder.",),
        provenance=PROVENANCE,
    )
