"""The structure of e3nn models: matrices in flat weights, paths of messages, roles."""

import re
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor

from atomgraft.core.errors import BadInputError
from atomgraft.models.base import Block, Role, RowKey, interaction
from atomgraft.models.messages import MessagePath


def path_blocks(
    instructions: Sequence[Any],
    keys: Mapping[int, Sequence[RowKey]] = MappingProxyType({}),
) -> tuple[Block, ...]:
    """Return one matrix for each path: inputs (times attributes) by outputs.

    Parameters
    ----------
    instructions
        Those of an e3nn layer, which normalises in its forward pass.
    keys
        What the channels of one-hot inputs stand for, by number of the input; for a
        tensor product, of its second input.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> paths = [
    ...     SimpleNamespace(i_in=0, path_shape=(8, 4), path_weight=0.3),
    ...     SimpleNamespace(i_in=1, path_shape=(2, 4), path_weight=0.7),
    ...     SimpleNamespace(i_in=-1, path_shape=(4,), path_weight=1.0),
    ... ]
    >>> [one.rows for one in path_blocks(paths)]
    [8, 2]
    >>> path_blocks(paths, {1: (14, 32)})[1].row_keys
    (14, 32)
    """
    blocks: list[Block] = []
    offset = 0
    for instruction in instructions:
        *inputs, columns = instruction.path_shape
        rows = 1
        for count in inputs:
            rows *= count
        if inputs:  # a bias has outputs alone and lives in another parameter
            is_product = hasattr(instruction, "i_in2")
            own = keys.get(instruction.i_in2 if is_product else instruction.i_in, ())
            blocks.append(
                Block(
                    offset=offset,
                    rows=rows,
                    columns=columns,
                    scale=1.0,
                    # the second input of a product runs faster than the first
                    row_keys=tuple(own) * (rows // len(own)) if own else (),
                    gain=float(instruction.path_weight),
                )
            )
            offset += rows * columns
    return tuple(blocks)


def has_weight_a_channel(product: Any) -> bool:  # noqa: ANN401 - e3nn's
    """Return whether every path of a tensor product has one weight a channel."""
    return all(
        one.connection_mode == "uvu" and one.has_weight and one.path_shape[1] == 1
        for one in product.instructions
    )


def message_paths(
    product: Any,  # noqa: ANN401 - e3nn's
    *,
    own_tables: bool = False,
) -> list[MessagePath]:
    """Return the paths of a tensor product, normalised as e3nn does.

    Parameters
    ----------
    product
        An ``o3.TensorProduct`` for which :func:`has_weight_a_channel` holds.
    own_tables
        Take the coupling coefficients that the layer carries, which e3nn keeps in
        the precision it was built in, instead of those of full precision.
    """
    sources, attributes, targets = (
        irreps.slices()
        for irreps in (product.irreps_in1, product.irreps_in2, product.irreps_out)
    )
    paths: list[MessagePath] = []
    weight = 0
    for one in product.instructions:
        n_channels, source = product.irreps_in1[one.i_in1]
        attribute = product.irreps_in2[one.i_in2].ir
        target = product.irreps_out[one.i_out].ir
        coupling = _coupling(product, (source.l, attribute.l, target.l), own_tables)
        paths.append(
            MessagePath(
                n_channels=n_channels,
                source=sources[one.i_in1].start,
                attribute=attributes[one.i_in2].start,
                target=targets[one.i_out].start,
                weight=weight,
                coefficients=coupling * one.path_weight,
            )
        )
        weight += n_channels
    return paths


def _coupling(
    product: Any,  # noqa: ANN401 - e3nn's
    orders: tuple[int, int, int],
    own_tables: bool,  # noqa: FBT001 - passed on
) -> Tensor:
    """Return the coefficients of three orders; e3nn has no table where one is zero."""
    from e3nn.o3 import wigner_3j

    name = "_w3j_" + "_".join(map(str, orders))
    tables = product.named_buffers() if own_tables else ()
    for known, table in tables:
        if known.endswith(name):
            return table.detach().to("cpu", torch.float64)
    return wigner_3j(*orders, dtype=torch.float64)


def roles_of(
    names: Iterable[str],
    patterns: Sequence[tuple[str, Role]],
    *,
    layers: str,
    expected: str,
    prefix: str = "",
) -> dict[Role, tuple[str, ...]]:
    r"""Return the parameters that play each role, by the beginnings of their names.

    Parameters
    ----------
    names
        Of all parameters.
    patterns
        Regular expressions and the role of what they match; the first one counts.
    layers
        Matches the other names; its group is the number of the interaction.
    expected
        Which models have such names, for the message.
    prefix
        Which names may have before what is matched.

    Raises
    ------
    BadInputError
        A name matches nothing.

    Examples
    --------
    >>> roles_of(["0_a", "out.b"], [("out", "readout")], layers=r"(\d+)_", expected="")
    {'interaction.0': ('0_a',), 'readout': ('out.b',)}
    """
    roles: dict[Role, list[str]] = {}
    for name in names:
        own = name.removeprefix(prefix)
        role = next((role for one, role in patterns if re.match(one, own)), None)
        if role is None:
            layer = re.match(layers, own)
            if layer is None:
                raise BadInputError(
                    f"The parameter {own!r} of this model plays no known role.",
                    f"Expected {expected}.",
                    "Report this with the name of the model.",
                )
            role = interaction(int(layer.group(1)))
        roles.setdefault(role, []).append(name)
    return {role: tuple(own) for role, own in roles.items()}
