"""The gradient field and the growth of norms as one static picture."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch

from losslens import lab
from losslens.faces.pages.drawing import COLOURS, DASHES, INK, svg
from losslens.lab.reading import Setting

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NORMS = (0.4, 0.8, 1.4)
STEP, STEPS = 0.2, 100


def picture(setting: Setting) -> str:
    """Both panels as SVG; BadInput where matplotlib is missing."""
    starts = torch.tensor([[norm * math.cos(setting.angle), norm * math.sin(setting.angle)] for norm in NORMS])
    ways = lab.paths(starts, step=STEP, steps=STEPS, decay=min(setting.decay, 1.0), grad_scale=setting.grad_scale)

    def fill(figure: Figure) -> None:
        plane, growth = figure.add_axes((0.05, 0.13, 0.42, 0.78)), figure.add_axes((0.57, 0.13, 0.41, 0.78))
        _plane(plane)
        for place, norm in enumerate(NORMS):
            style: Any = {"color": COLOURS[place], "linestyle": DASHES[place]}
            plane.plot(*ways[:, place].T.tolist(), **style)
            growth.plot(ways[:, place].norm(dim=1).tolist(), label=f"from norm {norm:g}", **style)
        growth.set(title=f"norm by step (step {STEP:g})", xlabel="step")
        growth.legend(frameon=False)

    return svg(7.2, 3.6, fill)


def _plane(axes: Axes) -> None:
    """Arrows along the gradient, all of one length where it is long."""
    field = lab.gradient_field(extent=2.0, resolution=14)
    longest = field.vectors.norm(dim=1, keepdim=True).clamp_min(1.0)
    axes.quiver(*field.points.T.tolist(), *(field.vectors / longest).T.tolist(), color=INK, alpha=0.7, pivot="mid")
    axes.plot([0.0, 2.0], [0.0, 0.0], color=INK, linewidth=3.0)
    axes.set(title="gradient of the cosine with the bold direction", aspect="equal", xlim=(-2.2, 2.2), ylim=(-2.2, 2.2))
