"""The conformance kit for suites: named checks to run over any suite of a proof."""

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
from pydantic import ValidationError

from atomgraft.data.labels import structures_fingerprint
from atomgraft.evaluation.suite import (
    AbstractSuite,
    Answers,
    Contestants,
    Subject,
    SuiteOptions,
)
from atomgraft.models.base import AbstractPotential
from atomgraft.page.blocks import Figure, Section
from atomgraft.page.document import Cover, Mark, document_text
from atomgraft.records.scores import ModelName


@dataclasses.dataclass(frozen=True, kw_only=True)
class SuiteTrial:
    """A suite, and whom to ask.

    Parameters
    ----------
    kind
        The suite.
    options
        What it is told.
    subject
        What is judged.
    contestants
        ``base`` and ``adapted``, which differ.
    """

    kind: type[AbstractSuite]
    options: SuiteOptions
    subject: Subject
    contestants: Contestants

    def ask(self, contestants: Contestants | None = None) -> Answers:
        """Return what the suite finds; asked anew each time."""
        suite = self.kind(self.subject, self.options)
        return suite.ask(contestants or self.contestants)


SuiteCheck = Callable[[SuiteTrial], None]
"""Raises AssertionError with what was found."""


def check_scores_are_named(trial: SuiteTrial) -> None:
    """Every score has the suite's name, a unit, a count and a contestant."""
    answers = trial.ask()
    assert answers.scores or answers.unanswered, "no score, and no word why"
    for one in answers.scores:
        assert one.suite == trial.kind.name, f"a score of {one.suite!r}"
        assert one.model in trial.contestants.models, f"a score of {one.model!r}"
        assert one.unit, f"{one.quantity} {one.metric} has no unit"
        assert one.n > 0, f"{one.quantity} {one.metric} rests on nothing"
        assert np.isfinite(one.value), f"{one.quantity} {one.metric} is {one.value}"


def check_same_question_same_answer(trial: SuiteTrial) -> None:
    """Asked twice, it finds the same."""
    assert trial.ask() == trial.ask(), "the second answer differs from the first"


def check_base_is_told_from_no_other(trial: SuiteTrial) -> None:
    """Two models that are one have the same errors, whatever they are called."""
    base = trial.contestants.models["base"]
    twins: dict[ModelName, AbstractPotential] = {"base": base, "adapted": base.clone()}
    same = dataclasses.replace(trial.contestants, models=twins, reference_shifts={})
    found = trial.ask(same)
    rows = {
        (one.model, one.quantity, one.metric, one.group): one.value
        for one in found.scores
    }
    for (model, quantity, metric, group), value in rows.items():
        other = rows.get(("base", quantity, metric, group))
        if model != "base" and other is not None:
            said = f"{quantity} {metric}: {value}, and {other} for its twin"
            assert value == other, said


def check_nothing_is_changed(trial: SuiteTrial) -> None:
    """Neither weights nor structures are touched."""
    models = trial.contestants.models
    before = {name: one.weights_hash() for name, one in models.items()}
    frames = structures_fingerprint(trial.subject.structures)
    trial.ask()
    after = {name: one.weights_hash() for name, one in models.items()}
    assert after == before, "weights have changed"
    assert structures_fingerprint(trial.subject.structures) == frames, (
        "structures have changed"
    )


def check_details_are_kept(trial: SuiteTrial) -> None:
    """Details come back from JSON, and the page draws what came back."""
    found = trial.ask()
    kept = json.loads(json.dumps(found.details, allow_nan=False))
    assert kept == found.details, "details are no plain JSON"
    sections = trial.kind.sections(kept)
    names = [one.name for one in sections]
    assert len(set(names)) == len(names), f"sections share a name: {names}"
    for curve in _curves(sections):
        assert curve.get("meta", {}).get("key"), (
            f"the curve {curve.get('name')!r} has no key, by which the page hides it: "
            "'meta': {'key': ...}"
        )
    cover = Cover(
        title="trial",
        label="Verdict",
        mark=Mark(name="open", word="Not judged"),
        headline=" ".join(trial.kind.sentences(found.scores)) or "Nothing to say.",
        sentences=(),
        warning=None,
        key_facts=(),
        written="",
        source="result.json",
    )
    assert trial.kind.title, "the suite has no title"
    assert document_text(cover, sections), "the page is empty"


def _curves(sections: Sequence[Section]) -> Iterator[dict[str, Any]]:
    for section in sections:
        for block in section.blocks:
            for plot in block.plots if isinstance(block, Figure) else ():
                yield from plot.figure["data"]


def check_progress_is_told(trial: SuiteTrial) -> None:
    """Tell every step, and how many there are."""
    heard: list[tuple[int, int]] = []
    suite = trial.kind(trial.subject, trial.options)
    suite.ask(trial.contestants, lambda _what, i, n: heard.append((i, n)))
    assert heard, "nothing was told"
    assert all(0 <= i <= n for i, n in heard), f"steps {heard}"


def check_unknown_options_are_refused(trial: SuiteTrial) -> None:
    """Options refuse what they do not know, and cannot be edited."""
    try:
        trial.kind.Options.model_validate({"no such option": 1})
    except ValidationError:
        pass
    else:
        raise AssertionError("an unknown option was taken")
    assert trial.kind.Options.model_config.get("frozen"), "options can be edited"


_CHECKS: tuple[SuiteCheck, ...] = (
    check_scores_are_named,
    check_same_question_same_answer,
    check_base_is_told_from_no_other,
    check_nothing_is_changed,
    check_details_are_kept,
    check_progress_is_told,
    check_unknown_options_are_refused,
)

SUITE_CHECKS: Mapping[str, SuiteCheck] = MappingProxyType(
    {check.__name__.removeprefix("check_"): check for check in _CHECKS}
)
"""Every check by name, to parametrise a test over."""


def failed_suite_checks(trial: SuiteTrial) -> dict[str, str]:
    """Run the whole kit and return what failed, with the reason, by name.

    Parameters
    ----------
    trial
        The suite, and whom to ask.
    """
    failures: dict[str, str] = {}
    for name, check in SUITE_CHECKS.items():
        try:
            check(trial)
        except AssertionError as failure:
            failures[name] = str(failure)
    return failures
