"""From trial results to the rows of the table, judged."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from losslens.measure.metrics import METRICS
from losslens.models.catalogue import MODELS
from losslens.models.methods import METHODS
from losslens.report.decision import Decision, decide, difference
from losslens.report.document import Course, Curve, Difference, Measurement, Row
from losslens.report.findings import gather
from losslens.report.statistics import Interval
from losslens.run.spec import TrialResult

K = TypeVar("K")
Results = Mapping[str, Mapping[int, TrialResult]]  # row key -> repeat -> result

BASELINE_TITLES = {
    "mean_profile": "the mean profile",
    "zeros": "zeros",
    "pca": "PCA of the same code size",
    "raw_features": "the raw features",
    "random_encoder": "an untrained encoder",
}


@dataclass(frozen=True)
class Contest:
    """What decides: the yardstick, the candidates from the simplest up, the share of test to training samples.

    ``size`` is the code size of those that are judged, where several are compared.
    """

    yardstick: str
    simplest_first: Sequence[str]
    test_share: float
    size: int | None = None

    @property
    def sign(self) -> float:
        """1 where higher is better, else -1."""
        return 1.0 if METRICS[self.yardstick].higher_is_better else -1.0


def scores(results: Mapping[int, TrialResult], yardstick: str) -> dict[int, float]:
    """The finite scores by repeat."""
    found = {repeat: result.metrics.get(yardstick) for repeat, result in results.items() if result.status == "ok"}
    return {repeat: value for repeat, value in found.items() if value is not None and math.isfinite(value)}


def judge(results: Results, contest: Contest) -> Decision | None:
    """The decision among the candidates that finished every repeat that others finished."""
    return decide(
        steady({key: results[key] for key in contest.simplest_first if key in results}, contest),
        higher_is_better=contest.sign > 0,
        test_share=contest.test_share,
        simplest_first=contest.simplest_first,
    )


def steady(results: Mapping[K, Mapping[int, TrialResult]], contest: Contest) -> dict[K, dict[int, float]]:
    """The scores of all that never diverged and have more than half of the repeats that others have."""
    own = {key: scores(each, contest.yardstick) for key, each in results.items()}
    most = max((len(s) for s in own.values()), default=0)
    return {key: s for key, s in own.items() if s and not _failed(results[key]) and 2 * len(s) > most}


def rows(results: Results, contest: Contest, decision: Decision | None) -> list[Row]:
    """All rows, best first by the deciding yardstick; those without a score last."""
    made = [_row(key, own, results, contest, decision) for key, own in results.items() if own]

    def rank(row: Row) -> tuple[bool, float]:
        measured = row.measurements.get(contest.yardstick)
        mean = None if measured is None or row.verdict == "diverged" else measured.mean
        return (mean is None, -contest.sign * (mean or 0.0))

    return sorted(made, key=rank)


def _row(
    key: str, own: Mapping[int, TrialResult], results: Results, contest: Contest, decision: Decision | None
) -> Row:
    ordered = [own[repeat] for repeat in sorted(own)]
    spec = ordered[0].spec
    best = [result.best for result in ordered]
    return Row(
        key=key,
        title=title(key),
        role="baseline" if spec.is_baseline else "candidate",
        loss="" if spec.objective is None else spec.objective.loss,
        link="" if spec.objective is None else spec.objective.link,
        model=spec.method.name if spec.method else spec.model.kind,
        verdict=_verdict(key, own, contest, decision),
        note=_note(own, contest),
        measurements=_measurements(ordered),
        difference=_difference(key, results, contest, decision),
        repeats=sorted(own),
        learning_rates=[fit.lr for fit in best if fit],
        epochs=[fit.best_epoch for fit in best if fit],
        parameters=ordered[0].parameters,
        seconds=float(np.mean([result.seconds for result in ordered])),
        trials=[result.spec.id for result in ordered],
        curves=[_curve(result.spec.split.repeat, fit) for result in ordered for fit in result.fits],
        findings=gather(ordered),
        courses=[
            Course(repeat=result.spec.split.repeat, readings={name: list(v) for name, v in result.course.items()})
            for result in ordered
            if result.course
        ],
    )


def title(key: str) -> str:
    """How a row is called in tables and sentences.

    >>> title("mse+softplus"), title("mse@pca_path/16"), title("simclr/cut=3/wd=0.0005")
    ('mse with softplus output', 'mse with PCA path, code 16', 'SimCLR, cut 3, weight decay 0.0005')
    """
    key, size = parted(key)
    if size is not None:
        return f"{'PCA' if key == 'pca' else title(key)}, code {size}"
    if key in BASELINE_TITLES:
        return BASELINE_TITLES[key]
    if "/cut=" in key:
        method, cut, decay = key.split("/")
        return f"{METHODS[method].title}, cut {cut.removeprefix('cut=')}, weight decay {decay.removeprefix('wd=')}"
    pair, _, model = key.partition("@")
    loss, _, link = pair.partition("+")
    called = MODELS[model].called if model else ""
    joint = "" if not called else " " if called.startswith("with") else ", "
    return loss + (f" with {link} output" if link else "") + joint + called


def called(key: str) -> str:
    """The title of a row where all have one code size.

    >>> called("mse@pca_path/16"), called("pca/16")
    ('mse with PCA path', 'PCA of the same code size')
    """
    return title(parted(key)[0])


def parted(key: str) -> tuple[str, int | None]:
    """A row's key without the code size, and the size where several are compared.

    >>> parted("mse@pca_path/16"), parted("mse")
    (('mse@pca_path', 16), ('mse', None))
    """
    base, _, size = key.rpartition("/")
    return (base, int(size)) if base and size.isdecimal() else (key, None)


def _failed(own: Mapping[int, TrialResult]) -> list[TrialResult]:
    return [result for result in own.values() if result.status == "diverged"]


def _verdict(key: str, own: Mapping[int, TrialResult], contest: Contest, decision: Decision | None) -> str:
    if _elsewhere(key, contest):
        return "other size"
    if next(iter(own.values())).spec.is_baseline:
        return "baseline"
    if _failed(own):
        return "diverged"
    if decision is None or key not in decision.judged:
        return "not judged"
    if key == decision.recommended:
        return "recommended"
    if len(own) < 2:
        return "not judged"
    return "worse" if decision.judged[key].verdict == "worse" else "tied"


def _elsewhere(key: str, contest: Contest) -> bool:
    """Whether a row has another code size than those that are judged."""
    return parted(key)[1] not in (None, contest.size)


def _note(own: Mapping[int, TrialResult], contest: Contest) -> str:
    failed = _failed(own)
    if failed:
        return f"Diverged in {len(failed)} of {len(own)} repeats: {failed[0].cause}."
    if not scores(own, contest.yardstick):
        return f"{METRICS[contest.yardstick].title} is not defined for it."
    certain = len(own) > 1 or next(iter(own.values())).spec.is_baseline
    return "" if certain else "One split cannot tell it apart from the others."


def _measurements(ordered: Sequence[TrialResult]) -> dict[str, Measurement]:
    found = {name: [result.metrics.get(name) for result in ordered] for name in METRICS}
    return {name: _measurement(values) for name, values in found.items() if any(v is not None for v in values)}


def _measurement(values: list[float | None]) -> Measurement:
    known = [value for value in values if value is not None]
    spread = float(np.std(known, ddof=1)) if len(known) > 1 else None
    return Measurement(mean=float(np.mean(known)), sd=spread, values=values)


def _difference(key: str, results: Results, contest: Contest, decision: Decision | None) -> Difference | None:
    if decision is None or key == decision.best or _elsewhere(key, contest):
        return None
    judged = decision.judged.get(key)
    if judged:
        return describe(decision.best, judged.difference, judged.p_holm)
    own = scores(results[key], contest.yardstick)
    if not own:
        return None
    interval = difference(scores(results[decision.best], contest.yardstick), own, contest.test_share, contest.sign)
    return describe(decision.best, interval, interval.p)


def describe(versus: str, interval: Interval, p_holm: float) -> Difference | None:
    """An interval as the report holds it; None where too few repeats leave it unbounded."""
    if not math.isfinite(interval.low):
        return None
    return Difference(
        versus=versus,
        mean=interval.mean,
        low=interval.low,
        high=interval.high,
        p=interval.p,
        p_holm=p_holm,
        repeats=interval.repeats,
    )


def _curve(repeat: int, fit: object) -> Curve:
    from losslens.run.spec import Fit

    assert isinstance(fit, Fit)
    return Curve(
        repeat=repeat,
        lr=fit.lr,
        train=list(fit.train),
        valid=list(fit.valid),
        best_epoch=fit.best_epoch,
        chosen=fit.chosen,
    )
