"""CIF files of rock salt whose sites are shared, for tests of what reads one."""

MIXED_OXIDE = ("Mg1 Mg 0 0 0 0.5", "Li1 Li 0 0 0 0.5", "O1 O 0.5 0.5 0.5 1.0")


def rock_salt_cif(rows: tuple[str, ...] = MIXED_OXIDE, *, a: float = 4.2) -> str:
    """Return a CIF with rows of label, symbol, three fractions and occupancy."""
    head = ["data_mixed"]
    head += [f"_cell_length_{one} {a}" for one in "abc"]
    head += [f"_cell_angle_{one} 90" for one in ("alpha", "beta", "gamma")]
    head += ["_space_group_name_H-M_alt 'F m -3 m'", "loop_"]
    fractions = [f"fract_{one}" for one in "xyz"]
    columns = ["label", "type_symbol", *fractions, "occupancy"]
    head += [f"_atom_site_{one}" for one in columns]
    return "\n".join([*head, *rows, ""])
