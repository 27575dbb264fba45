"""A distillation and a screen by hand, for tests of what reads them."""

from atomgraft.transport.distil import wording as distil_wording
from atomgraft.transport.distil.record import (
    DistilResult,
    ErrorRecord,
    MethodRecord,
    PredictionRecord,
)
from atomgraft.transport.screening import wording as screen_wording
from atomgraft.transport.screening.record import LeftOut, Ranked, ScreenResult
from tests.comparisons import session


def error(mean, n=12):
    return ErrorRecord(
        n=n,
        mean=mean,
        interval=(0.8 * mean, 1.25 * mean),
        root_mean_square=1.4 * mean,
        rank=0.7,
    )


def method(name, mean, **changes):
    values = {
        "name": name,
        "summary": f"{name} of some kind",
        "is_control": name != "kernel ridge",
        "validation": error(mean),
        "against_control": 0.3 - mean,
        "against_interval": (0.2 - mean, 0.4 - mean),
        "test": error(1.1 * mean, n=4),
        "test_against_control": 0.25 - mean,
        "test_against_interval": None,
        "settings": {"length": "2.0"},
    }
    return MethodRecord(**(values | changes))


def barriers(**changes) -> DistilResult:
    """Return three methods on sixteen materials."""
    constant = {"against_control": None, "against_interval": None}
    constant |= {"test_against_control": None}
    rows = (method("kernel ridge", 0.1), method("ridge", 0.3, **constant))
    predictions = tuple(
        PredictionRecord(
            name=f"m{k}",
            group=k // 2,
            value=0.1 * k,
            is_limit=k == 3,
            predicted=0.1 * k + 0.05 * (-1) ** k,
            is_test=k >= 12,
        )
        for k in range(16)
    )
    values = {
        "identity": "0" * 16,
        "target": "barrier",
        "unit": "eV",
        "mobile": ("Li", "Na"),
        "n_materials": 12,
        "n_groups": 6,
        "n_limits": 1,
        "left_out": {"m99": "it has no Li"},
        "blocks": ("composition", "hop"),
        "n_features": 195,
        "methods": (*rows, method("constant", 0.5)),
        "chosen": "kernel ridge",
        "best_control": "ridge",
        "half_widths": (0.12, 0.3),
        "coverage": (0.75, 1.0),
        "predictions": predictions,
        "headline": "",
        "provenance": (session().model_copy(update={"verb": "distil"}),),
    }
    result = DistilResult(**(values | changes))
    said = {
        "headline": distil_wording.headline(result),
        "notices": distil_wording.notices(result),
    }
    return result.model_copy(update=said)


def ranked(k, **changes):
    values = {
        "name": f"cifs/{k}.cif",
        "formula": "Li3PO4",
        "predicted": -3.0 - 0.5 * k,
        "novelty": 0.3 * k,
    }
    return Ranked(**(values | changes))


def screened(**changes) -> ScreenResult:
    """Return six structures in order."""
    rows = [ranked(k) for k in range(5)]
    values = {
        "identity": "0" * 16,
        "predictor": "runs/obelix",
        "method": "trees",
        "target": "log10 of conductivity",
        "unit": "decades",
        "mobile": "Li",
        "is_highest_best": True,
        "half_widths": (1.2, 2.9),
        "n_examples": 214,
        "elements": ("Li", "P", "O", "S"),
        "learned_ions": ("Li",),
        "expected": "Trees predict it.",
        "ranked": (*rows, ranked(9, unseen=("Xe",), is_disordered=True)),
        "left_out": (
            LeftOut(reason="cannot be read", n=2, examples=(("a.cif", "empty"),)),
        ),
        "n_from_cache": 3,
        "headline": "",
        "provenance": (session().model_copy(update={"verb": "screen"}),),
    }
    result = ScreenResult(**(values | changes))
    said = {
        "headline": screen_wording.headline(result),
        "notices": screen_wording.notices(result),
    }
    return result.model_copy(update=said)
