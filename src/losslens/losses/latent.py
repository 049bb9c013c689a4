"""Losses of a latent distribution: its distance from a prior."""

from __future__ import annotations

from typing import Annotated

import torch
from torch import Tensor

from losslens.losses import sweeps
from losslens.losses.family import Argument, Family, loss, mean_of_values
from losslens.vocabulary.quantities import Choice, Range

LATENT = Family(
    "latent",
    "sample",
    (Argument("mean", "batch latent"), Argument("log_variance", "batch latent")),
    mean_of_values,
    sweeps=sweeps.latents,
)
TWO_LATENTS = Family(
    "two latents",
    "sample",
    tuple(Argument(name, "batch latent") for name in ("mean", "log_variance", "prior_mean", "prior_log_variance")),
    mean_of_values,
    sweeps=sweeps.two_latents,
)
TWO_SAMPLES = Family(
    "two samples",
    "batch",
    (Argument("code", "batch latent"), Argument("prior", "points latent")),
    mean_of_values,
    sweeps=sweeps.two_samples,
)


@loss(
    LATENT,
    units="nats",
    minimum=0.0,
    reference="Kingma and Welling, ICLR 2014",
    use="As the divergence of a variational autoencoder with a standard normal prior.",
    failure="Weighed too strongly it empties the code: mean 0 and variance 1 for every sample cost nothing.",
    torch_line="lambda mean, log_variance: ((mean**2 + log_variance.exp() - log_variance - 1) / 2).sum(1).mean()",
)
def kl_standard_normal(mean: Tensor, log_variance: Tensor) -> Tensor:
    r"""Divergence of a Gaussian posterior from the standard normal prior.

    .. math:: \tfrac12 \sum_k \bigl(\mu_k^2 + \sigma_k^2 - \log \sigma_k^2 - 1\bigr)

    Shapes: (batch, latent) twice -> (batch,), in nats, summed over dimensions. Beside a reconstruction averaged over
    features it must be divided by their number, or it is that many times too strong.

    >>> losslens.kl_standard_normal(torch.ones(1, 2), torch.zeros(1, 2))
    tensor(1.)
    """
    return _by_dimension(mean, log_variance).sum(-1)


@loss(
    LATENT,
    units="nats",
    minimum=None,
    smoothness="C0",
    reference="Kingma et al., Improved variational inference with inverse autoregressive flow, NeurIPS 2016",
    use="When dimensions of a variational code are emptied early in training.",
    failure="Below the threshold there is no gradient, and its value is no divergence: report that apart.",
    torch_line="lambda mean, log_variance: ((mean**2 + log_variance.exp() - log_variance - 1) / 2)"
    ".clamp_min({bits:g}).sum(1).mean()",
)
def free_bits(mean: Tensor, log_variance: Tensor, *, bits: Annotated[float, Range(0.0, 5.0)] = 0.1) -> Tensor:
    r"""The divergence from the standard normal of which every dimension has some for free.

    .. math:: \sum_k \max\bigl(\lambda, \mathrm{KL}_k\bigr)

    Shapes: (batch, latent) twice -> (batch,). ``bits`` is in nats, for each dimension and sample (the authors take
    the mean over a batch first); below it there is no gradient, so that a dimension is not emptied. Its floor is the
    number of dimensions times ``bits``.

    >>> losslens.free_bits(torch.zeros(1, 3), torch.zeros(1, 3), bits=0.5)
    tensor(1.5000)
    """
    return _by_dimension(mean, log_variance).clamp_min(bits).sum(-1)


