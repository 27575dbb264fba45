"""The registry of methods: each is a regression with settings to choose from."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from sklearn.base import BaseEstimator
from sklearn.dummy import DummyRegressor
from sklearn.ensemble import ExtraTreesRegressor, RandomForestRegressor, VotingRegressor
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, QuantileTransformer

from atomgraft.transport.predictors.kernel import BlockKernel
from atomgraft.transport.predictors.teaching import Start, Student, Teacher

FORMULA = ("composition", "lattice", "temperature")
"""Blocks that need no structure."""

Need = Literal["motion", "teacher"]

N_TREES = 200
N_QUANTILES = 100


@dataclasses.dataclass(frozen=True, kw_only=True)
class Method:
    """A way from features to a prediction.

    Parameters
    ----------
    name
        As it is typed.
    summary
        For people.
    make
        From the columns of each block and a seed to a regression of scikit-learn.
    candidates
        Settings of the regression, of which cross-validation chooses.
    blocks
        The blocks of features that it sees; none: all there are.
    parts
        Methods whose settings are chosen in its place, by the names of its parts.
    is_control
        It is always in the table, and shows what the others are worth.
    takes_raw
        It is given features as they are, NaN included; others get them standardised.
    takes_weights
        Rows may weigh differently; else all weigh one.
    sees_ions
        It is given a table of ions in place of rows of features, and the groups of
        materials where it is fitted.
    needs
        One of these must be there: known motion of some materials, or a teacher.
    """

    name: str
    summary: str
    make: Callable[[Mapping[str, slice], int], BaseEstimator]
    candidates: Sequence[Mapping[str, Any]] = ({},)
    blocks: tuple[str, ...] | None = None
    parts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    is_control: bool = False
    takes_raw: bool = False
    takes_weights: bool = True
    sees_ions: bool = False
    needs: tuple[Need, ...] = ()


def preparation(method: Method, n_rows: int) -> Pipeline | FunctionTransformer:
    """Return what features go through before the regression.

    Every feature gets a normal distribution by its ranks, so that there are no
    outliers; missing ones are zero, the median.

    Parameters
    ----------
    method
        Whose regression follows.
    n_rows
        From which the distribution is learned.
    """
    if method.takes_raw:
        return FunctionTransformer()
    normal = QuantileTransformer(
        n_quantiles=min(N_QUANTILES, n_rows), output_distribution="normal"
    )
    filled = SimpleImputer(
        strategy="constant", fill_value=0.0, keep_empty_features=True
    )
    return make_pipeline(normal, filled)


def _constant(_blocks: Mapping[str, slice], _seed: int) -> BaseEstimator:
    return DummyRegressor(strategy="median")


def _ridge(_blocks: Mapping[str, slice], _seed: int) -> BaseEstimator:
    return Ridge()


def _forest(_blocks: Mapping[str, slice], seed: int) -> BaseEstimator:
    return RandomForestRegressor(N_TREES, min_samples_leaf=2, random_state=seed)


def _trees(_blocks: Mapping[str, slice], seed: int) -> BaseEstimator:
    return ExtraTreesRegressor(N_TREES, max_features=0.4, random_state=seed)


def _kernel(blocks: Mapping[str, slice], _seed: int) -> BaseEstimator:
    return BlockKernel(blocks=dict(blocks))


def _process(_blocks: Mapping[str, slice], seed: int) -> BaseEstimator:
    kernel = ConstantKernel() * Matern(10.0, nu=1.5) + WhiteKernel(0.3)
    return GaussianProcessRegressor(kernel, normalize_y=True, random_state=seed)


def _mean(blocks: Mapping[str, slice], seed: int) -> BaseEstimator:
    return VotingRegressor(
        [("kernel", _kernel(blocks, seed)), ("trees", _trees(blocks, seed))]
    )


def _student(
    name: str,
    summary: str,
    start: Start,
    *,
    is_published: bool = False,
    is_control: bool = False,
    needs: tuple[Need, ...] = ("motion",),
) -> Method:
    """Return a network on ions, by what it starts from."""

    def make(_blocks: Mapping[str, slice], seed: int) -> BaseEstimator:
        return Student(start=start, is_published=is_published, seed=seed)

    return Method(
        name=name,
        summary=summary,
        make=make,
        takes_raw=True,
        sees_ions=True,
        is_control=is_control,
        needs=needs,
    )


def taught_by(teacher: Teacher) -> Method:
    """Return the method that starts from a teacher of other materials."""

    def make(_blocks: Mapping[str, slice], seed: int) -> BaseEstimator:
        return Student(start="teacher", seed=seed, teacher=teacher)

    return dataclasses.replace(METHODS["transferred"], make=make)


RIDGES = tuple({"alpha": 10.0**k} for k in range(-1, 5))
LEAVES = tuple({"min_samples_leaf": n} for n in (1, 3))
KERNELS = tuple(
    {
        "kind": kind,
        "length": length,
        "ridge": ridge,
        "weights": {"hop": hop, "hop invariants": hop},
    }
    for kind, lengths in (("laplace", (2.0, 6.0)), ("gauss", (1.5, 4.0)))
    for length in lengths
    for ridge in (0.003, 0.03, 0.3)
    for hop in (1.0, 10.0)
)
METHODS: Mapping[str, Method] = {
    one.name: one
    for one in (
        Method(
            name="constant",
            summary="the median of the training targets",
            make=_constant,
            is_control=True,
            takes_raw=True,
        ),
        Method(
            name="composition ridge",
            summary="ridge regression on composition and lattice",
            make=_ridge,
            candidates=RIDGES,
            blocks=FORMULA,
            is_control=True,
        ),
        Method(
            name="composition forest",
            summary="random forest on composition and lattice",
            make=_forest,
            blocks=FORMULA,
            is_control=True,
            takes_raw=True,
        ),
        Method(
            name="composition trees",
            summary="extremely randomised trees on composition and lattice",
            make=_trees,
            candidates=LEAVES,
            blocks=FORMULA,
            is_control=True,
            takes_raw=True,
        ),
        Method(
            name="ridge",
            summary="ridge regression on all features",
            make=_ridge,
            candidates=RIDGES,
            is_control=True,
        ),
        Method(
            name="gaussian process",
            summary="Gaussian process on all features, by marginal likelihood",
            make=_process,
            takes_weights=False,
            is_control=True,
        ),
        Method(
            name="kernel ridge",
            summary="kernel ridge regression with a weight for each block",
            make=_kernel,
            candidates=KERNELS,
        ),
        Method(
            name="trees",
            summary="extremely randomised trees on all features",
            make=_trees,
            candidates=LEAVES,
            takes_raw=True,
        ),
        Method(
            name="kernel and trees",
            summary="the mean of kernel ridge regression and trees",
            make=_mean,
            parts={"kernel": "kernel ridge", "trees": "trees"},
        ),
        _student(
            "kim2026",
            "student of a teacher that sees motion, as published",
            "transfer",
            is_published=True,
        ),
        _student(
            "taught",
            "student of a teacher that sees motion; noise, penalty and steps chosen",
            "transfer",
        ),
        _student(
            "transferred",
            "student of a teacher of other materials",
            "teacher",
            needs=("teacher",),
        ),
        _student(
            "from scratch",
            "the same student without a teacher",
            "scratch",
            is_control=True,
            needs=("motion", "teacher"),
        ),
        _student(
            "structure start",
            "the same student from the teacher's weights of structure alone",
            "structure",
            is_control=True,
        ),
        _student(
            "shuffled motion",
            "the same student of a teacher that sees motion of other materials",
            "shuffled",
            is_control=True,
        ),
        _student(
            "taught by the label",
            "the same student of a teacher that sees the property in place of motion",
            "label",
            is_control=True,
        ),
    )
}
