"""Which row a loss of whole profiles elicits: the constant profile that minimises it over skewed rows, measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from tests.samples import defaults
from torch import Tensor

from losslens.losses import LossEntry


def _direction_of_normalised(entry: LossEntry, loss: Any) -> None:
    _is_best_direction(entry, loss, _unit(profiles()).mean(0))


def _direction_of_standardised(entry: LossEntry, loss: Any) -> None:
    rows = profiles()
    _is_best_direction(entry, loss, _unit(rows - rows.mean(1, keepdim=True)).mean(0))


def _is_best_direction(entry: LossEntry, loss: Any, direction: Tensor) -> None:
    """The mean loss over profiles is least at ``direction``: no slope there, and more loss everywhere around."""
    rows = profiles()
    settings = defaults(entry) | {name: torch.ones((), dtype=torch.float64) for name in entry.parameters}
    constant = direction.clone().requires_grad_()
    best = loss(constant.expand_as(rows), rows, **settings)
    (slope,) = torch.autograd.grad(best, constant)
    assert float(slope.norm() * direction.norm()) < 1e-9, f"the loss still falls at the direction: {slope}"
    generator = torch.Generator().manual_seed(1)
    for _ in range(20):
        away = torch.randn(direction.shape, generator=generator, dtype=torch.float64) * 0.3 * direction.norm()
        assert loss((direction + away).expand_as(rows), rows, **settings) > best, f"less loss {away} away"


def _between_direction_and_mean(entry: LossEntry, loss: Any) -> None:
    """The share of magnitude decides: at its low end the direction, at its high end the mean."""
    (name, option), rows = next(iter(entry.options.items())), profiles()
    direction, mean = _unit(_unit(rows).mean(0)), rows.mean(0)
    low, middle, high = (
        _best_row(loss, rows, {name: v}) for v in (option.range.low, option.default, option.range.high)
    )
    angles = [float(1.0 - _unit(row) @ direction) for row in (low, middle, mean)]
    assert angles[0] < angles[1] < angles[2], f"distances from the direction (low, default, mean): {angles}"
    assert angles[0] < 0.02 * angles[2], f"at {name}={option.range.low:g} the direction is not elicited: {angles}"
    assert float((high - mean).norm()) < 0.01 * float(mean.norm()), f"at {name}={option.range.high:g} not the mean"


def _least_angle(entry: LossEntry, loss: Any) -> None:
    """On the sphere the mean angle is least where the tangents that point to the profiles cancel."""
    rows = _unit(profiles())
    best = _unit(_best_row(loss, profiles(), {}))
    tangents = rows - (rows @ best)[:, None] * best
    assert float(_unit(tangents).mean(0).norm()) < 1e-4, "the pulls do not cancel at the best direction"


def _concordant(entry: LossEntry, loss: Any) -> None:
    rows = profiles()
    centred = [row - row.mean() for row in (_best_row(loss, rows, {}), rows.mean(0))]
    direction = _unit(_unit(rows - rows.mean(1, keepdim=True)).mean(0))
    angles = [float(1.0 - _unit(row) @ direction) for row in centred]
    assert angles[0] < 0.8 * angles[1], f"no nearer to the standardised direction than the mean: {angles}"
    assert angles[0] > 1e-4, "the standardised direction itself"


def _direction_and_relative_norm(entry: LossEntry, loss: Any) -> None:
    rows = profiles()
    best = _best_row(loss, rows, {name: option.default for name, option in entry.options.items()})
    apart = float(1.0 - _unit(best) @ _unit(_unit(rows).mean(0)))
    inverse = 1.0 / rows.norm(dim=1)
    wanted = float(inverse.mean() / inverse.square().mean())
    assert apart < 1e-8, f"the direction is off by {apart:g}"
    assert abs(float(best.norm()) / wanted - 1.0) < 1e-4, f"its norm is {best.norm():g}, not {wanted:g}"


def _spatial_median(entry: LossEntry, loss: Any) -> None:
    _pulls_cancel(loss, torch.ones(len(profiles()), dtype=torch.float64))


def _weighted_spatial_median(entry: LossEntry, loss: Any) -> None:
    _pulls_cancel(loss, 1.0 / profiles().norm(dim=1))


def _pulls_cancel(loss: Any, weight: Tensor) -> None:
    """At a spatial median unit vectors towards the profiles, weighted, add up to nothing."""
    rows = profiles()
    best = _best_row(loss, rows, {})
    away = (rows - best).norm(dim=1) > 1e-3 * float(best.norm())  # a heavy profile may itself be the median
    pulls = (weight[:, None] * _unit(rows - best))[away]
    excess = float(pulls.sum(0).norm() - weight[~away].sum()) / float(weight.sum())
    assert excess < 1e-4, f"the pulls do not cancel at the best row: {excess:g}"
    assert float((best - rows.mean(0)).norm()) > 0.05 * float(best.norm()), "the mean"


def _mean_of_full_contrast(entry: LossEntry, loss: Any) -> None:
    """Averaging blurs: the best image has the mean's pattern and level, but varies as much as single images do."""
    uniform = torch.rand((41, 36), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    images = (uniform[0] + uniform[1:] ** 3) / 2.0
    best, mean, typical = _best_row(loss, images, defaults(entry)), images.mean(0), float(images.std(1).mean())
    pattern = float(torch.corrcoef(torch.stack([best, mean]))[0, 1])
    lacking = [abs(1.0 - float(row.std() / typical)) for row in (mean, best)]
    assert pattern > 0.999, f"correlation with the mean image: {pattern:g}"
    assert abs(float(best.mean() / mean.mean()) - 1.0) < 0.03, "another level than the mean's"
    assert lacking[1] < 0.15 < 0.3 < lacking[0], f"off the contrast of single images by (mean, best): {lacking}"
    wide = defaults(entry) | {"data_range": entry.options["data_range"].range.high}
    slopes = [_slope(loss, row, images, wide) for row in (mean, 1.1 * mean)]
    assert slopes[0] < 1e-6 * slopes[1], f"far below the range the mean is not elicited: slopes {slopes}"


def _slope(loss: Any, row: Tensor, rows: Tensor, settings: dict[str, Any]) -> float:
    place = row.clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss(place.expand_as(rows), rows, **settings), place)
    return float(slope.norm())


