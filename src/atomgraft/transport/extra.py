"""What the wing needs beyond a plain installation."""

import importlib.util

from atomgraft.core.errors import MissingExtraError


def require_transport(what: str, *modules: str) -> None:
    """Refuse to start where a library of the extra is absent.

    Parameters
    ----------
    what
        That needs it, for the message.
    modules
        Names to import.

    Raises
    ------
    MissingExtraError
        One is not installed.

    Examples
    --------
    >>> require_transport("this example", "numpy")
    """
    absent = [one for one in modules if importlib.util.find_spec(one) is None]
    if absent:
        raise MissingExtraError(
            f"{what} needs {' and '.join(absent)}, not installed here.",
            "Expected the libraries of the extra transport.",
            "pip install 'atomgraft[transport]'",
        )
