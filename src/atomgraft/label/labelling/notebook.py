"""Labels and trajectories from Python, with objects."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from ase import Atoms

from atomgraft.core.errors import BadInputError
from atomgraft.core.trust import Trust
from atomgraft.core.yaml_files import read_settings
from atomgraft.data.readers import read_structures
from atomgraft.dynamics.trajectories import read_trajectory
from atomgraft.label.labelling.page import headline, sentences, short_table, write_page
from atomgraft.label.labelling.plan import plan_labelling
from atomgraft.label.labelling.record import LabelResult
from atomgraft.label.labelling.spec import LabelSpec, MotionSpec, parse_label_spec
from atomgraft.label.labelling.then import (
    Then,
    outcome_words,
    refuse_then,
    then_of,
    train,
)
from atomgraft.label.labelling.work import run_labelling
from atomgraft.run.notebook import Base, Run, source_of
from atomgraft.study.clusters import ClusterPlan
from atomgraft.study.folder import Execution
from atomgraft.study.notebook import (
    Frames,
    Given,
    about_arguments,
    card,
    frame_of,
    refuse_unknown,
)
from atomgraft.study.screen import calm, campaign_screen, console

OF_MOTION = frozenset(MotionSpec.model_fields)

OPTIONS = (frozenset(LabelSpec.model_fields) - {"structures", "engine", "md"}) | (
    OF_MOTION
)

SHOWN = 20
"""Rows that a notebook shows."""


@final
@dataclasses.dataclass(frozen=True)
class Labels:
    """Labels or trajectories of structures.

    Parameters
    ----------
    folder
        Where they are kept.
    result
        The index.
    run
        Trained on the labels; none where none was asked for, or there is nothing to
        train on yet.
    """

    folder: Path
    result: LabelResult = dataclasses.field(repr=False)
    run: Run | None = dataclasses.field(default=None, repr=False)

    @property
    def page(self) -> Path:
        """The page, one HTML file."""
        return self.folder / "report.html"

    def structures(self) -> list[Atoms]:
        """Return the labelled structures; none where trajectories were asked for."""
        if self.result.labels is None:
            return []
        return read_structures([self.folder / self.result.labels])

    def trajectory(self, i: int = 0) -> list[Atoms]:
        """Return the frames of one run.

        Parameters
        ----------
        i
            Its place among the jobs of the index.

        Raises
        ------
        BadInputError
            The job has no trajectory.
        """
        path = self.result.jobs[i].path
        if path is None or self.result.task != "trajectories":
            raise BadInputError(
                f"Job {i} has no trajectory.",
                "Expected a run that came to its end.",
                "See result.jobs for the status of each.",
            )
        return read_trajectory(self.folder / path)

    def to_frame(self) -> Any:  # noqa: ANN401 - pandas is loaded only here
        """Return the jobs as a pandas DataFrame."""
        return frame_of([one.model_dump() for one in self.result.jobs])

    def _repr_html_(self) -> str:
        said = (*sentences(self.result), f"Page: {self.page}")
        table = short_table(self.result, most=SHOWN)
        if table is None:
            return card(headline(self.result), said)
        return card(headline(self.result), said, table.columns, table.rows)


def label(
    structures: Given,
    engine: str | Base | Run,
    *,
    out: str | Path,
    workers: int | None = None,
    fresh: bool = False,
    progress: bool = True,
    then: str | Path | Mapping[str, Any] | None = None,
    **options: Any,  # noqa: ANN401 - validated by the spec
) -> Labels:
    """Label structures, or move them where temperatures are given; resumable.

    Parameters
    ----------
    structures
        Files, folders or structures.
    engine
        Its name (``pmmcs``, ``model:7net-0`` ...), or a model of `load`, or a run.
    out
        Folder of the result. What is done there counts.
    workers
        Jobs at a time; none is one a core.
    fresh
        Throw away what an earlier call left in the folder.
    progress
        Show a bar.
    then
        A run file of ``adapt``, or its keys, that trains on the labels once all are
        there; ``train`` may be left out.
    options
        ``settings`` of the engine, ``wall_time``, and the keys of
        :class:`MotionSpec`, such as ``temperatures`` and ``time``: with any of them,
        trajectories are written.

    Raises
    ------
    BadInputError
        Something cannot be used as it is.
    """
    with about_arguments():
        refuse_unknown("label()", options, OPTIONS)
        name, trust = _engine(engine)
        folder = Path(out)
        frames = Frames(folder)
        motion = {key: one for key, one in options.items() if key in OF_MOTION}
        document = {
            "structures": frames.named(structures, "structures"),
            "engine": name,
            **{key: one for key, one in options.items() if key not in OF_MOTION},
            **({"md": motion} if motion else {}),
        }
        spec = parse_label_spec(document, "The call")
        run, of_base = (None, {}) if then is None else _then(then, folder)
        trust = {**trust, **of_base}
        execution = {"cluster": ClusterPlan(n_workers=workers), "fresh": fresh}
        screen = console(quiet=not progress)
        with frames.written("label"), calm(), campaign_screen(screen) as shown:
            plan = plan_labelling(spec, trust=trust)
            if run is not None:
                refuse_then(run, plan, trust, fresh=fresh)
            result = run_labelling(
                plan, folder, execution=Execution(observer=shown, **execution)
            )
        write_page(folder, result)
        if run is None:
            return Labels(folder, result)
        screen.print(outcome_words(result), markup=False)
        if not result.finished or result.labels is None:
            return Labels(folder, result)
        train(run, screen, trust)
    return Labels(folder, result, Run(run.folder, trust))


def _then(given: str | Path | Mapping[str, Any], folder: Path) -> tuple[Then, Trust]:
    """Return the run that an argument means, and which checkpoints may run code."""
    if not isinstance(given, Mapping):
        return then_of(read_settings(Path(given)), str(given), folder), {}
    document, trust = dict(given), {}
    base = document.get("base")
    if isinstance(base, Base | Run):
        source = source_of(base, "then['base']")
        document = {"head": source.head, **document, "base": source.name}
        trust = source.trust
    return then_of(document, "then", folder), trust


def _engine(engine: str | Base | Run) -> tuple[str, Trust]:
    if isinstance(engine, str):
        return engine, {}
    source = source_of(engine, "engine")
    return f"model:{source.name}", source.trust
