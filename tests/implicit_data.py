"""Small signals, clouds and fits of coordinate networks that end in a second."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]


def picture(height: int = 15, width: int = 11, channels: int = 1, disc: float = 0.4) -> Floats:
    """Smooth waves with a bright disc, in [-1, 1]; of odd sizes."""
    down, right = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    waves = [0.5 * np.sin(3 * down + 2 * right + phase) for phase in range(channels)]
    bright = disc * (down**2 + right**2 < 0.3)
    return np.stack([wave + bright for wave in waves], axis=-1).astype(np.float32)


def tone(samples: int = 401, channels: int = 1) -> Floats:
    """Two tones that swell, (samples, channels)."""
    time = np.linspace(0.0, 1.0, samples)
    sound = np.sin(40 * time) * time + 0.3 * np.sin(95 * time)
    return np.stack([0.5 * sound] * channels, axis=-1).astype(np.float32)


def film(frames: int = 5) -> Floats:
    """A wave that travels, (frames, height, width, 1)."""
    return np.stack([0.8 * np.roll(picture(9, 8), frame, axis=1) for frame in range(frames)])


def circle(points: int = 200, radius: float = 3.0) -> Floats:
    """Points of a circle with their outward normals, (points, 4)."""
    angle = np.linspace(0.0, 2 * np.pi, points, endpoint=False)
    outward = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.concatenate([radius * outward + [10.0, 0.0], outward], axis=1).astype(np.float32)


def sphere(points: int = 400) -> Floats:
    """Points of the unit sphere with their outward normals, (points, 6)."""
    outward = np.random.default_rng(0).normal(size=(points, 3))
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    return np.concatenate([outward, outward], axis=1).astype(np.float32)
