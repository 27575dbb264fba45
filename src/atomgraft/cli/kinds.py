"""Kinds of results: the spec, record and page of each."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console

    from atomgraft.records.documents import RecordFile


class Kind(NamedTuple):
    """A kind of result; its parts are imported when they are used.

    Parameters
    ----------
    wing
        Package with the modules `spec`, `record`, `page` and `screen`.
    spec_name
        Model of what can be asked, in `spec`.
    record_name
        What stays on disk, in `record`.
    words
        That its verb takes to read a spec from a file.
    """

    wing: str
    spec_name: str
    record_name: str
    words: str

    @property
    def spec(self) -> "type[BaseModel]":
        """The spec of this kind."""
        return getattr(self._part("spec"), self.spec_name)

    @property
    def record(self) -> "RecordFile[Any]":
        """What stays on disk."""
        return getattr(self._part("record"), self.record_name)

    def page(self, record: "BaseModel") -> tuple[str, str]:
        """Return the name of the page and its text."""
        page = self._part("page")
        return page.PAGE, page.page_text(record)

    def show(self, screen: "Console", record: "BaseModel") -> None:
        """Print a record for people."""
        self._part("screen").print_record(screen, record)

    def _part(self, name: str) -> Any:  # noqa: ANN401 - a module
        return importlib.import_module(f"atomgraft.{self.wing}.{name}")


KINDS: Mapping[str, Kind] = {
    "run": Kind("run", "RunSpec", "RESULT", "adapt FILE"),
    "compare": Kind("compare", "CompareSpec", "COMPARISON", "compare FILE"),
    "fidelity": Kind("fidelity", "FidelitySpec", "FIDELITY", "fidelity FILE"),
    "budget": Kind(
        "fidelity.budget",
        "BudgetSpec",
        "BUDGET",
        "budget STUDY --cpu-hours 10 --spec FILE",
    ),
    "campaign": Kind(
        "phonons.campaign",
        "PhononCampaignSpec",
        "CAMPAIGN",
        "campaign phonons FOLDER --spec FILE",
    ),
    "select": Kind(
        "label", "SelectSpec", "SELECTION", "select POSCAR --model MODEL --spec FILE"
    ),
    "label": Kind(
        "label.labelling", "LabelSpec", "LABELS", "label --engine ENGINE --spec FILE"
    ),
    "phonons": Kind(
        "phonons", "PhononSpec", "PHONONS", "phonons POSCAR --model MODEL --spec FILE"
    ),
    "stabilise": Kind(
        "stabilise",
        "StabiliseSpec",
        "STABILISE",
        "stabilise POSCAR --model MODEL --spec FILE",
    ),
    "diffusivity": Kind(
        "transport.diffusivity",
        "DiffusivitySpec",
        "DIFFUSIVITY",
        "diffusivity TRAJECTORY --mobile Li --temperature 600 --spec FILE",
    ),
    "distil": Kind("transport.distil", "DistilSpec", "DISTIL", "distil --spec FILE"),
    "screen": Kind("transport.screening", "ScreenSpec", "SCREEN", "screen --spec FILE"),
}
"""By the names of their verbs; `run` is what `adapt` and `prove` make."""


def kind_named(name: str) -> Kind:
    """Return a kind by its name.

    Raises
    ------
    BadInputError
        There is none of that name.
    """
    from atomgraft.core.registry import unknown

    if name not in KINDS:
        raise unknown("kind", name, KINDS)
    return KINDS[name]


def kind_at(folder: Path) -> Kind:
    """Return which kind of result a folder holds, or a file is.

    Parameters
    ----------
    folder
        Of the result; or its JSON file. One of another name can be a run's only.

    Raises
    ------
    BadInputError
        The folder holds no result.
    """
    from atomgraft.core.errors import BadInputError
    from atomgraft.core.storage import is_folder

    for kind in KINDS.values():
        if kind.record.is_at(folder):
            return kind
    if is_folder(folder):
        raise BadInputError(
            f"{folder} holds no result of atomgraft.",
            "Expected the output folder of adapt, compare, fidelity, budget, "
            "phonons, select, label, stabilise, diffusivity, distil, screen or "
            "campaign with a result.",
            "Check the path; if the command was stopped, run it again.",
        )
    return KINDS["run"]
