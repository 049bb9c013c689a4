"""A siamese network: a backbone with heads that sees two views of a batch, and the targets of a method beside it."""

from __future__ import annotations

import copy
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrize

from losslens.activations import ACTIVATIONS
from losslens.losses import LOSSES
from losslens.models.backbones import Encoder
from losslens.models.memories import MEMORIES, Named
from losslens.models.methods import METHODS, Head, MethodEntry
from losslens.models.objective import Term
from losslens.models.remedies import GradScale, cut_initialise
from losslens.models.spec import CutForm, MethodSpec, ModelSpec, TermSpec

WHOLE = ("all", "weights")  # forms of a cut that are for backbones too


class SiameseNetwork(nn.Module):
    """Backbone, projector and predictor, and where the method has one a slow copy of backbone and projector.

    Weights are divided by the cut of the spec before the copy is made, which so is cut too.

    >>> spec = MethodSpec(name="simsiam", views=(), head=8)
    >>> network = SiameseNetwork(ModelSpec(kind="encoder", hidden=(16,), code=4), spec, features=10)
    >>> named = network(torch.randn(6, 10), torch.randn(6, 10))
    >>> {name: tuple(part.shape) for name, part in named.items()}
    {'p1': (6, 8), 'p2': (6, 8), 't1': (6, 8), 't2': (6, 8)}
    """

    def __init__(self, model: ModelSpec, spec: MethodSpec, features: int) -> None:
        super().__init__()
        self.entry = entry = METHODS[spec.name]
        self.encoder = Encoder(model, features)
        self.projector = head(entry.projector, model.code, spec.head)
        width = round(entry.projector.out * spec.head)
        self.predictor = head(entry.predictor, width, spec.head) if entry.predictor else nn.Identity()
        self.scale = GradScale(spec.grad_scale) if spec.grad_scale else nn.Identity()
        if spec.cut != 1.0:
            for part in self._cut(spec.cut_form):
                cut_initialise(part, spec.cut, form=spec.cut_form)
        slow = entry.target == "momentum"
        self.target = (
            copy.deepcopy(nn.ModuleList([self.encoder, self.projector])).requires_grad_(False) if slow else None
        )

    def forward(self, first: Tensor, second: Tensor) -> Named:
        """Predictions ``p1``, ``p2`` and targets ``t1``, ``t2``, (batch, head) each.

        Of a method that is not symmetric ``p1`` and ``t2`` alone.
        """
        views = {"1": first, "2": second}
        shown = views if self.entry.symmetric else {"1": first}
        projections = {view: self.projector(self.encoder.encode(x)) for view, x in shown.items()}
        predictions = {view: self.scale(self.predictor(z)) for view, z in projections.items()}
        targets = self._targets(views, projections, predictions)
        return {f"p{view}": p for view, p in predictions.items()} | {f"t{view}": t for view, t in targets.items()}

    def _cut(self, form: CutForm) -> list[nn.Module]:
        """What a form divides: all, both heads, or the head alone whose output is compared."""
        heads: list[nn.Module] = [self.projector] + [self.predictor] * (self.entry.predictor is not None)
        return [self.encoder.backbone, *heads] if form in WHOLE else heads if form == "exact" else heads[-1:]

    def _targets(
        self, views: dict[str, Tensor], projections: dict[str, Tensor], predictions: dict[str, Tensor]
    ) -> dict[str, Tensor]:
        if self.target is None:
            stops = self.entry.target == "stopped"
            return {view: z.detach() for view, z in projections.items()} if stops else predictions
        encoder, projector = self.target
        wanted = views if self.entry.symmetric else {"2": views["2"]}
        with torch.no_grad():
            return {view: projector(encoder.encode(x)) for view, x in wanted.items()}  # type: ignore[operator]

    @torch.no_grad()
    def centre(self, mean: Tensor) -> None:
        """Take inputs around this mean (features,), the slow copy as the network: both must see the same input."""
        copies = [] if self.target is None else [self.target[0]]
        for encoder in (self.encoder, *copies):
            encoder.center.copy_(mean)  # type: ignore[operator]

    @torch.no_grad()
    def follow(self, momentum: float) -> None:
        """The slow copy keeps ``momentum`` of each weight and takes the rest from the network; others have no copy."""
        if self.target is None:
            return
        own = [*self.encoder.parameters(), *self.projector.parameters()]
        for slow, quick in zip(self.target.parameters(), own, strict=True):
            slow.lerp_(quick, 1.0 - momentum)


def head(facts: Head, fan_in: int, width: int) -> nn.Sequential:
    """The layers of a head, (batch, fan_in) -> (batch, out); a bias is left out where normalisation follows."""
    widths = [fan_in, *[max(2, round(facts.hidden * width))] * (facts.layers - 1), round(facts.out * width)]
    if facts.prototypes:
        widths[-2] = width
    layers: list[nn.Module] = []
    for place, (before, after) in enumerate(pairwise(widths), 1):
        inner = place < facts.layers - facts.prototypes
        normalised = facts.normalised == "all" or (facts.normalised == "hidden" and inner)
        layers += [nn.Linear(before, after, bias=not normalised)] + [nn.BatchNorm1d(after, affine=inner)] * normalised
        if inner:
            layers.append(ACTIVATIONS[facts.activation].module())
    return nn.Sequential(*layers[:-1], *_prototypes(layers[-1])) if facts.prototypes else nn.Sequential(*layers)


class Unit(nn.Module):
    """Divides rows by their norm."""

    def forward(self, x: Tensor) -> Tensor:
        """(rows, width) -> the same shape, of norm one."""
        return functional.normalize(x, dim=1)


def _prototypes(last: nn.Module) -> tuple[nn.Module, ...]:
    assert isinstance(last, nn.Linear)
    last.bias = None  # type: ignore[assignment]
    parametrize.register_parametrization(last, "weight", Unit())
    return Unit(), last


class MethodObjective(nn.Module):
    """What a method minimises: its terms over named outputs, and those that its memory adds."""

    def __init__(self, spec: MethodSpec) -> None:
        super().__init__()
        entry: MethodEntry = METHODS[spec.name]
        self.terms = [Term(_settled(term, spec)) for term in entry.terms]
        self.memory = MEMORIES[entry.memory](entry, spec)

    def forward(self, named: Named) -> Tensor:
        """The scalar to differentiate."""
        named = named | self.memory(named)
        return torch.stack([term.spec.weight * term(named) for term in self.terms]).sum()

    def update(self, named: Named) -> None:
        """Remember a batch, once its step is done."""
        self.memory.update(named)  # type: ignore[operator]


def _settled(term: TermSpec, spec: MethodSpec) -> TermSpec:
    """With the temperature of the spec, where the loss has one."""
    if "temperature" not in LOSSES[term.loss].options:
        return term
    return term.model_copy(update={"options": {**term.options, "temperature": spec.temperature}})
