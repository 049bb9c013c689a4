"""What every doctest of the package may name without importing it: ``torch`` and ``losslens``."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture(autouse=True)
def _doctest_names(request: pytest.FixtureRequest) -> None:
    if isinstance(request.node, pytest.DoctestItem):
        names: dict[str, Any] = request.getfixturevalue("doctest_namespace")
        names.update(_names())


def _names() -> dict[str, Any]:
    import torch  # here, so that tests which need no torch do not wait for it

    import losslens

    return {"torch": torch, "losslens": losslens}
