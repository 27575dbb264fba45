"""A verb: the energy of two atoms, from close to far."""

from typing import Annotated

import typer


def dimer(
    symbol: Annotated[str, typer.Argument(help="Chemical symbol of both atoms.")],
    model: Annotated[str, typer.Option(help="Name or file of a model.")],
    start: Annotated[float, typer.Option(help="Smallest distance, A.")] = 2.0,
    stop: Annotated[float, typer.Option(help="Largest distance, A.")] = 6.0,
    points: Annotated[int, typer.Option(min=2, help="Number of distances.")] = 9,
) -> None:
    """Print the energy of two atoms against their distance."""
    import numpy as np
    from ase import Atoms

    from atomgraft.models.loading import load_potential
    from atomgraft.models.prediction import predict_structures

    distances = np.linspace(start, stop, points)
    pairs = [Atoms([symbol] * 2, [(0, 0, 0), (0, 0, d)]) for d in distances]
    predictions = predict_structures(load_potential(model), pairs)
    print("distance/A  energy/eV")
    for distance, found in zip(distances, predictions, strict=True):
        print(f"{distance:10.3f}  {found.energy:9.4f}")
