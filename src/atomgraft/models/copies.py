"""Copies of models whose code was generated when they were built.

Tensor products are written out as code for their irreps (torch.fx). A deep copy
generates and compiles that code again, which takes most of its time. Code does not
change; a copy of the tensors is enough.
"""

import copy
from typing import Any

import torch
from torch import fx

GENERATED = "__codegen__"
"""Where e3nn lists the parts of a module that it has generated."""


def independent_copy(module: torch.nn.Module) -> torch.nn.Module:
    """Return a module with tensors of its own, which shares generated code.

    The graphs of that code are those of the first module, and not to be edited.

    Parameters
    ----------
    module
        Not changed.

    Examples
    --------
    >>> linear = torch.nn.Linear(2, 1)
    >>> other = independent_copy(linear)
    >>> bool((other.weight == linear.weight).all()), other.weight is linear.weight
    (True, False)
    """
    memo: dict[int, Any] = {}
    _copy_generated(module, memo, set())
    return copy.deepcopy(module, memo)


def _copy_generated(
    module: torch.nn.Module, memo: dict[int, Any], seen: set[int]
) -> None:
    """Put copies of generated parts into the memory of a deep copy, inner ones first.

    A part that several hold stays one.
    """
    if id(module) in seen:
        return
    seen.add(id(module))
    for part in module.children():
        _copy_generated(part, memo, seen)
    if isinstance(module, fx.GraphModule):
        memo[id(module.graph)] = module.graph
        _copy_contents(module, memo)
    elif _is_all_graphs(module):
        _copy_contents(module, memo)


def _is_all_graphs(part: torch.nn.Module) -> bool:
    """Return whether e3nn generated parts of a module, none of them TorchScript."""
    names = getattr(part, GENERATED, [])
    return bool(names) and all(
        isinstance(getattr(part, name), fx.GraphModule) for name in names
    )


def _copy_contents(part: torch.nn.Module, memo: dict[int, Any]) -> None:
    """Copy what a module holds, past its own way of being copied."""
    other = object.__new__(type(part))
    memo[id(part)] = other
    other.__dict__.update(copy.deepcopy(part.__dict__, memo))
