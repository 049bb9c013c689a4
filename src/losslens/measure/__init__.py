"""Floor 3: from held-out evidence to yardsticks; importing this package fills the catalogues."""

from losslens.measure import reconstruction, representation
from losslens.measure.evidence import Evidence, Measure
from losslens.measure.goals import GOALS, Goal
from losslens.measure.metrics import METRICS, Metric, evaluate, metric

__all__ = [
    "GOALS",
    "METRICS",
    "Evidence",
    "Goal",
    "Measure",
    "Metric",
    "evaluate",
    "metric",
    "reconstruction",
    "representation",
]
