"""The folder of a run: one run, its own files, and nothing overwritten."""

from collections.abc import Sequence
from pathlib import Path

from atomgraft.adaptation.graft import GRAFT
from atomgraft.core.errors import BadInputError
from atomgraft.experiments.baseline import SCRATCH
from atomgraft.experiments.inputs import Inputs
from atomgraft.experiments.spec import SPEC, RunSpec, read_spec
from atomgraft.experiments.terms import data_cards
from atomgraft.results.files import RESULT, read_result
from atomgraft.results.provenance import Provenance
from atomgraft.results.schema import DataCard, RunResult
from atomgraft.training.checkpoint import CHECKPOINT, METRICS

MERGED = ("merged.pth", "merged.safetensors")

OWN_FILES = (CHECKPOINT, METRICS, GRAFT, RESULT, SPEC, "report.html", *MERGED)
"""What a run writes, and what --fresh removes."""


def clear(folder: Path) -> None:
    """Remove what a run and its baseline have written.

    Parameters
    ----------
    folder
        Of the run; other files in it stay.
    """
    for place in (folder, folder / SCRATCH):
        for name in OWN_FILES:
            (place / name).unlink(missing_ok=True)


def refuse_own_base(spec: RunSpec, folder: Path) -> None:
    """Check that a run does not overwrite the run it starts from.

    Parameters
    ----------
    spec
        The run.
    folder
        Where it would be written.

    Raises
    ------
    BadInputError
        It does.
    """
    own = {folder.resolve(), (folder / SCRATCH).resolve()}
    if Path(spec.base).resolve() in own:
        raise BadInputError(
            f"{folder} is the run to start from and the run to write.",
            "One folder holds one run.",
            "Give another folder with --out.",
        )


def finished_run(folder: Path, spec: RunSpec, inputs: Inputs) -> RunResult | None:
    """Return the result of a finished run of the same spec, data and base.

    Parameters
    ----------
    folder
        Where it may lie.
    spec
        The run.
    inputs
        What it would read today.

    Raises
    ------
    BadInputError
        The folder holds another run, or files behind it have changed since.
    """
    stored = folder / SPEC
    if stored.exists() and read_spec(stored).identity() != spec.identity():
        raise BadInputError(
            f"{folder} holds a run of another spec.",
            "One folder holds one run.",
            "Give another folder with --out, or --fresh to throw the old run away.",
        )
    if not (folder / RESULT).exists():
        return None
    result = read_result(folder)
    if not result.finished:
        return None
    trained = _fingerprints(result.data)
    today = _fingerprints(data_cards(spec, inputs))
    is_alike = trained == today and result.differences == inputs.differences
    if not is_alike or result.base.weights_hash != inputs.base_hash:
        what = "base" if is_alike else "data, or which of it trains as differences,"
        raise BadInputError(
            f"{folder} holds a finished run, and its {what} has changed since.",
            "A finished run belongs to the files it was made from.",
            "Give another folder with --out, or --fresh to throw the old run away.",
        )
    return result


def _fingerprints(cards: Sequence[DataCard]) -> list[str]:
    """Return what was read; what is rehearsed follows from it and the spec."""
    return [card.fingerprint for card in cards if card.role in {"train", "validation"}]


def earlier_sessions(folder: Path) -> tuple[Provenance, ...]:
    """Return where an unfinished run was worked on before.

    Parameters
    ----------
    folder
        Of the run.
    """
    if not (folder / RESULT).exists() or not (folder / CHECKPOINT).exists():
        return ()
    return read_result(folder).provenance
