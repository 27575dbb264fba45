"""Loading a MACE model from a name or a file."""

import contextlib
import io
import logging
import os
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from ase.data import atomic_numbers
from torch import nn

from atomgraft.core.environments import require_framework
from atomgraft.core.errors import BadInputError
from atomgraft.core.kernels import KernelName
from atomgraft.core.storage import is_file
from atomgraft.models.base import PotentialCard
from atomgraft.models.checkpoints import read_checkpoint
from atomgraft.models.levels import level_of_theory
from atomgraft.models.mace.potential import MacePotential
from atomgraft.models.presets import check_preset

MIT = "MIT"
ACADEMIC = "ASL (academic use only)"
UNKNOWN = "not stated by mace-torch"

PUBLISHED: Mapping[str, tuple[str, str, str]] = {
    "mace-mp-0-small": ("mace_mp_urls", "small", MIT),
    "mace-mp-0-medium": ("mace_mp_urls", "medium", MIT),
    "mace-mp-0-large": ("mace_mp_urls", "large", MIT),
    "mace-mp-0b-small": ("mace_mp_urls", "small-0b", MIT),
    "mace-mp-0b-medium": ("mace_mp_urls", "medium-0b", MIT),
    "mace-mp-0b2-small": ("mace_mp_urls", "small-0b2", MIT),
    "mace-mp-0b2-medium": ("mace_mp_urls", "medium-0b2", MIT),
    "mace-mp-0b2-large": ("mace_mp_urls", "large-0b2", MIT),
    "mace-mp-0b3": ("mace_mp_urls", "medium-0b3", MIT),
    "mace-mpa-0": ("mace_mp_urls", "medium-mpa-0", MIT),
    "mace-omat-0-small": ("mace_mp_urls", "small-omat-0", ACADEMIC),
    "mace-omat-0": ("mace_mp_urls", "medium-omat-0", ACADEMIC),
    "mace-matpes-pbe-0": ("mace_mp_urls", "mace-matpes-pbe-0", ACADEMIC),
    "mace-matpes-r2scan-0": ("mace_mp_urls", "mace-matpes-r2scan-0", ACADEMIC),
    "mace-mh-0": ("mace_mp_urls", "mh-0", UNKNOWN),
    "mace-mh-1": ("mace_mp_urls", "mh-1", UNKNOWN),
    "mace-off23-small": ("mace_off_urls", "small", ACADEMIC),
    "mace-off23-medium": ("mace_off_urls", "medium", ACADEMIC),
    "mace-off23-large": ("mace_off_urls", "large", ACADEMIC),
}
"""Published potentials: mace-torch's table of addresses, its key there, the licence
as mace-torch states it."""

NAMES = tuple(PUBLISHED)

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "tiny": {
        "hidden_irreps": "8x0e+8x1o",
        "max_ell": 2,
        "correlation": 2,
        "r_max": 4.0,
        "radial_MLP": [16, 16],
        "avg_num_neighbors": 12.0,
    },
    "mini": {
        "hidden_irreps": "16x0e+16x1o",
        "max_ell": 2,
        "correlation": 2,
        "r_max": 5.0,
        "radial_MLP": [32, 32],
        "avg_num_neighbors": 25.0,
    },
    "small": {
        "hidden_irreps": "32x0e+32x1o",
        "max_ell": 3,
        "correlation": 3,
        "r_max": 5.0,
        "radial_MLP": [64, 64, 64],
        "avg_num_neighbors": 25.0,
    },
}
"""Architectures to train from nothing: ``mace:tiny:Si,Ge``."""

UNSAFE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"

_FETCH = """
import sys
from mace.calculators import foundations_models as published
url = getattr(published, sys.argv[1])[sys.argv[2]]
print(published.download_mace_mp_checkpoint(url))
"""
"""In a process of its own: the import and the loader print, and change settings."""


def load_mace(
    name: str,
    *,
    head: str | None = None,
    trust: bool = False,
    kernels: KernelName = "ours",
) -> MacePotential:
    """Load a published MACE potential by name, or any ``.model`` file by path.

    A ``.model`` file is a pickled module, which runs code as it is read, so it
    needs the user's word, published or not.

    Parameters
    ----------
    name
        One of `NAMES`, or a file.
    head
        Needed where the model has several.
    trust
        The user's word that the file may run code.
    kernels
        ``upstream`` evaluates with the framework's own modules.

    Raises
    ------
    BadInputError
        The file may not or cannot be read, holds no MACE model of energies, or the
        head is missing or unknown.
    MissingExtraError
        MACE is not installed.
    """
    require_framework("mace")
    key = name.lower()
    path = _published_path(key) if key in PUBLISHED else Path(name)
    _refuse_compiled(path)
    with with_mace():
        network = _checked(read_checkpoint(path, trust=trust), path)
        return MacePotential(
            network,
            PotentialCard(
                name=name,
                framework="mace",
                licence=PUBLISHED[key][2]
                if key in PUBLISHED
                else "not stated in the file",
                head=head,
                level=level_of_theory(name, head),
            ),
            kernels=kernels,
        )


