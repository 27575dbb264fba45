"""Screens from Python."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from atomgraft.core.specs import checked_spec
from atomgraft.study.clusters import ClusterPlan
from atomgraft.study.notebook import about_arguments, card, frame_of, refuse_unknown
from atomgraft.study.screen import calm, console, stage_screen
from atomgraft.transport.distil.notebook import Distilled
from atomgraft.transport.extra import require_transport
from atomgraft.transport.screening.page import PAGE, write_page
from atomgraft.transport.screening.record import ScreenResult
from atomgraft.transport.screening.spec import ScreenSpec
from atomgraft.transport.screening.tables import columns_of, rows_of

OPTIONS = frozenset(ScreenSpec.model_fields) - {"structures", "predictor"}
SHOWN = 10


@final
@dataclasses.dataclass(frozen=True)
class Screened:
    """A ranked list.

    Parameters
    ----------
    folder
        Of the result and of features.
    result
        Everything that was found.
    """

    folder: Path
    result: ScreenResult = dataclasses.field(repr=False)

    @property
    def page(self) -> Path:
        """The page, one HTML file."""
        return self.folder / PAGE

    def to_frame(self) -> Any:  # noqa: ANN401 - pandas is loaded only here
        """Return the list as a pandas DataFrame, the best first."""
        return frame_of([one.model_dump() for one in self.result.ranked])

    def _repr_html_(self) -> str:
        found = self.result
        said = (*found.notices, f"Page: {self.page}")
        return card(found.headline, said, columns_of(found), rows_of(found, SHOWN))


def screen(
    structures: str | Path | Sequence[str | Path],
    predictor: str | Path | Distilled = "",
    *,
    out: str | Path = "screen",
    workers: int | None = 1,
    progress: bool = True,
    **options: Any,  # noqa: ANN401 - validated by the spec
) -> Screened:
    """Predict a property of many structures, and rank them.

    Parameters
    ----------
    structures
        Files or folders.
    predictor
        What `distil` returned, or its folder; none takes the one that ships with
        atomgraft, of the conductivity of lithium.
    out
        Folder of the result and of features.
    workers
        Processes that compute features; none takes one for each core. With more than
        one, a script needs ``if __name__ == "__main__":``, as workers import it.
    progress
        Show how far it is.
    options
        Keys of :class:`ScreenSpec`, such as ``mobile`` and ``best``.

    Raises
    ------
    BadInputError
        Something cannot be used as it is.
    """
    with about_arguments():
        refuse_unknown("screen()", options, OPTIONS)
        require_transport("screen()", "sklearn", "pymatgen")
        from atomgraft.transport.screening.work import screen as screened

        one_file = isinstance(structures, str | Path)
        files = [structures] if one_file else list(structures)
        place = predictor.folder if isinstance(predictor, Distilled) else predictor
        given = {"structures": [str(one) for one in files], "predictor": str(place)}
        spec = checked_spec(ScreenSpec, "screen", given | options)
        folder, plan = Path(out), ClusterPlan(n_workers=workers)
        with calm(), stage_screen(console(quiet=not progress)) as show:
            result = screened(spec, folder, cluster=plan, progress=show)
        write_page(folder, result)
    return Screened(folder, result)
