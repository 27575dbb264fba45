"""Where cells run: this machine, a Dask scheduler, or SLURM."""

import contextlib
import dataclasses
import gc
import importlib
import importlib.util
import logging
import os
import traceback
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from atomgraft.core.errors import BadInputError, MissingExtraError, reason_of
from atomgraft.core.signals import stopped_by_signal
from atomgraft.core.storage import make_private_folder
from atomgraft.study.credentials import Credentials, client_security

if TYPE_CHECKING:
    from distributed import Client

PATIENCE = 20.0
"""Seconds to wait for a scheduler that was named."""

CHATTER = ("distributed", "asyncio", "tornado", "bokeh")
"""Loggers that report every lost worker; the campaign says it in its own words."""

NO_PAGES = {
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
}
"""Dask's web pages know no password, so none is served."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClusterPlan:
    """Where to run, and how many cells at once.

    Parameters
    ----------
    n_workers
        Processes, or jobs under SLURM; none takes one for each core this process may
        use, or a single one where the cells share a GPU.
    scheduler
        Address of a Dask scheduler that runs already (``tls://host:8786``).
    credentials
        TLS files for that scheduler.
    slurm
        Options of ``dask_jobqueue.SLURMCluster``: cores, memory, walltime, queue ...
    """

    n_workers: int | None = None
    scheduler: str | None = None
    credentials: Credentials | None = None
    slurm: Mapping[str, str] | None = None

    def __post_init__(self) -> None:
        """Check that there is one place to run.

        Raises
        ------
        BadInputError
            There are two, no workers, or credentials for no scheduler.
        """
        if self.credentials is not None and self.scheduler is None:
            raise BadInputError(
                "TLS credentials were given without a scheduler.",
                "Clusters started by atomgraft create their own credentials.",
                "Add --scheduler, or leave the --tls options out.",
            )
        if self.scheduler is not None and self.slurm is not None:
            raise BadInputError(
                "A scheduler and SLURM were both requested.",
                "Only one of them can be used.",
                "Give either --scheduler or --slurm.",
            )
        if self.n_workers is not None and self.n_workers < 1:
            raise BadInputError(
                f"{self.n_workers} workers were requested.",
                "Expected at least one.",
                "Leave --workers out for one per core.",
            )


def usable_cores() -> int:
    """Return the cores that this process may use, which can be fewer than there are."""
    return len(os.sched_getaffinity(0))


def local_workers(plan: ClusterPlan, *, n_cells: int, on_gpu: bool) -> int:
    """Return the number of worker processes on this machine.

    Parameters
    ----------
    plan
        May name it.
    n_cells
        No more workers than cells are started.
    on_gpu
        Cells on one GPU run one after the other unless the plan says otherwise.

    Examples
    --------
    >>> local_workers(ClusterPlan(n_workers=8), n_cells=3, on_gpu=False)
    3
    >>> local_workers(ClusterPlan(), n_cells=100, on_gpu=True)
    1
    """
    wanted = plan.n_workers or (1 if on_gpu else usable_cores())
    return max(1, min(wanted, n_cells))


@contextlib.contextmanager
def opened(
    plan: ClusterPlan, *, n_workers: int, n_deaths: int = 3
) -> Generator["Client"]:
    """Open a Dask client, and the cluster behind it where there is none yet.

    A cluster started here speaks TLS with credentials that nobody else has, and
    serves no web page.

    Parameters
    ----------
    plan
        Where.
    n_workers
        Processes on this machine, or jobs.
    n_deaths
        Of workers that a task outlives, in a cluster on this machine.

    Raises
    ------
    BadInputError
        The scheduler does not answer, or SLURM's options cannot be used.
    MissingExtraError
        SLURM was asked for, and dask-jobqueue is not installed.
    """
    _hush()
    with contextlib.ExitStack() as stack:
        if plan.scheduler is not None:
            client = _connected(plan.scheduler, plan.credentials)
            yield stack.enter_context(client)
            return
        import dask.config as dask_config
        from distributed import Client

        stack.enter_context(dask_config.set(NO_PAGES))  # of workers that come later too
        slurm = plan.slurm
        cluster = _local(n_workers, n_deaths) if slurm is None else _slurm(slurm)
        stack.enter_context(cluster)
        if slurm is not None:
            cluster.scale(jobs=n_workers)
        yield stack.enter_context(Client(cluster, set_as_default=False))


class Workers:
    """Workers that are started when they are first needed, and stay until the end.

    A worker that starts imports a framework, which takes longer than many a cell. Jobs
    of SLURM end with the cells that they were asked for: they would hold nodes without
    work, and their time would run out.

    Parameters
    ----------
    plan
        Where.
    """

    def __init__(self, plan: ClusterPlan) -> None:
        self.plan = plan
        self._stack = contextlib.ExitStack()
        self._client: Client | None = None
        self._n_workers = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Stop the workers, in order even where a signal comes."""
        with stopped_by_signal():
            self._stack.close()

    @contextlib.contextmanager
    def client(self, n_workers: int) -> Generator["Client"]:
        """Yield the client, with at least so many workers where we start them.

        Raises
        ------
        BadInputError
            The scheduler does not answer, or SLURM's options cannot be used.
        MissingExtraError
            SLURM was asked for, and dask-jobqueue is not installed.
        """
        if self.plan.slurm is not None:
            with opened(self.plan, n_workers=n_workers) as client:
                yield client
            return
        if self._client is None:
            opening = opened(self.plan, n_workers=n_workers)
            self._client = self._stack.enter_context(opening)
        elif n_workers > self._n_workers and self.plan.scheduler is None:
            cluster: Any = self._client.cluster  # distributed has no types
            cluster.scale(n_workers)
        self._n_workers = max(n_workers, self._n_workers)
        yield self._client


def _hush() -> None:
    """Silence the loggers of Dask, which gives each a level when it is imported."""
    importlib.import_module("distributed")
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in CHATTER:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _local(n_workers: int, n_deaths: int) -> Any:  # noqa: ANN401 - distributed has no types
    """Start worker processes of one thread each; nothing watches their memory.

    Dask would pause and restart a process at a share of the machine's memory that
    says nothing about whether a training step fits.
    """
    import distributed

    start: Any = distributed.LocalCluster
    return start(
        n_workers=n_workers,
        threads_per_worker=1,
        processes=True,
        memory_limit=None,
        security=distributed.Security.temporary(),
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False, "allowed_failures": n_deaths},
        silence_logs=logging.CRITICAL,
    )


