"""Forests of regression trees as arrays, which any version of scikit-learn can read."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

LEAF = -1
"""In place of a feature."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Forest:
    """Trees of which the mean is predicted, one after the other, each in preorder.

    The left child of a node is the next node.

    Parameters
    ----------
    feature
        By which a node divides; `LEAF` for a leaf.
    number
        Rows up to it go left; of a leaf its prediction.
    right
        Place of the right child.
    missing_left
        Whether rows without the feature go left.
    roots
        Place of the first node of each tree.
    """

    feature: Int[np.ndarray, " nodes"]
    number: Float[np.ndarray, " nodes"]
    right: Int[np.ndarray, " nodes"]
    missing_left: Bool[np.ndarray, " nodes"]
    roots: Int[np.ndarray, " trees"]

    @classmethod
    def of(cls, model: Any) -> "Forest":  # noqa: ANN401 - a forest of scikit-learn
        """Return the trees of a fitted forest of scikit-learn.

        Its features are float32: a threshold is rounded down to float32, which divides
        them in the same way.
        """
        nodes: list[tuple[int, float, int, bool]] = []
        roots: list[int] = []
        for one in model.estimators_:
            roots.append(len(nodes))
            _write(one.tree_, nodes)
        feature, number, right, missing = zip(*nodes, strict=True)
        numbers = np.array(number)
        rounded = numbers.astype(np.float32)
        above = (rounded > numbers) & (np.array(feature) != LEAF)
        rounded[above] = np.nextafter(rounded[above], np.float32(-np.inf))
        return cls(
            feature=np.array(feature, dtype=np.int16),
            number=rounded,
            right=np.array(right, dtype=np.int32),
            missing_left=np.array(missing),
            roots=np.array(roots, dtype=np.int32),
        )

    def predict(
        self, rows: Float[np.ndarray, "rows features"]
    ) -> Float[np.ndarray, " rows"]:
        """Return the mean over the trees; NaN is a missing feature."""
        seen = rows.astype(np.float32)
        every = np.arange(len(seen))
        total = np.zeros(len(seen))
        for root in self.roots:
            node = np.full(len(seen), root)
            while (is_inside := self.feature[node] != LEAF).any():
                value = seen[every, np.maximum(self.feature[node], 0)]
                is_left = np.where(
                    np.isnan(value), self.missing_left[node], value <= self.number[node]
                )
                child = np.where(is_left, node + 1, self.right[node])
                node = np.where(is_inside, child, node)
            total += self.number[node]
        return total / len(self.roots)

    def arrays(self) -> dict[str, np.ndarray]:
        """Return all that predictions need."""
        places = np.arange(len(self.right))
        spans = np.where(self.feature == LEAF, 0, self.right - places)
        kind = np.uint16 if spans.max(initial=0) < 2**16 else np.int32
        return {
            "feature": self.feature,
            "number": self.number,
            "span": spans.astype(kind),
            "missing_left": np.packbits(self.missing_left),
            "roots": self.roots,
        }

    @classmethod
    def restored(cls, arrays: Mapping[str, np.ndarray]) -> "Forest":
        """Return the forest of which `arrays` returned the arrays.

        Raises
        ------
        KeyError
            One is missing.
        ValueError
            They are not those of trees.
        """
        feature, roots, spans = (arrays[one] for one in ("feature", "roots", "span"))
        n, inner = len(feature), feature != LEAF
        if {len(spans), len(arrays["number"])} != {n}:
            raise ValueError("its trees are damaged")
        right = np.arange(n) + spans.astype(np.int64)
        is_whole = (
            n > 0
            and len(roots) > 0
            and ((roots >= 0) & (roots < n)).all()
            and (spans[inner] > 1).all()
            and (right < n).all()
            and not inner[-1]
        )
        if not is_whole:
            raise ValueError("its trees are damaged")
        bits = np.unpackbits(arrays["missing_left"], count=n).astype(bool)
        return cls(
            feature=feature,
            number=arrays["number"],
            right=right,
            missing_left=bits,
            roots=roots,
        )


def _write(tree: Any, nodes: list[tuple[int, float, int, bool]]) -> None:  # noqa: ANN401
    """Add the nodes of a tree in preorder."""
    waiting: list[tuple[int, int | None]] = [(0, None)]
    while waiting:
        old, parent = waiting.pop()
        place = len(nodes)
        if parent is not None:
            feature, number, _, missing = nodes[parent]
            nodes[parent] = (feature, number, place, missing)
        left, right = int(tree.children_left[old]), int(tree.children_right[old])
        if left == right:
            nodes.append((LEAF, float(tree.value[old].item()), 0, False))
            continue
        missing = bool(tree.missing_go_to_left[old])
        feature, number = int(tree.feature[old]), float(tree.threshold[old])
        nodes.append((feature, number, 0, missing))
        waiting += [(right, place), (left, None)]
