"""Campaigns over materials whose every number is chosen by the test."""

from atomgraft.phonons.campaign.findings import bills_of, summarise_campaign
from atomgraft.phonons.campaign.record import (
    BASE,
    COMBINED,
    COMPLETED,
    GLOBAL_SCALAR,
    LABELS_ALONE,
    OWN_SCALAR,
    CampaignMaterial,
    CampaignRow,
    CampaignTraining,
    PhononCampaign,
)
from tests.comparisons import HOSTILE, base_card, score, session

THRESHOLD = 0.1

BASE_ERRORS = {"NaCl": 0.4, "MgO": 0.2, "BaTiO3": 0.9}
LORA_ERRORS = {"NaCl": 0.1, "MgO": 0.25, "BaTiO3": 0.25}

LOWEST = {"NaCl": 0.0, "MgO": 0.0, "BaTiO3": -6.0}
"""THz, of the reference."""

SUPERCELLS = {"NaCl": 2, "MgO": 2, "BaTiO3": 6}


def material(name, **more):
    given = {
        "name": name,
        "file": f"{name}.yaml",
        "formula": name,
        "elements": ("O",),
        "space_group": "Fm-3m (225)",
        "family": "AB Fm-3m (225) O",
        "has_reference": True,
        "n_supercells": SUPERCELLS[name],
        "n_atoms_supercell": 64,
        "content": "c" * 64,
    }
    return CampaignMaterial(**given | more)


def row(name, contestant, error, *, lowest=None, **more):
    """Return a judged row; the lowest frequency is the reference's unless given."""
    minimum = LOWEST[name] if lowest is None else lowest
    given = {
        "material": name,
        "contestant": contestant,
        "status": "done",
        "frequency_mae": error,
        "maximum_error": 3 * error,
        "slope": 0.9,
        "free_energy_error": None if LOWEST[name] < -THRESHOLD else -error,
        "minimum": minimum,
        "mean": 5.0 - error,
        "is_stable": minimum > -THRESHOLD,
        "minimum_reference": LOWEST[name],
        "mean_reference": 5.0,
        "is_stable_reference": LOWEST[name] > -THRESHOLD,
        "seconds": 36.0,
        "n_threads": 1,
    }
    return CampaignRow(**given | more)


def training(name, *, seed=0, n_labels=1, seconds=360.0, n_threads=1, **more):
    drift = score("adapted", "forces", 4.0, suite="forgetting", metric="drift")
    far = drift.model_copy(update={"value": 2.0, "group": "far"})
    spread = far.model_copy(update={"model": "base", "metric": "spread", "value": 40.0})
    given = {
        "name": name,
        "contestant": "lora",
        "seed": seed,
        "materials": ("NaCl",),
        "n_labels": n_labels,
        "sources": ("NaCl@0",),
        "status": "done",
        "seconds": seconds,
        "n_threads": n_threads,
        "n_steps": 10,
        "drift": (drift, far, spread),
    }
    return CampaignTraining(**given | more)


def table_of():
    """Return rows of the base, what it is worth untrained, one recipe, trainings."""
    rows = [row(name, BASE, error) for name, error in BASE_ERRORS.items()]
    for contestant, share in ((OWN_SCALAR, 0.5), (GLOBAL_SCALAR, 0.8)):
        rows += [
            row(name, contestant, share * error, factor=1.1)
            for name, error in BASE_ERRORS.items()
        ]
    for contestant, share in ((COMPLETED, 0.7), (LABELS_ALONE, 1.8), (COMBINED, 0.65)):
        rows += [
            row(name, contestant, share * error, seed=0, n_labels=1)
            for name, error in BASE_ERRORS.items()
        ]
    rows += [
        row(name, "lora", error, seed=0, training=f"train--{name}", n_labels=1)
        for name, error in LORA_ERRORS.items()
    ]
    trainings = [training(f"train--{name}", materials=(name,)) for name in LORA_ERRORS]
    return rows, trainings


def campaign_of(rows, trainings, *, materials=None, mode="each", **more):
    """Return the whole document of a table."""
    cards = materials or [material(name) for name in SUPERCELLS]
    contestants = tuple(dict.fromkeys(one.contestant for one in rows))
    dft_hours = more.get("dft_hours")
    given = {
        "name": "oxides",
        "finished": True,
        "mode": mode,
        "spec": {
            "mesh": [20, 20, 20],
            "threshold": THRESHOLD,
            "dtype": "float32",
            "seeds": [0],
            "folder": HOSTILE,
        },
        "base": base_card(),
        "contestants": contestants,
        "materials": tuple(cards),
        "trainings": tuple(trainings),
        "rows": tuple(rows),
        "summaries": summarise_campaign(rows, trainings, THRESHOLD),
        "bills": bills_of(
            contestants, cards, rows, trainings, mode=mode, dft_hours=dft_hours
        ),
        "provenance": (session(),),
    }
    return PhononCampaign(**given | more)


def make_campaign(**more):
    """Return a finished campaign."""
    return campaign_of(*table_of(), **more)
