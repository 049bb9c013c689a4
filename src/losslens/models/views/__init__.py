"""Views: random changes of a batch that leave what a sample is; two of the same sample are what methods compare."""

# The order of these imports is the order of the catalogue.
# isort: off
from losslens.models.views import images
from losslens.models.views import profiles
from losslens.models.views import signals

# isort: on
from losslens.models.views.chain import Views, default_views, views_named
from losslens.models.views.entry import VIEWS, ViewEntry

__all__ = ["VIEWS", "ViewEntry", "Views", "default_views", "images", "profiles", "signals", "views_named"]
