"""A realistic contract, made of the parts of the example result."""

from atomgraft.run.contract import Contract, Cost, Terms
from atomgraft.run.record import RehearsalRecord
from tests.example_result import make_result, provenance

AXES = {
    "pulls": {"kind": "l2sp", "strength": 1.0},
    "starts": {"weights": "source", "references": True, "readout": "source"},
}


def make_terms() -> Terms:
    result = make_result()
    return Terms(
        spec={
            "recipe": "lora-replay",
            "learning_rate": 5e-3,
            "device": "auto",
            "axes": AXES,
        },
        base=result.base,
        data=tuple(card for card in result.data if card.role != "test"),
        elements_kept=result.base.elements,
        coverage=result.coverage,
        reference=result.reference,
        rehearsal=RehearsalRecord(
            kind="pseudo",
            n_structures=64,
            n_by_kind={"crystal": 32, "strained": 16, "substituted": 16},
            note="64 structures, labelled by 7net-0 at the start; 1 for each of yours",
        ),
        n_steps=200,
        batch_size=9,
    )


def make_cost(seconds: float = 215.0) -> Cost:
    return Cost(
        seconds=seconds,
        interval=(0.8 * seconds, 1.3 * seconds),
        startup_seconds=12.0,
        n_steps_left=200,
        seconds_per_step=0.94,
        n_timed=11,
        n_validations=10,
        seconds_per_validation=1.5,
        peak_memory_mib=2100.0,
        graft_bytes=231_456,
        basis="11 steps timed on cpu, 1 thread",
    )


def make_contract() -> Contract:
    return Contract(
        folder="runs/si",
        terms=make_terms(),
        cost=make_cost(),
        scratch=make_cost(400.0),
        provenance=provenance("adapt"),
    )
