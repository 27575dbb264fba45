"""What the result says in sentences."""

from atomgraft.page.wording import counted, value_text
from atomgraft.transport.distil.record import DistilResult, MethodRecord

FEW_GROUPS = 20
"""Fewer are told."""


def headline(result: DistilResult) -> str:
    """Return which method was chosen, and what it is worth."""
    best = result.methods[0]
    error = with_unit(
        value_text(best.validation.mean, best.validation.interval), result
    )
    said = (
        f"{best.name} predicts {result.target} of materials of other groups with a mean"
        f" error of {error}."
    )
    return f"{said[0].upper()}{said[1:]} {comparison(result)}"


def comparison(result: DistilResult) -> str:
    """Return whether the chosen method beats the best control, and by how much."""
    best = result.methods[0]
    gain, interval = best.against_control, best.against_interval
    if gain is None:
        return "It is a control: no other method does better on these materials."
    amount = with_unit(value_text(gain, interval), result)
    if interval is None or interval[0] <= 0:
        return (
            f"The difference from the best control, {result.best_control}, is no more"
            f" than chance: {amount}."
        )
    return f"The best control, {result.best_control}, is worse by {amount}."


def motion_answer(result: DistilResult) -> str:
    """Return whether the trajectory helps beyond a shuffled one."""
    found = result.motion
    if found is None:
        return ""
    gain = with_unit(value_text(found.gain, found.interval), result)
    lead = with_unit(value_text(found.lead, found.lead_interval), result)
    is_sure = found.lead_interval is not None and found.lead_interval[0] > 0
    chance = "" if is_sure else ", which is no more than chance"
    return (
        f"Does the trajectory help beyond a shuffled one: {found.answer}. The right"
        f" motion lowers the error by {gain} against that of other materials"
        f" ({counted(result.n_motion, 'material')} with motion). Of the students,"
        f" {found.best} has the smallest error, {lead} below {found.second}{chance}."
    )


def with_unit(text: str, result: DistilResult) -> str:
    """Return a number with the unit of the property."""
    return f"{text} {result.unit}".strip()


def notices(result: DistilResult) -> tuple[str, ...]:
    """Return what must be known of the numbers."""
    found: list[str] = []
    if result.motion is not None:
        found.append(motion_answer(result))
    if result.unmet:
        found.append(
            f"{' and '.join(result.unmet)} left out: no material has motion, or no"
            " teacher was given."
        )
    if result.left_out:
        name, reason = next(iter(result.left_out.items()))
        found.append(
            f"{counted(len(result.left_out), 'material')} left out; {name}: {reason}."
        )
    if result.bare:
        name, reason = next(iter(result.bare.items()))
        found.append(
            f"{counted(len(result.bare), 'material')} described by the formula alone;"
            f" {name}: {reason}."
        )
    if result.n_limits:
        found.append(
            f"{counted(result.n_limits, 'target')} known as upper limits only; a"
            " prediction below the limit has no error."
        )
    if result.n_groups < FEW_GROUPS:
        found.append(
            f"There are {result.n_groups} groups only: errors on other groups are"
            " known badly."
        )
    if result.n_shared:
        found.append(
            f"{counted(result.n_shared, 'test material')} of groups that are learned"
            " from: the test is easier than other groups would be."
        )
    test = [one for one in result.methods if one.test is not None]
    if test and (best := _best_on_test(test)).name != result.chosen:
        found.append(
            f"On the test, {best.name} has the smallest error. The choice was made in"
            " validation and is not changed after the test."
        )
    return tuple(found)


def _best_on_test(methods: list[MethodRecord]) -> MethodRecord:
    return min(methods, key=lambda one: one.test.mean if one.test else float("inf"))
