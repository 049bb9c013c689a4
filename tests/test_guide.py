"""The choosing guide: its tables are the rules, every name in it exists, and every number is measured again."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from tests.guide_tables import GUIDE, filled

import losslens
from losslens.activations import ACTIVATIONS
from losslens.data.readers import read
from losslens.losses import LOSSES
from losslens.losses.unit import continuous_bernoulli_mean
from losslens.measure.concentration import PUBLISHED_MATCHES, PUBLISHED_SHARES

TEXT = GUIDE.read_text(encoding="utf-8")
FLAT = " ".join(TEXT.split())


@pytest.fixture(scope="module")
def pancreas():
    return losslens.advise("pancreas")


def test_the_tables_are_up_to_date():
    assert filled(TEXT) == TEXT, "run python -m tests.guide_tables"


def test_a_changed_rule_would_be_noticed():
    assert filled(TEXT.replace("`negative_binomial`", "`poisson`")) != TEXT.replace("`negative_binomial`", "`poisson`")


def test_every_name_in_it_exists():
    names = set(re.findall(r"`([a-z_0-9]+)`", TEXT)) - {"mask"}
    assert len(names) > 30
    assert not {name for name in names if name not in LOSSES and name not in ACTIVATIONS}


def test_its_commands_exist():
    from losslens.faces.cli import app

    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert set(re.findall(r"losslens (\w+)", TEXT)) - {"standardises", "therefore", "refuses", "does"} <= known


def test_the_readme_and_the_map_link_to_it():
    root = GUIDE.parent.parent
    for page in (root / "README.md", GUIDE.parent / "architecture.md"):
        assert "how-to-choose-a-loss.md" in page.read_text(encoding="utf-8")


def test_the_run_of_the_readme_is_quoted_rightly():
    readme = (GUIDE.parent.parent / "README.md").read_text(encoding="utf-8")
    scores = dict(re.findall(r"^(cosine|mse) +([\d.]+) ", readme, re.MULTILINE))
    assert f"delta-cosine {scores['cosine']} against {scores['mse']}" in FLAT


def test_what_five_outliers_do_to_mean_and_median():
    generator = np.random.default_rng(0)
    values = generator.standard_normal((4000, 100))
    values[:, :5] = 20.0
    assert values.mean(axis=1).mean() == pytest.approx(1.0, abs=0.01)
    assert np.median(values, axis=1).mean() == pytest.approx(0.07, abs=0.005)
    one = torch.tensor(values[0])
    at = torch.linspace(-1.0, 3.0, 4001, dtype=torch.float64)
    for loss, expected in ((losslens.mse, values[0].mean()), (losslens.mae, np.median(values[0]))):
        costs = loss(at[:, None].expand(-1, 100), one.expand(4001, -1), reduction="none").mean(1)
        assert float(at[costs.argmin()]) == pytest.approx(expected, abs=0.02)


def test_smooth_l1_and_huber_are_the_same_at_their_defaults():
    output, target = torch.linspace(-4, 4, 99).view(1, -1), torch.zeros(1, 99)
    torch.testing.assert_close(losslens.smooth_l1(output, target), losslens.huber(output, target))


def test_cross_entropy_of_digits_levels_off_at_their_entropy():
    digits = torch.tensor(read("digits").values).double()
    floor = float(losslens.bce(digits.clamp(1e-12, 1 - 1e-12), digits))
    assert f"{floor:.2f} nats per pixel" in FLAT
    for change in (-0.02, 0.02):
        assert float(losslens.bce((digits + change).clamp(1e-12, 1 - 1e-12), digits)) > floor


@pytest.mark.parametrize(("mean", "parameter"), [(0.3, 0.0646), (0.2, 0.00815), (0.1, 0.000046)])
def test_the_best_parameter_of_the_continuous_bernoulli(mean, parameter):
    def cost(logit):
        output = torch.tensor([[logit]], dtype=torch.float64)
        return float(losslens.continuous_bernoulli(output, torch.full((1, 1), mean, dtype=torch.float64)))

    best = minimize_scalar(cost, bounds=(-20.0, 0.0), method="bounded", options={"xatol": 1e-10}).x
    assert 1 / (1 + math.exp(-best)) == pytest.approx(parameter, rel=0.01)
    assert float(continuous_bernoulli_mean(torch.tensor(best))) == pytest.approx(mean, abs=1e-6)
    assert f"{parameter:.6f}".rstrip("0") in FLAT


def test_the_best_variance_of_a_gaussian_is_the_mean_squared_error():
    generator = torch.Generator().manual_seed(0)
    output, target = torch.randn(2, 50, 8, generator=generator, dtype=torch.float64)
    best = losslens.mse(output, target).sqrt()
    calibrated = float(losslens.calibrated_gaussian(output, target))
    assert float(losslens.gaussian(output, target, scale=best)) == pytest.approx(calibrated, rel=1e-4)
    for factor in (0.9, 1.1):
        assert float(losslens.gaussian(output, target, scale=best * factor)) > calibrated


def test_the_gradient_of_the_cosine_fades_as_it_says():
    angle = torch.tensor([0.01, 1.0, 3.13], dtype=torch.float64)
    output = (5.0 * torch.stack([angle.cos(), angle.sin()], 1)).requires_grad_()
    target = torch.tensor([[1.0, 0.0]], dtype=torch.float64).expand(3, 2)
    losslens.cosine(output, target, reduction="sum").backward()
    torch.testing.assert_close(output.grad.norm(dim=1), angle.sin() / 5.0)


def test_averaging_over_features_multiplies_the_weight_of_the_other_term():
    """mean squared error + KL, times D / 2, is half the summed error + (D / 2) KL: at 2,000 features 1,000 KL."""
    generator = torch.Generator().manual_seed(0)
    output, target = torch.randn(2, 1, 2000, generator=generator, dtype=torch.float64)
    code = torch.randn(2, 1, 16, generator=generator, dtype=torch.float64)
    kl = losslens.kl_standard_normal(code[0], code[1])
    averaged = losslens.mse(output, target) + kl
    summed = (output - target).square().sum() / 2 + 1000 * kl
    torch.testing.assert_close(averaged * 2000 / 2, summed)
    assert "at 2,000 features a weight of 1,000" in FLAT


def test_limits_of_the_contrast():
    limits = [2 / math.sqrt(math.pi) * math.sqrt(1 / (2 * k + 1)) for k in (0.5, 1, 2, 4)]
    assert "that is {:.2f}, {:.2f}, {:.2f} and {:.2f} for".format(*limits) in FLAT  # measured in test_contrast


def test_published_figures_are_those_that_reproduce_measures():
    shares = f"{PUBLISHED_SHARES[2]} % of trials in 2 dimensions and {PUBLISHED_SHARES[100]} % in 100"
    assert shares in FLAT
    assert f"{PUBLISHED_MATCHES[0]:,} under L0.1, {PUBLISHED_MATCHES[3]:,} under L2, {PUBLISHED_MATCHES[-1]:,}" in FLAT
    assert "arXiv 2004.14230" in FLAT
    assert "arXiv 2505.19635" in FLAT


def test_figures_of_the_pancreas_cells(pancreas):
    zeros = pancreas.zeros
    assert f"{100 * zeros.observed:.1f} % of the values are zero" in FLAT
    assert f"would have {100 * zeros.negative_binomial:.1f} %, Poisson counts {100 * zeros.poisson:.1f} %" in FLAT
    share = re.search(r"([\d.]+)% is a difference of their norms", pancreas.losses[2].because)
    assert share is not None
    assert f"{share[1]} % of the squared distance" in FLAT
    by_name = {each.name: each for each in pancreas.contrast.contrasts}
    assert by_name["L0.1"].median > 5 * by_name["L2"].median
    assert by_name["L0.1"].agreement.mean == pytest.approx(0.65, abs=0.03)
    assert by_name["L2"].agreement.mean == pytest.approx(0.91, abs=0.03)
    assert max(by_name, key=lambda name: by_name[name].median) == "L0.1"
    assert min(by_name, key=lambda name: by_name[name].agreement.mean) == "L0.1"


def test_the_contrast_limit_for_zero_inflation_is_the_one_in_the_code():
    from losslens.data.zero_inflation import CLEAR, SURE

    assert (CLEAR, SURE) == (0.02, 4.0)
    assert "(2 % of all values, and four standard errors)" in FLAT
