"""Sums of messages over neighbours, the largest part of a step's time.

An equivariant message is, for every path (input, attribute -> output) and channel u,

    m[u, k] = w[u] * sum_ij C[i, j, k] x[u, i] Y[j]

with features x of the sender, spherical harmonics Y of the edge, learned weights w
of its length, and fixed coefficients C. The attributes do not depend on the channel,
so here C and Y are joined first into a small matrix for each edge that all channels
share, and paths of one shape are worked out together. The outer product of x and Y
that e3nn forms for every edge never exists, nor do its derivatives.
"""

import dataclasses
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn


@dataclasses.dataclass(frozen=True, kw_only=True)
class MessagePath:
    """One way in which an attribute turns a feature into a message.

    Parameters
    ----------
    n_channels
        Channels of the feature, and of the message.
    source
        Place of the feature among all features, channel by channel.
    attribute
        Place of the attribute among all attributes.
    target
        Place of the message among all messages, channel by channel.
    weight
        Place of its first weight; one for each channel.
    coefficients
        Coupling with the path's normalisation, float64, shape (components of the
        feature, of the attribute, of the message).
    """

    n_channels: int
    source: int
    attribute: int
    target: int
    weight: int
    coefficients: Tensor

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Source, channels, components of the feature and of the message."""
        n_in, _, n_out = self.coefficients.shape
        return self.source, self.n_channels, n_in, n_out


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Group:
    """Paths from one feature to messages of one order; arrays end with channels.

    Parameters
    ----------
    source
        Place of the feature among all features.
    n_channels, n_in, n_out
        Channels, components of the feature and of the message.
    n_paths
        How many there are.
    """

    source: int
    n_channels: int
    n_in: int
    n_out: int
    n_paths: int

    @property
    def n_weights(self) -> int:
        """Weights of an edge."""
        return self.n_paths * self.n_channels

    def features(self, features: Tensor) -> Tensor:
        """Return this feature of each atom, shape (atoms, n_in, channels)."""
        own = features.narrow(1, self.source, self.n_channels * self.n_in)
        return own.unflatten(1, (self.n_channels, self.n_in)).transpose(1, 2)

    def messages(self, sent: Tensor, joint: Tensor, weights: Tensor) -> Tensor:
        """Return messages, shape (edges, n_paths * n_out * channels).

        Parameters
        ----------
        sent
            Features of the senders, shape (edges, n_in, channels).
        joint
            Attributes joined with coefficients, shape (edges, n_paths * n_out * n_in).
        weights
            Shape (edges, n_paths * channels).
        """
        weights = weights.unflatten(1, (self.n_paths, 1, self.n_channels))
        if self.n_in == 1:  # the small product first
            joint = joint.unflatten(1, (self.n_paths, self.n_out, 1))
            return (weights * sent[:, None] * joint).flatten(1)
        joint = joint.unflatten(1, (self.n_paths * self.n_out, self.n_in))
        turned = torch.bmm(joint, sent).unflatten(1, (self.n_paths, self.n_out))
        return (turned * weights).flatten(1)


class SummedMessages(nn.Module):
    """The sum of all messages to an atom, for paths with one weight a channel.

    Parameters
    ----------
    paths
        Every path; targets lie side by side without a gap.
    n_attributes
        Components of all attributes.
    """

    order: Tensor
    place: Tensor

    def __init__(self, paths: Sequence[MessagePath], n_attributes: int) -> None:
        super().__init__()
        shapes = sorted({path.shape for path in paths})
        groups = [[path for path in paths if path.shape == one] for one in shapes]
        self.groups = [_group(group) for group in groups]
        weights = torch.cat([_weights(path) for group in groups for path in group])
        places = torch.cat([_places(path) for group in groups for path in group])
        self.register_buffer("order", weights, persistent=False)
        self.register_buffer("place", places.argsort(), persistent=False)
        self._exact = [_joined(group, n_attributes) for group in groups]
        self._cast: dict[tuple[torch.dtype, torch.device], list[Tensor]] = {}

    def forward(
        self,
        features: Tensor,
        attributes: Tensor,
        hidden: Tensor,
        last: Tensor,
        edges: Tensor,
    ) -> Tensor:
        """Return the summed messages, shape (atoms, message components).

        Parameters
        ----------
        features
            Of the atoms, shape (atoms, feature components).
        attributes
            Of the edges, shape (edges, attribute components).
        hidden
            What the weights of an edge are linear in, shape (edges, hidden).
        last
            The matrix that makes them, shape (hidden, weights).
        edges
            Receiver and sender, shape (2, edges).
        """
        columns = last[:, self.order].split(self.n_weights, 1)
        weights = (hidden @ some for some in columns)
        return self.summed(features, attributes, weights, edges)

    @property
    def n_weights(self) -> list[int]:
        """Weights of each group of paths."""
        return [group.n_weights for group in self.groups]

    def summed(
        self,
        features: Tensor,
        attributes: Tensor,
        weights: Iterable[Tensor],
        edges: Tensor,
    ) -> Tensor:
        """Return the summed messages for weights that are there already.

        Parameters
        ----------
        features
            Of the atoms, shape (atoms, feature components).
        attributes
            Of the edges, shape (edges, attribute components).
        weights
            Of the edges, one tensor for each group: those at the places `order`,
            split by `n_weights`.
        edges
            Receiver and sender, shape (2, edges).
        """
        receiver, sender = edges
        joints = self._coefficients(attributes)
        sums: list[Tensor] = []
        for group, joint, some in zip(self.groups, joints, weights, strict=True):
            sent = group.features(features).index_select(0, sender)
            messages = group.messages(sent, attributes @ joint, some)
            empty = messages.new_zeros(len(features), messages.shape[1])
            sums.append(empty.index_add(0, receiver, messages))
        return torch.cat(sums, dim=1)[:, self.place]

    def _coefficients(self, like: Tensor) -> list[Tensor]:
        """Return the coefficients in the precision asked for, rounded once."""
        key = (like.dtype, like.device)
        if key not in self._cast:
            self._cast[key] = [one.to(like) for one in self._exact]
        return self._cast[key]


def _group(paths: Sequence[MessagePath]) -> _Group:
    source, n_channels, n_in, n_out = paths[0].shape
    return _Group(
        source=source,
        n_channels=n_channels,
        n_in=n_in,
        n_out=n_out,
        n_paths=len(paths),
    )


def _weights(path: MessagePath) -> Tensor:
    """Return the places of a path's weights, by channel."""
    return path.weight + torch.arange(path.n_channels)


def _places(path: MessagePath) -> Tensor:
    """Return where each component of a message belongs, by component and channel."""
    n_out = path.coefficients.shape[-1]
    channel = torch.arange(path.n_channels)
    return (path.target + torch.arange(n_out)[:, None] + channel * n_out).flatten()


def _joined(group: Sequence[MessagePath], n_attributes: int) -> Tensor:
    """Return the matrix from attributes to the joint matrices of a group's paths."""
    n_in, _, n_out = group[0].coefficients.shape
    joined = torch.zeros(n_attributes, len(group), n_out, n_in, dtype=torch.float64)
    for i, path in enumerate(group):
        some = slice(path.attribute, path.attribute + path.coefficients.shape[1])
        joined[some, i] = path.coefficients.permute(1, 2, 0)
    return joined.flatten(1)
