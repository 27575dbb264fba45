"""Predictors of transport properties from Python."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any, final

from atomgraft.core.specs import checked_spec
from atomgraft.study.notebook import about_arguments, card, frame_of, refuse_unknown
from atomgraft.study.screen import calm, console, stage_screen
from atomgraft.transport.distil.page import PAGE, write_page
from atomgraft.transport.distil.record import DistilResult
from atomgraft.transport.distil.spec import DistilSpec, folder_of
from atomgraft.transport.distil.tables import columns_of, rows_of
from atomgraft.transport.extra import require_transport

OPTIONS = frozenset(DistilSpec.model_fields) - {"materials", "target", "mobile"}


@final
@dataclasses.dataclass(frozen=True)
class Distilled:
    """Methods compared on known materials, and the predictor that was chosen.

    Parameters
    ----------
    folder
        Of result and predictor.
    result
        Everything that was found.
    """

    folder: Path
    result: DistilResult = dataclasses.field(repr=False)

    @property
    def page(self) -> Path:
        """The page, one HTML file."""
        return self.folder / PAGE

    def to_frame(self) -> Any:  # noqa: ANN401 - pandas is loaded only here
        """Return known and predicted values as a pandas DataFrame."""
        return frame_of([one.model_dump() for one in self.result.predictions])

    def _repr_html_(self) -> str:
        found = self.result
        said = (*found.notices, f"Page: {self.page}")
        return card(found.headline, said, columns_of(found), rows_of(found))


def distil(
    materials: str | Path | Sequence[str | Path],
    target: str,
    mobile: str,
    *,
    out: str | Path | None = None,
    progress: bool = True,
    **options: Any,  # noqa: ANN401 - validated by the spec
) -> Distilled:
    """Learn a property from known materials, or return what is there.

    Parameters
    ----------
    materials
        Tables (CSV), or files of structures whose frames carry the property.
    target
        Column, or key of a frame, with the property.
    mobile
        Symbol of the ion that moves, or the column or key that names it.
    out
        Folder of the result; none is ``distil-TARGET``, as on the command line.
    progress
        Show a bar.
    options
        Keys of :class:`DistilSpec`, such as ``test``, ``group`` and ``methods``.

    Raises
    ------
    BadInputError
        Something cannot be used as it is.
    """
    with about_arguments():
        refuse_unknown("distil()", options, OPTIONS)
        one_file = isinstance(materials, str | Path)
        files = [materials] if one_file else list(materials)
        given = {
            "materials": [str(one) for one in files],
            "target": target,
            "mobile": mobile,
            **options,
        }
        spec = checked_spec(DistilSpec, "distil", given)
        require_transport("distil()", "sklearn", "pymatgen")
        from atomgraft.transport.distil.work import distil as compared

        folder = folder_of(spec) if out is None else Path(out)
        with calm(), stage_screen(console(quiet=not progress)) as show:
            result = compared(spec, folder, progress=show)
        write_page(folder, result)
    return Distilled(folder, result)
