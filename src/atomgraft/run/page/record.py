"""Sections about the run: training, data, provenance."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import yaml

from atomgraft.core.outputs import identity_of
from atomgraft.page.blocks import Block, Code, Facts, Note, Section, Table
from atomgraft.page.wording import (
    MISSING,
    ROLE_ORDER,
    bytes_text,
    capitalised,
    count_text,
    counted,
    duration_text,
    number_text,
    percent_text,
    signed_text,
    time_text,
)
from atomgraft.records.documents import Provenance
from atomgraft.run.page.curve import coverage_figure, curve_figure
from atomgraft.run.record import (
    BaseCard,
    DataCard,
    DifferenceRecord,
    ReferenceRefit,
    RidgeRecord,
    RunResult,
)

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
        "against a symmetry image of the same structure": record.n_by_symmetry,
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
            "Sources of the structures in the training steps. 'Seen' counts "
            "repetitions; the share is that of the training time."
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


def record_sections(result: RunResult) -> list[Section]:
    """Return the sections that say how the numbers came about."""
    return [
        moved_section(result),
        training_section(result),
        reference_section(result.reference),
        data_section(result),
        spec_section(result),
        provenance_section(result),
    ]


def moved_section(result: RunResult) -> Section:
    """Return the coverage of the model by role and the size of the graft."""
    blocks: list[Block] = [_sizes(result)]
    if result.coverage:
        blocks.append(coverage_figure(result))
    return Section(name="moved", title="What moved", blocks=tuple(blocks))


def _sizes(result: RunResult) -> Facts:
    trained = sum(role.n_trainable for role in result.coverage)
    graft, base = result.graft_bytes, result.base_bytes
    return Facts(
        pairs=(
            ("Trained numbers", count_text(trained)),
            ("Weights of the base", count_text(result.base.n_weights)),
            (
                "Size of the graft",
                f"{bytes_text(graft)}, {percent_text(graft, base)} of the base "
                f"({bytes_text(base)})",
            ),
        )
    )


def training_section(result: RunResult) -> Section:
    """Return the learning curve and how the training ended."""
    training = result.training
    pairs = [
        ("Ended", training.ended),
        (
            "Steps",
            f"{count_text(training.n_steps_done)} of "
            f"{count_text(training.n_steps_planned)}, best at "
            f"{count_text(training.best_step)}",
        ),
        ("Time", duration_text(training.seconds)),
        ("Time per step", duration_text(training.seconds_per_step)),
        ("Peak memory", f"{number_text(training.peak_memory_mib)} MiB"),
    ]
    if training.n_split_batches:
        text = f"{count_text(training.n_split_batches)}, to fit into memory"
        pairs.append(("Batches cut in two", text))
    curve = curve_figure(result) or Note(text="There was no training step.")
    return Section(
        name="training",
        title="Learning curve",
        blocks=(curve, Facts(pairs=tuple(pairs)), *stream_blocks(result)),
    )


def reference_section(reference: ReferenceRefit) -> Section:
    """Return the shifts of the reference energies and how well they are known."""
    blocks: list[Block] = []
    if reference.note:
        blocks.append(Note(text=reference.note))
    if not reference.was_refitted:
        blocks.append(Note(text="The reference energies of the base were kept."))
    else:
        blocks += [_reference_facts(reference), _shift_table(reference)]
    return Section(name="reference", title="Reference energies", blocks=tuple(blocks))


FITTED_TO = {
    "residual": "label energies minus predictions of the base",
    "labels": "label energies; the base contributes its interaction energies",
    "isolated": "isolated atoms; for other elements label minus prediction",
}


def _reference_facts(reference: ReferenceRefit) -> Facts:
    known = (
        "yes"
        if reference.is_identifiable
        else (
            "no: the compositions do not determine one energy per element; the "
            "minimum-norm solution was taken, and energies of other compositions are "
            "not to be compared"
        )
    )
    rank = f"{reference.rank} of {len(reference.shifts)} from compositions"
    if reference.n_from_atoms:
        rank += f", {reference.n_from_atoms} from isolated atoms"
    before, after = reference.residual_before, reference.residual_after
    pairs = [
        ("Fitted to", FITTED_TO[reference.method]),
        ("Identified by the data", known),
        ("Rank", rank),
        ("Condition number", number_text(reference.condition)),
        ("Energies used", count_text(reference.n_energies)),
    ]
    if before is not None and after is not None:
        text = f"{number_text(before)} → {number_text(after)} meV/atom"
        pairs.append(("Energy residual (RMS)", text))
    return Facts(pairs=tuple(pairs))


def _shift_table(reference: ReferenceRefit) -> Table:
    further = {
        "Reference energy (eV)": reference.energies,
        "Isolated atom, label (eV)": reference.isolated,
    }
    shown = {name: one for name, one in further.items() if one}
    return Table(
        caption=(
            "Added to the reference energy of each element before the first step. "
            "Shifts of several eV come from another level of theory or "
            "pseudopotential. They are harmless: they cancel in energy differences "
            "at fixed composition."
        ),
        columns=("Element", "Shift (eV/atom)", *shown),
        rows=tuple(
            (
                symbol,
                signed_text(shift),
                *(
                    signed_text(one[symbol]) if symbol in one else MISSING
                    for one in shown.values()
                ),
            )
            for symbol, shift in reference.shifts.items()
        ),
        is_text=(True, False, *(False for _ in shown)),
    )


def data_section(result: RunResult) -> Section:
    """Return one row for each set of labelled structures."""
    return Section(name="data", title="Data", blocks=(data_table(result.data),))


def data_table(cards: Sequence[DataCard]) -> Table:
    """Return one row for each set of labelled structures."""
    rows = sorted(cards, key=lambda card: ROLE_ORDER.index(card.role))
    return Table(
        caption=(
            "Structures and labels that were read. Missing labels are left out of "
            "the loss; they are not taken as zero."
        ),
        columns=(
            "Set",
            "Structures",
            "Atoms",
            "Energies",
            "Forces",
            "Stresses",
            "Elements",
            "Files",
            "Fingerprint",
        ),
        rows=tuple(map(_data_row, rows)),
        is_text=(True, *(False,) * 5, True, True, True),
    )


def _data_row(card: DataCard) -> tuple[str, ...]:
    counts = (card.n_structures, card.n_atoms, card.n_energies)
    labels = (card.n_forces, card.n_stresses)
    return (
        capitalised(card.role) + (f", {card.head}" if card.head else ""),
        *map(count_text, counts + labels),
        ", ".join(card.elements) or MISSING,
        ", ".join(card.files) or MISSING,
        card.fingerprint[:8] or MISSING,
    )


def spec_section(result: RunResult) -> Section:
    """Return the spec as the YAML that would run it again."""
    plain = result.model_dump(mode="json", include={"spec"})["spec"]
    return Section(name="spec", title="Spec", blocks=(spec_code(plain, "run"),))


def spec_code(spec: Mapping[str, Any], what: str) -> Code:
    """Return a spec as YAML.

    Parameters
    ----------
    spec
        As JSON.
    what
        Whose it is, for the label: ``run``.
    """
    text = yaml.safe_dump(spec, sort_keys=False, allow_unicode=True)
    return Code(text=text, label=f"The spec of this {what}, YAML")


def base_text(result: RunResult) -> str:
    """Return the name of the base, and what it was trained on first, if it was."""
    made_by = result.spec.get("base")
    if not isinstance(made_by, Mapping) or "train" not in made_by:
        return result.base.name
    files = ", ".join(map(identity_of, made_by["train"]))
    return f"{result.base.name}: a run on {files}, recipe {made_by['recipe']}"


def provenance_section(result: RunResult) -> Section:
    """Return the base, its hash and every command with machine and versions."""
    base = result.base
    card = Facts(
        pairs=(
            ("Base", base_text(result) + (f", head {base.head}" if base.head else "")),
            *([("Element map", base.map_text)] if base.map_text else []),
            ("Framework", base.framework),
            ("Licence of the weights", base.licence),
            ("Cutoff", f"{number_text(base.cutoff)} Å"),
            ("Elements", counted(len(base.elements), "element")),
            ("Hash of the weights", base.weights_hash),
            *(
                (f"Fingerprint, {card.role} data", card.fingerprint)
                for card in result.data
            ),
        )
    )
    blocks = (card, *session_blocks(*result.provenance))
    return Section(name="provenance", title="Provenance", blocks=blocks)


def base_blocks(bases: Iterable[BaseCard]) -> list[Block]:
    """Return the facts of models that were started from.

    Parameters
    ----------
    bases
        What the record says of them.
    """
    blocks: list[Block] = []
    for base in bases:
        pairs = (
            ("Base", base.name + (f", head {base.head}" if base.head else "")),
            ("Framework", base.framework),
            ("Licence of the weights", base.licence or MISSING),
            ("Cutoff", f"{number_text(base.cutoff)} Å"),
            ("Hash of the weights", base.weights_hash),
        )
        blocks.append(Facts(pairs=pairs))
    return blocks


def session_blocks(*entries: Provenance) -> list[Block]:
    """Return each command with its machine and versions."""
    blocks: list[Block] = []
    for entry in entries:
        blocks += [Code(text=entry.command, label="Command"), _entry_facts(entry)]
    return blocks


def written_text(sessions: Sequence[Provenance]) -> str:
    """Return when the last of some commands started, in words; or nothing."""
    return time_text(sessions[-1].started) if sessions else ""


def _entry_facts(entry: Provenance) -> Facts:
    versions = ", ".join(f"{name} {text}" for name, text in entry.versions.items())
    machine = ", ".join(f"{name}: {text}" for name, text in entry.machine.items())
    return Facts(
        pairs=(
            ("Started", time_text(entry.started)),
            ("Took", duration_text(entry.seconds)),
            (
                "Computed with",
                f"{entry.device}, {entry.dtype}, {counted(entry.n_threads, 'thread')}"
                + (", the framework's own modules" * (entry.kernels == "upstream")),
            ),
            ("Machine", machine or MISSING),
            ("Versions", versions or MISSING),
        )
    )
