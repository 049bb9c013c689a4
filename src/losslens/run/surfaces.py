"""The signed distance to a surface, from points on it with their normals."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch
from scipy.spatial import cKDTree
from torch import Tensor

from losslens.losses.pointwise import mae
from losslens.losses.profile import cosine
from losslens.run.fields import Field, Known, Points, Response, Term, Values, Yardstick, content_hash

Floats = npt.NDArray[np.float32]
BATCH = 1400  # points on the surface at each step, and as many in space
JUDGED = 2000
SHARPNESS = 100.0


def signed_distance(points: Floats, normals: Floats, batch: int | None = None) -> Field:
    r"""The signed distance field of a closed surface: zero on it, slope one, falling inwards.

    .. math:: 3000\,|f| + 100\,(1 - \cos(\nabla f, n)) \text{ on it}, \quad
              100\,e^{-100 |f|} \text{ off it}, \quad 50\,\bigl|\,\|\nabla f\| - 1\,\bigr| \text{ everywhere}

    ``points`` and ``normals`` are (points, 2 or 3), with points in [-1, 1] and normals pointing outwards. A step takes
    ``batch`` points of the surface and as many uniform in [-1, 1]; each term is the mean over both. Judged by the mean
    error of the distance at 2000 places, against the nearest point and the side of it that its normal says.
    Source: Sitzmann et al., NeurIPS 2020, section 4.2, weights and clipping of the published code.
    """
    surface, directions = torch.from_numpy(points), torch.from_numpy(normals)
    dimensions = points.shape[1]

    def sample(generator: torch.Generator) -> Points:
        size = batch or BATCH
        chosen = torch.randint(len(surface), (size,), generator=generator)
        space = 2.0 * torch.rand(size, dimensions, generator=generator) - 1.0
        on = torch.cat([torch.ones(size), torch.zeros(size)])
        known = {"on": on, "normals": torch.cat([directions[chosen], torch.ones(size, dimensions)])}
        return Points(torch.cat([surface[chosen], space]), known)

    return Field(
        name="sdf",
        inputs=dimensions,
        outputs=1,
        order=1,
        sample=sample,
        terms=(
            Term("distance on the surface", 3e3, _on_surface),
            Term("closeness off the surface", 1e2, _off_surface),
            Term("cosine with the normal", 1e2, _normal),
            Term("Eikonal", 5e1, _eikonal),
        ),
        yardstick=Yardstick("Error of the distance", "", False, _distance_error(points, normals)),
        content=content_hash("sdf", points, normals),
        clip=1.0,
    )


def _on_surface(response: Response, known: Known) -> Tensor:
    distance = response.output.squeeze(-1)
    return mae(distance, torch.zeros_like(distance), reduction="none") * known["on"]


def _off_surface(response: Response, known: Known) -> Tensor:
    return (-SHARPNESS * response.output.squeeze(-1).abs()).exp() * (1.0 - known["on"])


def _normal(response: Response, known: Known) -> Tensor:
    return cosine(response.jacobian.squeeze(-2), known["normals"], reduction="none") * known["on"]


def _eikonal(response: Response, known: Known) -> Tensor:
    slope = response.jacobian.squeeze(-2).norm(dim=-1)
    return mae(slope, torch.ones_like(slope), reduction="none")


def _distance_error(points: Floats, normals: Floats) -> Callable[[Values], float]:
    """Measures against the nearest of the points, over places that are the same for every network."""
    places = np.random.default_rng(0).uniform(-1.0, 1.0, size=(JUDGED, points.shape[1])).astype(np.float32)
    distance, nearest = cKDTree(points).query(places)
    side = np.sign(((places - points[nearest]) * normals[nearest]).sum(axis=1))
    where, true = torch.from_numpy(places), torch.from_numpy(distance * side)

    def measure(says: Values) -> float:
        return float((says(where).squeeze(-1) - true).abs().mean())

    return measure
