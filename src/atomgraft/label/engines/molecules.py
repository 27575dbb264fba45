"""Molecules with PySCF: Hartree-Fock, density functionals, MP2 and coupled clusters.

Energies of the correlated methods leave core orbitals frozen unless all electrons are
asked for; energy and forces are always those of the same electrons. Forces are
analytic. Those of CCSD(T) cost many times its energy, so they are computed where
they are asked for, and for closed shells alone: those of open shells are wrong up to
PySCF 2.14.
"""

import contextlib
from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Annotated, Any

import numpy as np
from ase import Atoms, units
from pydantic import BaseModel, ConfigDict, Field

from atomgraft.core.errors import BadInputError, reason_of
from atomgraft.label.engines.base import (
    AbstractEngine,
    Electrons,
    EngineFailureError,
    Labelled,
    Request,
    checked_settings,
)
from atomgraft.label.engines.child import Compute
from atomgraft.label.engines.outside import OutsideEngine, version_of

CORRELATED = ("MP2", "CCSD", "CCSD(T)")
"""Methods on top of Hartree-Fock; any other name but HF is a functional."""

WITH_TRIPLES = "CCSD(T)"
"""Its forces are computed on request only."""

FUNCTIONALS = {"LDA": "lda,vwn"}
"""PySCF's LDA has no correlation."""

OPEN_SHELLS = "PySCF up to 2.14 has wrong forces of CCSD(T) where a shell is open"

PROBES = ("H", "C", "O", "Si", "Fe")
"""A basis set that has none of them is unknown."""

_MAKER = f"{__name__}:molecule_function"


