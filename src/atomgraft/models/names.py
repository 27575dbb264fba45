"""Which framework a base belongs to, told from its name alone; torch stays out."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from atomgraft.core.errors import BadInputError
from atomgraft.core.storage import is_folder
from atomgraft.models.plugins import adapter_of
from atomgraft.results.schema import RESULT

PREFIXES: Mapping[str, str] = MappingProxyType(
    {"7net-": "sevennet", "sevennet:": "sevennet", "mace": "mace", "pair:": "pair"}
)
"""How names of presets and of published potentials begin, in lower case."""

SUFFIXES: Mapping[str, str] = MappingProxyType(
    {".pth": "sevennet", ".pt": "sevennet", ".model": "mace", ".safetensors": "pair"}
)
"""How their files end."""


def framework_of(name: str) -> str:
    """Return the framework of a base, as its card would name it.

    Parameters
    ----------
    name
        What `--base` takes: a name, a preset, a file or the folder of a run. Whether
        it can be loaded is not looked at.

    Raises
    ------
    BadInputError
        The name tells of no framework.

    Examples
    --------
    >>> framework_of("7net-0"), framework_of("sevennet:tiny:Si"), framework_of("a.pth")
    ('sevennet', 'sevennet', 'sevennet')
    """
    if is_folder(Path(name)):
        return RESULT.read(Path(name)).base.framework
    if (adapter := adapter_of(name)) is not None:
        return adapter
    if framework := SUFFIXES.get(Path(name).suffix):
        return framework
    for prefix, framework in PREFIXES.items():
        if name.lower().startswith(prefix):
            return framework
    raise BadInputError(
        f"{name!r} tells of no framework.",
        f"Names begin with {', '.join(PREFIXES)}; files end in {', '.join(SUFFIXES)}; "
        "plug-ins may add to both.",
        "Check the spelling, or the path.",
    )
