"""CIF files of the tests, as text."""

INVERSION = ("x, y, z", "-x, -y, -z")
OLD, NEW = "_symmetry_equiv_pos_as_xyz", "_space_group_symop_operation_xyz"

F_CENTRED = (
    "x,y,z",
    "x,y+1/2,z+1/2",
    "x+1/2,y,z+1/2",
    "x+1/2,y+1/2,z",
)


def cif(
    rows,
    *,
    lengths=(4.0, 4.0, 4.0),
    angles=(90, 90, 90),
    operations=("x, y, z",),
    tag=OLD,
    columns=("label", "type_symbol", "fract_x", "fract_y", "fract_z", "occupancy"),
    more="",
):
    """Return the text of a CIF; a row is a string with its columns."""
    lines = ["data_test", *more.splitlines()]
    lines += [
        f"_cell_{key} {n}"
        for key, n in zip(("length_a", "length_b", "length_c"), lengths, strict=True)
    ]
    lines += [
        f"_cell_angle_{key} {n}"
        for key, n in zip(("alpha", "beta", "gamma"), angles, strict=True)
    ]
    if operations:
        lines += ["loop_", tag, *(f"'{one}'" for one in operations)]
    lines += ["loop_", *(f"_atom_site_{one}" for one in columns), *rows]
    return "\n".join([*lines, ""])
