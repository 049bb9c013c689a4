"""PyTorch's own losses: value and gradient by every tensor, under each reduction and over a grid of options.

Ours and theirs are called with the same numbers: at generic places, at kinks and equal inputs, and at saturated scores.
Where a reduction differs by design, the relation between the two is what is tested.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

import losslens

GENERATOR = torch.Generator().manual_seed(0)
KINKS = torch.tensor([[0.0, 0.5, -0.5, 1.0], [-1.0, 2.0, -2.0, 0.3]], dtype=torch.float64)  # of errors and margins
SATURATED = torch.tensor([[-1e4, -88.8, -30.0, 0.0], [0.0, 30.0, 88.8, 1e4]], dtype=torch.float64)
LABELS = torch.tensor([0, 3, 1, 1, 2, 0])


def _normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=GENERATOR, dtype=torch.float64)


def _uniform(*shape: int) -> Tensor:
    return torch.rand(shape, generator=GENERATOR, dtype=torch.float64)


OUTPUT, TARGET, SCORES, WEIGHT = _normal(6, 4), _normal(6, 4), 2.0 * _normal(6, 4), _uniform(6, 4)
SHARES = torch.softmax(_normal(6, 4), 1)
CLASS_WEIGHT = torch.tensor([0.5, 2.0, 1.0, 0.1], dtype=torch.float64)
ROWS, SIGNS = _normal(3, 6, 4), torch.tensor([1.0, -1.0, 1.0, -1.0, -1.0, 1.0], dtype=torch.float64)
ERRORS = {"generic": (OUTPUT, TARGET), "kinks": (KINKS, 0.0 * KINKS), "equal": (TARGET, TARGET)}
RAW = {"generic": (SCORES, SHARES), "saturated": (SATURATED, torch.eye(2, 4).double()), "zeros": (0.0 * SCORES, SHARES)}


@dataclass(frozen=True)
class Case:
    """The same call of ours and of PyTorch's: tensors, and options under the names that each gives them."""

    ours: Callable[..., Tensor]
    theirs: Callable[..., Tensor]
    tensors: tuple[Tensor, ...]
    options: dict[str, Any] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)  # of theirs alone
    reductions: dict[str, str] = field(default_factory=lambda: {r: r for r in ("none", "sum", "mean")})
    rtol: float = 1e-12
    fixed: tuple[int, ...] = ()  # tensors by which PyTorch gives no gradient
    what: str = ""

    @property
    def name(self) -> str:
        words = {n: "given" if isinstance(v, Tensor) else getattr(v, "__name__", v) for n, v in self.options.items()}
        options = [f"{n}={word}" for n, word in words.items() if word is not None]
        return "-".join([self.ours.__name__, *([self.what] if self.what else []), *options])

    def call(self, ours: bool, reduction: str, dtype: torch.dtype) -> list[Tensor]:
        """The value and its gradients."""
        function, extra = (self.ours, {}) if ours else (self.theirs, self.extra)
        names = {} if ours else self.renamed
        options = {names.get(n, n): v.to(dtype) if isinstance(v, Tensor) else v for n, v in self.options.items()}
        tensors = [t.to(dtype).clone() if t.is_floating_point() else t for t in self.tensors]
        places = [t.requires_grad_() for i, t in enumerate(tensors) if t.is_floating_point() and i not in self.fixed]
        value = function(*tensors, reduction=reduction, **options, **extra)
        return [value.detach(), *torch.autograd.grad(value.sum(), places)]


def _grid(**choices: list[Any]) -> Iterator[dict[str, Any]]:
    for values in product(*choices.values()):
        yield dict(zip(choices, values, strict=True))


def _of_errors() -> Iterator[Case]:
    for what, pair in ERRORS.items():
        weights = [None, WEIGHT[: len(pair[0])]]
        for options in _grid(weight=weights):
            yield Case(losslens.mse, functional.mse_loss, pair, options, what=what)
            yield Case(losslens.mae, functional.l1_loss, pair, options, what=what)
        for options in _grid(delta=[0.01, 0.5, 1.0, 100.0]):
            yield Case(losslens.huber, functional.huber_loss, pair, options, what=what)
        for options in _grid(beta=[0.01, 0.5, 1.0, 100.0]):
            yield Case(losslens.smooth_l1, functional.smooth_l1_loss, pair, options, what=what)


