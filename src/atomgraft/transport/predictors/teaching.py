"""Teachers that see how ions move, and students that see where they are.

A teacher reads structure and motion: h = P W_p + X W_x. A student reads structure
alone and starts from what the teacher has learned, in closed form: the W with which
X W is nearest to h over all ions (Kim, Lee and Shin, arXiv 2605.09311, 2026). Other
starts tell what this is worth: the teacher's W_x without motion, a teacher that saw the
motion of other materials, a teacher that saw the label, and none.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.model_selection import GroupKFold
from torch import Tensor

from atomgraft.core.errors import BadInputError
from atomgraft.core.seeding import numpy_generator
from atomgraft.transport.features.ions import IonTable
from atomgraft.transport.predictors.networks import (
    DECODER,
    DTYPE,
    Bags,
    Noise,
    Scaling,
    Weights,
    absolute_error,
    chosen_penalty,
    decoded,
    expanded,
    fresh,
    tensor,
    trained,
    transferred,
    with_ones,
)

Start = Literal["transfer", "structure", "shuffled", "label", "scratch", "teacher"]

PUBLISHED_PENALTY = 1e-5
PENALTIES = tuple(10.0**k for k in range(-6, 2))
"""lambda as published, and those of which cross-validation chooses."""

STRUCTURE_SHARE = 1.0
"""Weight in the teacher's loss of what the same decoder makes of structure alone."""

TEACHER_STEPS, STUDENT_STEPS = 200, 200
RATE, FINE_RATE, ENCODER_SHARE = 0.01, 0.003, 0.1
"""Learning rates: of what starts from nothing, and of what does not; and the share for
an encoder that was learned on other materials."""

NOISES = (0.3, 1.0)
"""Standard deviations of noise on standardised features, of which one is chosen."""

N_HELD = 3
"""Parts of the groups, each held out by some members; they choose noise and steps."""

