"""Contracts on how a loss is called: batches, masks, weights, reductions, errors, compilation, pickling."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import torch
from tests.samples import Sample, draw
from torch import Tensor

from losslens.losses import LossEntry
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Domain

OUTSIDE = {
    Domain.REAL: (float("nan"), float("inf")),
    Domain.NON_NEGATIVE: (-0.5, float("nan")),
    Domain.POSITIVE: (-0.5, 0.0, float("nan")),
    Domain.UNIT: (-0.5, 1.5, float("nan")),
    Domain.OPEN_UNIT: (-0.5, 0.0, 1.0, float("nan")),
    Domain.BINARY: (0.5, 2.0, float("nan")),
    Domain.COUNTS: (0.5, -1.0, float("nan")),
}


def samples_are_independent(entry: LossEntry, loss: Any) -> None:
    sample = draw(entry)
    before = _none(loss, sample)
    changed = sample.output.clone()
    changed[2] = draw(entry, seed=1).output[2]
    after = _none(loss, replace(sample, output=changed))
    others = [0, 1, 3]
    assert torch.equal(before[others], after[others]), "changing one row changes the value of another"
    assert not torch.equal(before[2], after[2]), "changing a row does not change its value"


def a_batch_of_one_is_a_row(entry: LossEntry, loss: Any) -> None:
    sample = draw(entry)
    whole = _none(loss, sample)
    for row in range(len(whole)):
        alone = _none(loss, sample.rows(slice(row, row + 1)))
        assert alone.shape == whole[row : row + 1].shape, f"a batch of one gives shape {tuple(alone.shape)}"
        torch.testing.assert_close(alone, whole[row : row + 1], rtol=1e-14, atol=1e-15)


def inputs_are_untouched(entry: LossEntry, loss: Any) -> None:
    sample = draw(entry)
    tensors = {
        "output": sample.output,
        "target": sample.target,
        "mask": torch.ones(sample.target.shape, dtype=torch.bool),
    }
    tensors |= {name: sample.settings[name] for name in entry.parameters}
    copies = {name: tensor.clone() for name, tensor in tensors.items()}
    loss(sample.output, sample.target, mask=tensors["mask"], **sample.settings)
    _none(loss, sample)
    changed = [name for name, tensor in tensors.items() if not torch.equal(tensor, copies[name])]
    assert not changed, f"the call changed its {changed}"


def reductions_keep_the_scale_contract(entry: LossEntry, loss: Any) -> None:
    sample = draw(entry)
    each = _none(loss, sample)
    assert each.shape == (sample.output.shape if entry.family.gives == "element" else sample.output.shape[:1])
    per_sample = each.sum(1) if entry.family.name == "likelihood" else each
    _equal(_call(loss, sample, reduction="mean"), per_sample.mean(), "mean")
    _equal(_call(loss, sample), per_sample.mean(), "the default, mean")
    _equal(_call(loss, sample, reduction="sum"), each.sum(), "sum")
    refused(lambda: _call(loss, sample, reduction="average"), "'none'", "'average'")


def weights_multiply(entry: LossEntry, loss: Any) -> None:
    """They scale every value; a mean of elements or samples is divided by their sum, nats are not."""
    sample = draw(entry)
    each = _none(loss, sample)
    shapes = [(4, 5), (4, 1), (5,)] if entry.family.gives == "element" else [(4,), (1,)]
    for shape in shapes:
        weight = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.5
        _equal(_call(loss, sample, reduction="none", weight=weight), each * weight, "weighted values")
        _equal(_call(loss, sample, reduction="sum", weight=weight), (each * weight).sum(), "weighted sum")
        size = len(each) if entry.family.name == "likelihood" else weight.expand_as(each).sum()
        _equal(_call(loss, sample, weight=weight), (each * weight).sum() / size, f"mean with a weight of shape {shape}")
    refused(lambda: _call(loss, sample, weight=torch.ones(3)), "weight", "(3,)")


def a_mask_drops_what_it_hides(entry: LossEntry, loss: Any) -> None:
    """Value and gradient are those of the present entries alone, whatever stands in the others."""
    sample = draw(entry)
    mask = torch.rand((4, 5), generator=torch.Generator().manual_seed(3)) < 0.6
    mask[0], mask[1] = True, False  # nothing missing; everything missing
    hidden = torch.where(mask, sample.target, torch.nan)
    output = sample.output.clone().requires_grad_()
    total = loss(output, hidden, mask=mask, reduction="sum", **sample.settings)
    (slope,) = torch.autograd.grad(total, output)
    kept, kept_slope = _dropped(entry, loss, sample, mask)
    _equal(total, kept.sum(), "masked sum")
    _equal(slope, kept_slope, "gradient of the masked sum")
    present = int(mask.any(1).sum()) if entry.family.gives == "sample" else int(mask.sum())
    size = len(mask) if entry.family.name == "likelihood" else present
    _equal(loss(output, hidden, mask=mask, **sample.settings), kept.sum() / size, "masked mean")
    refused(lambda: _call(loss, sample, mask=mask.double()), "boolean", "float64")
    refused(lambda: _call(loss, sample, mask=mask[0]), "(4, 5)", "(5,)")


def _dropped(entry: LossEntry, loss: Any, sample: Sample, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The sum over each row of its present entries alone, and its gradient, zero at the absent ones."""
    slope = torch.zeros_like(sample.output)
    kept = []
    for row, present in enumerate(mask):
        if not present.any():
            continue
        output = sample.output[row : row + 1, present].requires_grad_()
        settings = {n: v[present] if isinstance(v, Tensor) and v.dim() else v for n, v in sample.settings.items()}
        kept.append(loss(output, sample.target[row : row + 1, present], reduction="sum", **settings))
        slope[row, present] = torch.autograd.grad(kept[-1], output)[0][0]
    return torch.stack(kept), slope