def _connected(address: str, credentials: Credentials | None) -> "Client":
    from distributed import Client

    security = client_security(address, credentials)
    try:
        return Client(
            address, timeout=PATIENCE, set_as_default=False, security=security
        )
    except (OSError, ValueError, RuntimeError) as error:
        reason = reason_of(error)
        traceback.clear_frames(error.__traceback__)
    # A client that never connected closes when it is collected, and waits forever if
    # that comes while another one starts: collected here, it cannot.
    gc.collect()
    raise BadInputError(
        f"The scheduler {address} does not answer: {reason}.",
        "Expected the address of a running Dask scheduler, such as "
        "tls://127.0.0.1:8786.",
        "Start one with 'dask scheduler' and workers with 'dask worker ADDRESS "
        "--nthreads 1', or leave --scheduler out.",
    )


def _slurm(options: Mapping[str, str]) -> Any:  # noqa: ANN401 - jobqueue has no types
    if importlib.util.find_spec("dask_jobqueue") is None:
        raise MissingExtraError(
            "--slurm needs dask-jobqueue, which is not installed.",
            "dask-jobqueue submits the workers as jobs.",
            'Install it: pip install "atomgraft[slurm]"',
        )
    from distributed import Security

    start: Any = importlib.import_module("dask_jobqueue").SLURMCluster
    given = {key: int(one) if one.isdigit() else one for key, one in options.items()}
    ours = {
        "cores": 1,
        "processes": 1,
        "memory": "4GB",
        "security": Security.temporary(),
        "shared_temp_directory": str(_shared_folder()),
        "scheduler_options": {"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        "worker_extra_args": ["--no-dashboard"],
        "job_script_prologue": ["export DASK_DISTRIBUTED__WORKER__HTTP__ROUTES='[]'"],
    }
    try:
        return start(**ours | given)
    except (TypeError, ValueError, OSError) as error:
        reason = reason_of(error)
        raise BadInputError(
            f"SLURM's options cannot be used: {reason}.",
            "Expected options of dask_jobqueue.SLURMCluster, as KEY=VALUE.",
            "For example: --slurm queue=short --slurm walltime=04:00:00 "
            "--slurm memory=8GB",
        ) from error


def _shared_folder() -> Path:
    """Return a folder of this user alone for keys that jobs on other nodes read.

    dask-jobqueue removes the keys when the cluster ends.
    """
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = Path(caches).absolute() / "atomgraft"
    make_private_folder(folder)
    return folder


def parse_slurm(options: Sequence[str] | None) -> dict[str, str] | None:
    """Return options given as KEY=VALUE, or none where none is given.

    Raises
    ------
    BadInputError
        One has no equals sign.

    Examples
    --------
    >>> parse_slurm(("queue=short", "walltime=01:00:00"))
    {'queue': 'short', 'walltime': '01:00:00'}
    """
    pairs = {one: one.partition("=") for one in options or ()}
    for one, (key, sign, _) in pairs.items():
        if not key or not sign:
            raise BadInputError(
                f"--slurm {one!r} has no name and value.",
                "Expected KEY=VALUE.",
                "For example: --slurm queue=short",
            )
    return {key: value for key, _, value in pairs.values()} or None
