"""Where a network is trained."""

from __future__ import annotations

from losslens.vocabulary.errors import unknown


def usable(asked: str) -> str:
    """The device asked for, or with ``auto`` the best; raises :class:`BadInput` for one that this machine has not."""
    from losslens.run.precision import best_device

    known = ["auto", "cpu"] if best_device() == "cpu" else ["auto", "cpu", "cuda"]
    if asked not in known:
        raise unknown("device of this machine", asked, known)
    return best_device() if asked == "auto" else asked
