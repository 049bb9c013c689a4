"""Contracts on how a loss is called: batches, masks, weights, reductions, errors, compilation, pickling."""

from __future__ import annotations

import pickle
from typing import Any
from unittest import mock

import torch
from tests.samples import Sample, draw, oracle_gradient, oracle_values
from torch import Tensor

from losslens.losses import LossEntry
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Choice, Domain

OUTSIDE = {
    Domain.REAL: (float("nan"), float("inf")),
    Domain.NON_NEGATIVE: (-0.5, float("nan")),
    Domain.POSITIVE: (-0.5, 0.0, float("nan")),
    Domain.UNIT: (-0.5, 1.5, float("nan")),
    Domain.OPEN_UNIT: (-0.5, 0.0, 1.0, float("nan")),
    Domain.BINARY: (0.5, 2.0, float("nan")),
    Domain.COUNTS: (0.5, -1.0, float("nan")),
    Domain.SIGNS: (0.0, 0.5, 2.0, float("nan")),
    Domain.LABELS: (-1.0,),
    Domain.LOG_PROBABILITIES: (0.5, float("nan"), float("-inf")),
}


def samples_are_independent(entry: LossEntry, loss: Any) -> None:
    sample = draw(entry)
    before = _none(loss, sample)
    changed = sample.output.clone()
    changed[2] = draw(entry, seed=1).output[2]
    after = _none(loss, sample.put(output=changed))
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
    mask = torch.ones(mask_shape(entry, sample), dtype=torch.bool)
    tensors = sample.arguments | {"mask": mask} | {name: sample.settings[name] for name in entry.parameters}
    copies = {name: tensor.clone() for name, tensor in tensors.items()}
    loss(*sample.tensors, mask=mask, **sample.settings)
    _none(loss, sample)
    changed = [name for name, tensor in tensors.items() if not torch.equal(tensor, copies[name])]
    assert not changed, f"the call changed its {changed}"


def mask_shape(entry: LossEntry, sample: Sample) -> tuple[int, ...]:
    whole = entry.family.gives == "element" or entry.family.masks == "features"
    return tuple(sample.output.shape if whole else sample.output.shape[:1])


def reductions_keep_the_scale_contract(entry: LossEntry, loss: Any) -> None:
    sample = draw(entry)
    each = _none(loss, sample)
    whole = {"element": sample.output.shape, "sample": sample.output.shape[:1], "batch": ()}
    assert each.shape == whole[entry.family.gives]
    _equal(_call(loss, sample, reduction="mean"), _mean(entry, sample, each), "mean")
    _equal(_call(loss, sample), _mean(entry, sample, each), "the default, mean")
    _equal(_call(loss, sample, reduction="sum"), each.sum(), "sum")
    refused(lambda: _call(loss, sample, reduction="average"), "'none'", "'average'")


def _mean(entry: LossEntry, sample: Sample, each: Tensor, weight: Tensor | None = None) -> Tensor:
    """The scale contract, written out: sums over features for nats, and sizes for what counts for more than one."""
    weight = torch.ones_like(each) if weight is None else weight.expand_as(each)
    if entry.family.name in ("likelihood", "divergence"):
        return (each * weight).sum(1).mean()
    sizes = torch.ones_like(each) if entry.sizes is None else entry.sizes(*sample.tensors, **sample.settings)
    return (each * weight).sum() / (sizes * weight).sum()


def weights_multiply(entry: LossEntry, loss: Any) -> None:
    """They scale every value; a mean of elements or samples is divided by their sum, nats are not."""
    sample = draw(entry)
    each = _none(loss, sample)
    shapes = {"element": [(4, 5), (4, 1), (5,)], "sample": [(4,), (1,)], "batch": [()]}[entry.family.gives]
    for shape in shapes:
        weight = torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64) + 0.5
        _equal(_call(loss, sample, reduction="none", weight=weight), each * weight, "weighted values")
        _equal(_call(loss, sample, reduction="sum", weight=weight), (each * weight).sum(), "weighted sum")
        expected = _mean(entry, sample, each, weight)
        _equal(_call(loss, sample, weight=weight), expected, f"mean with a weight of shape {shape}")
    refused(lambda: _call(loss, sample, weight=torch.ones(3)), "weight", "(3,)")


def a_mask_drops_what_it_hides(entry: LossEntry, loss: Any) -> None:
    """Value and gradient are those of what is present alone, whatever stands elsewhere: numbers or none."""
    sample = draw(entry)
    for mask in _masks(entry, mask_shape(entry, sample)):
        output = sample.output.clone().requires_grad_()
        total = _call(loss, _spoilt(sample.put(output=output), mask), mask=mask, reduction="sum")
        (slope,) = torch.autograd.grad(total, output)
        kept, kept_slope = _kept(entry, loss, sample, mask)
        _equal(total, kept.sum(), "masked sum")
        _equal(slope, kept_slope, "gradient of the masked sum")
        mean = _call(loss, _spoilt(sample, mask), mask=mask)
        _equal(mean, _masked_mean(entry, sample, mask, kept), "masked mean")
    refused(lambda: _call(loss, sample, mask=mask.double()), "boolean", "float64")
    refused(lambda: _call(loss, sample, mask=mask[:2]), "boolean")