def _of_classes() -> Iterator[Case]:
    weights, names = [None, CLASS_WEIGHT], {"class_weight": "weight"}
    kept = {"generic": (SCORES, LABELS), "saturated": (SATURATED, torch.tensor([3, 0])), "ties": (0 * SCORES, LABELS)}
    for what, (scores, labels) in kept.items():
        for options in _grid(class_weight=weights, ignore_index=[-100, 1]):
            logs = torch.log_softmax(scores, 1)
            yield Case(losslens.nll, functional.nll_loss, (logs, labels), options, names, what=what)
        for options in _grid(class_weight=weights, ignore_index=[-100, 1], label_smoothing=[0.0, 0.1, 1.0]):
            pair = (scores, labels)
            yield Case(losslens.cross_entropy, functional.cross_entropy, pair, options, names, what=what)
        for options in _grid(class_weight=weights, p=[1, 2], margin=[0.1, 1.0, 10.0]):
            pair = (scores, labels)
            yield Case(losslens.multi_class_hinge, functional.multi_margin_loss, pair, options, names, what=what)
    for options in _grid(class_weight=weights, label_smoothing=[0.0, 0.1, 1.0]):
        pair = (SCORES, SHARES)
        yield Case(losslens.cross_entropy, functional.cross_entropy, pair, options, names, what="probabilities")
    ignoring = (SCORES, LABELS.where(LABELS != 1, -100))
    for options in _grid(class_weight=weights, label_smoothing=[0.0, 0.1]):
        yield Case(losslens.cross_entropy, functional.cross_entropy, ignoring, options, names, what="ignoring")


def _of_two_classes() -> Iterator[Case]:
    for what, (scores, target) in RAW.items():
        yield Case(losslens.bce, functional.binary_cross_entropy, (torch.sigmoid(scores), target), what=what)
        for options in _grid(pos_weight=[None, CLASS_WEIGHT]):
            pair, theirs = (scores, target), functional.binary_cross_entropy_with_logits
            yield Case(losslens.bce_with_logits, theirs, pair, options, what=what)
    for ours, theirs, output in COUNTED:
        yield Case(ours, theirs, (output, SHARES), {"weight": WEIGHT}, reductions={"none": "none", "sum": "sum"})


COUNTED = (  # whose weighted mean PyTorch divides by the number of elements, other than that of mse_loss
    (losslens.bce, functional.binary_cross_entropy, torch.sigmoid(SCORES)),
    (losslens.bce_with_logits, functional.binary_cross_entropy_with_logits, SCORES),
    (losslens.huber, functional.huber_loss, OUTPUT),
)


def _of_distributions() -> Iterator[Case]:
    over_samples = {"none": "none", "sum": "sum", "mean": "batchmean"}
    logs = torch.log_softmax(SCORES, 1)
    for ours, target, extra in (
        (losslens.kl_divergence, SHARES, {}),
        (losslens.kl_divergence_of_logs, SHARES.log(), {"log_target": True}),
    ):
        yield Case(ours, functional.kl_div, (logs, target), extra=extra, reductions=over_samples)


def _of_pairs() -> Iterator[Case]:
    signs = TARGET.sign()
    for options in _grid(margin=[0.0, 0.5, 2.0]):
        for what, x1, x2, y in (
            ("generic", OUTPUT, TARGET, signs),
            ("kinks", KINKS, 0.0 * KINKS, signs[:2]),
            ("equal", TARGET, TARGET, signs),
        ):
            ranking, hinge = functional.margin_ranking_loss, functional.hinge_embedding_loss
            yield Case(losslens.margin_ranking, ranking, (x1, x2, y), options, fixed=(2,), what=what)
            yield Case(losslens.hinge_embedding, hinge, (x1.abs(), y), options, fixed=(1,), what=what)
    for options in _grid(margin=[-1.0, -0.5, 0.0, 0.5, 1.0]):  # PyTorch adds 1e-12 to squared norms
        rows = (ROWS[0], ROWS[1], SIGNS)
        theirs = functional.cosine_embedding_loss
        yield Case(losslens.cosine_embedding, theirs, rows, options, rtol=1e-9, fixed=(2,))


def _of_triplets() -> Iterator[Case]:
    powers = {"generic": [1.0, 2.0, 3.5, 10.0], "equal": [1.0, 2.0, 3.5]}  # of 1e-6 float32 has no tenth power
    for what, rows in (("generic", tuple(ROWS)), ("equal", (ROWS[0],) * 3)):
        for options in _grid(margin=[0.01, 1.0, 3.0], p=powers[what], swap=[False, True]):
            yield Case(losslens.triplet_margin, functional.triplet_margin_loss, rows, options, what=what)
    for options in _grid(margin=[0.4], swap=[False, True], distance=[_cosine_distance, _city_blocks]):
        theirs, names = functional.triplet_margin_with_distance_loss, {"distance": "distance_function"}
        yield Case(losslens.triplet_margin, theirs, tuple(ROWS), options, names, what=options["distance"].__name__)


def _cosine_distance(one: Tensor, other: Tensor) -> Tensor:
    return 1.0 - functional.cosine_similarity(one, other)


def _city_blocks(one: Tensor, other: Tensor) -> Tensor:
    return (one - other).abs().sum(1)


GROUPS = (_of_errors, _of_classes, _of_two_classes, _of_distributions, _of_pairs, _of_triplets)
CASES = [case for group in GROUPS for case in group()]


@pytest.mark.parametrize("case", CASES, ids=[f"{index}-{case.name}" for index, case in enumerate(CASES)])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_value_and_gradients_are_pytorchs(case, dtype):
    rtol = case.rtol if dtype == torch.float64 else 1e-5
    for ours, theirs in case.reductions.items():
        found, expected = case.call(True, ours, dtype), case.call(False, theirs, dtype)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=rtol, atol=rtol, msg=lambda m, r=ours: f"{r}: {m}")


