"""What forgetting is measured on, by composition: never made up for rehearsal."""

_FORMULAS = """
AcAlO3 AgEr Al AlFe2V Ar AsGa AuCu3 B6La BN BaO3Zr BeO Bi2Te3 BrK C CW CaF2 CaF3Rb
CdDy CeO2 ClNa CoLiO2 CoSbTi CrO3Pm CsI3Pb EuO Fe FePt GaMnNi2 GdN Ge H2Y HLi He
HfOs HgNd HoIr InP Kr LuRu Mg Mg2Si MgO MoS2 Na Nb3Sn Ne NpO2 O2Pa O2Pu O2Th O2Ti
O2U O3Re O3SrTi PTb PdTm PrTl RhSc SSm SeZn Si TaTc TeYb Xe
"""

PROBED_FORMULAS = frozenset(_FORMULAS.split())
"""Reduced Hill formulas of the crystals in `atomgraft.evaluation.crystals`.

The data layer cannot ask the judge; a test holds this list to its crystals.
"""
