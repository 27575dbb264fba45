"""Chemical formulae of files, compared with the atoms that were read."""

import re
from collections.abc import Mapping

from atomgraft.data.disorder.average import Doubt, Finding

SAME_COUNT = 0.02
"""Relative difference of an element's count from which a composition is another one."""

FEW = 0.005
"""Atoms a formula of one atom in all; differences below are rounding."""

_PART = re.compile(r"([A-Z][a-z]?)(\d*\.?\d*)")


def counts_of(formula: str) -> dict[str, float] | None:
    """Return the atoms of each element of a plain formula; none if it is not one.

    Deuterium and tritium count as hydrogen.

    Parameters
    ----------
    formula
        Symbols with numbers, blanks between or not, without brackets.

    Examples
    --------
    >>> counts_of("Li6.5 La3 D1")
    {'Li': 6.5, 'La': 3.0, 'H': 1.0}
    >>> counts_of("(Li0.5)2 O")
    """
    text = "".join(formula.split())
    found: dict[str, float] = {}
    end = 0
    for match in _PART.finditer(text):
        if match.start() != end or match[2] == ".":
            return None
        end = match.end()
        symbol = "H" if match[1] in {"D", "T"} else match[1]
        found[symbol] = found.get(symbol, 0.0) + float(match[2] or 1)
    return found if end == len(text) and sum(found.values()) > 0 else None


def compare_formula(found: Mapping[str, float], formula: str) -> list[Finding]:
    """Return how the atoms of a cell differ from a formula of any number of units.

    Parameters
    ----------
    found
        Atoms of each element.
    formula
        As the file states it; nothing is said of one that is not plain.

    Examples
    --------
    >>> compare_formula({"Li": 4.0, "O": 2.0}, "Li2 O")
    []
    >>> compare_formula({"Li": 2.0, "O": 2.0}, "Li2 O")[0].doubt
    <Doubt.FORMULA: 'composition differs from the stated formula'>
    """
    stated = counts_of(formula)
    if stated is None:
        return []
    heavy = {one: n for one, n in stated.items() if one != "H"} or stated
    scale = sum(found.get(one, 0.0) for one in heavy) / sum(heavy.values())
    findings: list[Finding] = []
    hydrogen = (found.get("H", 0.0), scale * stated.get("H", 0.0))
    if hydrogen[0] < (1 - SAME_COUNT) * hydrogen[1]:
        detail = f"{hydrogen[0]:.4g} of {hydrogen[1]:.4g} H of {formula}"
        findings.append(Finding(Doubt.HYDROGEN, detail))
    few = FEW * scale * sum(heavy.values())
    others = (found.keys() | heavy.keys()) - {"H"}
    wrong = [
        f"{one} {found.get(one, 0.0):.4g} instead of {scale * heavy.get(one, 0.0):.4g}"
        for one in sorted(others)
        if abs(found.get(one, 0.0) - scale * heavy.get(one, 0.0))
        > max(SAME_COUNT * scale * heavy.get(one, 0.0), few)
    ]
    if wrong:
        findings.append(Finding(Doubt.FORMULA, f"{', '.join(wrong)} of {formula}"))
    return findings