def _kept(entry: LossEntry, loss: Any, sample: Sample, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Sums of what is present, and the gradient: of what is left when the rest is taken out."""
    if entry.family.misfit:  # of an image no pixel can be taken out
        hidden = sample.put(target=torch.where(mask, sample.target, torch.nan))  # which the oracle leaves out
        return torch.from_numpy(oracle_values(entry, hidden)), torch.from_numpy(oracle_gradient(entry, hidden))
    whole = _dropped_entries if entry.independent else _dropped_block
    return (_dropped_rows if mask.dim() == 1 else whole)(loss, sample, mask)


def _masks(entry: LossEntry, shape: tuple[int, ...]) -> list[Tensor]:
    """One number or row hidden, one row alone, and more; where samples see each other, rows and columns of a table."""
    one = torch.zeros(shape, dtype=torch.bool)
    one[2] = True
    if len(shape) == 1 and not entry.independent:  # one row alone has nothing to be compared with
        one[0] = True
    rows, columns = torch.tensor([True, False, True, True]), torch.tensor([True, True, False, True, False])
    if len(shape) == 1:
        return [one, rows]
    if not entry.independent:
        return [one, rows.outer(columns)]
    most, some = (
        torch.ones(shape, dtype=torch.bool),
        torch.rand(shape, generator=torch.Generator().manual_seed(3)) < 0.6,
    )
    most[1, 3] = False
    some[0], some[1] = True, False  # nothing missing; everything missing
    return [one, most, some]


def _spoilt(sample: Sample, mask: Tensor) -> Sample:
    """With no numbers where the mask hides them."""
    spoilt = {
        name: torch.where(mask.view(*mask.shape, *[1] * (tensor.dim() - mask.dim())), tensor, torch.nan)
        for name, tensor in sample.arguments.items()
        if tensor.is_floating_point() and len(tensor) == len(mask)
    }
    return sample.put(**spoilt)


def nothing_but_missing_values_is_zero(entry: LossEntry, loss: Any) -> None:
    sample = draw(entry)
    mask = torch.zeros(mask_shape(entry, sample), dtype=torch.bool)
    output = sample.output.clone().requires_grad_()
    hidden = sample.put(output=output)
    for given in (hidden, _spoilt(hidden, mask)):
        value = _call(loss, given, mask=mask)
        (slope,) = torch.autograd.grad(value, output)
        assert value.detach() == 0.0, f"the loss of nothing is {value.detach():g}"
        assert not slope.any(), "missing values have a gradient"


def nothing_weighs_nothing(entry: LossEntry, loss: Any) -> None:
    """Weights of zero alone: value and gradient are zero, not a share of nothing."""
    sample = draw(entry)
    shape = {"element": sample.output.shape, "sample": sample.output.shape[:1], "batch": ()}[entry.family.gives]
    for reduction in ("mean", "sum", "none"):
        output = sample.output.clone().requires_grad_()
        value = _call(loss, sample.put(output=output), weight=torch.zeros(shape), reduction=reduction)
        (slope,) = torch.autograd.grad(value.sum(), output)
        assert not value.detach().any(), f"{reduction} of no weight: {value.detach()}"
        assert not slope.any(), "what weighs nothing has a gradient"


def _masked_mean(entry: LossEntry, sample: Sample, mask: Tensor, kept: Tensor) -> Tensor:
    if entry.family.gives == "batch":
        return kept.sum()
    if entry.family.masks == "features":
        return kept.sum() / mask.any(1).sum()
    if entry.family.name in ("likelihood", "divergence"):
        return kept.sum() / len(mask)
    sizes = 1.0 if entry.sizes is None else entry.sizes(*sample.tensors, **sample.settings)
    return kept.sum() / (sizes * mask).sum()


def _dropped_entries(loss: Any, sample: Sample, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The sum over each row of its present entries alone, and its gradient, zero at the absent ones."""
    slope = torch.zeros_like(sample.output)
    kept = []
    for row, present in enumerate(mask):
        if not present.any():
            continue
        shown = {name: tensor[row : row + 1, present] for name, tensor in sample.arguments.items()}
        shown[next(iter(shown))].requires_grad_()
        settings = {n: v[present] if isinstance(v, Tensor) and v.dim() else v for n, v in sample.settings.items()}
        kept.append(loss(*shown.values(), reduction="sum", **settings))
        slope[row, present] = torch.autograd.grad(kept[-1], next(iter(shown.values())))[0][0]
    return torch.stack(kept), slope


def _dropped_block(loss: Any, sample: Sample, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The values of the rows and columns that are present alone, and the gradient of their sum, zero elsewhere."""
    rows, columns = mask.any(1), mask.any(0)
    shown = {name: tensor[rows][:, columns] for name, tensor in sample.arguments.items()}
    output = next(iter(shown.values())).requires_grad_()
    kept = loss(*shown.values(), reduction="none", **sample.settings)
    slope = torch.zeros_like(sample.output)
    slope[mask] = torch.autograd.grad(kept.sum(), output)[0].flatten()
    return kept.detach(), slope


def _dropped_rows(loss: Any, sample: Sample, mask: Tensor) -> tuple[Tensor, Tensor]:
    """The sum over the rows that are present alone, and its gradient, zero at the others."""
    shown = sample.rows(mask)
    output = shown.output.clone().requires_grad_()
    kept = _call(loss, shown.put(output=output), reduction="sum")
    slope = torch.zeros_like(sample.output)
    slope[mask] = torch.autograd.grad(kept, output)[0]
    return kept, slope


def a_wrong_shape_is_refused(entry: LossEntry, loss: Any) -> None:
    """Another number of rows, and where tensors are alike another number of columns, or of dimensions."""
    sample = draw(entry)
    if len(sample.arguments) == 1 or len(sample.target) != len(sample.output):
        refused(lambda: _call(loss, sample.put(output=sample.output[0, 0])), "()")
        return
    alike = len({argument.shape for argument in entry.family.arguments}) == 1
    for target in (sample.target[:1], *((sample.target[:, :1], sample.target[0]) if alike else ())):
        wrong = sample.put(target=target)
        refused(lambda w=wrong: _call(loss, w), str(tuple(sample.output.shape)), str(tuple(target.shape)))


def a_target_outside_the_domain_is_refused(entry: LossEntry, loss: Any) -> None:
    sample = draw(entry)
    for value in OUTSIDE[entry.domain]:
        target = sample.target.clone()
        if not target.is_floating_point() and value != int(value if value == value else 0.5):
            continue  # integers hold neither
        target.view(-1)[target.numel() // 2] = value
        what = (
            "1 NaN or infinite"
            if value != value or abs(value) == float("inf")
            else "not integers"
            if value == 0.5 and entry.domain.whole
            else f"{value:g}"
        )
        refused(lambda t=target: _call(loss, sample.put(target=t)), entry.domain.value, what)


def a_wrong_option_is_refused(entry: LossEntry, loss: Any) -> None:
    sample = draw(entry)
    refused(lambda: loss(*sample.tensors, nonsense=1.0, **sample.settings), entry.name, "'nonsense'")
    for name, option in entry.options.items():
        choice = isinstance(option.range, Choice)
        for value in ("rubbish",) if choice else (option.range.low - 0.5, option.range.high + 0.5, float("nan")):
            settings = sample.settings | {name: value}
            refused(lambda s=settings: loss(*sample.tensors, **s), name, str(value) if choice else f"{value:g}")


def constants_lie_where_the_data_do(entry: LossEntry, loss: Any) -> None:
    """On another device, one that knows shapes alone: a constant made on the processor could not meet it there."""
    sample = draw(entry, dtype=torch.float32)
    tensors = {name: _elsewhere(tensor) for name, tensor in sample.arguments.items()}
    settings = {name: _elsewhere(v) if isinstance(v, Tensor) else v for name, v in sample.settings.items()}
    mask = _elsewhere(torch.ones(mask_shape(entry, sample), dtype=torch.bool))
    masked = entry.family.gives == "element" or entry.family.masks == "features"  # others pick rows by their values
    with mock.patch.object(torch.compiler, "_is_compiling_flag", True):  # where nothing may be asked of the numbers
        for how in ({}, {"mask": mask}) if masked else ({},):
            try:
                value = loss(*tensors.values(), **settings, **how)
            except RuntimeError as error:
                raise AssertionError(f"{entry.name}: {error}") from None
            assert value.device.type == "meta", f"the value is on {value.device}"


def _elsewhere(tensor: Tensor) -> Tensor:
    return torch.empty_like(tensor, device="meta")


def compiled_equals_eager(entry: LossEntry, loss: Any) -> None:
    sample = draw(entry)
    torch._dynamo.reset()
    compiled = torch.compile(loss, backend="aot_eager", fullgraph=True)
    found, expected = (_with_gradient(call, sample) for call in (compiled, loss))
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-14)


def _with_gradient(loss: Any, sample: Sample) -> tuple[Tensor, Tensor]:
    output = sample.output.clone().requires_grad_()
    value = _call(loss, sample.put(output=output))
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
    return loss(*sample.tensors, **how, **sample.settings)


def _equal(found: Tensor, expected: Tensor, what: str) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-14, msg=lambda m: f"{what}: {m}")
