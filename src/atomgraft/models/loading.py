"""Loading a potential from a name or a file, for all frameworks."""

from collections.abc import Callable
from pathlib import Path

from atomgraft.core.errors import AtomgraftError, BadInputError
from atomgraft.core.kernels import KernelName
from atomgraft.core.registry import Plugins, did_you_mean
from atomgraft.core.seeding import torch_generator
from atomgraft.core.storage import is_file
from atomgraft.models import pair
from atomgraft.models.base import AbstractPotential
from atomgraft.models.mace import files as mace
from atomgraft.models.presets import split_preset
from atomgraft.models.sevennet import files as sevennet

PRESET_SEED = 0
"""Seed of the weights of a model built from a preset."""


FILES = "SevenNet (.pth), MACE (.model) or pair (.safetensors)"
"""Files of potentials in words, with their endings."""


class OtherFileError(BadInputError):
    """A file that is none of a potential, by its ending."""


def known_names() -> tuple[str, ...]:
    """Return every name that needs no file."""
    presets = (
        f"{framework}:{preset}:Si,Ge"
        for framework, table in (("sevennet", sevennet.PRESETS), ("mace", mace.PRESETS))
        for preset in table
    )
    plugins = (f"{adapter}:..." for adapter in ADAPTERS)
    return (*sevennet.NAMES, *mace.NAMES, *pair.PRESETS, *presets, *plugins)


def is_known_name(name: str) -> bool:
    """Tell whether a name is of a potential that needs no file of the user.

    Examples
    --------
    >>> is_known_name("7net-0"), is_known_name("mace:tiny:Si"), is_known_name("a.pth")
    (True, True, False)
    """
    return ":" in name or name.lower() in known_names()


def load_potential(
    name: str,
    *,
    head: str | None = None,
    trust: bool = False,
    kernels: KernelName = "ours",
) -> AbstractPotential:
    """Load a potential in its own precision, on the CPU.

    Parameters
    ----------
    name
        A published name (``7net-0``, ``mace-mp-0b3``), a preset (``pair:sw-si``,
        ``sevennet:small:Si,Ge``, ``mace:small:Si,Ge``), or a file (.pth of SevenNet,
        .model of MACE, .safetensors of a pair potential); or whatever the adapter of
        a plug-in takes.
    head
        The modality or head of a multi-fidelity model.
    trust
        Allow a checkpoint that cannot be read as plain data.
    kernels
        ``upstream`` evaluates MACE and SevenNet with the framework's own modules; other
        potentials have one forward pass.

    Raises
    ------
    BadInputError
        There is no such name or file, or it cannot be read.
    MissingExtraError
        The framework is not installed.

    Examples
    --------
    >>> load_potential("pair:sw-si").card.framework
    'pair'
    """
    if (adapter := adapter_of(name)) is not None:
        return _load_by_plugin(adapter, name, head=head, trust=trust)
    if name.startswith(("sevennet:", "mace:")):
        return _without_head(_from_preset(name, kernels), head)
    if name.lower() in sevennet.NAMES or Path(name).suffix in {".pth", ".pt"}:
        return sevennet.load_sevennet(name, head=head, trust=trust, kernels=kernels)
    if name.lower() in mace.NAMES or Path(name).suffix == ".model":
        return mace.load_mace(name, head=head, trust=trust, kernels=kernels)
    if name.startswith("pair:"):
        return _without_head(pair.PRESETS[name](), head)
    if Path(name).suffix == ".safetensors":
        return _without_head(pair.load_pair(Path(name)), head)
    if is_file(Path(name)):
        raise OtherFileError(
            f"{name} is a file, and by its ending no potential.",
            f"Expected a file of {FILES}.",
            "Rename the file if it is one, or give a name such as 7net-0, or the "
            "folder of a finished run.",
        )
    if len(Path(name).parts) > 1:
        raise BadInputError(
            f"{name} is not there.",
            f"Expected a file of {FILES}, or the folder of a finished run.",
            "Check the path.",
        )
    raise BadInputError(
        f"{name!r} names no potential.",
        f"Known names: {', '.join(known_names())}; or a file of {FILES}, or the folder "
        "of a finished run.",
        did_you_mean(name, known_names(), "Check the spelling, or the path."),
    )


def _load_by_plugin(
    adapter: str, name: str, *, head: str | None, trust: bool
) -> AbstractPotential:
    load = ADAPTERS[adapter]
    try:
        potential = load(name, head=head, trust=trust)
        if not isinstance(potential, AbstractPotential):
            raise TypeError(f"it returned a {type(potential).__name__}")  # noqa: TRY301
    except AtomgraftError:
        raise
    except Exception as error:
        raise ADAPTERS.broken(adapter, error) from error
    return potential


def _from_preset(name: str, kernels: KernelName) -> AbstractPotential:
    preset, elements = split_preset(name)
    generator = torch_generator(PRESET_SEED, "preset")
    if name.startswith("mace:"):
        return mace.mace_from_preset(preset, elements, generator, kernels=kernels)
    return sevennet.sevennet_from_preset(preset, elements, generator, kernels=kernels)


def _without_head(potential: AbstractPotential, head: str | None) -> AbstractPotential:
    if head is not None:
        raise BadInputError(
            f"{potential.card.name} has no heads, and --head {head} was given.",
            "Only multi-fidelity models have heads.",
            "Leave --head out.",
        )
    return potential


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