def _best_row(loss: Any, rows: Tensor, settings: dict[str, float]) -> Tensor:
    row = rows.mean(0).clone().requires_grad_()
    search = torch.optim.LBFGS([row], max_iter=200, line_search_fn="strong_wolfe", tolerance_grad=1e-10)

    def closure() -> Tensor:
        search.zero_grad()
        value = loss(row.expand_as(rows), rows, **settings)
        value.backward()
        return value

    search.step(closure)
    return row.detach()


def profiles() -> Tensor:
    """Skewed rows whose lengths go with their directions, so that the mean and the mean direction differ."""
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn((40, 5), generator=generator, dtype=torch.float64).exp()
    return rows * rows[:, :1]


def _unit(rows: Tensor) -> Tensor:
    return rows / rows.norm(dim=-1, keepdim=True)


ELICITED: dict[str, Callable[[LossEntry, Any], None]] = {
    "direction of the mean of the normalised profiles": _direction_of_normalised,
    "direction of the mean of the standardised profiles": _direction_of_standardised,
    "between direction and mean": _between_direction_and_mean,
    "direction of least mean angle": _least_angle,
    "between standardised direction and mean": _concordant,
    "direction of the mean of the normalised profiles, at the norm of least relative error": (
        _direction_and_relative_norm
    ),
    "mean at the contrast of single images": _mean_of_full_contrast,
    "spatial median": _spatial_median,
    "spatial median weighted by one over the norm": _weighted_spatial_median,
}
