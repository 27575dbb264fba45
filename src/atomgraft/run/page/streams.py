"""Where the structures of a step came from: heads, rehearsal, a solved readout."""

from atomgraft.page.blocks import Block, Facts, Note, Table
from atomgraft.page.wording import (
    count_text,
    counted,
    duration_text,
    number_text,
)
from atomgraft.run.record import DifferenceRecord, RidgeRecord, RunResult

PART_NAMES = {"target": "your structures", "rehearsal": "rehearsed"}


def stream_blocks(result: RunResult) -> list[Block]:
    """Return what is to be said of a run that saw more than its own structures."""
    blocks: list[Block] = []
    if result.ridge is not None:
        blocks.append(_ridge_facts(result.ridge))
    if result.rehearsal is not None:
        kinds = ", ".join(
            f"{n} {kind}" for kind, n in result.rehearsal.n_by_kind.items()
        )
        blocks.append(Note(text=f"Rehearsed: {result.rehearsal.note} ({kinds})."))
    blocks += [
        Note(text=f"Head {head.name}, reference energies: {head.reference.note}.")
        for head in result.heads
    ]
    blocks += [Note(text=_differences_text(one)) for one in result.differences]
    if len(result.training.streams) > 1:
        blocks.append(_stream_table(result))
    return blocks


def _differences_text(record: DifferenceRecord) -> str:
    """Return which structures of a set train as force differences."""
    kinds = {
        "against the same seen through a symmetry": record.n_by_symmetry,
        "against the opposite displacement": record.n_opposite,
        "against the undisplaced cell": record.n_undisplaced,
        "undisplaced itself": record.n_reference,
    }
    words = ", ".join(f"{count_text(n)} {kind}" for kind, n in kinds.items() if n)
    name = f"{record.role}, head {record.head}" if record.head else record.role
    return (
        f"Force differences ({name}): {count_text(sum(kinds.values()))} of "
        f"{counted(record.n_structures, 'structure')} train on their response to a "
        f"displacement ({words}), {count_text(record.n_plain)} as they are."
    )


def _stream_table(result: RunResult) -> Table:
    """Return what each stream took of the training."""
    return Table(
        caption=(
            "Where the structures of the steps came from. Seen counts repetitions; "
            "the share is that of the time in training steps."
        ),
        columns=("Stream", "Structures", "Seen", "Time", "Share"),
        rows=tuple(
            (
                PART_NAMES.get(one.name, f"head {one.name}"),
                count_text(one.n_structures),
                count_text(one.n_seen),
                duration_text(one.seconds),
                f"{100 * one.share:.0f} %",
            )
            for one in result.training.streams
        ),
        is_text=(True, False, False, False, False),
    )


def _ridge_facts(ridge: RidgeRecord) -> Facts:
    """Return how a readout was solved in closed form."""
    return Facts(
        pairs=(
            ("Readout", "solved in closed form before the first step"),
            ("Labels used", count_text(ridge.n_rows)),
            (
                "Directions",
                f"{count_text(ridge.n_directions)}, of which the data determine "
                f"{number_text(ridge.degrees_of_freedom)}",
            ),
            ("Ridge strength", number_text(ridge.strength)),
            (
                "Residual in units of error (RMS)",
                f"{number_text(ridge.residual_before)} → "
                f"{number_text(ridge.residual_after)}",
            ),
            ("Time to solve", duration_text(ridge.seconds)),
        )
    )
