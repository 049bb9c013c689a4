"""Errors that teach, and the sets that numbers lie in."""

from __future__ import annotations

import math
import pickle
import subprocess
import sys

import pytest

from losslens.vocabulary.errors import BadInput, Interrupted, LosslensError, UnknownName, unknown
from losslens.vocabulary.quantities import Domain, Interval, Range

EXAMPLES = {
    Domain.REAL: {-1.5, 0.0, 1.0, 7.0},
    Domain.NON_NEGATIVE: {0.0, 0.5, 1.0, 7.25},
    Domain.UNIT: {0.0, 0.5, 1.0},
    Domain.BINARY: {0.0, 1.0},
    Domain.POSITIVE: {0.5, 1.0, 7.25, 2.0**-1000},
    Domain.OPEN_UNIT: {0.5, 2.0**-1000, 1.0 - 2.0**-53},
    Domain.COUNTS: {0.0, 1.0, 7.0},
    Domain.SIGNS: {-1.0, 1.0},
    Domain.LABELS: {0.0, 1.0, 7.0},
    Domain.LOG_PROBABILITIES: {-7.5, -1e300, 0.0},
}
MEMBER = {
    Domain.REAL: math.isfinite,
    Domain.NON_NEGATIVE: lambda x: x >= 0,
    Domain.UNIT: lambda x: 0 <= x <= 1,
    Domain.BINARY: lambda x: x in (0, 1),
    Domain.POSITIVE: lambda x: x > 0,
    Domain.OPEN_UNIT: lambda x: 0 < x < 1,
    Domain.COUNTS: lambda x: x >= 0 and x == int(x),
    Domain.SIGNS: lambda x: x in (-1, 1),
    Domain.LABELS: lambda x: x >= 0 and x == int(x),
    Domain.LOG_PROBABILITIES: lambda x: math.isfinite(x) and x <= 0,
}


def test_bad_input_says_what_was_expected_found_and_to_do():
    error = BadInput(expected="a code size of at least 1", found="0", remedy="Use --code 32.")
    assert str(error) == "expected a code size of at least 1, found 0. Use --code 32."
    assert str(BadInput(expected="rows", found="none")) == "expected rows, found none."
    assert isinstance(error, ValueError)
    assert isinstance(error, LosslensError)


@pytest.mark.parametrize("error", [BadInput(expected="a", found="b", remedy="c"), unknown("loss", "mze", ["mse"])])
def test_errors_survive_the_way_back_from_a_worker(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert (again.expected, again.found, again.remedy) == (error.expected, error.found, error.remedy)


def test_unknown_name_suggests_the_nearest_whatever_its_case():
    assert unknown("column", "celltype", ["batch", "Cell_Type"]).remedy == "Did you mean 'Cell_Type'?"
    assert unknown("loss", "xyzzy", ["mse", "mae"]).remedy == ""


def test_unknown_name_reads_as_a_sentence_and_catches_as_a_key_error():
    error = unknown("activation", "rellu", ["relu", "elu"])
    assert str(error) == "expected an activation among: relu, elu, found 'rellu'. Did you mean 'relu'?"
    assert isinstance(error, KeyError)
    assert isinstance(error, UnknownName)


def test_unknown_name_lists_only_so_many():
    message = str(unknown("column", "ENSG5", [f"gene{i}" for i in range(5000)]))
    assert "gene39 and 4960 more" in message
    assert len(message) < 500


def test_unknown_name_need_not_be_text():
    assert unknown("loss", 3, ["mse"]).found == "3"


def test_interruption_is_no_mistake_of_the_input():
    assert issubclass(Interrupted, LosslensError)
    assert not issubclass(Interrupted, BadInput)


@pytest.mark.parametrize(("outer", "inner", "inside"), [
    (Interval(), Interval(-1.0, 5.0), True),
    (Interval(0.0), Interval(0.0), True),
    (Interval(0.0), Interval(), False),
    (Interval(-1.0, 1.0), Interval(0.0, 1.0), True),
    (Interval(0.0, 1.0), Interval(-1.0, 1.0), False),
])  # fmt: skip
def test_interval_contains(outer, inner, inside):
    assert outer.contains(inner) is inside


def test_interval_reads_as_mathematics():
    assert [str(i) for i in (Interval(), Interval(0.0), Interval(-1.0, 1.0))] == ["(-inf, inf)", "[0, inf)", "[-1, 1]"]


def test_range_holds_its_ends_and_no_nan():
    values = Range(1e-2, 1e2)
    assert 1e-2 in values
    assert 1e2 in values
    assert 1.01e2 not in values
    assert math.nan not in values
    assert str(values) == "[0.01, 100]"


@pytest.mark.parametrize("outer", Domain)
@pytest.mark.parametrize("inner", Domain)
def test_domain_accepts_exactly_its_subsets(outer, inner):
    assert outer.accepts(inner) == all(MEMBER[outer](value) for value in EXAMPLES[inner])


@pytest.mark.parametrize("domain", Domain)
def test_domain_lies_in_its_interval_and_no_smaller_one(domain):
    assert all(domain.interval.low <= value <= domain.interval.high for value in EXAMPLES[domain])
    least, most = min(EXAMPLES[domain]), max(EXAMPLES[domain])
    assert math.isinf(domain.interval.low) or domain.interval.low == pytest.approx(least, abs=1e-15)
    assert math.isinf(domain.interval.high) or domain.interval.high == pytest.approx(most, abs=1e-15)
    assert domain.open == (bool(not MEMBER[domain](domain.interval.low)) and math.isfinite(domain.interval.low))
    assert MEMBER[domain](1e9) == math.isinf(domain.interval.high)
    assert MEMBER[domain](-1e9) == math.isinf(domain.interval.low)


def test_the_vocabulary_needs_no_torch():
    code = (
        "import sys, losslens.vocabulary.catalogue, losslens.vocabulary.errors, losslens.vocabulary.quantities;"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
