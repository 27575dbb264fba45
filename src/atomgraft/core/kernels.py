"""Whose code computes a model: atomgraft's faster layers, or the framework's own."""

from typing import Annotated, Literal, get_args

from pydantic import Field

from atomgraft.core.errors import BadInputError

KernelName = Literal["ours", "upstream"]
"""What a user may choose."""

Kernels = Annotated[
    KernelName,
    Field(exclude_if=lambda kernels: kernels == "ours"),  # as before there was a choice
]
"""A key of a spec or record, which is written where it is not ``ours``."""


def kernels_named(text: str) -> KernelName:
    """Return the kernels that a user named.

    Raises
    ------
    BadInputError
        There are none of that name.

    Examples
    --------
    >>> kernels_named("upstream")
    'upstream'
    """
    names: tuple[KernelName, ...] = get_args(KernelName)
    for known in names:
        if text == known:
            return known
    raise BadInputError(
        f"There are no kernels {text!r}.",
        f"Known: {', '.join(names)}.",
        "Choose one of them.",
    )
