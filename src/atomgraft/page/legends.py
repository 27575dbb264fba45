"""The entries of a figure's legend, which show and hide what they name."""

from collections.abc import Sequence

from atomgraft.page.axes import SYMBOLS
from atomgraft.page.blocks import LegendEntry
from atomgraft.page.wording import MODEL_NAMES


def model_legend(
    shown: Sequence[str], *, hidden: Sequence[str] = ()
) -> tuple[LegendEntry, ...]:
    """Return the legend entries of some models, in the order of all tables."""
    return tuple(
        LegendEntry(
            key=model,
            label=name,
            colour=model,
            symbol=SYMBOLS[model],
            is_shown=model not in hidden,
        )
        for model, name in MODEL_NAMES.items()
        if model in shown
    )
