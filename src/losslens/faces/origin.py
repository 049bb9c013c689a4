"""Where the data of a run came from, and how to have them again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from losslens.data.bundled import BUNDLED
from losslens.data.profiles import Profiles
from losslens.data.readers import read
from losslens.faces.folder import Manifest, Source
from losslens.vocabulary.errors import BadInput

_SAY = "Say where the data are: --data (from Python data=), read as they were then."


def source_of(data: Any, *, label: Any, group: Any, **columns: Any) -> Source | None:
    """How the data were asked for; None if in memory, or with labels or groups that are.

    >>> source_of("pancreas", label=None, group=None).data, source_of([[1.0]], label=None, group=None)
    ('pancreas', None)
    """
    if not isinstance(data, (str, Path)) or not all(isinstance(each, (str, type(None))) for each in (label, group)):
        return None
    named = data if isinstance(data, str) and data in BUNDLED else str(Path(data).expanduser().absolute())
    return Source(data=named, label=label, group=group, **columns)


def again(manifest: Manifest, data: Any = None, **asked: Any) -> Profiles:
    """The data of a run, from where they were or from ``data``; what is not asked for now is as it was then.

    Raises:
        BadInput: the run does not say where they were, they are not there any more, or they are others.
    """
    before = manifest.source
    if data is None and before is None:
        raise BadInput(expected="the data of the run", found="a run that was given them in memory", remedy=_SAY)
    options = {} if before is None else before.model_dump(exclude={"data"})
    options |= {name: value for name, value in asked.items() if value is not None and value is not False}
    try:
        profiles = read(before.data if data is None and before else data, **options)
    except BadInput as error:
        if data is not None:
            raise
        raise BadInput(expected=error.expected, found=error.found, remedy=_SAY) from error
    if profiles.content_hash != manifest.data:
        raise BadInput(
            expected=f"the data of the run ({manifest.name}, content {manifest.data})",
            found=f"others: {profiles.name}, content {profiles.content_hash}",
            remedy="Values, labels and groups must all be as they were: see --label, --group and --transpose.",
        )
    return profiles
