"""The gate: each kind of data is recognised, and every figure equals one computed another way."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp
import scipy.stats

from losslens.data import gate, moments, synthetic
from losslens.data.gate import look
from losslens.data.kinds import KINDS
from losslens.data.readers import read
from losslens.data.transforms import TRANSFORMS, fit_transform_named
from losslens.vocabulary.errors import BadInput, UnknownName
from losslens.vocabulary.quantities import Domain

RANDOM = np.random.default_rng(7)


@pytest.fixture(scope="module")
def pancreas():
    return read("pancreas")


def per_million(profiles):
    counts = profiles.values.toarray().astype(np.float64)
    return counts * 1e6 / counts.sum(axis=1, keepdims=True)


def kind_of(values):
    return look(read(values)).kind.name


def test_counts_and_what_is_made_of_them(pancreas):
    assert look(pancreas).kind.name == "raw counts"
    logged = fit_transform_named("library_log", pancreas.values).apply(pancreas.values)
    millions = per_million(pancreas)
    assert kind_of(logged) == "log-normalised"
    assert kind_of(logged / np.float32(np.log(2))) == "log-normalised"
    assert kind_of(logged[:, :300]) == "log-normalised"  # features left out: sums differ
    assert kind_of(millions) == "TPM-like"
    assert kind_of(millions[:, :300]) == "TPM-like"
    assert kind_of(np.log1p(millions)) == "log-normalised"
    dense = logged.toarray()
    scores = (dense - dense.mean(axis=0)) / dense.std(axis=0)
    assert kind_of(scores) == "z-scored"
    assert kind_of(scores.clip(max=10)) == "z-scored"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("load_breast_cancer", "non-negative"), ("load_wine", "non-negative"), ("load_iris", "non-negative"),
     ("load_diabetes", "real"), ("load_digits", "bounded integers")],
)  # fmt: skip
def test_sets_of_scikit_learn(name, kind):
    import sklearn.datasets

    values = getattr(sklearn.datasets, name)().data
    assert kind_of(values) == kind
    assert (
        kind_of((values - values.mean(axis=0)) / np.where(values.std(axis=0) > 0, values.std(axis=0), 1)) == "z-scored"
    )


def test_digits_are_declared_and_detected_alike():
    digits = read("digits")
    assert look(digits).declared
    assert look(digits).kind.name == look(replace(digits, declared=None)).kind.name == "[0, 1]"


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("raw counts", RANDOM.poisson(0.2, (300, 30))),
        ("raw counts", RANDOM.poisson(5, (300, 30))),
        ("raw counts", RANDOM.poisson(50, (300, 30))),
        ("raw counts", RANDOM.negative_binomial(0.5, 0.1, (300, 30))),
        ("raw counts", RANDOM.negative_binomial(2, 2 / (2 + np.exp(RANDOM.normal(6, 2, (1, 500)))), (28, 500))),
        ("bounded integers", np.clip(RANDOM.normal(110, 45, (100, 64)), 2, 241).astype(np.uint8)),
        ("bounded integers", np.clip(RANDOM.normal(50, 150, (100, 64)), 0, 255).astype(np.uint8)),
        ("bounded integers", RANDOM.integers(1, 6, (200, 20))),
        ("[0, 1]", RANDOM.beta(0.5, 0.5, (100, 20))),
        ("binary", RANDOM.random((100, 20)) < 0.1),
        ("non-negative", RANDOM.normal(4000, 800, (200, 40)).clip(955, 9604).round()),
        ("non-negative", RANDOM.normal(4000, 800, (200, 40)).clip(955, 9604)),
        ("non-negative", RANDOM.gamma(3, 2, (200, 40))),
        ("non-negative", RANDOM.binomial(20, 0.6, (200, 40))),
        ("real", RANDOM.standard_normal((200, 30)) * RANDOM.uniform(0.1, 50, 30)),
        ("real", RANDOM.standard_normal((200, 30)) + 3),
        ("z-scored", RANDOM.standard_normal((400, 30))),
    ],
)  # fmt: skip
@pytest.mark.parametrize("convert", [np.asarray, sp.csr_matrix])
def test_synthetic_kinds(kind, values, convert):
    assert kind_of(convert(values)) == kind


@pytest.mark.parametrize(
    "generator",
    [synthetic.gaussian_noise, synthetic.laplace_noise, synthetic.direction_only,
     synthetic.negative_binomial_counts, synthetic.unit_interval, synthetic.binary],
)  # fmt: skip
@pytest.mark.parametrize("seed", range(10))
def test_what_generators_declare_is_what_is_detected(generator, seed):
    profiles = generator(samples=3000 if generator is synthetic.direction_only else 300, seed=seed)
    assert look(replace(profiles, declared=None)).kind.name == profiles.declared


@pytest.mark.parametrize("convert", [np.asarray, sp.csr_matrix])
@pytest.mark.parametrize("block", [7, 10**6])
def test_figures_equal_their_definitions(convert, block, monkeypatch):
    random = np.random.default_rng(1)
    monkeypatch.setattr(moments, "BLOCK", block)  # both many blocks and one
    values = random.negative_binomial(1, 0.3, (60, 12)).astype(np.float32)
    values[:, 3], values[:, 5], values[4], values[9] = 0, 2, 0, values[8]
    values[0, 0] = 2.5
    seen = look(read(convert(values)))
    exact = values.astype(np.float64)
    mean, variance = exact.mean(axis=0), exact.var(axis=0)
    varying, expressed = variance > 0, mean > 0
    kurtosis = scipy.stats.kurtosis(exact[:, varying], axis=0)
    ratio = variance[expressed] / mean[expressed]
    assert (seen.samples, seen.features) == (60, 12)
    assert (seen.minimum, seen.maximum) == (0, exact.max())
    assert seen.share_zeros == pytest.approx((exact == 0).mean())
    assert seen.sparse == ((exact == 0).mean() >= 0.3)
    assert seen.share_integers == pytest.approx(719 / 720)
    assert seen.share_integers_nonzero == pytest.approx(1 - 1 / np.count_nonzero(exact))
    assert seen.overdispersion == pytest.approx(np.median(ratio), rel=1e-9)
    assert seen.share_overdispersed == pytest.approx((ratio > 1).mean())
    assert seen.heavy_tails == pytest.approx(np.median(kurtosis), rel=1e-9)
    assert seen.share_heavy_tailed == pytest.approx((kurtosis > 3).mean())
    assert seen.dynamic_range == pytest.approx(np.log10(exact.max() / np.median(exact[exact > 0])))
    assert seen.zero_rows == (~exact.any(axis=1)).sum()
    assert seen.zero_columns == 1
    assert seen.constant_columns == 1 + (exact[:, 5] == exact[0, 5]).all()
    assert seen.duplicates == 60 - len(np.unique(exact, axis=0)) - max(0, int((~exact.any(axis=1)).sum()) - 1)
    assert seen.missing == 0


def test_sparse_and_dense_agree(pancreas):
    sparse, dense = look(pancreas), look(pancreas.with_values(pancreas.values.toarray()))
    for field in ("overdispersion", "heavy_tails", "dynamic_range", "share_zeros", "duplicates", "constant_columns"):
        assert getattr(sparse, field) == pytest.approx(getattr(dense, field), rel=1e-9), field
    assert sparse.reason == dense.reason


def test_sparse_is_never_made_dense(pancreas, monkeypatch):
    def forbidden(*arguments, **options):
        raise AssertionError("made dense")

    monkeypatch.setattr(sp.csr_matrix, "toarray", forbidden)
    monkeypatch.setattr(sp.csr_matrix, "todense", forbidden)
    assert look(pancreas).kind.name == "raw counts"


def test_heavy_tails_and_moments_are_stable_far_from_zero():
    random = np.random.default_rng(1)
    values = (1e4 + random.laplace(size=(4000, 5))).astype(np.float32)
    seen = look(read(values))
    assert seen.heavy_tails == pytest.approx(np.median(scipy.stats.kurtosis(values.astype(np.float64))), rel=1e-6)
    assert look(read(np.c_[random.random(50), np.full(50, 0.1)])).constant_columns == 1


def test_very_large_data_are_sampled_and_say_so(pancreas, monkeypatch):
    monkeypatch.setattr(gate, "LARGEST", 100_000)
    seen, again = look(pancreas), look(pancreas)
    assert seen == again
    assert seen.samples == 1937
    assert seen.maximum == 4318
    assert seen.kind.name == "raw counts"
    assert "drawn at random from 1,937" in seen.remarks[0]
    assert ("note", "", seen.remarks[0]) in seen.facts()


def test_declared_kinds():
    random = np.random.default_rng(1)
    counts = read(random.poisson(2, (50, 10)))
    seen = look(counts, "real")
    assert (seen.kind.name, seen.declared) == ("real", True)
    assert "eclared" in seen.reason
    assert look(counts, "counts").kind is KINDS["raw counts"]
    assert look(replace(counts, declared="real"), "counts").kind.name == "raw counts"
    with pytest.raises(BadInput, match=r"values from 0 to"):
        look(counts, "unit")
    with pytest.raises(BadInput, match="not whole numbers"):
        look(read(random.gamma(1, 2, (50, 10))), "counts")
    with pytest.raises(UnknownName, match="Did you mean 'lognorm'"):
        look(counts, "lognrm")


@pytest.mark.parametrize("name", list(KINDS))
def test_kinds_are_complete_and_consistent(name):
    kind = KINDS[name]
    assert kind.transform in TRANSFORMS
    assert kind.goal in ("direction", "magnitude", "likelihood", "code")
    assert kind.summary.endswith(".")
    assert kind.because.endswith(".")
    assert kind.aliases
    assert kind.counts == (name == "raw counts")
    if kind.transform == "none":
        assert kind.raw is kind.domain


@pytest.mark.parametrize("name", list(KINDS))
def test_transformed_data_lie_in_the_declared_domain(name):
    random = np.random.default_rng(1)
    raw = {
        Domain.COUNTS: random.poisson(3, (40, 6)),
        Domain.UNIT: random.random((40, 6)),
        Domain.BINARY: random.integers(0, 2, (40, 6)),
        Domain.NON_NEGATIVE: random.gamma(1, 2, (40, 6)),
        Domain.REAL: random.standard_normal((40, 6)),
    }[KINDS[name].raw]
    seen = look(read(raw), name)
    working = fit_transform_named(seen.kind.transform, read(raw).values[:20], cap=seen.cap).apply(read(raw).values)
    assert working.min() >= seen.kind.domain.interval.low
    assert working.max() <= seen.kind.domain.interval.high


def test_cap_is_the_limit_of_the_scale():
    random = np.random.default_rng(1)
    assert look(read("digits")).cap == 1
    assert look(read(np.clip(random.normal(110, 45, (100, 64)), 2, 241).astype(np.uint8))).cap == 255
    assert look(read(random.integers(1, 6, (200, 20)))).cap == 5


def test_facts_name_the_consequences():
    random = np.random.default_rng(1)
    values = random.poisson(3, (50, 12)).astype(np.float64)
    values[:, 2], values[:, 4], values[7], values[9] = 0, 3, 0, values[8]
    facts = {name: (value, note) for name, value, note in look(read(values)).facts()}
    assert facts["all-zero columns"][0] == "1"
    assert "add nothing to any loss" in facts["all-zero columns"][1]
    assert facts["duplicate rows"][0] == "1"
    assert "flatters" in facts["duplicate rows"][1]
    assert facts["none of"][0] == "missing values"
    assert all(value and (note or name == "none of") for name, (value, note) in facts.items())
    assert "over-dispersion" not in {name for name, _, _ in look(read(random.standard_normal((20, 5)))).facts()}


@pytest.mark.parametrize("mean", [0.05, 0.3, 1.0, 3.0, 8.0])
@pytest.mark.parametrize("shape", [(40, 10), (300, 30)])
def test_small_counts_are_not_taken_for_a_bounded_scale(mean, shape):
    """Over many draws, as the smallest data can look like anything."""
    found = [kind_of(np.random.default_rng(seed).poisson(mean, shape)) for seed in range(20)]
    usable = [name for name in found if name != "binary"]
    assert usable.count("raw counts") >= 0.9 * len(usable)
