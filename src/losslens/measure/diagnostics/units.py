"""Diagnostics of single layers: units that no longer answer, gradients that fade or swell on their way back."""

from __future__ import annotations

from typing import Any

import numpy as np

from losslens.measure.diagnostics.entry import Seen, diagnostic, rates
from losslens.measure.diagnostics.readings import Readings, Shares

NEARLY_ALWAYS = 0.95  # of the samples


def _activation(spec: Any) -> dict[str, Any]:
    """Heads of a self-supervised method have activations of their own: there the rate is what can be changed."""
    return {"model.activation": "leaky_relu"} if spec.method is None else rates(0.2)(spec)


def _unbounded(spec: Any) -> dict[str, Any]:
    bounded = spec.model.activation in ("sigmoid", "tanh")
    return {"model.activation": "relu"} if bounded else {"model.code_activation": "linear"}


def _normalised(spec: Any) -> dict[str, Any]:
    return {"model.normalisation": "layer"}


def _weaker(spec: Any) -> dict[str, Any]:
    """Other terms of an objective at a tenth of their weight, after a warm-up."""
    terms = [term.model_dump(mode="json") for term in spec.objective.terms]
    return {"objective.terms": [term | {"weight": term["weight"] / 10, "warm_up": 10} for term in terms]}


def _worst(layers: Shares, least: float) -> Seen:
    """The layer with the largest share of units that are out at nearly all samples."""
    shares = {name: float((units >= least).mean()) for name, units in layers.items()}
    name = max(shares, key=lambda each: shares[each])
    return Seen(shares[name], name)


@diagnostic(
    title="Dead ReLU units",
    unit="share of units",
    watch=0.3,
    act=0.6,
    because="A dead unit passes on neither signal nor gradient; a network chosen with room to spare can miss some "
    "of its units, hardly most of them.",
    reason="These units give zero for every sample looked at, so that no gradient reaches their weights.",
    remedy="Use a leaky activation, or lower the learning rate.",
    change=_activation,
    since=1,
)
def dead_units(readings: Readings) -> Seen | None:
    """The share of ReLU units that give zero for every sample, in the worst layer."""
    look = readings.latest("silent")
    return None if look is None else _worst(look.silent, 1.0)


@diagnostic(
    title="Saturated units",
    unit="share of units",
    watch=0.25,
    act=0.5,
    because="Within 1 % of an end of its range a sigmoid or tanh has less than a twentieth of its largest slope.",
    reason="These sigmoid or tanh units are at an end of their range for nearly every sample and let almost no "
    "gradient through.",
    remedy="Scale the inputs, start with smaller weights, lower the learning rate, or use an unbounded activation.",
    change=_unbounded,
)
def saturated_units(readings: Readings) -> Seen | None:
    """The share of sigmoid or tanh units at an end of their range for 95 % of the samples, in the worst layer."""
    look = readings.latest("saturated")
    return None if look is None else _worst(look.saturated, NEARLY_ALWAYS)


@diagnostic(
    title="Posterior collapse",
    unit="share of active units",
    watch=0.2,
    act=0.05,
    because="Variational models switch off what they do not need; below a twentieth, next to nothing of the sample is "
    "left in the code.",
    reason="The posterior of most code units is the prior: their mean does not depend on the sample.",
    remedy="Lower the weight of the divergence (beta), or let it warm up.",
    change=_weaker,
    since=5,
)
def posterior_collapse(readings: Readings) -> Seen | None:
    """The share of code units whose posterior mean has a variance above 0.01 (Burda et al., 2016)."""
    look = readings.latest("mean")
    if look is None or readings.epoch < readings.warm_up:
        return None
    assert look.mean is not None
    active = look.mean.var(0, dtype=np.float64) > 0.01
    return Seen(float(active.mean()), "code", f"Active: {int(active.sum())} of {len(active)}.")


def _relative(readings: Readings) -> dict[str, float] | None:
    """Each layer's gradient over that of the last layer."""
    look = readings.latest("gradients")
    if look is None or len(look.gradients) < 2 or np.isnan(list(look.gradients.values())).any():
        return None
    last = list(look.gradients.values())[-1]
    return {name: value / last for name, value in look.gradients.items()} if 0 < last < np.inf else None


@diagnostic(
    title="Vanishing gradients",
    unit="times the last layer's gradient",
    watch=1e-3,
    act=1e-5,
    because="Layers of one network differ by factors of ten; at a thousandth a common learning rate no longer suits "
    "both, at 1e-5 the layer stands still beside the last.",
    reason="The gradient fades on its way back through the network.",
    remedy="Add normalisation layers, use an activation that does not saturate, or take fewer layers.",
    change=_normalised,
    since=1,
)
def vanishing_gradients(readings: Readings) -> Seen | None:
    """Root mean square of the smallest gradient of a layer's weights, over that of the last layer."""
    relative = _relative(readings)
    if relative is None:
        return None
    name = min(relative, key=lambda each: relative[each])
    return Seen(relative[name], name)


@diagnostic(
    title="Exploding gradients",
    unit="times the last layer's gradient",
    watch=1e2,
    act=1e3,
    because="Layers of one network differ by factors of ten; at a hundred the first layers overshoot where the last "
    "ones hardly move, and at a thousand no common learning rate suits both.",
    reason="The gradient swells on its way back through the network.",
    remedy="Add normalisation layers, start with smaller weights, or clip gradients.",
    change=_normalised,
    since=1,
)
def exploding_gradients(readings: Readings) -> Seen | None:
    """Root mean square of the largest gradient of a layer's weights, over that of the last layer."""
    relative = _relative(readings)
    if relative is None:
        return None
    name = max(relative, key=lambda each: relative[each])
    return Seen(min(relative[name], 1e30), name)
