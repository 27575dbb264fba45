"""The outside frameworks: which there are, and which are installed here."""

import dataclasses
import importlib.util
from collections.abc import Mapping
from types import MappingProxyType

from atomgraft.core.errors import BadInputError, MissingExtraError


@dataclasses.dataclass(frozen=True, kw_only=True)
class Framework:
    """A framework that is an extra of atomgraft.

    Parameters
    ----------
    title
        What people call it.
    module
        What Python imports.
    """

    title: str
    module: str


FRAMEWORKS: Mapping[str, Framework] = MappingProxyType(
    {
        "sevennet": Framework(title="SevenNet", module="sevenn"),
        "mace": Framework(title="MACE", module="mace"),
    }
)
"""By the name of the extra. They pin versions of e3nn that do not go together."""


def framework_named(name: str) -> Framework:
    """Return a framework.

    Raises
    ------
    BadInputError
        There is none of that name.

    Examples
    --------
    >>> framework_named("mace").title
    'MACE'
    """
    if name not in FRAMEWORKS:
        raise BadInputError(
            f"There is no framework {name!r}.",
            f"Known: {', '.join(FRAMEWORKS)}.",
            "Choose one of them.",
        )
    return FRAMEWORKS[name]


def is_installed(framework: str) -> bool:
    """Tell whether this Python can import a framework; nothing is imported.

    A folder that happens to have the module's name is not the module: what is
    installed has a file that can be run.

    Parameters
    ----------
    framework
        One of `FRAMEWORKS`.
    """
    spec = importlib.util.find_spec(framework_named(framework).module)
    return spec is not None and spec.origin is not None


def require_framework(framework: str) -> None:
    """Check that this Python can import a framework.

    Parameters
    ----------
    framework
        One of `FRAMEWORKS`.

    Raises
    ------
    MissingExtraError
        It cannot.
    """
    if not is_installed(framework):
        raise missing(framework)


def missing(framework: str) -> MissingExtraError:
    """Return the error of a framework that is neither here nor kept elsewhere.

    Examples
    --------
    >>> missing("mace").remedy
    'Run: atomgraft env add mace'
    """
    title = framework_named(framework).title
    return MissingExtraError(
        f"This needs {title}, which is not installed here.",
        "It belongs in an environment of its own, which atomgraft makes and which "
        "later commands find by themselves.",
        f"Run: atomgraft env add {framework}",
        framework=framework,
    )
