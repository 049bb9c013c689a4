"""The report on the pitfalls of the cosine: what was published, what came out here, and the closed forms."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from losslens.faces.lab.article import number
from losslens.lab.pitfalls import Decay, Force, Pitfalls, Steps, ToyNorms
from losslens.lab.toy import Toy
from losslens.report.article import Article, Plot, Section, Table
from losslens.report.plots import Axis, Curve, curves
from losslens.report.statistics import corrected_interval

SOURCE = (
    "Published figures: saved outputs of the notebook Simulations in the code of Draganov et al. (arXiv 2406.16468 and "
    "2502.09252): 500 pairs in 20 dimensions, both sides move, a step of 10 on the mean of -cos (0.02 for a pair), "
    "until the mean cosine is 0.999. The closed form is that of losslens.lab.steps_needed."
)
FIRST_STEP = (
    "Pairs are made as in that notebook: the partner lies between a random direction and the point or its opposite, so "
    "angles vary within a row; the start angle is that of the mean cosine. The notebook's first step goes along the "
    "other point itself and not along the cosine's gradient, which changes the norms by up to 2 % and so the steps by "
    "up to 4 %: the column 'with their first step' has it, the column 'here' does not."
)


def article(found: Pitfalls) -> Article:
    """All sections, in the order in which they were measured."""
    return Article(
        name=f"reproduce pitfalls, seed {found.seed}",
        sentence=_sentence(found),
        sections=(
            _norms(found.norms),
            _angles(found.angles),
            _forces(found.forces),
            _decays(found.decays, found.toys),
            _classes(found.toys[0]),
            _confidence(found.toys[0]),
        ),
    )


def _sentence(found: Pitfalls) -> str:
    first, last = found.angles[len(found.angles) // 2], found.angles[-1]
    return (
        f"Steps grow with the norm to the power {exponent(found.norms):.2f}; a start nearly opposite ({last.start:.2f} "
        f"rad) costs {last.measured / first.measured:.1f} times as many as a right angle. A large norm is the pitfall, "
        "opposite halves are not."
    )


def exponent(rows: Sequence[Steps]) -> float:
    """Slope of log steps over log norm.

    >>> round(exponent([Steps(r, r, 0, int(100 * r * r), 0.0) for r in (1.0, 2.0, 3.0)]), 3)
    2.0
    """
    return float(np.polyfit(np.log([row.start for row in rows]), np.log([row.measured for row in rows]), 1)[0])


def _norms(rows: Sequence[Steps]) -> Section:
    cells = tuple(
        (f"{row.start:g}", f"{row.published:,}", f"{row.measured:,}", _percent(row), number(round(row.formula, 1)))
        for row in rows
    )
    x = [row.start for row in rows]
    named = {
        "published": Curve(x, [row.published for row in rows], mode="markers"),
        "here": Curve(x, [row.measured for row in rows]),
        "closed form": Curve(x, [row.formula for row in rows], dash="dash"),
    }
    return Section(
        title="Steps by norm: quadratic",
        paragraphs=(
            f"Independent directions, so that angles are about 90 degrees. Measured exponent {exponent(rows):.3f}.",
        ),
        plots=(
            Plot(
                title="Steps by norm",
                words="Straight lines of slope two on logarithmic axes.",
                figure=curves(named, Axis("norm", log=True), Axis("steps", log=True)),
            ),
        ),
        tables=(Table(title="", columns=("norm", "published", "here", "difference", "closed form"), rows=cells),),
        notes=(SOURCE,),
    )


def _angles(rows: Sequence[Steps]) -> Section:
    cells = tuple(
        (
            f"{row.start:.2f}",
            f"{row.published_start:.2f}",
            str(row.published),
            str(row.measured),
            str(row.first_step),
            number(round(row.formula, 1)),
        )
        for row in rows
    )
    x = [row.start for row in rows]
    named = {
        "published": Curve([row.published_start for row in rows], [row.published for row in rows], mode="markers"),
        "here": Curve(x, [row.measured for row in rows]),
        "closed form": Curve(x, [row.formula for row in rows], dash="dash"),
    }
    columns = ("start angle (rad)", "theirs", "published", "here", "with their first step", "closed form")
    middle, last = rows[len(rows) // 2], rows[-1]
    return Section(
        title="Steps by start angle: logarithmic, and mild",
        paragraphs=(
            f"At norm 1, from {last.start:.2f} rad {last.measured} steps, from {middle.start:.2f} {middle.measured}. "
            "The gradient does vanish at opposite directions, but pairs leave them at an exponential pace.",
        ),
        plots=(
            Plot(
                title="Steps by start angle",
                words="Steps rise from zero to about two hundred, steeply only near 0 and pi.",
                figure=curves(named, Axis("start angle (rad)"), Axis("steps")),
            ),
        ),
        tables=(Table(title="", columns=columns, rows=cells),),
        notes=(FIRST_STEP,),
    )


def _forces(rows: Sequence[Force]) -> Section:
    cells = tuple((f"{row.norm:g}", number(row.attraction), number(row.repulsion), f"{row.along:.0e}") for row in rows)
    x = [row.norm for row in rows]
    named = {
        "attraction": Curve(x, [row.attraction for row in rows], mode="lines+markers"),
        "repulsion": Curve(x, [row.repulsion for row in rows], mode="lines+markers"),
    }
    return Section(
        title="InfoNCE: attraction and repulsion fade alike",
        paragraphs=(
            "Both forces on an embedding are divided by its norm, and neither has a part along it (last column: the "
            "largest seen, rounding). Negatives do not help against a large norm.",
        ),
        plots=(
            Plot(
                title="Mean size of the forces",
                words="Both fall as one over the norm.",
                figure=curves(named, Axis("norm", log=True), Axis("gradient", log=True)),
            ),
        ),
        tables=(Table(title="", columns=("norm", "attraction", "repulsion", "along"), rows=cells),),
        notes=("256 noisy pairs of views in 20 dimensions, temperature 0.5; closed form of losslens.lab.",),
    )


def _decays(rows: Sequence[Decay], toys: Sequence[ToyNorms]) -> Section:
    free = tuple((f"{row.decay:g}", number(round(row.end, 3)), number(row.formula)) for row in rows)
    named = {f"decay {row.decay:g}": Curve(range(0, 20 * len(row.course), 20), row.course) for row in rows}
    trained = tuple(
        (f"{toy.decay:g}", *(number(round(_mean(norms), 3)) for norms in (toy.by_class[0], toy.by_class[-1])))
        for toy in toys
    )
    by_epoch = {
        f"decay {toy.decay:g}": Curve(range(len(toy.by_class)), [_mean(norms) for norms in toy.by_class])
        for toy in toys
    }
    return Section(
        title="Norm against weight decay",
        paragraphs=(
            "Free points that are pulled towards ever new directions grow without decay, and settle at the equilibrium "
            "with it. In a network decay acts on the weights, so that the level is another, and it takes its time.",
        ),
        plots=(
            Plot(
                title="Free points",
                words="Norms that grow without decay and settle with it.",
                figure=curves(named, Axis("step"), Axis("mean norm", log=True)),
            ),
            Plot(
                title="Toy network",
                words="Mean norm of the classes by epoch for three decays.",
                figure=curves(by_epoch, Axis("epoch"), Axis("mean norm", log=True)),
            ),
        ),
        tables=(
            Table(title="Free points", columns=("decay", "norm at the end", "equilibrium"), rows=free),
            Table(title="Toy network", columns=("decay", "norm at the start", "norm at the end"), rows=trained),
        ),
        notes=("Free points: step 0.5, 20 dimensions, from norm 3; equilibrium as losslens.lab.equilibrium_norm.",),
    )


def _classes(toy: ToyNorms) -> Section:
    found = corrected_interval(toy.rarest_less_commonest, 0.0)
    named = {
        f"class of frequency {frequency}": Curve(range(len(toy.by_class)), [norms[place] for norms in toy.by_class])
        for place, frequency in enumerate(Toy().frequencies)
    }
    verdict = "longer" if found.low > 0.0 else "shorter" if found.high < 0.0 else ""
    said = f"the rarest is {verdict}" if verdict else "the two cannot be told apart"
    return Section(
        title="Norm and frequency of a class",
        paragraphs=(
            f"Norm of the rarest class less that of the most frequent one, at the end: {found.mean:.2f} "
            f"[{found.low:.2f}, {found.high:.2f}] over {found.repeats} runs: {said}. Published: rarer classes are "
            "shorter.",
        ),
        plots=(
            Plot(
                title="Mean norm of each class by epoch",
                words="Four curves that lie close together.",
                figure=curves(named, Axis("epoch"), Axis("mean norm")),
            ),
        ),
        notes=(
            "Four classes with frequencies 1, 2, 4, 8 around centres on the sphere in 10 dimensions, seen through a "
            "random map to 64; perceptron 64-64-10, InfoNCE between points of one class at temperature 1, SGD at 0.01, "
            "batches of 128. Each run has data and weights of its own; the interval is that of Student over runs.",
        ),
    )


def _confidence(toy: ToyNorms) -> Section:
    middle = [(each.low + each.high) / 2.0 for each in toy.bins]
    named = {"accuracy": Curve(middle, [each.accuracy for each in toy.bins], mode="lines+markers")}
    cells = tuple(
        (f"{each.low:.2f} to {each.high:.2f}", f"{each.samples:,}", f"{each.accuracy:.3f}") for each in toy.bins
    )
    shorter, longer = toy.halves
    more = ": the norm tells more than how frequent the class is." if longer > shorter else "."
    return Section(
        title="Norm as confidence",
        paragraphs=(
            "Of points that the network has not seen, the 10 nearest training points name the right class for "
            f"{toy.accuracy:.1%}. Within classes it is {shorter:.1%} for the shorter half and {longer:.1%} for the "
            f"longer half{more}",
        ),
        plots=(
            Plot(
                title="Accuracy of neighbours by norm",
                words="Accuracy by bin of the norm.",
                figure=curves(named, Axis("norm, scaled to 0 to 1 in each run"), Axis("accuracy")),
            ),
        ),
        tables=(Table(title="", columns=("norm", "points", "accuracy"), rows=cells),),
        notes=("20 bins, those of at least 10 points, as in the published protocol.",),
    )


def _percent(row: Steps) -> str:
    return f"{round(row.measured / row.published - 1.0, 3) + 0.0:+.1%}"  # no minus before zero


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)
