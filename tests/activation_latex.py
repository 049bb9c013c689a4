"""The LaTeX of the activations, read as arithmetic.

Of one number: an expression in ``x`` and the options. Of a row: ``y_i = ...``, with sums that reach to the end of the
expression, or the ``arg min`` of an objective under conditions, and its Jacobian ``dy_i / dx_j = ...``. After a comma
and a space a formula may say what one letter is.
"""

from __future__ import annotations

import re
from itertools import permutations

import mpmath as mp
import numpy as np

MATHEMATICS = {
    "max": max,
    "min": min,
    "log": mp.log,
    "sin": mp.sin,
    "cos": mp.cos,
    "tanh": mp.tanh,
    "sigma": lambda x: 1.0 / (1.0 + mp.exp(-x)),
    "Phi": lambda x: mp.erfc(-x / mp.sqrt(2.0)) / 2.0,
    "phi": lambda x: mp.exp(-x * x / 2.0) / mp.sqrt(2.0 * mp.pi),
}
REWRITTEN = (  # from LaTeX to Python
    (r"\\text\{ (if|else) \}", r" \1 "),
    (r"\\le ", "<= "),
    (r"\\ge ", ">= "),
    (r"\\,", "*"),
    (r"\\\|(.+)\\\|\^2", r"((\1)**2).sum()"),
    (r"\\\{(\w) : (.+)\\\}", r"{\1 for \1 in range(len(x)) if \2}"),
    (r"\|S\|", "len(S)"),
    (r"\|([^|]+)\|", r"abs(\1)"),
    (r"\\delta_\{(\w)(\w)\}", r"(\1 == \2)"),
    (r"\b(\w_\w), (\w_\w) > 0", r"min(\1, \2) > 0"),
    (r"\\sum_(\w) (.+)", r"sum(\2 for \1 in range(len(x)))"),
    (r"\\log (.+)", r"\\log(\1)"),
    (r"\be\^(\w|\{([^{}]+)\})", lambda found: f"mp.exp({found[2] or found[1]})"),
    (r"\b(\w)_(\w)\b", r"\1[\2]"),
    (r"\\(\w+)\^2(\([^()]*\))", r"\\\1\2**2"),
    (r"\\(\w+)", r"MATHEMATICS['\1']"),
    (r"\^", "**"),
)
STEP = mp.mpf("1e-6")
CLOSE = {"rtol": 1e-10, "atol": 1e-12}


def number(latex, **names):
    """What a formula says, with these numbers for its letters."""
    formula, *meaning = re.split(r", \\q?quad (\w) = ", latex)
    if meaning:
        names[meaning[0]] = evaluated(meaning[1], names)
    return float(evaluated(formula, names))


def evaluated(latex, names):
    for pattern, python in REWRITTEN:
        latex = re.sub(pattern, python, latex)
    return eval(latex, {"MATHEMATICS": MATHEMATICS, "mp": mp, **names})


def row_is_told(formula, derivative, x, values, jacobian):
    """Values and slopes of a row are what two formulas say of them."""
    x, y = (np.array([mp.mpf(v) for v in row]) for row in (x, values))
    steps = re.fullmatch(r"\\partial (\w)_i / \\partial x_j = (.+)", derivative)
    shares = re.fullmatch(r"(\w) = \\arg\\min_\{(.+)\} (.+)", formula)
    direct = re.fullmatch(r"(\w)_i = (.+)", formula)
    assert steps
    assert shares or direct
    assert steps[1] == (shares or direct)[1], "the derivative is that of another letter"
    each = range(len(x))
    if shares:
        is_the_minimum(shares[2].split(r",\, "), shares[3], x, y)
    else:
        np.testing.assert_allclose(values, [number(direct[2], x=x, i=i) for i in each], **CLOSE)
    told = [[number(steps[2], **{"x": x, steps[1]: y, "i": i, "j": j}) for j in each] for i in each]
    np.testing.assert_allclose(jacobian, told, **CLOSE)


def is_the_minimum(conditions, objective, x, y):
    """``y`` meets the conditions, and no point near it that meets them too has a lower objective.

    Of a convex set between the coordinates, moves along them and from one to another lead everywhere.
    """

    def allowed(q):
        return all(_holds(condition, x=x, q=q) for condition in conditions)

    assert allowed(y), "the values break a condition"
    least = evaluated(objective, {"x": x, "q": y})
    lower = [q for q in _near(y) if allowed(q) and evaluated(objective, {"x": x, "q": q}) < least]
    assert not lower, "a point nearby is better"


def _holds(condition, **names):
    left, equal, right = condition.partition(" = ")
    if equal:
        return abs(evaluated(left, names) - evaluated(right, names)) < 1e-12
    return bool(np.all(evaluated(condition, names)))


def _near(y):
    along = np.array([[mp.mpf(int(i == j)) for j in range(len(y))] for i in range(len(y))])
    moves = [*along, *-along, *(one - other for one, other in permutations(along, 2))]
    return [y + STEP * move for move in moves]
