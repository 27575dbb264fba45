"""The blocks of features, and the table of materials by features."""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float, Int

from atomgraft.core.errors import BadInputError
from atomgraft.core.progress import Progress
from atomgraft.core.provenance import fingerprint
from atomgraft.core.registry import unknown
from atomgraft.transport.features import composition, pathways, sites
from atomgraft.transport.features.cache import FeatureCache
from atomgraft.transport.features.invariants import BULK, HOP, Invariants
from atomgraft.transport.features.ions import IonTable
from atomgraft.transport.materials import Material


@dataclasses.dataclass(frozen=True, kw_only=True)
class Block:
    """Features that are computed together.

    Parameters
    ----------
    columns
        Their names.
    compute
        From a material to their values; NaN where they cannot be known.
    summary
        For people.
    """

    columns: tuple[str, ...]
    compute: Callable[[Material], Float[np.ndarray, " features"]]
    summary: str


BLOCKS: Mapping[str, Block] = {
    "composition": Block(
        columns=composition.COMPOSITION,
        compute=composition.composition,
        summary="properties of the elements, weighted by their amounts",
    ),
    "lattice": Block(
        columns=composition.LATTICE,
        compute=composition.lattice,
        summary="cell and space group",
    ),
    "temperature": Block(
        columns=composition.TEMPERATURE,
        compute=composition.temperature,
        summary="the temperature to which the property belongs",
    ),
    "packing": Block(
        columns=composition.PACKING,
        compute=composition.packing,
        summary="how densely ions are packed",
    ),
    "sites": Block(
        columns=sites.BULK,
        compute=sites.bulk,
        summary="distances, clearance and bond valence where mobile ions are",
    ),
    "pathways": Block(
        columns=pathways.PATHWAYS,
        compute=pathways.pathways,
        summary="how wide the ways through the framework are",
    ),
    "hop": Block(
        columns=sites.HOP,
        compute=sites.hop,
        summary="distances, clearance and bond valence along a given hop",
    ),
}


SUMMARIES = {
    BULK: "what a model sees around mobile ions",
    HOP: "what a model sees along a given hop, and its energies there",
}
"""Of the blocks of a model."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FeatureTable:
    """Materials by features.

    Parameters
    ----------
    rows
        One for each material; NaN where a feature cannot be known.
    columns
        Names of the features.
    blocks
        Columns of each block.
    ions
        What is known of single ions, for methods that see them; else none.
    """

    rows: Float[np.ndarray, "materials features"]
    columns: tuple[str, ...]
    blocks: Mapping[str, slice]
    ions: IonTable | None = None

    def take(self, rows: Int[np.ndarray, " some"]) -> "FeatureTable":
        """Return some of the materials."""
        ions = None if self.ions is None else self.ions.take(rows)
        return dataclasses.replace(self, rows=self.rows[rows], ions=ions)

    def of(self, names: Sequence[str]) -> "FeatureTable":
        """Return the columns of some blocks.

        Raises
        ------
        BadInputError
            There is no such block.
        """
        if missing := [one for one in names if one not in self.blocks]:
            raise unknown("block of features", missing[0], [*self.blocks])
        parts = [self.rows[:, self.blocks[one]] for one in names]
        columns = [self.columns[self.blocks[one]] for one in names]
        return FeatureTable(
            rows=np.concatenate(parts, axis=1),
            columns=tuple(one for part in columns for one in part),
            blocks=_slices(
                {one: len(part) for one, part in zip(names, columns, strict=True)}
            ),
            ions=self.ions,
        )


def blocks_with(model: Invariants | None) -> Mapping[str, Block]:
    """Return all blocks: those of a model among them, where there is one."""
    if model is None:
        return BLOCKS
    return {
        **BLOCKS,
        **{
            name: Block(
                columns=columns,
                compute=functools.partial(model.of, name=name),
                summary=SUMMARIES[name],
            )
            for name, columns in model.columns.items()
        },
    }


def describe(
    materials: Sequence[Material],
    names: Sequence[str],
    *,
    model: Invariants | None = None,
    cache: FeatureCache | None = None,
    progress: Progress | None = None,
) -> FeatureTable:
    """Compute features of materials.

    Parameters
    ----------
    materials
        Rows of the table.
    names
        Blocks of features.
    model
        Whose features are among them.
    cache
        Where features are kept, and taken from.
    progress
        Called with what is done, materials done and materials in all.

    Raises
    ------
    BadInputError
        There is no such block, or no material.
    """
    if not materials:
        raise BadInputError(
            "There are no materials.", "Expected at least one.", "Check the input."
        )
    blocks = blocks_with(model)
    if missing := [one for one in names if one not in blocks]:
        raise unknown("block of features", missing[0], [*blocks])
    rows = []
    for index, one in enumerate(materials):
        parts = [_computed(one, name, blocks[name], model, cache) for name in names]
        rows.append(np.concatenate(parts))
        if progress is not None:
            progress("features", index + 1, len(materials))
    if cache is not None:
        cache.flush()
    return FeatureTable(
        rows=np.array(rows),
        columns=tuple(one for name in names for one in blocks[name].columns),
        blocks=_slices({name: len(blocks[name].columns) for name in names}),
    )


def _computed(
    material: Material,
    name: str,
    block: Block,
    model: Invariants | None,
    cache: FeatureCache | None,
) -> Float[np.ndarray, " features"]:
    """Return the features of a block; those that are kept are not computed again."""
    if cache is None:
        return block.compute(material)
    parts = [name, material.fingerprint()]
    if model is not None and name in model.columns:
        parts.append(model.weights_hash)
    key = fingerprint(one.encode() for one in parts)
    if (kept := cache.get(key)) is not None:
        return kept
    row = block.compute(material)
    cache.keep(key, row)
    return row


def _slices(sizes: Mapping[str, int]) -> dict[str, slice]:
    ends = np.cumsum([*sizes.values()]).tolist()
    return {
        name: slice(end - size, end)
        for (name, size), end in zip(sizes.items(), ends, strict=True)
    }
