"""Synthetic data with known truth: the loss that fits them is known by construction.

Every generator draws profiles from a low-rank signal with four classes; the same arguments give the same data.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from losslens.data.checks import validate
from losslens.data.columns import numbered
from losslens.data.profiles import Profiles

Doubles = npt.NDArray[np.float64]
CLASSES = 4


def gaussian_noise(
    samples: int = 300, features: int = 30, rank: int = 4, noise: float = 0.5, seed: int = 0
) -> Profiles:
    """A low-rank signal of unit variance plus Gaussian noise: squared error is the right loss."""
    random = np.random.default_rng(seed)
    signal, labels = _signal(random, samples, features, rank)
    return _profiles(signal + noise * random.standard_normal(signal.shape), labels, "gaussian noise", "real")


def laplace_noise(samples: int = 300, features: int = 30, rank: int = 4, noise: float = 0.5, seed: int = 0) -> Profiles:
    """A low-rank signal of unit variance plus Laplace noise of that standard deviation: absolute error is right."""
    random = np.random.default_rng(seed)
    signal, labels = _signal(random, samples, features, rank)
    drawn = random.laplace(scale=noise / np.sqrt(2), size=signal.shape)
    return _profiles(signal + drawn, labels, "laplace noise", "real")


def direction_only(
    samples: int = 300,
    features: int = 30,
    rank: int = 4,
    noise: float = 0.02,
    spread: float = 1.5,
    seed: int = 0,
) -> Profiles:
    """Unit directions from a low-rank mixture, times a log-normal magnitude that means nothing: cosine is right.

    ``spread`` is the standard deviation of the logarithm of the magnitude, ``noise`` that of a coordinate of the
    direction. Features have mean 0 (in expectation) and standard deviation 1, so that nothing has to be subtracted.
    """
    random = np.random.default_rng(seed)
    signal, labels = _signal(random, samples, features, rank)
    direction = signal / np.linalg.norm(signal, axis=1, keepdims=True) + noise * random.standard_normal(signal.shape)
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    profiles = np.exp(spread * random.standard_normal((samples, 1))) * direction
    return _profiles(profiles / profiles.std(axis=0), labels, "direction only", "z-scored")


def negative_binomial_counts(
    samples: int = 300,
    features: int = 30,
    rank: int = 4,
    depth: float = 20.0,
    dispersion: float = 2.0,
    seed: int = 0,
) -> Profiles:
    """Negative-binomial counts around a low-rank composition, with library sizes known by :func:`library_sizes`.

    ``depth`` is the mean count of a feature in a typical profile; the variance is mean + mean^2 / ``dispersion``.
    """
    random = np.random.default_rng(seed)
    signal, labels = _signal(random, samples, features, rank)
    composition = np.exp(signal)
    composition /= composition.sum(axis=1, keepdims=True)
    mean = library_sizes(samples, features, depth, seed)[:, None] * composition
    counts = random.poisson(mean * random.gamma(dispersion, 1 / dispersion, size=mean.shape))
    return _profiles(counts, labels, "negative binomial counts", "raw counts")


def library_sizes(samples: int = 300, features: int = 30, depth: float = 20.0, seed: int = 0) -> Doubles:
    """The expected total of every profile that :func:`negative_binomial_counts` draws from: log-normal."""
    random = np.random.default_rng([seed, 1])
    return depth * features * np.exp(0.5 * random.standard_normal(samples))


def unit_interval(
    samples: int = 300, features: int = 30, rank: int = 4, concentration: float = 5.0, seed: int = 0
) -> Profiles:
    """Beta-distributed values around a low-rank mean in (0, 1); the larger ``concentration``, the less noise."""
    random = np.random.default_rng(seed)
    signal, labels = _signal(random, samples, features, rank)
    mean = np.clip(_sigmoid(2 * signal), 0.01, 0.99)
    drawn = random.beta(concentration * mean, concentration * (1 - mean))
    return _profiles(drawn, labels, "unit interval", "[0, 1]")


def binary(samples: int = 300, features: int = 30, rank: int = 4, contrast: float = 3.0, seed: int = 0) -> Profiles:
    """Zeros and ones whose log-odds are ``contrast`` times a low-rank signal: cross-entropy is the right loss."""
    random = np.random.default_rng(seed)
    signal, labels = _signal(random, samples, features, rank)
    drawn = random.random(signal.shape) < _sigmoid(contrast * signal)
    return _profiles(drawn.astype(np.float32), labels, "binary", "binary")


def _signal(
    random: np.random.Generator, samples: int, features: int, rank: int
) -> tuple[Doubles, npt.NDArray[np.str_]]:
    """A signal (samples, features) of the given rank, mean 0 and unit variance, and the classes of its factors."""
    classes = random.integers(CLASSES, size=samples)
    half = random.standard_normal((CLASSES // 2, rank))
    centres = np.concatenate([half, -half])
    factors = centres[classes] + 0.7 * random.standard_normal((samples, rank))
    signal = factors @ random.standard_normal((rank, features))
    return signal / signal.std(), np.array([f"class {number}" for number in classes])


def _sigmoid(x: Doubles) -> Doubles:
    return 1 / (1 + np.exp(-x))


def _profiles(values: npt.NDArray[np.generic], labels: npt.NDArray[np.str_], name: str, kind: str) -> Profiles:
    rows, columns = values.shape
    return validate(
        Profiles(
            values=values,
            features=numbered("feature ", columns),
            samples=numbered("sample ", rows),
            name=name,
            source=f"synthetic: {name}",
            labels=labels,
            declared=kind,
        )
    )
