"""How raw outputs are read: expectations of count models, magnitudes, starting points."""

import numpy as np
import pytest
import torch
from scipy import stats

from losslens.losses.expectation import expected_log1p
from losslens.losses.family import LOSSES
from losslens.models.autoencoders import Outputs
from losslens.models.objective import Batch, Objective
from losslens.models.spec import ObjectiveSpec


@pytest.mark.parametrize("mean", [0.003, 0.5, 7.0, 900.0])
@pytest.mark.parametrize("theta", [0.05, 1.0, 50.0])
@pytest.mark.parametrize("scale", [0.2, 1.0, 30.0])
def test_expected_log_of_a_negative_binomial_count(mean: float, theta: float, scale: float) -> None:
    law = stats.nbinom(theta, theta / (theta + mean))
    x = np.arange(int(law.ppf(1 - 1e-12)) + 10)
    exact = float((law.pmf(x) * np.log1p(scale * x)).sum())
    mu, t = torch.tensor([[mean]], dtype=torch.float64), torch.tensor(theta, dtype=torch.float64)
    transform = LOSSES["negative_binomial"].log_laplace
    found = expected_log1p(
        lambda s: transform(mu, s, inverse_dispersion=t), torch.tensor([[scale]], dtype=torch.float64), mean * scale
    )
    assert float(found) == pytest.approx(exact, abs=2e-6)


@pytest.mark.parametrize("mean", [0.01, 2.0, 400.0])
def test_expected_log_of_a_poisson_count(mean: float) -> None:
    x = np.arange(int(stats.poisson.ppf(1 - 1e-13, mean)) + 10)
    exact = float((stats.poisson.pmf(x, mean) * np.log1p(3.0 * x)).sum())
    mu = torch.tensor([[mean]], dtype=torch.float64)
    found = expected_log1p(
        lambda s: LOSSES["poisson"].log_laplace(mu, s), torch.tensor([[3.0]], dtype=torch.float64), mean * 3
    )
    assert float(found) == pytest.approx(exact, abs=2e-6)
    assert exact < np.log1p(3.0 * mean)  # the logarithm of the mean would be another, larger number


@pytest.mark.parametrize("loss", ["cosine", "pearson"])
def test_a_perfect_head_restores_data_units(loss: str) -> None:
    torch.manual_seed(0)
    profiles = torch.rand(5, 9) + 0.1
    objective = Objective(ObjectiveSpec(loss=loss), 9, 3)
    mean = profiles.mean(1, keepdim=True) if loss == "pearson" else torch.zeros(5, 1)
    truth = torch.cat([(profiles - mean).norm(dim=1, keepdim=True).log(), mean], 1)
    last = objective.head.net[-1]
    torch.nn.init.zeros_(last.weight)
    outputs = Outputs(torch.zeros(1, 3), 7.5 * profiles + (2.0 if loss == "pearson" else 0.0))
    for row in range(len(profiles)):
        last.bias.data = truth[row]
        one = Outputs(outputs.code, outputs.output[row : row + 1])
        torch.testing.assert_close(objective.reconstruct(one, Batch(profiles[:1]))[0], profiles[row])


@pytest.mark.parametrize("link", ["linear", "softplus", "sigmoid"])
def test_training_starts_at_the_mean_profile(link: str) -> None:
    mean = torch.tensor([0.2, 0.5, 0.9])
    objective = Objective(ObjectiveSpec(loss="mse", link=link), 3, 2)
    outputs = Outputs(torch.zeros(1, 2), objective.raw_mean(mean)[None])
    torch.testing.assert_close(objective.reconstruct(outputs, Batch(mean[None]))[0], mean, rtol=1e-4, atol=1e-5)


def test_counts_start_at_the_mean_composition() -> None:
    mean = torch.tensor([1.0, 3.0, 6.0])
    objective = Objective(ObjectiveSpec(loss="poisson", link="softmax"), 3, 2)
    batch = Batch(torch.zeros(1, 3), mean[None] * 2, torch.tensor([[20.0]]), None)
    outputs = Outputs(torch.zeros(1, 2), objective.raw_mean(mean)[None])
    torch.testing.assert_close(objective.reconstruct(outputs, batch)[0], mean * 2)


def test_nats_are_summed_over_features() -> None:
    objective = Objective(ObjectiveSpec(loss="gaussian"), 4, 2)
    batch = Batch(torch.zeros(3, 4))
    nats = objective.nats(Outputs(torch.zeros(3, 2), torch.zeros(3, 4)), batch)
    expected = torch.full((3,), 4 * 0.5 * float(np.log(2 * np.pi)))
    torch.testing.assert_close(nats, expected)
    assert Objective(ObjectiveSpec(loss="mse"), 4, 2).nats(Outputs(torch.zeros(3, 2), torch.zeros(3, 4)), batch) is None


@pytest.mark.parametrize(("mean", "parameter"), [(0.3, 0.0646), (0.2, 0.00815), (0.1, 4.6e-5)])
def test_values_between_zero_and_one_are_decoded_by_their_distributions_mean(mean: float, parameter: float) -> None:
    """The continuous Bernoulli's best parameter is far from the mean; binary cross-entropy's is the mean."""
    profiles = torch.rand(4000, 1, generator=torch.Generator().manual_seed(0)).double()
    profiles = profiles ** (1.0 / mean - 1.0)  # of this mean
    profiles = profiles * (mean / profiles.mean())
    for loss, best in (("continuous_bernoulli", parameter), ("bernoulli", mean)):
        raw = _minimiser(Objective(ObjectiveSpec(loss=loss, link="logits"), 1, 1).double(), profiles)
        assert float(torch.sigmoid(raw)) == pytest.approx(best, rel=0.01)
        objective = Objective(ObjectiveSpec(loss=loss, link="logits"), 1, 1).double()
        read = objective.reconstruct(Outputs(torch.zeros(1, 1), raw.reshape(1, 1)), Batch(profiles[:1]))
        assert float(read) == pytest.approx(mean, abs=1e-5)


def _minimiser(objective: Objective, profiles: torch.Tensor) -> torch.Tensor:
    """The one raw output for all rows at which the objective is least."""
    raw = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([raw], max_iter=200, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        loss = objective.own_loss(Outputs(profiles, raw.expand_as(profiles)), Batch(profiles))
        loss.backward()
        return loss

    optimiser.step(closure)
    return raw.detach()
