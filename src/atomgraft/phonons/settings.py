"""The settings of a phonon calculation, and how well its sum rules hold."""

from atomgraft.page.blocks import Facts, Folded
from atomgraft.page.wording import MISSING, capitalised, counted, number_text
from atomgraft.phonons.contestants import contestants
from atomgraft.phonons.record import Matrix, PhononResult, PhononSettings
from atomgraft.phonons.wording import q_text, threshold_text


def settings_block(result: PhononResult) -> Folded:
    """Return everything that decides the numbers."""
    one = result.settings
    cells = f"{counted(one.n_atoms_supercell, 'atom')}, {_matrix(one.supercell_matrix)}"
    versions = ", ".join(f"{name} {text}" for name, text in one.versions.items())
    return Folded(
        summary="Settings: phonons computed with others cannot be compared",
        facts=Facts(
            pairs=(
                ("Space group", one.space_group),
                ("Geometry", capitalised(one.geometry)),
                ("Supercell", cells),
                ("Primitive cell", counted(one.n_atoms_primitive, "atom")),
                ("Primitive matrix", _matrix(one.primitive_matrix)),
                ("Displacements", _displacements(one)),
                ("Undisplaced forces of models", capitalised(one.undisplaced)),
                ("Symmetrisation", one.symmetrisation),
                ("Non-analytical term", charges_text(one)),
                ("Mesh", "×".join(map(str, one.mesh))),
                ("Unstable", f"a frequency below −{threshold_text(result)} THz"),
                ("Symmetry tolerance", f"{number_text(one.symprec)} Å"),
                ("Precision", one.dtype),
                ("Versions", versions or MISSING),
                *_checks(result),
            )
        ),
    )


def charges_text(settings: PhononSettings) -> str:
    """Say whether Born charges are in."""
    if settings.has_charges:
        return "In, with the same Born charges for every contestant"
    return "Not in: no Born charges"


def _displacements(one: PhononSettings) -> str:
    moved = f"{one.kind} at a time" if one.kind == "one atom" else one.kind
    size = number_text(one.displacement, digits=1)
    return f"{counted(one.n_displacements, 'supercell')}, {moved}, up to {size} Å"


def _matrix(matrix: Matrix) -> str:
    """Return a matrix, a diagonal one by its diagonal."""
    is_diagonal = all(
        abs(value) < 1e-9
        for i, row in enumerate(matrix)
        for j, value in enumerate(row)
        if i != j
    )
    if is_diagonal:
        numbers = (_entry(row[i]) for i, row in enumerate(matrix))
        return "×".join(numbers)
    return "; ".join(" ".join(map(_entry, row)) for row in matrix)


def _entry(value: float) -> str:
    return q_text((value,)).strip("()")


def _checks(result: PhononResult) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for one in contestants(result):
        parts = [f"drift {number_text(one.drift)} eV/Å²"]
        if one.rotation is not None:
            parts.append(f"rotation {number_text(one.rotation)} eV/Å")
        if one.residual_force is not None:
            parts.append(f"undisplaced force {number_text(one.residual_force)} eV/Å")
        if one.relaxation is not None:
            relaxed = one.relaxation
            parts.append(
                f"relaxed in {counted(relaxed.n_steps, 'step')} to "
                f"{number_text(relaxed.largest_force)} eV/Å, "
                f"{number_text(relaxed.volume)} Å³/atom"
            )
        found.append((f"Residuals, {one.title}", "; ".join(parts)))
    return found