def test_gaussian_is_pytorchs_full_one_of_a_variance():
    """Theirs averages over all numbers; a likelihood of ours is summed over features, in nats per sample."""
    scale = _uniform(4) + 0.3
    tensors = OUTPUT, TARGET, scale
    for ours, theirs, times in (("none", "none", 1.0), ("sum", "sum", 1.0), ("mean", "mean", 4.0)):
        found = _by_all(lambda o, t, s, r=ours: losslens.gaussian(o, t, scale=s, reduction=r), tensors)
        expected = _by_all(lambda o, t, s, r=theirs: _gaussian_of_variance(o, t, s.square(), r), tensors)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, times * other, rtol=1e-12, atol=1e-13)


def _gaussian_of_variance(output: Tensor, target: Tensor, variance: Tensor, reduction: str) -> Tensor:
    return functional.gaussian_nll_loss(output, target, variance.expand_as(output), full=True, reduction=reduction)


@pytest.mark.parametrize("logs", [False, True])
def test_poisson_is_pytorchs_and_the_logarithm_of_the_factorial(logs):
    """Theirs has none, or Stirling's approximation to it; of rates, or of their logarithms."""
    counts = torch.tensor([[0.0, 1.0, 2.0, 9.0], [0.0, 0.0, 40.0, 99.0]], dtype=torch.float64)
    rates = _normal(2, 4).exp()

    def theirs(rate: Tensor, reduction: str) -> Tensor:
        given = rate.log() if logs else rate
        rest = torch.lgamma(counts + 1.0)
        value = functional.poisson_nll_loss(given, counts, log_input=logs, eps=0.0, reduction=reduction)
        return value + {"none": rest, "sum": rest.sum(), "mean": rest.mean()}[reduction]

    for reduction, times in (("none", 1.0), ("sum", 1.0), ("mean", 4.0)):
        found = _by_all(lambda rate, r=reduction: losslens.poisson(rate, counts, reduction=r), (rates,))
        expected = _by_all(lambda rate, r=reduction: theirs(rate, r), (rates,))
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, times * other, rtol=1e-12, atol=1e-13)


def _by_all(call: Callable[..., Tensor], tensors: tuple[Tensor, ...]) -> list[Tensor]:
    places = [tensor.clone().requires_grad_() for tensor in tensors]
    value = call(*places)
    return [value.detach(), *torch.autograd.grad(value.sum(), places)]


def test_poisson_factorial_is_exact_where_pytorch_approximates():
    rate, count = torch.full((1, 3), 2.0, dtype=torch.float64), torch.tensor([[0.0, 1.0, 5.0]], dtype=torch.float64)
    approximate = functional.poisson_nll_loss(rate, count, log_input=False, full=True, reduction="none")
    apart = (losslens.poisson(rate, count, reduction="none") - approximate).abs()[0]
    assert apart[0] < 1e-6
    assert 1e-3 < apart[2] < 1 / 12 / 5


def test_bernoulli_is_the_sum_over_features_of_pytorchs_cross_entropy():
    target = SHARES.round()
    expected = functional.binary_cross_entropy_with_logits(SCORES, target, reduction="sum") / 6
    torch.testing.assert_close(losslens.bernoulli(SCORES, target), expected, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize(("ours", "theirs", "output"), COUNTED, ids=[ours.__name__ for ours, *_ in COUNTED])
def test_a_weighted_mean_is_divided_by_its_weights_where_pytorch_counts_elements(ours, theirs, output):
    expected = theirs(output, SHARES, weight=WEIGHT) * WEIGHT.numel() / WEIGHT.sum()
    torch.testing.assert_close(ours(output, SHARES, weight=WEIGHT), expected, rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("logs", [False, True])
def test_divergence_is_averaged_over_samples_not_over_elements(logs):
    """PyTorch's "mean" of a divergence is no mean of divergences; it says so itself, and "batchmean" is."""
    ours, target = (losslens.kl_divergence_of_logs, SHARES.log()) if logs else (losslens.kl_divergence, SHARES)
    log_shares = torch.log_softmax(SCORES, 1)
    each = ours(log_shares, target, reduction="none").sum(1)
    torch.testing.assert_close(ours(log_shares, target), each.mean())
    assert ours(log_shares, target) > 0.0


def test_zero_rows_of_pairs_are_ours():
    """PyTorch calls two zero rows orthogonal; here they are equal, and no similarity exceeds one."""
    zero, row = torch.zeros(1, 3), torch.ones(1, 3)
    together, apart = torch.ones(1), -torch.ones(1)
    assert losslens.cosine_embedding(zero, zero, together) == 0.0
    assert functional.cosine_embedding_loss(zero, zero, together) == 1.0
    assert losslens.cosine_embedding(zero, row, together) == 1.0
    assert losslens.cosine_embedding(1e-20 * row, 1e-20 * row, apart) == 1.0
    assert functional.cosine_embedding_loss(1e-20 * row, 1e-20 * row, apart) < 1e-20
