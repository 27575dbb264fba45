"""Graft a pretrained atomistic model onto your material, and prove that it took.

What a notebook needs is here, loaded when it is first asked for: `load`, `adapt`,
`open`, `phonons`, `diffusivity`, `label`, `distil`, `screen`, and what they return.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from atomgraft.label.labelling.notebook import Labels, label
    from atomgraft.phonons.notebook import Phonons, phonons
    from atomgraft.run.notebook import Base, Proof, Run, adapt, load
    from atomgraft.run.notebook import open_run as open  # noqa: F401 - __all__ would hide Python's own
    from atomgraft.transport.diffusivity.notebook import Diffusivity, diffusivity
    from atomgraft.transport.distil.notebook import Distilled, distil
    from atomgraft.transport.screening.notebook import Screened, screen

__version__ = "0.1.0"

__all__ = [
    "Base",
    "Diffusivity",
    "Distilled",
    "Labels",
    "Phonons",
    "Proof",
    "Run",
    "Screened",
    "adapt",
    "diffusivity",
    "distil",
    "label",
    "load",
    "phonons",
    "screen",
]

_PLACES = {
    "Base": "run.notebook:Base",
    "Diffusivity": "transport.diffusivity.notebook:Diffusivity",
    "Distilled": "transport.distil.notebook:Distilled",
    "Labels": "label.labelling.notebook:Labels",
    "Phonons": "phonons.notebook:Phonons",
    "Proof": "run.notebook:Proof",
    "Run": "run.notebook:Run",
    "Screened": "transport.screening.notebook:Screened",
    "adapt": "run.notebook:adapt",
    "diffusivity": "transport.diffusivity.notebook:diffusivity",
    "distil": "transport.distil.notebook:distil",
    "label": "label:",
    "load": "run.notebook:load",
    "open": "run.notebook:open_run",
    "phonons": "phonons:",
    "screen": "transport.screening.notebook:screen",
}
"""Where each name is; `phonons` and `label` are packages that can be called."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    """Load what is asked for."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _PLACES[name].partition(":")
    found = importlib.import_module(f"{__name__}.{module}")
    return getattr(found, attribute) if attribute else found


def __dir__() -> list[str]:
    return sorted({*_PLACES, "__version__"})
