"""The page of a diffusivity."""

from atomgraft.page.blocks import Facts, Note, Table, section
from atomgraft.page.document import PAGE, Cover, Mark, document_text, page_writer
from atomgraft.page.wording import MISSING, counted, duration_text, number_text
from atomgraft.run.page.record import session_blocks, written_text
from atomgraft.transport.diffusivity.figures import (
    arrhenius_figure,
    msd_figure,
    posterior_figure,
)
from atomgraft.transport.diffusivity.record import (
    DiffusivityResult,
    TrajectoryRecord,
)
from atomgraft.transport.diffusivity.wording import (
    axes_table,
    bound_text,
    diffusivity_table,
    interval_text,
)

__all__ = ["PAGE", "page_text", "write_page"]

MOVING = Mark(name="took", word="Diffusive")
PARTLY = Mark(name="partial", word="In part diffusive")
CENSORED = Mark(name="failed", word="Not diffusive")
OPEN = Mark(name="open", word="Not finished")


def page_text(result: DiffusivityResult) -> str:
    """Return the page as HTML; everything it needs is inside.

    Parameters
    ----------
    result
        What was measured.
    """
    sections = [
        section("diffusivity", "Diffusivity and conductivity", _main_table(result)),
        section("axes", "Along each axis", _axes_table(result)),
        section("msd", "Mean-squared displacement", msd_figure(result)),
        section("posterior", "Posterior of D*", posterior_figure(result)),
        section(
            "arrhenius",
            "Arrhenius",
            arrhenius_figure(result),
            _arrhenius_table(result),
            _elsewhere_table(result),
        ),
        section("trajectories", "Trajectories", _trajectory_table(result)),
        section("notes", "Notes", *(Note(text=one) for one in result.notices)),
        section("settings", "Settings", _settings(result)),
        section("provenance", "Provenance", *session_blocks(*result.provenance)),
    ]
    return document_text(_cover(result), sections)


write_page = page_writer(page_text, PAGE)
"""Write the page of a diffusivity into its folder."""


def _mark(result: DiffusivityResult) -> Mark:
    if not result.finished:
        return OPEN
    known = [ion.diffusivity.value is not None for _, ion in result.ions()]
    if all(known) and known:
        return MOVING
    return PARTLY if any(known) else CENSORED


def _cover(result: DiffusivityResult) -> Cover:
    warning = ("This analysis has not finished.", "Run the same command again.")
    return Cover(
        title=f"Diffusion in {result.formula}",
        label="Result",
        mark=_mark(result),
        headline=result.headline,
        sentences=result.notices,
        warning=None if result.finished else warning,
        key_facts=_key_facts(result),
        written=written_text(result.provenance),
        source="diffusivity.json",
    )


def _key_facts(result: DiffusivityResult) -> tuple[tuple[str, str], ...]:
    kelvins = [f"{one.temperature:g}" for one in result.temperatures]
    facts = [
        ("Mobile", ", ".join(result.settings.mobile)),
        ("Reference", result.reference),
        ("Temperatures", f"{', '.join(kelvins) or MISSING} K"),
        ("Trajectories", _counted_runs(result)),
    ]
    for one in result.arrhenius:
        where = f"at {one.extrapolated_to:g} K"
        kind = f"{where}, extrapolated" if one.is_extrapolation else where
        facts += [
            (f"Activation energy of {one.element}", f"{interval_text(one.energy)} eV"),
            (f"D* of {one.element} {kind}", f"{interval_text(one.diffusivity)} cm²/s"),
        ]
    seconds = sum((one.seconds for one in result.provenance), 0.0)
    return (*facts, ("Time", duration_text(seconds)))


def _counted_runs(result: DiffusivityResult) -> str:
    n = len(result.trajectories)
    n_out = sum(not one.is_used for one in result.trajectories)
    return f"{n}, of which {n_out} left out as molten" if n_out else str(n)


