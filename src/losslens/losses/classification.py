"""Losses of class scores: one right class, several, or probabilities over classes."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional

from losslens.losses import sweeps
from losslens.losses.family import Argument, Family, loss, mean_of_sample_sums, mean_of_values
from losslens.vocabulary.errors import BadInput
from losslens.vocabulary.quantities import Choice, Domain, Range

CLASSIFICATION = Family(
    "classification",
    "sample",
    (Argument("output", "batch classes"), Argument("target", "batch | batch classes", target=True)),
    mean_of_values,
    sweeps=sweeps.scores,
)
_PAIR = (Argument("output"), Argument("target", target=True))
BINARY = Family("binary classification", "element", _PAIR, mean_of_values, sweeps=sweeps.elements)
DIVERGENCE = Family("divergence", "element", _PAIR, mean_of_sample_sums, sweeps=sweeps.divergences)


def _sizes(output: Tensor, target: Tensor, *, class_weight: Tensor | None = None, ignore_index: int = -100) -> Tensor:
    """What a sample counts for in the weighted mean: the weight of its class, nothing if ignored."""
    present = target != ignore_index
    if class_weight is None:
        return present.to(output.dtype)
    return torch.where(present, class_weight[torch.where(present, target, 0)], 0.0)


def _checked(output: Tensor, target: Tensor, ignore_index: int = -100, *, class_weight: Tensor | None = None) -> None:
    """Refuse labels beyond the classes that the output has scores for, and weights of other classes than those."""
    classes = output.shape[1]
    if class_weight is not None and class_weight.shape != (classes,):
        raise BadInput(expected=f"a class_weight of shape ({classes},)", found=str(tuple(class_weight.shape)))
    if target.is_floating_point() or torch.compiler.is_compiling():
        return
    kept = target[target != ignore_index]
    if kept.numel() and int(kept.max()) >= classes:
        raise BadInput(
            expected=f"class indices from 0 to {classes - 1}, as the output has {classes} classes",
            found=str(int(kept.max())),
        )


def _labels_alone(name: str, target: Tensor) -> None:
    if target.is_floating_point():
        raise BadInput(expected=f"class indices for {name}", found="probabilities", remedy="cross_entropy takes those.")


@loss(
    CLASSIFICATION,
    units="nats",
    minimum=None,
    domain=Domain.LABELS,
    link="log_softmax",
    sizes=_sizes,
    reference="Good, Journal of the Royal Statistical Society B 14, 1952",
    use="For one right class among several, when the network gives log-probabilities.",
    failure="Fed with anything but log-probabilities its value means nothing and can fall without end.",
    torch_line="torch.nn.NLLLoss()",
)
def nll(output: Tensor, target: Tensor, *, class_weight: Tensor | None = None, ignore_index: int = -100) -> Tensor:
    r"""Negative log-likelihood of the right class, from log-probabilities.

    .. math:: -w_y \, \hat x_y

    Shapes: output (batch, classes), target (batch,) of integers -> (batch,). ``class_weight`` (classes,) weighs the
    classes, and the mean divides by the weights of the samples; samples with ``ignore_index`` count for nothing, and a
    batch of them alone costs 0. Raises BadInput on labels out of range. From raw scores use :func:`cross_entropy`.

    >>> losslens.nll(torch.tensor([[0.5, 0.25, 0.25]]).log(), torch.tensor([0]))
    tensor(0.6931)
    """
    _labels_alone("nll", target)
    _checked(output, target, ignore_index, class_weight=class_weight)
    return functional.nll_loss(output, target, weight=class_weight, ignore_index=ignore_index, reduction="none")


def _sizes_of_either(
    output: Tensor, target: Tensor, *, class_weight: Tensor | None = None, ignore_index: int = -100, **_: float
) -> Tensor:
    """As for labels; probabilities count as one sample each, whatever the class weights."""
    if target.is_floating_point():
        return output.new_ones(len(output))
    return _sizes(output, target, class_weight=class_weight, ignore_index=ignore_index)


@loss(
    CLASSIFICATION,
    units="nats",
    minimum=None,
    domain=Domain.LABELS,
    shift_invariant=True,
    sizes=_sizes_of_either,
    reference="Good, Journal of the Royal Statistical Society B 14, 1952",
    use="For one right class among several, or probabilities over them, from raw scores.",
    failure="It is never satisfied: scores of easy samples keep growing, and probabilities become too sure.",
    torch_line="torch.nn.CrossEntropyLoss(label_smoothing={label_smoothing:g})",
)
def cross_entropy(
    output: Tensor,
    target: Tensor,
    *,
    label_smoothing: Annotated[float, Range(0.0, 1.0)] = 0.0,
    class_weight: Tensor | None = None,
    ignore_index: int = -100,
) -> Tensor:
    r"""Cross-entropy from raw scores: where exactly one class holds, known or as probabilities.

    .. math:: -w_y \log \mathrm{softmax}(\hat x)_y

    Shapes: output (batch, classes), target (batch,) of integers or (batch, classes) of probabilities -> (batch,).
    ``label_smoothing`` gives that share of each target to all classes alike. Weights and ``ignore_index`` as in
    :func:`nll`. Where several classes may hold at once use :func:`bce_with_logits`.

    >>> losslens.cross_entropy(torch.zeros(1, 4), torch.tensor([2]))
    tensor(1.3863)
    """
    _checked(output, target, ignore_index, class_weight=class_weight)
    return functional.cross_entropy(
        output,
        target,
        weight=class_weight,
        ignore_index=ignore_index,
        label_smoothing=label_smoothing,
        reduction="none",
    )


@loss(
    CLASSIFICATION,
    units="1 (score units to the power p)",
    minimum=0.0,
    domain=Domain.LABELS,
    smoothness="C0",
    shift_invariant=True,
    reference="Weston and Watkins, ESANN 1999",
    use="When only the decision matters, and what is safely right is to be left alone.",
    failure="It gives no probabilities, and samples beyond the margin have no gradient.",
    torch_line="torch.nn.MultiMarginLoss(p={p}, margin={margin:g})",
)
def multi_class_hinge(
    output: Tensor,
    target: Tensor,
    *,
    p: Annotated[int, Choice((1, 2))] = 1,
    margin: Annotated[float, Range(0.1, 10.0, log=True)] = 1.0,
    class_weight: Tensor | None = None,
) -> Tensor:
    r"""Every wrong class is to score lower than the right one by a margin; beyond it nothing is asked.

    .. math:: \frac1C \sum_{c \ne y} w_y \max(0, m - \hat x_y + \hat x_c)^p

    Shapes: output (batch, classes), target (batch,) of integers -> (batch,). Gives no probabilities. All wrong classes
    count, divided by the number of classes as in PyTorch; another multi-class hinge takes the worst one alone.

    >>> losslens.multi_class_hinge(torch.tensor([[3.0, 0.0, 2.5]]), torch.tensor([0]))
    tensor(0.1667)
    """
    _labels_alone("multi_class_hinge", target)
    _checked(output, target, class_weight=class_weight)
    return functional.multi_margin_loss(output, target, p=p, margin=margin, weight=class_weight, reduction="none")


@loss(
    BINARY,
    units="nats",
    domain=Domain.UNIT,
    minimum=0.0,
    link="sigmoid",
    reference="Good, Journal of the Royal Statistical Society B 14, 1952",
    use="For zeros and ones, or probabilities of them, when the network ends in a sigmoid.",
    failure="Probabilities near 1 have lost their digits, and costs are cut at 100: prefer bce_with_logits.",
    torch_line="torch.nn.BCELoss()",
)
def bce(output: Tensor, target: Tensor) -> Tensor:
    r"""Binary cross-entropy from probabilities.

    .. math:: -x \log \hat x - (1 - x) \log(1 - \hat x)

    Shapes: output and target alike, any; outputs in [0, 1], else BadInput. Logarithms count as at least -100. Where
    the network can give scores, :func:`bce_with_logits` keeps digits that a probability near 1 has lost.

    >>> losslens.bce(torch.tensor([0.5]), torch.tensor([1.0]))
    tensor(0.6931)
    """
    if not torch.compiler.is_compiling() and not bool(((output >= 0.0) & (output <= 1.0)).all()):
        low, high = (float(end) for end in output.detach().aminmax())
        raise BadInput(
            expected="an output of probabilities, in [0, 1], for bce",
            found=f"values in [{low:g}, {high:g}]",
            remedy="bce_with_logits takes raw scores.",
        )
    return functional.binary_cross_entropy(output, target, reduction="none")


@loss(
    BINARY,
    units="nats",
    domain=Domain.UNIT,
    minimum=0.0,
    link="logits",
    reference="Good, Journal of the Royal Statistical Society B 14, 1952",
    use="For labels of which several may hold at once, from raw scores.",
    failure="A few positives among many negatives hardly count unless pos_weight raises them.",
    torch_line="torch.nn.BCEWithLogitsLoss()",
)
def bce_with_logits(output: Tensor, target: Tensor, *, pos_weight: Tensor | None = None) -> Tensor:
    r"""Binary cross-entropy from raw scores: where several classes may hold at once.

    .. math:: -w\,x \log \sigma(\hat x) - (1 - x) \log(1 - \sigma(\hat x))

    Shapes: output and target alike, any. ``pos_weight``, which broadcasts, weighs the positive part. A mean over
    elements; the likelihood in nats per sample is :func:`bernoulli`. On values between 0 and 1 its floor is not zero.

    >>> losslens.bce_with_logits(torch.zeros(2), torch.tensor([0.0, 1.0]))
    tensor(0.6931)
    """
    return functional.binary_cross_entropy_with_logits(output, target, pos_weight=pos_weight, reduction="none")


@loss(
    BINARY,
    units="nats",
    domain=Domain.BINARY,
    minimum=0.0,
    link="logits",
    convex=False,
    reference="Lin, Goyal, Girshick, He and Dollar, ICCV 2017",
    use="For a few positives among very many easy negatives, as in dense object detection.",
    failure="Its probabilities are not calibrated, and wrongly labelled samples count as the hard ones.",
    torch_line="lambda output, target: (torch.where(target == 1, {alpha:g}, 1 - {alpha:g})"
    " * torch.sigmoid(torch.where(target == 1, -output, output))**{gamma:g}"
    ' * torch.nn.functional.binary_cross_entropy_with_logits(output, target, reduction="none")).mean()',
)
def focal(
    output: Tensor,
    target: Tensor,
    *,
    gamma: Annotated[float, Range(0.0, 5.0)] = 2.0,
    alpha: Annotated[float, Range(0.01, 0.99)] = 0.25,
) -> Tensor:
    r"""Binary cross-entropy that forgets what is easy: for a few positives among very many negatives.

    .. math:: -\alpha_t (1 - p_t)^\gamma \log p_t

    Shapes: output (raw scores) and target alike, any. p_t is the probability given to what is true, and alpha_t is
    ``alpha`` for positives, 1 - alpha for negatives. With gamma 0 and alpha 0.5 half of :func:`bce_with_logits`.

    >>> losslens.focal(torch.zeros(1), torch.ones(1))
    tensor(0.0433)
    """
    against = torch.where(target == 1.0, -output, output)  # the score of what is not true
    share = target * alpha + (1.0 - target) * (1.0 - alpha)
    return share * (gamma * functional.logsigmoid(against)).exp() * functional.softplus(against)


@loss(
    DIVERGENCE,
    units="nats",
    domain=Domain.UNIT,
    minimum=None,
    link="log_softmax",
    reference="Kullback and Leibler, Annals of Mathematical Statistics 22, 1951",
    use="When the target is a distribution over classes, as in distillation.",
    failure="Outputs that are not log-probabilities give numbers that mean nothing, even negative ones.",
    torch_line='torch.nn.KLDivLoss(reduction="batchmean")',
)
def kl_divergence(output: Tensor, target: Tensor) -> Tensor:
    r"""Divergence of predicted log-probabilities from target probabilities.

    .. math:: x (\log x - \hat x)

    Shapes: output (log-probabilities) and target (probabilities) alike, any -> the same; the mean is over samples,
    of sums over classes. Elements may be negative, a sum over a whole distribution is not. For targets that are
    log-probabilities :func:`kl_divergence_of_logs`.

    >>> losslens.kl_divergence(torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[1.0, 0.0]]))
    tensor(0.6931)
    """
    return functional.kl_div(output, target, reduction="none")


@loss(
    DIVERGENCE,
    units="nats",
    domain=Domain.LOG_PROBABILITIES,
    minimum=None,
    link="log_softmax",
    reference="Kullback and Leibler, Annals of Mathematical Statistics 22, 1951",
    use="When the target distribution comes as logarithms, with shares too small to write out.",
    failure="Logarithms that do not belong to a distribution are not refused, and mean nothing.",
    torch_line='torch.nn.KLDivLoss(reduction="batchmean", log_target=True)',
)
def kl_divergence_of_logs(output: Tensor, target: Tensor) -> Tensor:
    r"""Divergence of predicted log-probabilities from targets that are log-probabilities too.

    .. math:: e^x (x - \hat x)

    Shapes: both alike, any -> the same; the mean is over samples, of sums over classes. Keeps the digits of
    probabilities that are too small to be written out. Raises BadInput on targets above 0, which are no logarithms.

    >>> losslens.kl_divergence_of_logs(torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.5, 0.5]]).log())
    tensor(0.)
    """
    return functional.kl_div(output, target, log_target=True, reduction="none")
