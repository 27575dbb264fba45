"""Names of small models with fresh weights: ``framework:preset:elements``."""

from collections.abc import Collection, Sequence

from ase.data import atomic_numbers

from atomgraft.core.errors import BadInputError
from atomgraft.core.registry import unknown


def split_preset(name: str) -> tuple[str, list[str]]:
    """Return preset and chemical symbols of a name; empty where a part is missing.

    Examples
    --------
    >>> split_preset("mace:tiny:Si,Ge")
    ('tiny', ['Si', 'Ge'])
    """
    _, preset, elements = [*name.split(":", 2), "", ""][:3]
    return preset, [symbol for symbol in elements.split(",") if symbol]


def check_preset(
    framework: str, preset: str, elements: Sequence[str], *, known: Collection[str]
) -> None:
    """Check what a model is to be built from.

    Parameters
    ----------
    framework
        The adapter's name, for the message.
    preset
        The architecture asked for.
    elements
        Chemical symbols.
    known
        Presets that there are.

    Raises
    ------
    BadInputError
        The preset or a symbol is unknown, or no symbol came.
    """
    if preset not in known:
        raise unknown(f"preset of {framework}", preset, known)
    strange = [symbol for symbol in elements if symbol not in atomic_numbers]
    if strange or not elements:
        raise BadInputError(
            f"{', '.join(strange) or 'No name'} is not a chemical element.",
            "Expected symbols, separated by commas.",
            f"For example --base {framework}:{preset}:Si,Ge",
        )
