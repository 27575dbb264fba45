"""The unit system (eV, Å, u, e, fs, K) and conversion factors.

Values of CODATA 2014, as in ASE's default, so that both agree to the last digit.
"""

EV_PER_A3_IN_GPA = 160.21766208
"""1 eV/Å³ in GPa."""

EV_PER_A3_IN_KBAR = 1602.1766208
"""1 eV/Å³ in kbar, the unit of VASP's stress."""

EV_IN_MEV = 1000.0
"""1 eV in meV."""

HARTREE_IN_EV = 27.21138602
"""1 hartree in eV."""

BOHR_IN_ANGSTROM = 0.52917721067
"""1 bohr in Å."""

RYDBERG_IN_EV = HARTREE_IN_EV / 2
"""1 rydberg in eV."""

KCAL_PER_MOL_IN_EV = 0.0433641153
"""1 kcal/mol in eV."""

KJ_PER_MOL_IN_EV = KCAL_PER_MOL_IN_EV / 4.184
"""1 kJ/mol in eV."""

EV_PER_A2_IN_J_PER_M2 = EV_PER_A3_IN_GPA / 10
"""1 eV/Å² in J/m²."""

BOLTZMANN_EV = 8.617330337e-5
"""Boltzmann constant, eV/K."""
