"""Floor 3: from held-out evidence to yardsticks; importing this package fills the catalogues."""

# The order of these imports is the order of the yardsticks.
# isort: off
from losslens.measure import reconstruction
from losslens.measure import representation
from losslens.measure import directions
from losslens.measure import generative

# isort: on
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
    "directions",
    "evaluate",
    "generative",
    "metric",
    "reconstruction",
    "representation",
]
