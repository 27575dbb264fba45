"""How numbers and names are written, on pages and in the terminal."""

import math
from collections.abc import Collection
from datetime import UTC, datetime

MODEL_NAMES = {"base": "Base", "adapted": "Adapted", "scratch": "From scratch"}

METRIC_NAMES = {
    "mae": "MAE",
    "rmse": "RMSE",
    "mae_aligned": "MAE, aligned",
    "rmse_aligned": "RMSE, aligned",
    "relative_rmse": "relative RMSE",
    "mae_own_scalar": "MAE of base × one fitted number",
    "direction": "direction (mean cosine)",
    "mae_change": "MAE, change",
    "mae_aligned_change": "MAE, aligned, change",
    "drift": "drift",
    "worst": "largest drift",
    "finite_difference": "against finite differences",
    "equivariance": "after a rotation",
    "rounding": "rounding",
    "restricted_mean": "restricted mean",
    "share": "share",
    "log_rank_p_against_base": "log-rank p against base",
    "log_rank_p_against_scratch": "log-rank p against from scratch",
    "nve_drift": "drift, NVE",
    "error": "error",
    "change": "change",
    "noise": "noise",
    "p_same": "p same",
    "mean": "mean",
    "difference": "difference from the target head",
    "training_labels": "training labels",
}
"""In the order of all tables; a metric that is not here comes last."""

ROLE_ORDER = ("train", "validation", "test", "rehearsal")

QUANTITY_ORDER = ("energy", "forces", "stress")

MISSING = "–"
"""Stands where nothing was measured."""

WIDEST = 10.0
"""Ratio of an interval's upper end to the value above which it is not shown."""

LARGEST_SHARE = 10.0
"""Share from which on a multiple is easier to read than per cent."""

_SUPERSCRIPTS = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_SMALLEST_PLAIN = 1e-3
_LARGEST_PLAIN = 1e7
_BYTES = ("B", "kB", "MB", "GB", "TB")


def number_text(value: float, *, digits: int = 3) -> str:
    """Return a number with `digits` significant digits.

    Examples
    --------
    >>> number_text(2.2841), number_text(0.62), number_text(12345.6)
    ('2.28', '0.620', '12,346')
    >>> number_text(0.0000321)
    '3.21 × 10⁻⁵'
    """
    if not math.isfinite(value):
        return "not finite"
    if is_plain(value):
        return _fixed(value, decimals(value, digits=digits))
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = str(int(exponent)).translate(_SUPERSCRIPTS)
    return f"{mantissa} × 10{power}".replace("-", "−")


def value_text(
    value: float,
    interval: tuple[float, float] | None = None,
    *,
    over: str = "samples",
) -> str:
    """Return a value and its interval with the same number of decimals.

    An interval that is too wide to say anything is replaced by words.

    Parameters
    ----------
    value
        The number.
    interval
        Its 95 % interval, if it has one.
    over
        What the interval is over, in the plural: seeds, structures.

    Examples
    --------
    >>> value_text(2.2841, (2.1, 2.4666))
    '2.28 [2.10, 2.47]'
    >>> value_text(2.2841)
    '2.28'
    >>> value_text(2.2841, (1.5e-5, 2.9e6), over="seeds")
    '2.28 (too few seeds for an interval)'
    """
    if interval is None:
        return number_text(value)
    if not is_informative(value, interval):
        return f"{number_text(value)} ({too_few(over)})"
    return _with_ends(value, interval)


def is_informative(value: float, interval: tuple[float, float]) -> bool:
    """Tell whether an interval is narrow enough to be shown.

    Intervals that reach below zero belong to changes, whose size says nothing about
    the width, and are always shown.

    Examples
    --------
    >>> is_informative(2.0, (1.0, 4.0)), is_informative(2.0, (0.001, 4000.0))
    (True, False)
    >>> is_informative(-0.1, (-3.0, 2.8))
    True
    """
    low, high = interval
    if not (math.isfinite(low) and math.isfinite(high)):
        return False
    return low < 0 or high <= WIDEST * max(value, 0.0) or high == 0


def bar_ends(value: float, interval: tuple[float, float] | None) -> tuple[float, float]:
    """Return the ends of an error bar; an interval too wide to show has no length.

    Examples
    --------
    >>> bar_ends(2.0, (1.0, 4.0)), bar_ends(2.0, (1.5e-5, 2.9e6))
    ((1.0, 4.0), (2.0, 2.0))
    """
    if interval is None or not is_informative(value, interval):
        return value, value
    return interval


def too_few(over: str) -> str:
    """Return why an interval is not shown.

    Examples
    --------
    >>> too_few("seeds")
    'too few seeds for an interval'
    """
    return f"too few {over} for an interval"


def _with_ends(value: float, interval: tuple[float, float]) -> str:
    scale = value or max(interval, key=abs)
    ends = (value, *interval)
    if not all(map(math.isfinite, ends)) or not is_plain(scale):
        middle, low, high = map(number_text, ends)
    else:
        middle, low, high = (_fixed(end, decimals(scale)) for end in ends)
    return f"{middle} [{low}, {high}]"


