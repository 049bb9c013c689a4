"""The report as plain frozen data: what results.json holds, and what HTML, terminal and notebook are drawn from.

Every time in it is in a field named ``seconds`` or ``written``; without those, two runs of one
command under one seed on one machine give the same document.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from losslens.report.findings import RowFinding
from losslens.report.parts import Number, Part

SCHEMA_VERSION = 1


class Fact(Part):
    """One thing the gate saw."""

    name: str
    value: str = Field(description="formatted, with unit")
    note: str = Field("", description="what follows from it; empty if nothing does")


class Dataset(Part):
    """What was compared on."""

    name: str
    source: str
    samples: int
    features: int
    classes: dict[str, int] = Field({}, description="label -> number of samples; empty without labels")
    groups: int | None = Field(None, description="number of groups kept together in splits")
    kind: str
    reason: str = Field(description="why the gate calls it that")
    facts: list[Fact]
    remarks: list[str] = Field(description="what the reader detected, dropped or converted")
    transform: str = Field(description="preprocessing, fitted on the training part only")
    space: str = Field(description="the space in which every yardstick is computed")
    content_hash: str


class Yardstick(Part):
    """A measure that all rows share."""

    name: str
    title: str
    unit: str
    higher_is_better: bool | None = Field(
        description="None where neither is better (seconds are lower-better, norm ratio is best at 1)"
    )
    explanation: str


class Goal(Part):
    """What decides."""

    name: Literal["direction", "magnitude", "likelihood", "code"]
    yardstick: str
    reason: str
    inferred: bool


class Measurement(Part):
    """One yardstick of one row: raw values by repeat, in the order of ``repeats``, and their mean."""

    mean: Number
    sd: Number = Field(description="standard deviation over repeats; None with fewer than two")
    values: list[Number]


class Difference(Part):
    """Paired over the splits: the better one minus this row, in the yardstick's unit, positive = this row is worse."""

    versus: str = Field(description="key of the row it is compared with")
    mean: float
    low: float = Field(description="lower end of the 95 % corrected resampled t interval")
    high: float
    p: float = Field(description="two-sided p value of the corrected resampled t test, before Holm")
    p_holm: float = Field(description="after Holm's correction over the candidates")
    repeats: int


class Curve(Part):
    """One training: the candidate's own loss by epoch."""

    repeat: int
    lr: float
    train: list[Number] = Field(description="mean over each epoch; begins with epoch 1 if one shorter than valid")
    valid: list[Number] = Field(description="after each epoch; the first is before training")
    best_epoch: int
    chosen: bool = Field(description="whether this learning rate won on the validation part")


class Course(Part):
    """What was read of one training of a self-supervised method, by epoch; the first is before training."""

    repeat: int
    readings: dict[str, list[Number]] = Field(
        description="loss, mean norm of embeddings, mean cosine of positive pairs, spread and effective rank of "
        "normalised embeddings, kNN accuracy on the validation part; None in epochs that were not read"
    )


class Row(Part):
    """One line of the table: a candidate or a baseline."""

    key: str = Field(description="e.g. 'mse', 'mse+softplus', 'mse@pca_path', 'pca'; 'mse/16' where sizes are compared")
    title: str
    role: Literal["candidate", "baseline"]
    loss: str = ""
    link: str = Field("", description="output activation")
    model: str
    verdict: Literal["recommended", "tied", "worse", "baseline", "diverged", "not judged", "other size"]
    note: str = Field("", description="one sentence where there is something to say: why diverged, why not judged")
    measurements: dict[str, Measurement] = Field(description="yardstick name -> measurement; missing where undefined")
    difference: Difference | None = None
    repeats: list[int] = Field(description="which repeats finished")
    learning_rates: list[float] = Field([], description="the chosen one of each repeat")
    epochs: list[int] = []
    parameters: int = 0
    seconds: float = Field(0.0, description="training time, mean over repeats")
    trials: list[str] = Field(description="trial ids, one folder each")
    curves: list[Curve] = []
    findings: list[RowFinding] = Field([], description="what was seen inside its trainings, the most pressing first")
    courses: list[Course] = Field([], description="of self-supervised methods")

    def mean(self, yardstick: str) -> float | None:
        """The mean over repeats of a yardstick by name; None where it is undefined."""
        return self.measurements[yardstick].mean if yardstick in self.measurements else None


class SizePoint(Part):
    """One code size of a candidate or of PCA."""

    size: int
    row: str = Field(description="key of the row that holds everything else about it")
    mean: float = Field(description="in the yardstick of the sweep")
    low: float | None = Field(
        description="lower end of the 95 % interval of the difference to the best size, paired by split, put around "
        "that size's mean; None with fewer than two repeats"
    )
    high: float | None


