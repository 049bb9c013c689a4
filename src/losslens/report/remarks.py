"""What the answer says of code sizes and of posteriors."""

from __future__ import annotations

from collections.abc import Sequence

from losslens.measure.metrics import METRICS
from losslens.report.document import Divergence, Sweep
from losslens.report.rows import called, parted
from losslens.report.words import listed, number


def knee_sentence(sweep: Sweep | None, pick: str) -> str:
    """Where longer codes stop paying, and whose curve says so."""
    curve = sweep.curve(sweep.leader) if sweep else None
    if sweep is None or curve is None:
        return ""
    whose = "" if curve.key == parted(pick)[0] else f", of {curve.title},"
    if curve.knee is None:
        return f"The best code size{whose} is {sweep.chosen}; one split cannot say how sure that is"
    range_ = (
        f"between {curve.low} and {curve.high}" if curve.low != curve.high else f"{curve.low} in all resampled splits"
    )
    if len(curve.points) > 1 and curve.knee == curve.points[-1].size:
        return f"The curve{whose or ' over code sizes'} has no knee: the longest code, {curve.knee}, still gains"
    return f"The knee{whose} lies at a code size of {curve.knee} ({range_})"


def on_sizes(sweep: Sweep | None) -> list[str]:
    """How code sizes were judged, and whether longer ones are worth a try."""
    if sweep is None or sweep.curve(sweep.leader) is None:
        return []
    lines = [
        f"Losses were compared at a code size of {sweep.chosen}. Code sizes are judged by "
        f"{METRICS[sweep.yardstick].title}: a reconstruction alone only gets closer as a code gets longer."
    ]
    if sweep.chosen == sweep.sizes[-1]:
        lines.append(f"The longest code did best, so try longer ones: --code-size {sweep.chosen},{2 * sweep.chosen}.")
    return lines


def on_divergences(divergences: Sequence[Divergence]) -> list[str]:
    """Weights far from an evidence lower bound, and posteriors that say little."""
    lines = []
    far = [each for each in divergences if each.verdict in ("weak", "strong") and each.kl_weight is not None]
    if far:
        rows = listed([f"{called(each.row)}, {number(each.kl_weight or 0.0)}" for each in far])
        lines.append(
            f"The divergence weighs far from 1 beside half the squared error ({rows}): that is no evidence lower "
            "bound, and --beta multiplies the weight."
        )
    collapsed = [each for each in divergences if each.collapsed]
    if collapsed:
        rows = listed([f"{called(each.row)}, {each.active:.0f} of {each.code}" for each in collapsed])
        lines.append(
            f"Fewer than half of the code units are active ({rows}): the posterior has collapsed, or the code is "
            "longer than needed. What to try: a smaller --beta, --models variational_free_bits, or a shorter code."
        )
    return lines