def mace_from_preset(
    preset: str,
    elements: Sequence[str],
    generator: torch.Generator,
    *,
    kernels: KernelName = "ours",
) -> MacePotential:
    """Build a small MACE model with fresh weights.

    Parameters
    ----------
    preset
        One of `PRESETS`.
    elements
        Chemical symbols it shall see.
    generator
        Source of the weights.
    kernels
        ``upstream`` evaluates with the framework's own modules.

    Raises
    ------
    BadInputError
        The preset or a symbol is unknown.
    MissingExtraError
        MACE is not installed.
    """
    require_framework("mace")
    check_preset("mace", preset, elements, known=PRESETS)
    numbers = sorted({atomic_numbers[symbol] for symbol in elements})
    with with_mace():
        potential = MacePotential(
            _fresh(PRESETS[preset], numbers),
            PotentialCard(
                name=f"mace:{preset}:{','.join(elements)}",
                framework="mace",
                licence="yours",
                is_untrained=True,
            ),
            kernels=kernels,
        )
    potential.draw_weights(generator)
    return potential


@contextlib.contextmanager
def with_mace() -> Iterator[None]:
    """Use MACE without its side effects.

    Importing it lets every later ``torch.load`` of the process run code; that is
    taken back. Loading e3nn in its version needs it while it lasts. Its chatter
    stays off the user's screen.
    """
    before = os.environ.get(UNSAFE)
    muted = logging.root.manager.disable
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        logging.disable(logging.WARNING)
        try:
            # before e3nn, which cannot be imported without it
            import mace.modules  # noqa: F401 # pyright: ignore[reportMissingImports]

            yield
        finally:
            logging.disable(muted)
            os.environ.pop(UNSAFE, None)
            if before is not None:
                os.environ[UNSAFE] = before


def _published_path(name: str) -> Path:
    """Let mace-torch find or download a published model; return the file."""
    table, key, _ = PUBLISHED[name]
    done = subprocess.run(
        [sys.executable, "-c", _FETCH, table, key],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["unknown"])[-1]
        raise BadInputError(
            f"The weights of {name} are not here and could not be downloaded: "
            f"{reason.rstrip('.')}.",
            "Expected a network connection, or the model as a file.",
            "Download it by hand and give its path as --base.",
        )
    return Path(done.stdout.strip().splitlines()[-1])


def _refuse_compiled(path: Path) -> None:
    """Refuse the compiled twin that mace-torch writes beside each model."""
    if not is_file(path) or not zipfile.is_zipfile(path):
        return  # whoever reads it says what is wrong
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
    if any(name.endswith("/constants.pkl") for name in names):
        raise BadInputError(
            f"{path} is a compiled model (TorchScript), whose layers are sealed.",
            "Expected the plain .model file.",
            "mace_run_train writes it beside this one, without '_compiled' in its "
            "name.",
        )


def _checked(network: Any, path: Path) -> nn.Module:  # noqa: ANN401 - what came
    """Return a model of energies that needs nothing but atoms, or refuse it."""
    from mace.modules import (  # pyright: ignore[reportMissingImports]
        MACE,
        ScaleShiftMACE,
    )

    if type(network) not in {MACE, ScaleShiftMACE}:
        raise BadInputError(
            f"{path} holds {type(network).__name__} and no MACE model of energies.",
            "Expected a .model file written by mace-torch (MACE or ScaleShiftMACE).",
            "Give the .model file of the training run instead of its checkpoint.",
        )
    if hasattr(network, "joint_embedding"):
        asked = ", ".join(network.embedding_specs)
        raise BadInputError(
            f"{path} contains a MACE model that also needs {asked}.",
            "Expected a model that needs only elements, positions and cell.",
            "Choose another foundation model.",
        )
    return network


def _fresh(preset: Mapping[str, Any], numbers: Sequence[int]) -> nn.Module:
    """Build an architecture; its weights are drawn later."""
    import numpy as np
    from e3nn.o3 import Irreps
    from mace.modules import (  # pyright: ignore[reportMissingImports]
        ScaleShiftMACE,
        interaction_classes,
    )

    block = interaction_classes["RealAgnosticResidualInteractionBlock"]
    with torch.random.fork_rng(devices=[]):
        network = ScaleShiftMACE(
            **{**preset, "hidden_irreps": Irreps(preset["hidden_irreps"])},
            num_bessel=8,
            num_polynomial_cutoff=5,
            interaction_cls=block,
            interaction_cls_first=block,
            num_interactions=2,
            num_elements=len(numbers),
            MLP_irreps=Irreps("16x0e"),
            gate=nn.functional.silu,
            atomic_energies=np.zeros((1, len(numbers))),
            atomic_numbers=list(numbers),
            atomic_inter_scale=1.0,
            atomic_inter_shift=0.0,
        )
    return network.float()