def _main_table(result: DiffusivityResult) -> Table | None:
    return diffusivity_table(result) if result.temperatures else None


def _axes_table(result: DiffusivityResult) -> Table | None:
    return axes_table(result) if result.temperatures else None


def _arrhenius_table(result: DiffusivityResult) -> Table | None:
    if not result.arrhenius:
        return None
    return Table(
        caption=(
            "Arrhenius line through the diffusivities: median and 95 % interval, with "
            "the posterior of each point carried through."
        ),
        columns=(
            "Ion",
            "Temperatures, K",
            "Activation energy, eV",
            "log₁₀ D0 (cm²/s)",
        ),
        rows=tuple(
            (
                one.element,
                ", ".join(f"{kelvin:g}" for kelvin in one.temperatures),
                interval_text(one.energy),
                interval_text(one.log10_prefactor),
            )
            for one in result.arrhenius
        ),
        is_text=(True, True, False, False),
    )


def _elsewhere_table(result: DiffusivityResult) -> Table | None:
    if not result.arrhenius:
        return None
    return Table(
        caption="What the line says at another temperature.",
        columns=("Ion", "At, K", "D*, cm²/s", "σ (Nernst-Einstein), S/cm", "How"),
        rows=tuple(
            (
                one.element,
                f"{one.extrapolated_to:g}",
                interval_text(one.diffusivity),
                interval_text(one.conductivity),
                "extrapolated" if one.is_extrapolation else "between points",
            )
            for one in result.arrhenius
        ),
        is_text=(True, False, False, False, True),
    )


def _trajectory_table(result: DiffusivityResult) -> Table | None:
    if not result.trajectories:
        return None
    mobile = result.settings.mobile
    return Table(
        caption=(
            "Each trajectory alone. Drift is that of the reference and was subtracted; "
            "the framework's MSD is that of the longest window, and a framework that "
            "diffuses is molten. Moved: it does not diffuse, and ends elsewhere than "
            "it began."
        ),
        columns=(
            "File",
            "T, K",
            "Frames",
            "Every, fs",
            "Length, ps",
            "Drift, Å",
            "Framework, Å²",
            "State",
            *(f"D* of {one}, cm²/s" for one in mobile),
        ),
        rows=tuple(
            _trajectory_row(one, mobile, result.settings.melt_limit)
            for one in result.trajectories
        ),
        is_text=(True, *(False,) * 5, True, True, *(False,) * len(mobile)),
    )


def _trajectory_row(
    one: TrajectoryRecord, mobile: tuple[str, ...], limit: float
) -> tuple[str, ...]:
    parts = ", ".join(f"{part.element} {part.msd:.2g}" for part in one.framework)
    has_moved = any(part.has_moved(limit) for part in one.framework)
    state = "molten" if one.is_molten else "moved" if has_moved else "solid"
    return (
        one.file,
        f"{one.temperature:g}",
        str(one.n_frames),
        number_text(one.step),
        number_text(one.length),
        f"{one.drift:.2f}",
        parts or MISSING,
        state if one.is_used else f"{state}, left out",
        *(bound_text(one.diffusivity[element]) for element in mobile),
    )


def _settings(result: DiffusivityResult) -> Facts:
    plan = result.settings
    start = "chosen" if plan.start is None else f"{plan.start:g} ps"
    pairs: list[tuple[str, str]] = [
        ("Left out at the beginning", f"{plan.skip:g} ps"),
        ("Shortest window of the fit", start),
        ("Positions", "unwrapped in the files" if plan.unwrapped else "unwrapped here"),
        ("Diffusion adds to the MSD at least", f"{plan.smallest_msd:g} Å²"),
        ("Molten where the framework diffuses by", f"{plan.melt_limit:g} Å²"),
        ("Covariance of the MSD", plan.estimator),
        ("Samples", counted(plan.n_samples, "sample")),
        ("Seed", str(plan.seed)),
    ]
    return Facts(pairs=tuple(pairs))
