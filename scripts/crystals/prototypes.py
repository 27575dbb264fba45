"""Crystal prototypes, and how one is built from symbols and lattice constants."""

from ase import Atoms
from ase.build import bulk
from ase.spacegroup import crystal

Site = tuple[float, float, float]

ELEMENTARY = ("fcc", "bcc", "hcp")
"""Built with two atoms: with one alone, no displacement would make a force."""

PROTOTYPES: dict[str, tuple[int, list[Site]]] = {
    "diamond": (227, [(0, 0, 0)]),
    "graphite": (194, [(0, 0, 1 / 4), (1 / 3, 2 / 3, 1 / 4)]),
    "L1_2": (221, [(0, 0, 0), (0, 1 / 2, 1 / 2)]),
    "L1_0": (123, [(0, 0, 0), (1 / 2, 1 / 2, 1 / 2)]),
    "rocksalt": (225, [(0, 0, 0), (1 / 2, 1 / 2, 1 / 2)]),
    "CsCl": (221, [(0, 0, 0), (1 / 2, 1 / 2, 1 / 2)]),
    "zincblende": (216, [(0, 0, 0), (1 / 4, 1 / 4, 1 / 4)]),
    "wurtzite": (186, [(1 / 3, 2 / 3, 0), (1 / 3, 2 / 3, 0.378)]),
    "fluorite": (225, [(0, 0, 0), (1 / 4, 1 / 4, 1 / 4)]),
    "antifluorite": (225, [(1 / 4, 1 / 4, 1 / 4), (0, 0, 0)]),
    "perovskite": (221, [(0, 0, 0), (1 / 2, 1 / 2, 1 / 2), (1 / 2, 1 / 2, 0)]),
    "rutile": (136, [(0, 0, 0), (0.305, 0.305, 0)]),
    "MoS2": (194, [(1 / 3, 2 / 3, 1 / 4), (1 / 3, 2 / 3, 0.621)]),
    "WC": (187, [(0, 0, 0), (1 / 3, 2 / 3, 1 / 2)]),
    "Bi2Te3": (166, [(0, 0, 0.4), (0, 0, 0), (0, 0, 0.212)]),
    "LiCoO2": (166, [(0, 0, 1 / 2), (0, 0, 0), (0, 0, 0.26)]),
    "A15": (223, [(1 / 4, 0, 1 / 2), (0, 0, 0)]),
    "Heusler": (225, [(1 / 4, 1 / 4, 1 / 4), (0, 0, 0), (1 / 2, 1 / 2, 1 / 2)]),
    "half-Heusler": (216, [(1 / 2, 1 / 2, 1 / 2), (1 / 4, 1 / 4, 1 / 4), (0, 0, 0)]),
    "LaB6": (221, [(0, 0, 0), (0.2, 1 / 2, 1 / 2)]),
    "ReO3": (221, [(0, 0, 0), (1 / 2, 0, 0)]),
    "white tin": (141, [(0, 0, 0)]),
    "grey arsenic": (166, [(0, 0, 0.23)]),
    "grey selenium": (152, [(0.24, 0, 1 / 3)]),
    "black phosphorus": (64, [(0, 0.1017, 0.0806)]),
    "gallium": (64, [(0, 0.155, 0.081)]),
    "solid halogen": (64, [(0, 0.13, 0.11)]),
    "solid nitrogen": (205, [(0.0565, 0.0565, 0.0565)]),
    "indium": (139, [(0, 0, 0)]),
    "NiAs": (194, [(0, 0, 0), (1 / 3, 2 / 3, 1 / 4)]),
    "CdI2": (164, [(0, 0, 0), (1 / 3, 2 / 3, 0.245)]),
    "CdCl2": (166, [(0, 0, 0), (0, 0, 0.257)]),
    "brucite": (164, [(0, 0, 0), (1 / 3, 2 / 3, 0.22), (1 / 3, 2 / 3, 0.425)]),
    "pyrite": (205, [(0, 0, 0), (0.387, 0.387, 0.387)]),
    "AlB2": (191, [(0, 0, 0), (1 / 3, 2 / 3, 1 / 2)]),
    "MoSi2": (139, [(0, 0, 0), (0, 0, 0.335)]),
    "CaC2": (139, [(0, 0, 0), (0, 0, 0.405)]),
    "XeF2": (139, [(0, 0, 0), (0, 0, 0.285)]),
    "KrF2": (136, [(0, 0, 0), (0.291, 0.291, 0)]),
    "calomel": (139, [(0, 0, 0.116), (0, 0, 0.336)]),
    "litharge": (129, [(0, 0, 0), (0, 1 / 2, 0.24)]),
    "PtS": (131, [(0, 1 / 2, 0), (0, 0, 1 / 4)]),
    "GeTe": (160, [(0, 0, 0), (0, 0, 0.525)]),
    "GaSe": (194, [(0, 0, 0.173), (1 / 3, 2 / 3, 0.602)]),
    "Laves": (227, [(0, 0, 0), (5 / 8, 5 / 8, 5 / 8)]),
    "CaCu5": (191, [(0, 0, 0), (1 / 3, 2 / 3, 0), (1 / 2, 0, 1 / 2)]),
    "BiF3": (225, [(0, 0, 0), (1 / 2, 1 / 2, 1 / 2), (1 / 4, 1 / 4, 1 / 4)]),
    "UCl3": (176, [(1 / 3, 2 / 3, 1 / 4), (0.388, 0.302, 1 / 4)]),
    "La2O3": (164, [(1 / 3, 2 / 3, 0.246), (1 / 3, 2 / 3, 0.647), (0, 0, 0)]),
    "corundum": (167, [(0, 0, 0.352), (0.306, 0, 1 / 4)]),
    "calcite": (167, [(0, 0, 0), (0, 0, 1 / 4), (0.257, 0, 1 / 4)]),
    "ilmenite": (148, [(0, 0, 0.355), (0, 0, 0.146), (0.317, 0.023, 0.245)]),
    "dry ice": (205, [(0, 0, 0), (0.118, 0.118, 0.118)]),
    "cristobalite": (227, [(0, 0, 0), (1 / 8, 1 / 8, 1 / 8)]),
    "delafossite": (166, [(0, 0, 0), (0, 0, 1 / 2), (0, 0, 0.11)]),
    "azide": (166, [(0, 0, 0), (0, 0, 1 / 2), (0, 0, 0.4225)]),
    "PbFCl": (129, [(0, 0, 0), (0, 1 / 2, 0.171), (0, 1 / 2, 0.645)]),
    "LiOH": (129, [(0, 0, 0), (0, 1 / 2, 0.194), (0, 1 / 2, 0.41)]),
    "ThCr2Si2": (139, [(0, 0, 0), (0, 1 / 2, 1 / 4), (0, 0, 0.365)]),
    "K2NiF4": (139, [(0, 0, 0.353), (0, 0, 0), (0, 1 / 2, 0), (0, 0, 0.162)]),
    "elpasolite": (
        225,
        [(1 / 4, 1 / 4, 1 / 4), (1 / 2, 1 / 2, 1 / 2), (0, 0, 0), (0.24, 0, 0)],
    ),
    "K2PtCl6": (225, [(1 / 4, 1 / 4, 1 / 4), (0, 0, 0), (0.24, 0, 0)]),
    "chalcopyrite": (122, [(0, 0, 0), (0, 0, 1 / 2), (0.23, 1 / 4, 1 / 8)]),
    "Ti2AlC": (194, [(1 / 3, 2 / 3, 0.084), (1 / 3, 2 / 3, 3 / 4), (0, 0, 0)]),
    "LiC6": (191, [(0, 0, 0), (1 / 3, 0, 1 / 2)]),
    "NaBH4": (216, [(0, 0, 0), (1 / 2, 1 / 2, 1 / 2), (0.613, 0.613, 0.613)]),
    "NH4Cl": (215, [(0, 0, 0), (0.154, 0.154, 0.154), (1 / 2, 1 / 2, 1 / 2)]),
    "methane": (216, [(0, 0, 0), (0.108, 0.108, 0.108)]),
    "antiperovskite": (221, [(0, 0, 0), (0, 1 / 2, 1 / 2), (1 / 2, 1 / 2, 1 / 2)]),
}
"""Space group and the sites of each symbol, in order."""


def perfect(prototype: str, symbols: str, *lengths: float) -> Atoms:
    """Build the undisturbed crystal in a small cell.

    Parameters
    ----------
    prototype
        A key of `PROTOTYPES`, or one of `ELEMENTARY`.
    symbols
        One for each site, in order.
    lengths
        The lattice constants a; a and c; or a, b and c. Å
    """
    a, c = lengths[0], lengths[-1]
    if prototype == "hcp":
        return bulk(symbols, "hcp", a=a, c=c)
    if prototype in ELEMENTARY:
        return bulk(symbols, prototype, a=a, orthorhombic=True)
    space_group, sites = PROTOTYPES[prototype]
    gamma = 120 if 143 <= space_group <= 194 else 90
    b = lengths[1] if len(lengths) == 3 else a
    return crystal(
        symbols.split(),
        sites,
        spacegroup=space_group,
        cellpar=[a, b, c, 90, 90, gamma],
        primitive_cell=True,
    )
