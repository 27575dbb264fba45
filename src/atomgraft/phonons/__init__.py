"""Phonons of one crystal with models, compared with DFT.

The package can be called: ``atomgraft.phonons(crystal, models)`` is the verb of that
name.
"""

import sys
import types
from typing import Any, final


@final
class _Verb(types.ModuleType):
    """A package that is a verb too."""

    def __call__(self, *given: Any, **named: Any) -> Any:  # noqa: ANN401 - see `phonons`
        """Call :func:`atomgraft.phonons.notebook.phonons`."""
        from atomgraft.phonons.notebook import phonons

        return phonons(*given, **named)


sys.modules[__name__].__class__ = _Verb