SEEN = tuple(2 * k**2 for k in range(11))
"""Steps of the student of which one is chosen: 0, 2, 8 ... 200."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Teacher:
    """What a student of other materials may start from.

    Parameters
    ----------
    encoder
        W_x, the last row that of the ones.
    decoder
        Of the student.
    scaling
        Of the features that W_x multiplies.
    columns
        Names of the features of an ion.
    """

    encoder: Float[np.ndarray, "columns width"]
    decoder: Mapping[str, np.ndarray]
    scaling: Scaling
    columns: tuple[str, ...]


class Student(RegressorMixin, BaseEstimator):
    """A network that sees structure, and starts from a teacher.

    Parameters
    ----------
    start
        ``transfer``: a teacher's h in closed form; ``structure``: its W_x; ``shuffled``
        and ``label``: as ``transfer``, of a teacher that saw the motion of other
        materials, or the label; ``scratch``: nothing; ``teacher``: W_x and decoder of
        another set of materials.
    is_published
        The penalty as published, all steps, no noise, and every material counts once;
        else these are chosen by held-out groups, and materials have their weights.
    seed
        Of weights and folds.
    teacher
        Of other materials, for the start of this name.
    """

    def __init__(
        self,
        start: Start = "transfer",
        is_published: bool = False,  # noqa: FBT001, FBT002 - of scikit-learn
        seed: int = 0,
        teacher: Teacher | None = None,
    ) -> None:
        self.start, self.is_published = start, is_published
        self.seed, self.teacher = seed, teacher

    def fit(
        self,
        X: IonTable,
        y: Float[np.ndarray, " rows"],
        sample_weight: Float[np.ndarray, " rows"] | None = None,
        groups: Int[np.ndarray, " rows"] | None = None,
    ) -> "Student":
        """Train the teacher, and the student on the targets alone.

        Raises
        ------
        BadInputError
            No material has what the start needs.
        """
        lesson = _lesson(self, X, np.asarray(y, dtype=float), sample_weight, groups)
        self.centre_, self.spread_ = lesson.centre, lesson.spread
        self.scaling_, self.columns_ = lesson.scaling, X.columns
        self.chosen_: dict[str, Any] = {}
        self.penalties_: list[float] = []
        began, self.teacher_ = self._begun(lesson)
        self.weights_ = self._tuned(lesson, began)
        return self

    def predict(self, X: IonTable) -> Float[np.ndarray, " rows"]:
        """Return predictions; of materials without ions the centre of the targets."""
        told = _told(self.weights_, with_ones(self.scaling_(expanded(X))), X)
        return np.where(X.has_ions, told * self.spread_ + self.centre_, self.centre_)

    def predict_seeing(self, X: IonTable) -> Float[np.ndarray, " rows"]:
        """Return what the teacher predicts, which sees motion; NaN where none is."""
        if "p" not in self.teacher_:
            return np.full(len(X), np.nan)
        x = with_ones(self.scaling_(expanded(X)))
        p = with_ones(self.motion_scaling_(X.motion))
        h = x @ self.teacher_["w"] + p @ self.teacher_["p"]
        told = decoded(self.teacher_, h, Bags.of(X))[-1].numpy()
        told = told * self.spread_ + self.centre_
        return np.where(X.has_motion, told, np.nan)

    def as_teacher(self) -> Teacher:
        """Return what a student of other materials starts from."""
        return Teacher(
            encoder=self.teacher_["w"][-1].numpy(),
            decoder={name: self.weights_[name][-1].numpy() for name in DECODER},
            scaling=self.scaling_,
            columns=self.columns_,
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all that predictions need."""
        return {
            **{f"weights.{k}": v[-1].numpy() for k, v in self.weights_.items()},
            "scaling.mean": self.scaling_.mean,
            "scaling.spread": self.scaling_.spread,
            "targets": np.array([self.centre_, self.spread_]),
        }

    def restored(self, arrays: Mapping[str, np.ndarray]) -> "Student":
        """Return this student with what `arrays` returned."""
        self.weights_ = {
            name: torch.from_numpy(arrays[f"weights.{name}"].copy())[None]
            for name in ("w", *DECODER)
        }
        self.scaling_ = Scaling(
            mean=arrays["scaling.mean"], spread=arrays["scaling.spread"]
        )
        self.centre_, self.spread_ = arrays["targets"].tolist()
        self.chosen_ = {}
        return self

    def _begun(self, lesson: "Lesson") -> tuple[Weights, Weights]:
        """Return weights of the student before it sees targets, and the teacher's."""
        if self.start == "scratch":
            began = fresh(lesson.x.shape[1], lesson.n_members, self.seed)
            return began, began
        if self.start == "teacher":
            assert self.teacher is not None  # checked where the lesson is made
            began = _all_alike(self.teacher, lesson.n_members)
            return began, began
        self.motion_scaling_ = lesson.motion_scaling
        seen = _taught(lesson, self.seed)
        began = {name: seen[name].clone() for name in ("w", *DECODER)}
        if self.start != "structure":
            began["w"] = self._closed(lesson, seen)
        return began, seen

    def _closed(self, lesson: "Lesson", seen: Weights) -> Tensor:
        """Return W of each member, nearest to its teacher's h."""
        found: list[Tensor] = []
        for k in range(lesson.n_members):
            h = lesson.x @ seen["w"][k] + lesson.p @ seen["p"][k]
            weight = lesson.ion_weights[k]
            penalty = PUBLISHED_PENALTY
            if not self.is_published:
                penalty = chosen_penalty(lesson.x, h, weight, lesson.fold, PENALTIES)
            found.append(transferred(lesson.x, h, weight, penalty).to(DTYPE))
            self.penalties_.append(penalty)
        return torch.stack(found)

    def _tuned(self, lesson: "Lesson", began: Weights) -> Weights:
        """Fine-tune on targets alone; return weights after the best number of steps."""

        def loss(weights: Weights) -> Tensor:
            h = noise.product(lesson.x, weights["w"])
            told = decoded(weights, h, lesson.bags)
            return absolute_error(told, lesson.y, lesson.weight)

        noise = Noise(lesson.noise, self.seed + 2)
        is_new = self.start == "scratch"
        rate = RATE if is_new else FINE_RATE
        encoder = rate * (ENCODER_SHARE if self.start == "teacher" else 1.0)
        # a student from nothing has the steps of teacher and student
        steps = STUDENT_STEPS + (TEACHER_STEPS if is_new else 0)
        at = [one * steps // STUDENT_STEPS for one in SEEN]
        weights, kept = trained(
            began,
            loss,
            steps=steps,
            rates={"w": encoder} | dict.fromkeys(DECODER, rate),
            seen_at=at,
        )
        if self.is_published:
            self.chosen_ |= {"steps": steps, "lambda": PUBLISHED_PENALTY}
            return weights
        step, member = _best(lesson, kept)
        self.chosen_ |= {"steps": at[step], "noise": float(lesson.noise[member])}
        if self.penalties_:
            self.chosen_["lambda"] = self.penalties_[member]
        self.teacher_ = {k: v[member][None] for k, v in self.teacher_.items()}
        return {name: one[member][None] for name, one in kept[step].items()}


@dataclasses.dataclass(frozen=True, kw_only=True)
class Lesson:
    """What is learned from, for all members of a batch.

    Parameters
    ----------
    x, p
        Standardised features and motion of ions.
    bags
        Which ions belong together.
    y
        Standardised targets.
    weight, held
        Of materials, by member: in training, and where they are held out. Members go
        through noises, and for each through parts; the last of each holds out nothing.
    motion_weight
        The same as the first, of those with known motion.
    ion_weights
        Of ions whose motion is known, by member.
    noise
        Of each member.
    fold
        Of ions.
    centre, spread
        Of targets.
    scaling, motion_scaling
        Of features and motion.
    """

    x: Tensor
    p: Tensor
    bags: Bags
    y: Tensor
    weight: Tensor
    held: Tensor
    motion_weight: Tensor
    ion_weights: Tensor
    noise: Tensor
    fold: Tensor
    centre: float
    spread: float
    scaling: Scaling
    motion_scaling: Scaling

    @property
    def n_members(self) -> int:
        """Networks side by side."""
        return len(self.weight)


def _lesson(
    student: Student,
    ions: IonTable,
    y: Float[np.ndarray, " rows"],
    weight: Float[np.ndarray, " rows"] | None,
    groups: Int[np.ndarray, " rows"] | None,
) -> Lesson:
    ions = _privileged(student, ions, y)
    counts = np.ones(len(y)) if weight is None or student.is_published else weight
    counts = counts * ions.has_ions
    if not counts.any():
        raise BadInputError(
            "No material has a structure with ions.",
            "Methods on ions need structures.",
            "Leave these methods out.",
        )
    groups = np.arange(len(y)) if groups is None else groups
    fold = _folds(groups, student)
    n_folds = int(fold.max()) + 1 if fold.max() > 0 else 0
    noises = (0.0,) if student.is_published else NOISES
    parts = [*(fold == k for k in range(n_folds)), np.zeros(len(y), bool)]
    is_held = np.tile(np.array(parts), (len(noises), 1))
    centre = _median(y, counts)
    spread = float(np.average(np.abs(y - centre), weights=counts)) or 1.0
    scaling = _scaling(student, ions, counts)
    by_ion = ions.share * counts[ions.owner]
    known = ions.has_motion
    motion_scaling = Scaling.of(ions.motion, by_ion)
    training = counts * ~is_held
    return Lesson(
        x=with_ones(scaling(expanded(ions))),
        p=with_ones(motion_scaling(ions.motion)),
        bags=Bags.of(ions),
        y=tensor((y - centre) / spread),
        weight=tensor(training),
        held=tensor(counts * is_held),
        motion_weight=tensor(training * known),
        ion_weights=tensor((training * known)[:, ions.owner] * ions.share),
        noise=tensor(np.repeat(noises, len(parts))),
        fold=torch.from_numpy(_penalty_folds(groups, student.seed)[ions.owner]),
        centre=centre,
        spread=spread,
        scaling=scaling,
        motion_scaling=motion_scaling,
    )


def _privileged(
    student: Student, ions: IonTable, y: Float[np.ndarray, " rows"]
) -> IonTable:
    """Return ions with what the teacher sees in place of motion.

    Raises
    ------
    BadInputError
        Nothing is there to be seen.
    """
    if student.start in {"scratch", "teacher"}:
        _check_teacher(student, ions)
        return ions
    if not ions.has_motion.any():
        raise BadInputError(
            "No material that is learned from has a known motion.",
            "A teacher sees motion.",
            "Give trajectories, or leave these methods out.",
        )
    if student.start == "label":
        seen = np.where(ions.has_motion, y, np.nan)[ions.owner][:, None]
        return dataclasses.replace(ions, motion=seen)
    if student.start == "shuffled":
        return shuffled(ions, student.seed)
    return ions


def _check_teacher(student: Student, ions: IonTable) -> None:
    if student.start != "teacher":
        return
    if student.teacher is None:
        raise BadInputError(
            "A student of a teacher was asked for, and no teacher was given.",
            "Expected the folder of another result of distil.",
            "Name it: atomgraft distil ... --teacher FOLDER",
        )
    if student.teacher.columns != ions.columns:
        raise BadInputError(
            f"The teacher sees {len(student.teacher.columns)} features of an ion, and"
            f" the materials have {len(ions.columns)}.",
            "Expected features of the same kind and of the same model.",
            "Give --model as where the teacher was made.",
        )


def shuffled(ions: IonTable, seed: int) -> IonTable:
    """Return ions with the motion of those of another material.

    Materials of one temperature exchange their motion, so that the table still says how
    ions move at a temperature, and not of which material they are.

    Parameters
    ----------
    ions
        Of some of whose materials motion is known.
    seed
        Of the exchange.
    """
    generator = numpy_generator(seed, "shuffled motion")
    places = [np.flatnonzero(ions.owner == k) for k in range(len(ions))]
    motion = ions.motion.copy()
    temperature = np.nan_to_num(ions.temperature, nan=-1.0)
    for one in np.unique(temperature):
        materials = np.flatnonzero((temperature == one) & ions.has_motion)
        order = generator.permutation(materials)
        for taker, giver in zip(order, np.roll(order, 1), strict=True):
            rows = places[giver]
            taken = rows[np.arange(len(places[taker])) % len(rows)]
            motion[places[taker]] = ions.motion[taken]
    return dataclasses.replace(ions, motion=motion)


def _folds(groups: Int[np.ndarray, " rows"], student: Student) -> np.ndarray:
    """Return in which part each material is held out; all zero: in none."""
    found = np.zeros(len(groups), dtype=np.int64)
    if student.is_published or len(np.unique(groups)) < N_HELD + 1:
        return found
    return _divided(groups, N_HELD, student.seed)


def _penalty_folds(groups: Int[np.ndarray, " rows"], seed: int) -> np.ndarray:
    n = min(5, len(np.unique(groups)))
    return _divided(groups, n, seed) if n > 1 else np.zeros(len(groups), dtype=np.int64)


def _divided(groups: Int[np.ndarray, " rows"], n: int, seed: int) -> np.ndarray:
    found = np.zeros(len(groups), dtype=np.int64)
    parts = GroupKFold(n, shuffle=True, random_state=seed)
    for k, (_, held) in enumerate(parts.split(groups[:, None], groups=groups)):
        found[held] = k
    return found


def _scaling(
    student: Student, ions: IonTable, counts: Float[np.ndarray, " rows"]
) -> Scaling:
    if student.start == "teacher" and student.teacher is not None:
        return student.teacher.scaling
    return Scaling.of(expanded(ions), ions.share * counts[ions.owner])


def _median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    passed = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(passed, passed[-1] / 2)])