def a_wrong_shape_is_refused(entry: LossEntry, loss: Any) -> None:
    sample = draw(entry)
    for target in (sample.target[:, :1], sample.target[0], sample.target[:1]):
        refused(lambda t=target: _call(loss, replace(sample, target=t)), "(4, 5)", str(tuple(target.shape)))


def a_target_outside_the_domain_is_refused(entry: LossEntry, loss: Any) -> None:
    sample = draw(entry)
    for value in OUTSIDE[entry.domain]:
        target = sample.target.clone()
        target[1, 2] = value
        what = (
            "1 NaN or infinite"
            if value != value or value == float("inf")
            else "not integers"
            if value == 0.5
            else f"{value:g}"
        )
        refused(lambda t=target: _call(loss, replace(sample, target=t)), entry.domain.value, what)


def a_wrong_option_is_refused(entry: LossEntry, loss: Any) -> None:
    sample = draw(entry)
    refused(lambda: loss(sample.output, sample.target, nonsense=1.0, **sample.settings), entry.name, "'nonsense'")
    for name, option in entry.options.items():
        for value in (option.range.low - 0.5, option.range.high + 0.5, float("nan")):
            settings = sample.settings | {name: value}
            refused(lambda s=settings: loss(sample.output, sample.target, **s), name, f"{value:g}")


def compiled_equals_eager(entry: LossEntry, loss: Any) -> None:
    sample = draw(entry)
    torch._dynamo.reset()
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    found, expected = (_with_gradient(call, sample) for call in (compiled, loss))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


def _with_gradient(loss: Any, sample: Sample) -> tuple[Tensor, Tensor]:
    output = sample.output.clone().requires_grad_()
    value = loss(output, sample.target, **sample.settings)
    return value.detach(), torch.autograd.grad(value, output)[0]


def pickles_by_name(entry: LossEntry, loss: Any) -> None:
    try:
        again = pickle.loads(pickle.dumps(loss))
    except (pickle.PicklingError, AttributeError) as error:
        raise AssertionError(f"{entry.name} does not pickle: {error}") from None
    assert again is loss


def refused(call: Any, *words: str) -> None:
    """The call raises BadInput, and its message says each of the words."""
    message = _complaint(call)
    assert message is not None, f"accepted, where {words} should be refused"
    missing = [word for word in words if word not in message]
    assert not missing, f"the message lacks {missing}: {message}"


def _complaint(call: Any) -> str | None:
    try:
        call()
    except BadInput as error:
        return str(error)
    return None


def _none(loss: Any, sample: Sample) -> Tensor:
    return _call(loss, sample, reduction="none")


def _call(loss: Any, sample: Sample, **how: Any) -> Tensor:
    return loss(sample.output, sample.target, **how, **sample.settings)


def _equal(found: Tensor, expected: Tensor, what: str) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-14, msg=lambda m: f"{what}: {m}")