class SizeCurve(Part):
    """What one candidate, or PCA, makes of longer and longer codes."""

    key: str = Field(description="row key without the size, e.g. 'mse@pca_path'")
    title: str
    role: Literal["candidate", "baseline"]
    points: list[SizePoint] = Field(description="the shortest code first")
    knee: int | None = Field(
        description="the smallest size that is not worse than the best one by more than one standard error of the "
        "paired difference; None with fewer than two repeats"
    )
    low: int | None = Field(description="lower end of the knee's 95 % interval, from resampled splits")
    high: int | None


class Sweep(Part):
    """Code sizes compared: the size at which losses are judged, and where more stops paying."""

    yardstick: str = Field(description="what judges sizes; a reconstruction alone only gets closer with longer codes")
    sizes: list[int]
    chosen: int = Field(description="the size at which losses are compared: the knee of the leader")
    leader: str = Field(description="key, without the size, of the candidate with the best score at any size")
    curves: list[SizeCurve] = Field(description="the leader first, then by best score; PCA last")

    def curve(self, key: str) -> SizeCurve | None:
        """The curve of a candidate, if it has one."""
        return next((curve for curve in self.curves if curve.key == key), None)


class PredictiveCheck(Part):
    """What a model of counts expects beside what the held-out part of repeat 0 shows: a posterior predictive check.

    Features and profiles are evenly spaced ones in the order of their mean count or share of zeros.
    """

    row: str
    features: int = Field(description="how many features there are; the lists may hold fewer")
    profiles: int
    zeros_seen: list[Number] = Field(description="share of zeros by feature")
    zeros_expected: list[Number]
    mean_seen: list[Number] = Field(description="mean count by feature")
    variance_seen: list[Number] = Field(description="variance over profiles by feature")
    variance_expected: list[Number]
    row_zeros_seen: list[Number] = Field(description="share of zeros by profile")
    row_zeros_expected: list[Number]
    verdict: str = Field(description="one sentence")


class Divergence(Part):
    """What holds the posterior of a variational row to its prior, and what came of it."""

    row: str
    kl_weight: Number = Field(
        description="weight of a nat of divergence beside half the squared error (beside a nat, for data that are not "
        "real numbers): 1 is an evidence lower bound; None where the loss has no such scale"
    )
    active: Number = Field(description="active units, mean over repeats")
    code: int
    verdict: Literal["near one", "weak", "strong", "no common scale"]
    collapsed: bool = Field(description="whether fewer than half of the code units are active")


class Refusal(Part):
    """A pair of loss and output activation that does not fit the data."""

    candidate: str
    reason: str


class Example(Part):
    """One held-out profile beside its reconstructions, in the working space."""

    sample: str
    label: str | None
    features: list[str] = Field(description="the features shown: those that vary most")
    target: list[float]
    reconstructions: dict[str, list[Number]] = Field(description="row key -> values")


class Picture(Part):
    """A 2-D picture of the held-out codes of one row in repeat 0 (t-SNE of the code)."""

    row: str
    x: list[Number]
    y: list[Number]


class Setting(Part):
    """One line of 'how it was done'."""

    name: str
    value: str


class Document(Part):
    """Everything a report says."""

    schema_version: int = SCHEMA_VERSION
    losslens: str = Field(description="version that wrote it")
    title: str
    sentence: str = Field(description="the answer in one plain sentence")
    advice: list[str] = Field(description="what to try next, cautions")
    code: str = Field(description="the line of PyTorch to paste")
    recommended: str | None = Field(description="key of the recommended row")
    dataset: Dataset
    goal: Goal
    yardsticks: list[Yardstick]
    rows: list[Row] = Field(description="best first by the deciding yardstick, baselines among them")
    sweep: Sweep | None = Field(None, description="None where one code size was asked for")
    checks: list[PredictiveCheck] = Field([], description="of rows that model counts, at the size that is judged")
    divergences: list[Divergence] = Field([], description="of variational rows")
    refused: list[Refusal]
    not_run: list[str] = Field(description="what the budget did not allow or the user stopped, a sentence each")
    examples: list[Example] = Field(description="at the size that is judged, as the pictures are")
    pictures: list[Picture]
    picture_labels: list[str] | None = Field(description="label of each point of the pictures")
    settings: list[Setting]
    versions: dict[str, str]
    seconds: float = Field(description="wall time of the whole comparison, this session")
    written: str = Field(description="local time, ISO 8601")

    def row(self, key: str) -> Row:
        """The row with this key."""
        return next(row for row in self.rows if row.key == key)


def schema() -> dict[str, Any]:
    """The JSON schema of results.json.

    >>> schema()["title"]
    'Document'
    """
    return Document.model_json_schema(mode="serialization")