def _taught(lesson: Lesson, seed: int) -> Weights:
    """Train the teachers of all members."""
    noise = Noise(lesson.noise, seed + 3)
    start = fresh(lesson.x.shape[1], lesson.n_members, seed)
    start |= fresh(lesson.p.shape[1], lesson.n_members, seed + 1, encoder="p")

    def loss(weights: Weights) -> Tensor:
        structure = noise.product(lesson.x, weights["w"])
        both = structure + noise.product(lesson.p, weights["p"])
        seen, alone = (decoded(weights, h, lesson.bags) for h in (both, structure))
        return absolute_error(
            seen, lesson.y, lesson.motion_weight
        ) + STRUCTURE_SHARE * absolute_error(alone, lesson.y, lesson.motion_weight)

    weights, _ = trained(
        start,
        loss,
        steps=TEACHER_STEPS,
        rates=dict.fromkeys(start, RATE),
    )
    return weights


def _all_alike(teacher: Teacher, n_members: int) -> Weights:
    given = {"w": teacher.encoder, **teacher.decoder}
    return {
        name: torch.from_numpy(np.array(one)).expand(n_members, *one.shape).clone()
        for name, one in given.items()
    }


def _best(lesson: Lesson, kept: list[Weights]) -> tuple[int, int]:
    """Return the place of the steps, and the member without held-out groups.

    Those whose siblings predict held-out materials best.
    """
    n_noises = len(lesson.noise.unique())
    wrong: list[Tensor] = []
    with torch.no_grad():
        for weights in kept:
            told = decoded(weights, lesson.x @ weights["w"], lesson.bags)
            apart = ((told - lesson.y).abs() * lesson.held).sum(dim=1)
            wrong.append(apart.reshape(n_noises, -1).sum(dim=1))
    step, noise = np.unravel_index(
        int(torch.stack(wrong).argmin()), (len(wrong), n_noises)
    )
    return int(step), int((noise + 1) * (lesson.n_members // n_noises) - 1)


def _told(weights: Weights, x: Tensor, ions: IonTable) -> Float[np.ndarray, " rows"]:
    with torch.no_grad():
        return decoded(weights, x @ weights["w"], Bags.of(ions))[-1].numpy()