def range_text(value: float, ends: tuple[float, float]) -> str:
    """Return a value and a range, which is not a confidence interval.

    Examples
    --------
    >>> range_text(2.2841, (2.1, 2.4666))
    '2.28 (2.10 to 2.47)'
    """
    text = _with_ends(value, ends)
    return text.replace("[", "(").replace(", ", " to ").replace("]", ")")


def is_plain(value: float) -> bool:
    """Tell whether a number is read best without a power of ten."""
    return value == 0 or _SMALLEST_PLAIN <= abs(value) < _LARGEST_PLAIN


def decimals(value: float, *, digits: int = 3) -> int:
    """Return how many decimals show `digits` significant digits.

    Examples
    --------
    >>> decimals(2.28), decimals(0.9996), decimals(415.0), decimals(0.0)
    (2, 2, 0, 0)
    """
    if value == 0:
        return 0
    exponent = int(f"{value:.{digits - 1}e}".split("e")[1])
    return max(0, digits - 1 - exponent)


def _fixed(value: float, n_decimals: int) -> str:
    return f"{value:z,.{n_decimals}f}".replace("-", "−")


def signed_text(value: float, *, n_decimals: int = 4) -> str:
    """Return a number with its sign written out; what rounds to zero has none.

    Examples
    --------
    >>> signed_text(-0.03125), signed_text(1.5), signed_text(-1e-6)
    ('−0.0312', '+1.5000', '0.0000')
    """
    text = f"{value:+z,.{n_decimals}f}"
    return text.replace("-", "−") if text.strip("+0.,") else text.lstrip("+")


def count_text(count: int) -> str:
    """Return a count with its thousands apart.

    Examples
    --------
    >>> count_text(842623)
    '842,623'
    """
    return f"{count:,}"


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """Return a count and its noun, singular or plural.

    Examples
    --------
    >>> counted(1, "structure"), counted(2, "structure")
    ('1 structure', '2 structures')
    """
    return f"{count_text(count)} {noun if count == 1 else plural or noun + 's'}"


def percent_text(part: int, whole: int) -> str:
    """Return a share in percent; only everything is 100 %.

    Examples
    --------
    >>> percent_text(57864, 842623), percent_text(9999, 10000), percent_text(3, 3)
    ('6.87 %', '> 99.9 %', '100 %')
    """
    if whole == 0:
        return MISSING
    percent = 100 * part / whole
    if part != whole and number_text(percent) == "100":
        return "> 99.9 %"
    return f"{number_text(percent)} %"


def relative_text(share: float) -> str:
    """Return a share in whole per cent, and a large one as a multiple.

    Examples
    --------
    >>> relative_text(0.0002), relative_text(0.123), relative_text(2.46)
    ('less than 1 % of', '12 % of', '246 % of')
    >>> relative_text(47.8)
    '48 times'
    """
    if share >= LARGEST_SHARE:
        return f"{share:,.0f} times"
    return f"{100 * share:.0f} % of" if share >= 0.01 else "less than 1 % of"


def duration_text(seconds: float) -> str:
    """Return a duration in the two largest units that matter.

    Examples
    --------
    >>> duration_text(0.731), duration_text(65.0), duration_text(8040.0)
    ('0.731 s', '1 min 05 s', '2 h 14 min')
    """
    if seconds < 60:
        return f"{number_text(seconds)} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"


def bytes_text(n_bytes: int) -> str:
    """Return a file size in decimal units.

    Examples
    --------
    >>> bytes_text(512), bytes_text(231_456)
    ('512 B', '231 kB')
    """
    size = float(n_bytes)
    for unit in _BYTES[:-1]:
        if size < 999.5:
            return f"{number_text(size)} {unit}"
        size /= 1000
    return f"{number_text(size)} {_BYTES[-1]}"


def time_text(moment: str) -> str:
    """Return an ISO 8601 time in words, UTC; anything else as it is.

    Examples
    --------
    >>> time_text("2026-08-01T12:34:56+00:00")
    '2026-08-01 12:34 UTC'
    """
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        return moment
    if parsed.tzinfo is None:
        return moment
    return f"{parsed.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def metric_name(metric: str) -> str:
    """Return the name of a metric in a table."""
    return METRIC_NAMES.get(metric, metric.replace("_", " "))


def position(order: Collection[str], name: str) -> tuple[int, str]:
    """Return a sorting key: known names in their order, then others by name.

    Examples
    --------
    >>> sorted(
    ...     ["stress", "dipole", "energy"], key=lambda q: position(QUANTITY_ORDER, q)
    ... )
    ['energy', 'stress', 'dipole']
    """
    names = list(order)
    return (names.index(name) if name in names else len(names), name)


def capitalised(name: str) -> str:
    """Return a stored name as the start of a phrase.

    Examples
    --------
    >>> capitalised("config_type")
    'Config type'
    """
    words = name.replace("_", " ")
    return words[:1].upper() + words[1:]