@loss(
    TWO_LATENTS,
    units="nats",
    minimum=0.0,
    convex=False,
    reference="Kullback and Leibler, Annals of Mathematical Statistics 22, 1951",
    use="For priors that are learned or depend on something, with independent dimensions.",
    failure="Not symmetric: a narrow second distribution that lies elsewhere costs without bound.",
    torch_line="lambda m, v, pm, pv: torch.distributions.kl_divergence(torch.distributions.Normal(m, (v / 2).exp()),"
    " torch.distributions.Normal(pm, (pv / 2).exp())).sum(1).mean()",
)
def kl_gaussians(mean: Tensor, log_variance: Tensor, prior_mean: Tensor, prior_log_variance: Tensor) -> Tensor:
    r"""Divergence of one Gaussian with independent dimensions from another.

    .. math:: \tfrac12 \sum_k \left(\frac{\sigma_k^2 + (\mu_k - m_k)^2}{s_k^2}
              - \log \frac{\sigma_k^2}{s_k^2} - 1\right)

    Shapes: (batch, latent) four times -> (batch,), in nats. Not symmetric: where the second is narrow and elsewhere, it
    costs most.

    >>> zero = torch.zeros(1, 1)
    >>> losslens.kl_gaussians(zero + 2.0, zero, zero, zero)
    tensor(2.)
    """
    apart, sharpness = mean - prior_mean, -prior_log_variance / 2.0
    # However narrow the prior, equal means are not apart; nothing times infinity would be no number.
    equal = (apart == 0.0) & sharpness.exp().isinf()
    shift = apart * torch.where(equal, 0.0, sharpness).exp()
    return ((shift.square() + exp_excess(log_variance - prior_log_variance)) / 2.0).sum(-1)


def _by_dimension(mean: Tensor, log_variance: Tensor) -> Tensor:
    return (mean.square() + exp_excess(log_variance)) / 2.0


def exp_excess(number: Tensor) -> Tensor:
    r""":math:`e^x - 1 - x`, which is half the square of a small x.

    >>> exp_excess(torch.tensor([1e-3, 1.0]))
    tensor([5.0017e-07, 7.1828e-01])
    """
    small = number.abs() < 0.1
    near, far = torch.where(small, number, 0.0), torch.where(small, 1.0, number)
    series: Tensor | float = 1.0
    for divisor in range(12, 2, -1):
        series = 1.0 + near / divisor * series
    return torch.where(small, near * (near / 2.0) * series, far.exp() - 1.0 - far)


@loss(
    TWO_SAMPLES,
    units="1 (dimensionless)",
    minimum=0.0,
    independent=False,
    convex=False,
    reference="Gretton, Borgwardt, Rasch, Schoelkopf and Smola, Journal of Machine Learning Research 13, 2012",
    use="For matching codes of a batch to samples of any prior, as in Wasserstein autoencoders.",
    failure="Codes many bandwidths away get hardly a gradient; small batches give noisy, biased values.",
    torch_line="lambda code, prior: (lambda k: k(code, code) + k(prior, prior) - 2 * k(code, prior))"
    "(lambda x, y: (lambda d: (-d / 2).exp() if '{kernel}' == 'gaussian' else 1 / (1 + d))"
    "((torch.cdist(x, y) / {bandwidth:g})**2).mean())",
)
def mmd(
    code: Tensor,
    prior: Tensor,
    *,
    bandwidth: Annotated[float, Range(0.1, 10.0, log=True)] = 1.0,
    kernel: Annotated[str, Choice(("gaussian", "inverse multiquadric"))] = "gaussian",
) -> Tensor:
    r"""Squared maximum mean discrepancy of two samples: zero where no smooth function tells them apart.

    .. math:: \mathrm{mean}\,k(x, x') + \mathrm{mean}\,k(y, y') - 2\,\mathrm{mean}\,k(x, y)

    Shapes: (batch, latent) and (points, latent) -> (). Kernels of d = \|x - y\|, b the bandwidth: gaussian
    exp(-d²/2b²), inverse multiquadric b²/(b² + d²). The biased estimate, which is negative by rounding at most; codes
    many bandwidths from the prior get no gradient from the gaussian kernel.

    >>> losslens.mmd(torch.zeros(2, 3), torch.zeros(5, 3))
    tensor(0.)
    """

    def likeness(x: Tensor, y: Tensor) -> Tensor:
        apart = ((x[:, None] - y[None]) / bandwidth).square().sum(-1)
        return ((-apart / 2.0).exp() if kernel == "gaussian" else 1.0 / (1.0 + apart)).mean()

    return likeness(code, code) + likeness(prior, prior) - 2.0 * likeness(code, prior)
