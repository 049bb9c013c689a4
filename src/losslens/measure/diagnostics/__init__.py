"""Diagnostics of a training: readings in, findings out; importing this package fills the catalogue. Needs no torch."""

# The order of these imports is the order of the diagnostics: a wrong rate comes first, as it causes much of the rest.
# isort: off
from losslens.measure.diagnostics import course
from losslens.measure.diagnostics import direction
from losslens.measure.diagnostics import units
from losslens.measure.diagnostics import scale

# isort: on
from losslens.measure.diagnostics.entry import DIAGNOSTICS, DiagnosticEntry, Seen, diagnostic
from losslens.measure.diagnostics.judging import judged, line
from losslens.measure.diagnostics.readings import Reading, Readings, is_read

__all__ = [
    "DIAGNOSTICS",
    "DiagnosticEntry",
    "Reading",
    "Readings",
    "Seen",
    "course",
    "diagnostic",
    "direction",
    "is_read",
    "judged",
    "line",
    "scale",
    "units",
]