class MoleculeSettings(BaseModel):
    """Settings of the engine ``pyscf``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    method: Annotated[str, Field(min_length=1)]
    """HF, MP2, CCSD, CCSD(T), or a functional by its name in PySCF (PBE, wB97X ...)."""
    basis: Annotated[str, Field(min_length=1)]
    """By its name in PySCF: def2-SVP, cc-pVDZ ..."""
    charge: int = 0
    """e, of every structure."""
    multiplicity: Annotated[int, Field(ge=1)] | None = None
    """2S + 1, of every structure; none is that of each structure, or the singlet."""
    forces: bool | None = None
    """None computes them, except with CCSD(T)."""
    frozen_core: bool = True
    """Of MP2 and coupled clusters."""
    grid: Annotated[int, Field(ge=0, le=9)] = 3
    """Level of the integration grid of a functional."""
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 1e-9
    """Hartree; of the energy in the self-consistent cycle."""
    max_iterations: Annotated[int, Field(ge=1)] = 100


def pyscf_engine(request: Request) -> AbstractEngine:
    """Return the engine ``pyscf:METHOD/BASIS``.

    Parameters
    ----------
    request
        With method and basis, and the keys of :class:`MoleculeSettings`.

    Raises
    ------
    BadInputError
        A setting cannot be used.
    MissingExtraError
        PySCF is not installed.
    """
    given = dict(request.settings)
    if request.argument:
        method, _, basis = request.argument.partition("/")
        given |= {"method": method} | ({"basis": basis} if basis else {})
    if not {"method", "basis"} <= given.keys():
        raise BadInputError(
            "The engine pyscf was given without a method and a basis set.",
            "Expected METHOD/BASIS behind the colon, or both keys in the settings.",
            "For example: --engine pyscf:PBE/def2-SVP",
        )
    chosen = _completed(
        checked_settings(MoleculeSettings, "pyscf", given, request.argument)
    )

    electrons = _electrons(chosen)

    def refuse(atoms: Atoms) -> str | None:
        if atoms.pbc.any():
            return "it is periodic, and pyscf computes molecules"
        has_gradient = chosen.forces and chosen.method == WITH_TRIPLES
        if has_gradient and electrons.multiplicity_of(atoms) > 1:
            return OPEN_SHELLS
        return electrons.problem(atoms)

    return OutsideEngine(
        name=f"pyscf:{chosen.method}/{chosen.basis}",
        version=version_of("pyscf", "pyscf"),
        settings=chosen.model_dump(mode="json"),
        maker=_MAKER,
        refuse=refuse,
        electrons=electrons,
    )


def _completed(chosen: MoleculeSettings) -> MoleculeSettings:
    """Return settings with every default decided."""
    method = chosen.method
    if method.upper() in {"HF", *CORRELATED}:
        method = method.upper()
    forces = method != WITH_TRIPLES if chosen.forces is None else chosen.forces
    return chosen.model_copy(update={"method": method, "forces": forces})


def _electrons(chosen: MoleculeSettings) -> Electrons:
    return Electrons(charge=chosen.charge, multiplicity=chosen.multiplicity)


def molecule_function(settings: Mapping[str, Any]) -> Compute:
    """Return a function that labels molecules.

    Parameters
    ----------
    settings
        Of :class:`MoleculeSettings`, completed.

    Raises
    ------
    BadInputError
        PySCF does not know the functional or the basis set.
    """
    chosen = MoleculeSettings.model_validate(settings)
    _check_names(chosen)

    def compute(atoms: Atoms) -> Labelled:
        mean_field = _mean_field(_molecule(atoms, chosen), chosen)
        solve = _SOLVERS.get(chosen.method, _plain)
        if not _is_correlated(mean_field, chosen):
            solve = _plain
        solved, gradients = solve(mean_field, chosen)
        forces = None
        if chosen.forces and len(atoms) == 1:
            forces = np.zeros((1, 3))
        elif chosen.forces:
            gradient = np.asarray(gradients(), dtype=float)
            forces = -gradient * units.Hartree / units.Bohr
        return Labelled(energy=float(solved) * units.Hartree, forces=forces)

    return compute


def _check_names(chosen: MoleculeSettings) -> None:
    from pyscf.dft import libxc
    from pyscf.gto import basis
    from pyscf.lib.exceptions import BasisNotFoundError

    def has(symbol: str) -> bool:
        try:
            basis.load(chosen.basis, symbol)
        except (BasisNotFoundError, KeyError, ValueError):
            return False
        return True

    if not any(has(one) for one in PROBES):
        raise BadInputError(
            f"PySCF knows no basis set {chosen.basis!r}.",
            "Expected a name such as def2-SVP, cc-pVDZ or 6-31G*.",
            "For example: --engine pyscf:PBE/def2-SVP",
        )
    if chosen.method in {"HF", *CORRELATED}:
        return
    try:
        libxc.parse_xc(chosen.method)
        if has("H"):  # an addition such as -D3 is missed by its name alone
            compute_one = chosen.model_copy(update={"charge": 0, "multiplicity": None})
            hydrogen = Atoms("H2", [[0, 0, 0], [0, 0, 0.74]])
            _mean_field(_molecule(hydrogen, compute_one), compute_one)
    except (KeyError, ValueError, NotImplementedError, RuntimeError) as error:
        raise BadInputError(
            f"PySCF knows no method {chosen.method!r}: {reason_of(error)}.",
            f"Expected HF, {', '.join(CORRELATED)}, or a functional such as PBE or "
            "wB97X.",
            "For example: --engine pyscf:PBE/def2-SVP",
        ) from error
    if _is_exchange_alone(chosen.method):
        raise BadInputError(
            f"{chosen.method!r} is a functional of exchange, without correlation.",
            "Expected both: a name such as PBE, or EXCHANGE,CORRELATION.",
            f"For example: '{chosen.method},LYP'. If exchange alone is meant, write "
            f"'{chosen.method},' with a comma.",
        )


def _is_exchange_alone(method: str) -> bool:
    """Tell whether a functional without a comma in its name lacks correlation."""
    from pyscf.dft import libxc

    functional = FUNCTIONALS.get(method.upper(), method)
    if "," in functional:
        return False
    of_exchange = {
        int(number)
        for name, number in libxc.XC_CODES.items()
        if isinstance(number, Integral) and "_X_" in f"{name}_"
    }
    parts = [int(number) for number, _ in libxc.parse_xc(functional)[1]]
    return bool(parts) and of_exchange.issuperset(parts)


def _molecule(atoms: Atoms, chosen: MoleculeSettings) -> Any:  # noqa: ANN401 - PySCF has no types
    from pyscf import gto

    return gto.M(
        atom=list(zip(atoms.get_chemical_symbols(), atoms.positions, strict=True)),
        basis=chosen.basis,
        ecp=_core_potentials(atoms, chosen.basis),
        charge=chosen.charge,
        spin=_electrons(chosen).multiplicity_of(atoms) - 1,
        unit="Angstrom",
        verbose=0,
    )


def _core_potentials(atoms: Atoms, basis: str) -> dict[str, str]:
    """Return which elements have an effective core potential with their basis set.

    PySCF applies none by itself, and a basis set that was made for one describes no
    core electrons.
    """
    from pyscf.gto.basis import load_ecp
    from pyscf.lib.exceptions import BasisNotFoundError

    found: dict[str, str] = {}
    for symbol in set(atoms.get_chemical_symbols()):
        with contextlib.suppress(BasisNotFoundError, KeyError, ValueError):
            if load_ecp(basis, symbol):
                found[symbol] = basis
    return found


def _mean_field(molecule: Any, chosen: MoleculeSettings) -> Any:  # noqa: ANN401
    """Return a converged mean field, with second-order steps where others fail."""
    from pyscf import dft, scf

    if chosen.method in {"HF", *CORRELATED}:
        field: Any = scf.HF(molecule)
    else:
        field = dft.KS(
            molecule, xc=FUNCTIONALS.get(chosen.method.upper(), chosen.method)
        )
        field.grids.level = chosen.grid
    field.conv_tol, field.max_cycle = chosen.tolerance, chosen.max_iterations
    field.kernel()
    if not field.converged:
        field = field.newton()
        field.kernel()
    _check_converged(field, "The self-consistent cycle", chosen)
    return field


def _check_converged(solver: Any, what: str, chosen: MoleculeSettings) -> None:  # noqa: ANN401
    if not solver.converged:
        raise EngineFailureError(
            f"{what} did not converge in {chosen.max_iterations} iterations.",
            "Expected a converged energy.",
            "Raise max_iterations, or check charge, multiplicity and structure.",
        )


Solved = tuple[float, Callable[[], Any]]
"""Energy, Hartree, and a function for its gradient, Hartree/Bohr."""


def _frozen(mean_field: Any, chosen: MoleculeSettings) -> int | None:  # noqa: ANN401
    from pyscf.data.elements import chemcore

    return chemcore(mean_field.mol) or None if chosen.frozen_core else None


def _is_correlated(mean_field: Any, chosen: MoleculeSettings) -> bool:  # noqa: ANN401
    """Tell whether two electrons, or more, have orbitals to go to."""
    molecule = mean_field.mol
    n_active = molecule.nelectron - 2 * (_frozen(mean_field, chosen) or 0)
    return n_active > 1 and molecule.nao > min(molecule.nelec)


def _plain(mean_field: Any, chosen: MoleculeSettings) -> Solved:  # noqa: ANN401
    def gradient() -> Any:  # noqa: ANN401
        gradients = mean_field.nuc_grad_method()
        gradients.grid_response = False
        return gradients.kernel()

    return mean_field.e_tot, gradient


def _second_order(mean_field: Any, chosen: MoleculeSettings) -> Solved:  # noqa: ANN401
    from pyscf import mp

    solver: Any = mp.MP2(mean_field, frozen=_frozen(mean_field, chosen))
    solver.kernel()
    return solver.e_tot, lambda: solver.nuc_grad_method().kernel()


def _coupled_clusters(mean_field: Any, chosen: MoleculeSettings) -> Solved:  # noqa: ANN401
    from pyscf import cc

    solver: Any = cc.CCSD(mean_field, frozen=_frozen(mean_field, chosen))
    solver.max_cycle = chosen.max_iterations
    solver.kernel()
    _check_converged(solver, "The coupled-cluster cycle", chosen)
    if chosen.method != WITH_TRIPLES:
        return solver.e_tot, lambda: solver.nuc_grad_method().kernel()
    return solver.e_tot + solver.ccsd_t(), lambda: _gradient_with_triples(solver)


def _gradient_with_triples(solver: Any) -> Any:  # noqa: ANN401
    """Return the gradient of CCSD(T), whose Lambda equations are not those of CCSD."""
    from pyscf.cc import ccsd_t_lambda
    from pyscf.grad import ccsd_t

    amplitudes = (solver.t1, solver.t2)
    is_solved, *multipliers = ccsd_t_lambda.kernel(
        solver,
        solver.ao2mo(),
        *amplitudes,
        max_cycle=solver.max_cycle,
        tol=solver.conv_tol_normt,
        verbose=0,
    )
    if not is_solved:
        raise EngineFailureError(
            "The Lambda equations of CCSD(T) did not converge.",
            "Expected converged forces.",
            "Raise max_iterations, or set forces: false.",
        )
    return ccsd_t.Gradients(solver).kernel(*amplitudes, *multipliers)


_SOLVERS: Mapping[str, Callable[[Any, MoleculeSettings], Solved]] = {
    "HF": _plain,
    "MP2": _second_order,
    "CCSD": _coupled_clusters,
    WITH_TRIPLES: _coupled_clusters,
}
