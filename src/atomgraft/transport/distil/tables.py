"""The table of methods, for page and terminal."""

from atomgraft.page.wording import MISSING, number_text, value_text
from atomgraft.transport.distil.record import DistilResult, ErrorRecord, MethodRecord


def columns_of(result: DistilResult) -> tuple[str, ...]:
    """Return headings; errors are in the unit of the property."""
    unit = f", {result.unit}" if result.unit else ""
    found = [
        "method",
        f"error in validation{unit}",
        f"better than {result.best_control} by",
        "rank correlation",
    ]
    if _has_test(result):
        found += [f"error on the test{unit}", "there better by"]
    return tuple(found)


def rows_of(result: DistilResult) -> list[tuple[str, ...]]:
    """Return one row for each method, the smallest error first."""
    return [_row(one, _has_test(result)) for one in result.methods]


def _has_test(result: DistilResult) -> bool:
    return any(one.test is not None for one in result.methods)


def _row(one: MethodRecord, has_test: bool) -> tuple[str, ...]:  # noqa: FBT001
    name = f"{one.name} (control)" if one.is_control else one.name
    row = [
        name,
        error_text(one.validation),
        _gain_text(one.against_control, one.against_interval),
        MISSING if one.validation.rank is None else number_text(one.validation.rank),
    ]
    if has_test:
        row.append(MISSING if one.test is None else error_text(one.test))
        row.append(_gain_text(one.test_against_control, one.test_against_interval))
    return tuple(row)


def error_text(error: ErrorRecord) -> str:
    """Return a mean absolute error and its interval."""
    return value_text(error.mean, error.interval, over="groups")


def _gain_text(gain: float | None, interval: tuple[float, float] | None) -> str:
    return MISSING if gain is None else value_text(gain, interval, over="groups")
