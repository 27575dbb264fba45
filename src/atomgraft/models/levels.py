"""The level of theory of the training data of published potentials.

New labels belong to the level of the base, or to one of their own: a mixture of both is
neither. That +U was used, and on what, decides the forces of an oxide of iron.
"""

import dataclasses


@dataclasses.dataclass(frozen=True, kw_only=True)
class LevelOfTheory:
    """What the labels of a potential were computed with.

    Parameters
    ----------
    words
        For people.
    functional
        Exchange and correlation.
    has_hubbard
        +U by the rule of the Materials Project: on some transition metals, in oxides
        and fluorides alone.
    """

    words: str
    functional: str
    has_hubbard: bool = False


MATERIALS_PROJECT = LevelOfTheory(
    words="PBE, with +U for oxides and fluorides of some transition metals, "
    "spin-polarised (Materials Project)",
    functional="PBE",
    has_hubbard=True,
)

OMAT = LevelOfTheory(
    words="PBE, with +U for oxides and fluorides of some transition metals, "
    "spin-polarised (OMat24, as the Materials Project with newer pseudopotentials)",
    functional="PBE",
    has_hubbard=True,
)

MATPES_PBE = LevelOfTheory(
    words="PBE without +U, spin-polarised (MatPES)", functional="PBE"
)

R2SCAN = LevelOfTheory(words="r2SCAN without +U, spin-polarised", functional="r2SCAN")

OFF23 = LevelOfTheory(
    words="ωB97M-D3(BJ)/def2-TZVPPD of molecules (SPICE)", functional="ωB97M-D3(BJ)"
)

_BY_HEAD = {
    "pbe": MATERIALS_PROJECT,
    "mpa": MATERIALS_PROJECT,
    "mp_pbe": MATERIALS_PROJECT,
    "omat24": OMAT,
    "omat_pbe": OMAT,
    "r2scan": R2SCAN,
    "matpes_pbe": MATPES_PBE,
    "matpes_r2scan": R2SCAN,
}

_BY_NAME = {
    "7net-0": MATERIALS_PROJECT,
    "7net-0_22may2024": MATERIALS_PROJECT,
    "7net-l3i5": MATERIALS_PROJECT,
    "7net-omat": OMAT,
    "mace-mpa-0": MATERIALS_PROJECT,
    "mace-omat-0": OMAT,
    "mace-omat-0-small": OMAT,
    "mace-matpes-pbe-0": MATPES_PBE,
    "mace-matpes-r2scan-0": R2SCAN,
}

_BY_START = {"mace-mp-0": MATERIALS_PROJECT, "mace-off23": OFF23}


def level_of_theory(name: str, head: str | None = None) -> LevelOfTheory | None:
    """Return the level of theory of a published potential; none where it is unknown.

    Parameters
    ----------
    name
        Of the potential; a file or a run folder is unknown.
    head
        Its head or modality.

    Examples
    --------
    >>> level_of_theory("7net-0").has_hubbard
    True
    >>> level_of_theory("7net-mf-0", "R2SCAN").functional
    'r2SCAN'
    """
    key = name.lower()
    if key in _BY_NAME:
        return _BY_NAME[key]
    starts = [level for start, level in _BY_START.items() if key.startswith(start)]
    if starts and "/" not in key and "." not in key:
        return starts[0]
    has_heads = key.startswith(("7net-mf-", "7net-omni", "mace-mh-"))
    if has_heads and head is not None and "/" not in key:
        return _BY_HEAD.get(head.lower())
    return None
