"""Diffusivities from Python, with files or frames."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, final

from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.core.specs import checked_spec
from atomgraft.phonons.spec import stem_of
from atomgraft.study.notebook import (
    Frames,
    about_arguments,
    card,
    frame_of,
    refuse_unknown,
)
from atomgraft.study.screen import calm, console, stage_screen
from atomgraft.transport.diffusivity.page import PAGE, write_page
from atomgraft.transport.diffusivity.record import DiffusivityResult
from atomgraft.transport.diffusivity.spec import DiffusivitySpec, require_temperature
from atomgraft.transport.diffusivity.wording import diffusivity_table
from atomgraft.transport.diffusivity.work import diffusivity as measure

OPTIONS = frozenset(DiffusivitySpec.model_fields) - {"files"}

LISTS = ("mobile", "temperature", "step", "elements")
"""Options of several values, of which one may stand alone."""


@final
@dataclasses.dataclass(frozen=True)
class Diffusivity:
    """Diffusion in one material.

    Parameters
    ----------
    folder
        Where it is kept.
    result
        Everything that was found.
    """

    folder: Path
    result: DiffusivityResult = dataclasses.field(repr=False)

    @property
    def page(self) -> Path:
        """The page, one HTML file."""
        return self.folder / PAGE

    def to_frame(self) -> Any:  # noqa: ANN401 - pandas is loaded only here
        """Return diffusivities as a pandas DataFrame, a row per ion and temperature."""
        rows: list[dict[str, Any]] = []
        for at, ion in self.result.ions():
            value = ion.diffusivity.value
            ends = {} if value is None else value.model_dump()
            rows.append(
                {
                    "element": ion.element,
                    "temperature": at.temperature,
                    **ends,
                    "limit": ion.diffusivity.limit,
                    "exponent": ion.exponent,
                }
            )
        return frame_of(rows)

    def _repr_html_(self) -> str:
        table = diffusivity_table(self.result)
        said = (*self.result.notices, f"Page: {self.page}")
        return card(self.result.headline, said, table.columns, table.rows)


def diffusivity(
    trajectories: str | Path | Sequence[str | Path] | Sequence[Atoms],
    mobile: str | Sequence[str],
    *,
    out: str | Path | None = None,
    progress: bool = True,
    **options: Any,  # noqa: ANN401 - validated by the spec
) -> Diffusivity:
    """Measure the diffusion of ions in trajectories, or return what is there.

    Parameters
    ----------
    trajectories
        Files, one for each run; or the frames of one run.
    mobile
        Elements that move through the framework of all others.
    out
        Folder of the result; none is ``diffusivity-NAME``, as on the command line.
    progress
        Show a bar.
    options
        Keys of :class:`DiffusivitySpec`, such as ``temperature`` (K), ``step`` (fs)
        and ``skip`` (ps).

    Raises
    ------
    BadInputError
        Something cannot be used as it is.
    """
    with about_arguments():
        refuse_unknown("diffusivity()", options, OPTIONS)
        alone = isinstance(trajectories, str | Path)
        given: list[Any] = [trajectories] if alone else list(trajectories)
        stem = stem_of(str(given[0])) if _are_files(given) else "frames"
        folder = Path(f"diffusivity-{stem}" if out is None else out)
        frames = Frames(folder)
        files = frames.named(given, "trajectories", stem="frames")
        settings = {"files": files, "mobile": mobile, **options}
        spec = checked_spec(
            DiffusivitySpec, "diffusivity", require_temperature(_listed(settings))
        )
        screen = console(quiet=not progress)
        with frames.written("diffusivity"), calm(), stage_screen(screen) as show:
            result = measure(spec, folder, progress=show)
        write_page(folder, result)
    return Diffusivity(folder, result)


def _are_files(given: Sequence[Any]) -> bool:
    if not given:
        raise BadInputError(
            "trajectories is an empty list.",
            "Expected at least one trajectory, or the frames of one.",
            "Check what trajectories holds.",
        )
    return all(isinstance(one, str | Path) for one in given)


def _listed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings in which one value is a list of one."""
    found = dict(settings)
    for key in LISTS:
        value = found.get(key)
        is_several = isinstance(value, Iterable) and not isinstance(value, str)
        if value is not None and not is_several:
            found[key] = [value]
    return found
