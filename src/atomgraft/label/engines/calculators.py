"""Engines that are calculators of ASE: any by its import path, and xTB (tblite).

A calculator is made anew for each structure, so labels do not depend on the order of
structures: a calculator that starts from the last density would.
"""

import functools
import importlib
import importlib.metadata
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from ase import Atoms
from pydantic import BaseModel, ConfigDict, Field

from atomgraft.core.errors import BadInputError, reason_of
from atomgraft.core.provenance import file_fingerprint
from atomgraft.label.engines.base import (
    MULTIPLICITY,
    AbstractEngine,
    Electrons,
    Labelled,
    Request,
    checked_settings,
)
from atomgraft.label.engines.child import Compute
from atomgraft.label.engines.outside import OutsideEngine, version_of

CALCULATOR = "calculator"
"""Key of the import path among the settings."""

XTB = "tblite.ase.TBLite"

N_ELEMENTS_OF_XTB = 86
"""Parameters end at radon."""

XtbMethod = Literal["GFN1-xTB", "GFN2-xTB", "IPEA1-xTB"]

SHORT: Mapping[str, XtbMethod] = {
    "GFN1": "GFN1-xTB",
    "GFN2": "GFN2-xTB",
    "IPEA1": "IPEA1-xTB",
}
"""Methods by their first part; letters may be small."""

_MAKER = f"{__name__}:calculator_function"


def calculator_function(settings: Mapping[str, Any]) -> Compute:
    """Return a function that labels with a calculator.

    Parameters
    ----------
    settings
        Its import path as ``calculator``; the others are its arguments.

    Raises
    ------
    BadInputError
        There is no such calculator, or it has no energies.

    Examples
    --------
    >>> compute = calculator_function({"calculator": "ase.calculators.emt.EMT"})
    >>> round(compute(Atoms("Cu2", [[0, 0, 0], [0, 0, 2.5]])).energy, 2)
    3.76
    """
    arguments = {key: one for key, one in settings.items() if key != CALCULATOR}
    kind = _calculator(settings[CALCULATOR])
    kind(**arguments)  # arguments that it does not know are refused before jobs run
    properties = set(kind.implemented_properties)

    def compute(atoms: Atoms) -> Labelled:
        spin = atoms.info.get(MULTIPLICITY) if MULTIPLICITY in arguments else None
        atoms.calc = kind(**arguments | ({} if spin is None else {MULTIPLICITY: spin}))
        has_stress = "stress" in properties and bool(atoms.pbc.all())
        return Labelled(
            energy=float(atoms.get_potential_energy()),
            forces=atoms.get_forces() if "forces" in properties else None,
            stress=atoms.get_stress(voigt=True) if has_stress else None,
        )

    return compute


def _calculator(path: str) -> Any:  # noqa: ANN401 - ASE has no common class of all calculators
    module, _, name = path.rpartition(".")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise _no_calculator(path, reason_of(error)) from error
    if "energy" not in getattr(found, "implemented_properties", ()):
        raise _no_calculator(path, "it has no 'implemented_properties' with an energy")
    return found


def _no_calculator(path: str, reason: str) -> BadInputError:
    return BadInputError(
        f"{path!r} is no calculator of ASE: {reason}.",
        "Expected the import path of a class, in a module that Python finds.",
        "For example: --engine ase:ase.calculators.emt.EMT; the folder of a module of "
        "your own belongs in PYTHONPATH.",
    )


def ase_engine(request: Request) -> AbstractEngine:
    """Return the engine ``ase:MODULE.CLASS``.

    Parameters
    ----------
    request
        With the import path; the settings are arguments of the class. ``charge`` and
        ``multiplicity`` among them are those of every structure.

    Raises
    ------
    BadInputError
        There is no such module.
    """
    path = request.argument
    if CALCULATOR in request.settings or not path.rpartition(".")[0]:
        raise _no_calculator(path, "it does not name a module and a class")
    charge, spin = (request.settings.get(one) for one in ("charge", MULTIPLICITY))
    electrons = Electrons(
        charge=_whole(charge) or 0, multiplicity=_whole(spin), has_spin=spin is not None
    )
    return OutsideEngine(
        name=f"ase:{path}",
        version=_module_version(path),
        settings={**request.settings, CALCULATOR: path},
        maker=_MAKER,
        refuse=lambda _: None,
        electrons=electrons,
        takes_moments=True,
    )


def _whole(value: object) -> int | None:
    """Return a number that is whole; none of anything else."""
    if isinstance(value, int | float) and value == value // 1:
        return int(value)
    return None


@functools.cache
def _distributions() -> Mapping[str, list[str]]:
    """Return the distributions of each package: a job is not to wait for the search."""
    return importlib.metadata.packages_distributions()


def _module_version(path: str) -> str:
    """Return the version of the package of a class, or the hash of its file."""
    module = path.rpartition(".")[0]
    top = module.partition(".")[0]
    try:
        spec = importlib.util.find_spec(module)
    except Exception as error:  # a package above it may raise anything
        raise _no_calculator(path, reason_of(error, with_kind=True)) from error
    if spec is None:
        raise _no_calculator(path, f"there is no module {module}")
    names = _distributions().get(top, ())
    if names:
        return f"{names[0]} {importlib.metadata.version(names[0])}"
    if spec.origin is None or not spec.has_location:
        return module
    return f"{module} with the hash {file_fingerprint(Path(spec.origin))}"


class XtbSettings(BaseModel):
    """Settings of the engine ``xtb``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: XtbMethod = "GFN2-xTB"
    charge: int = 0
    """e, of every structure."""
    multiplicity: Annotated[int, Field(ge=1)] | None = None
    """2S + 1, of every structure; none is that of each structure, or the singlet."""
    accuracy: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Thresholds of the self-consistent cycle are multiplied by it."""
    electronic_temperature: Annotated[float, Field(gt=0, le=1e6)] = 300.0
    """K"""
    max_iterations: Annotated[int, Field(ge=1)] = 250


def xtb_engine(request: Request) -> AbstractEngine:
    """Return the engine ``xtb`` or ``xtb:GFN1``: molecules and crystals with tblite.

    Parameters
    ----------
    request
        With the method, or its first part, and the keys of :class:`XtbSettings`.

    Raises
    ------
    BadInputError
        A setting cannot be used.
    MissingExtraError
        tblite is not installed.
    """
    given = dict(request.settings)
    method = request.argument or given.get("method")
    if isinstance(method, str):
        given["method"] = SHORT.get(method.upper().removesuffix("-XTB"), method)
    chosen = checked_settings(XtbSettings, "xtb", given, request.argument)
    electrons = Electrons(charge=chosen.charge, multiplicity=chosen.multiplicity)

    def refuse(atoms: Atoms) -> str | None:
        if atoms.pbc.any() and not atoms.pbc.all():
            return "it is periodic in one or two directions only"
        if atoms.numbers.max(initial=0) > N_ELEMENTS_OF_XTB:
            return "xTB has no parameters beyond radon"
        return electrons.problem(atoms)

    return OutsideEngine(
        name=f"xtb:{chosen.method.removesuffix('-xTB')}",
        version=version_of("tblite", "xtb"),
        settings={**chosen.model_dump(mode="json"), CALCULATOR: XTB, "verbosity": 0},
        maker=_MAKER,
        refuse=refuse,
        electrons=electrons,
    )
