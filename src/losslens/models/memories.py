"""What some methods remember of earlier batches: a queue of negatives, the centre of a teacher's scores.

Each makes further named outputs of a batch's, and takes in a batch after its step.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from losslens.losses.profile import unit
from losslens.models.methods import MethodEntry
from losslens.models.spec import MethodSpec

CENTRE_MOMENTUM, TEACHER_TEMPERATURE = 0.9, 0.04
Named = dict[str, Tensor]


class Queue(nn.Module):
    """Targets of earlier batches as negatives: similarities of each sample with its own target and with all of these.

    The oldest rows leave first; at the start they are random directions. Source: He, Fan, Wu, Xie and Girshick, CVPR
    2020.

    >>> queue = Queue(width=3, size=5, temperature=0.2)
    >>> found = queue({"p1": torch.eye(3), "t2": torch.eye(3)})
    >>> tuple(found["similarities"].shape), found["place"].tolist()
    ((3, 6), [0, 0, 0])
    """

    keys: Tensor

    def __init__(self, width: int, size: int, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.register_buffer("keys", unit(torch.randn(size, width)))

    def forward(self, named: Named) -> Named:
        """Adds ``similarities`` (batch, 1 + size) and ``place`` (batch,), where a sample's own target stands."""
        query, own = unit(named["p1"]), unit(named["t2"])
        positive = (query * own).sum(1, keepdim=True)
        similarities = torch.cat([positive, query @ self.keys.T], 1) / self.temperature
        return {"similarities": similarities, "place": torch.zeros(len(query), dtype=torch.long, device=query.device)}

    @torch.no_grad()
    def update(self, named: Named) -> None:
        """The batch's targets come in, as many old ones leave."""
        self.keys = torch.cat([unit(named["t2"].detach()), self.keys])[: len(self.keys)]


class Centre(nn.Module):
    """A running mean of the teacher's scores, taken off before they are sharpened into assignments.

    Centring alone makes assignments even, sharpening alone makes them one. Source: Caron and others, ICCV 2021.
    """

    mean: Tensor

    def __init__(self, width: int, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature
        self.register_buffer("mean", torch.zeros(width))

    def forward(self, named: Named) -> Named:
        """Adds the student's ``scores1``, ``scores2`` and the teacher's probabilities ``assigned1``, ``assigned2``."""
        found = {}
        for view in "12":
            found[f"scores{view}"] = named[f"p{view}"] / self.temperature
            found[f"assigned{view}"] = torch.softmax((named[f"t{view}"] - self.mean) / TEACHER_TEMPERATURE, 1)
        return found

    @torch.no_grad()
    def update(self, named: Named) -> None:
        """Move towards the mean of the batch's teacher scores of both views."""
        batch = torch.cat([named["t1"], named["t2"]]).mean(0)
        self.mean.lerp_(batch, 1.0 - CENTRE_MOMENTUM)


class Nothing(nn.Module):
    """No memory."""

    def forward(self, named: Named) -> Named:
        """Adds nothing."""
        return {}

    def update(self, named: Named) -> None:
        """Takes in nothing."""


MEMORIES: dict[str, Callable[[MethodEntry, MethodSpec], nn.Module]] = {
    "": lambda entry, spec: Nothing(),
    "queue": lambda entry, spec: Queue(spec.head, spec.queue, spec.temperature),
    "centre": lambda entry, spec: Centre(round(entry.projector.out * spec.head), spec.temperature),
}
