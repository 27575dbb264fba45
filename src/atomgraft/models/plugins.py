"""Adapters of other distributions: which of them a name of a base belongs to."""

from collections.abc import Callable
from pathlib import Path

from atomgraft.core.plugins import Plugins

ADAPTERS = Plugins[Callable[..., object]]("adapter", "atomgraft.adapters", callable)
"""Functions ``load(name, *, head, trust) -> AbstractPotential``.

The entry's own name tells what it loads, so no code of a plug-in runs to find out:
an adapter ``morse`` loads ``morse:anything`` and files that end in ``.morse``.
"""

OWN = frozenset({"sevennet", "mace", "pair", "pth", "pt", "model", "safetensors"})
"""Beginnings and endings of names that atomgraft loads itself."""


def adapter_of(name: str) -> str | None:
    """Return the plug-in adapter that a name belongs to; none where it is none's.

    Parameters
    ----------
    name
        As `--base` takes it.

    Raises
    ------
    BadInputError
        The name is atomgraft's own, and a plug-in claims it.

    Examples
    --------
    >>> adapter_of("pair:sw-si") is None
    True
    """
    beginning, colon, _ = name.partition(":")
    ending = Path(name).suffix.removeprefix(".")
    for key in (beginning if colon else "", ending):
        if key in OWN:
            ADAPTERS.refuse_own_name(key)
            return None
        if key and key in ADAPTERS:
            return key
    return None
