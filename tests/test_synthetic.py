"""Synthetic data hold the truth that they promise."""

import numpy as np
import pytest
import scipy.stats

from losslens.data import synthetic

GENERATORS = [
    synthetic.gaussian_noise,
    synthetic.laplace_noise,
    synthetic.direction_only,
    synthetic.negative_binomial_counts,
    synthetic.unit_interval,
    synthetic.binary,
]


@pytest.mark.parametrize("generator", GENERATORS)
def test_seeded_labelled_and_shaped(generator):
    one, same, other = generator(samples=50, features=8), generator(samples=50, features=8), generator(50, 8, seed=1)
    assert one.shape == (50, 8)
    assert one.content_hash == same.content_hash != other.content_hash
    assert one.labels is not None
    assert 2 <= len(set(one.labels)) <= synthetic.CLASSES


@pytest.mark.parametrize(
    ("generator", "right", "wrong"),
    [(synthetic.gaussian_noise, "norm", "laplace"), (synthetic.laplace_noise, "laplace", "norm")],
)
@pytest.mark.parametrize("noise", [0.2, 1.0])
def test_noise_has_its_shape_and_size(generator, right, wrong, noise):
    # the part outside the signal's row space is noise alone: with few samples of a wide matrix, take it as the
    # difference from the same signal without noise
    clean = generator(400, 40, noise=0.0, seed=5).values.astype(np.float64)
    drawn = (generator(400, 40, noise=noise, seed=5).values - clean).ravel()
    assert np.linalg.matrix_rank(clean, tol=1e-2) == 4
    assert clean.std() == pytest.approx(1, rel=1e-3)
    assert drawn.std() == pytest.approx(noise, rel=0.03)
    distance = {
        name: scipy.stats.kstest(drawn, name, getattr(scipy.stats, name).fit(drawn)).statistic
        for name in (right, wrong)
    }
    assert distance[right] < 0.015 < 0.03 < distance[wrong]


def test_directions_are_low_rank_and_magnitudes_tell_nothing():
    profiles = synthetic.direction_only(400, 30, rank=3, noise=0.0)
    values = profiles.values.astype(np.float64)
    magnitude = np.linalg.norm(values, axis=1)
    direction = values / magnitude[:, None]
    assert np.linalg.matrix_rank(direction, tol=1e-3) == 3
    assert np.log(magnitude).std() == pytest.approx(1.5, rel=0.15)
    assert np.abs(np.corrcoef(np.log(magnitude), direction.T)[0, 1:]).max() < 0.2
    assert np.allclose(values.std(axis=0), 1, atol=1e-5)


def test_counts_have_the_variance_and_libraries_they_promise():
    means, variances = [], []
    draws = np.stack(
        [synthetic.negative_binomial_counts(60, 12, dispersion=2.0, seed=seed).values for seed in range(3)]
    )
    assert np.array_equal(draws, draws.round())
    profiles = synthetic.negative_binomial_counts(4000, 12, rank=1, depth=30, dispersion=2.0)
    sizes = synthetic.library_sizes(4000, 12, 30)
    seen = profiles.values.sum(axis=1) / sizes
    assert seen.mean() == pytest.approx(1, abs=0.03)
    for name in sorted(set(profiles.labels)):
        picked = profiles.values[profiles.labels == name]
        means.append(picked.mean())
        variances.append(picked.var())
    assert np.all(np.array(variances) > np.array(means) * (1 + np.array(means) / 2))  # at least mean + mean^2 / 2
    assert np.corrcoef(np.log(sizes), np.log(profiles.values.sum(axis=1)))[0, 1] > 0.7


def test_unit_interval_and_binary_stay_there():
    unit, binary = synthetic.unit_interval().values, synthetic.binary().values
    assert 0 <= unit.min() < 0.1 < 0.9 < unit.max() <= 1
    assert set(np.unique(binary)) == {0.0, 1.0}
    assert 0.4 < binary.mean() < 0.6
