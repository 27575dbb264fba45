"""Which structures to label, DFT inputs, and engines that label and move atoms.

The package can be called: ``atomgraft.label(structures, engine, out=...)`` is the verb
of that name.
"""

import sys
import types
from typing import Any, final


@final
class _Verb(types.ModuleType):
    """A package that is a verb too."""

    def __call__(self, *given: Any, **named: Any) -> Any:  # noqa: ANN401 - see `label`
        """Call :func:`atomgraft.label.labelling.notebook.label`."""
        from atomgraft.label.labelling.notebook import label

        return label(*given, **named)


sys.modules[__name__].__class__ = _Verb
