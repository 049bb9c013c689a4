"""Views one after the other, from a line of text, and those that are usual: digits stay digits under them."""

from __future__ import annotations

import json

import pytest
import torch
from tests.small_runs import call
from torch import Tensor

from losslens.models.spec import ViewSpec
from losslens.models.views import VIEWS, Views, default_views, views_named
from losslens.vocabulary.errors import BadInput, UnknownName


def _noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_views_follow_one_another_in_their_order() -> None:
    batch = torch.rand(30, 20, generator=_noise(5))
    seen = Views(views_named("gene_masking:0.5,library_jitter"))(batch, _noise())
    one = _noise()
    expected = VIEWS["gene_masking"].function(batch, one, rate=0.5)
    expected = VIEWS["library_jitter"].function(expected, one)
    assert torch.equal(seen, expected)
    assert Views([])(batch, _noise()) is batch


def test_the_scale_leads_thinning_to_counts() -> None:
    counts = torch.poisson(torch.full((50, 30), 3.0), generator=_noise(1))
    scale = 100.0 / counts.sum(1, keepdim=True)
    profiles = torch.log1p(counts * scale)
    views = Views(default_views("profile", counts=True)[:1])
    seen = views(profiles, _noise(), scale)
    torch.testing.assert_close(torch.expm1(seen).sum(1), torch.full((50,), 100.0))
    assert bool((seen[counts == 0] == 0).all())
    with pytest.raises(BadInput, match=r"counts, or log1p of scaled counts.*Take gene_masking"):
        views(profiles, _noise())
    with pytest.raises(BadInput, match="counts, or log1p of scaled counts"):
        views(profiles, _noise(), scale * 1.1)
    with pytest.raises(BadInput, match="counts, or log1p of scaled counts"):
        views(-counts, _noise())


def test_large_counts_come_back_whole() -> None:
    counts = torch.tensor([[0.0, 1.0, 17.0, 2345.0, 50_021.0, 300_007.0]])
    scale = 1e4 / counts.sum(1, keepdim=True)
    views = Views([ViewSpec(name="thinning", options={"rate": 0.0})])
    torch.testing.assert_close(views(torch.log1p(counts * scale), _noise(), scale), torch.log1p(counts * scale))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("crops", "Did you mean 'crop'"),
        ("crop:half", r"a number or OPTION=NUMBER after the name of a view.*found 'half'"),
        ("crop:least=", "a number or OPTION=NUMBER"),
        ("crop:size=0.5", "an option of crop: least, ratio, probability, found 'size'"),
        ("crop:0", r"least of crop in \[0.01, 1\], found 0"),
        ("crop:nan", r"least of crop in \[0.01, 1\], found nan"),
        ("flip:probability=1.5", r"probability of flip in \[0, 1\], found 1.5"),
        ("gene_masking,thinning", "thinning as the first view and once.*found gene_masking, thinning"),
    ],
)
def test_what_cannot_be_had_is_said(text: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        views_named(text)


def test_names_and_options_are_checked_in_a_spec_too() -> None:
    assert Views([ViewSpec(name="noise")]).specs == (ViewSpec(name="gaussian_noise"),)
    with pytest.raises(UnknownName, match="a view among"):
        Views([ViewSpec(name="noize")])
    with pytest.raises(BadInput, match="rate of gene_masking"):
        Views([ViewSpec(name="masking", options={"rate": "much"})])


def test_text_says_strength_or_options() -> None:
    named = views_named(" crop:0.2, flip ,masking:rate=0.3:probability=0.5 ")
    assert named == (
        ViewSpec(name="crop", options={"least": 0.2}),
        ViewSpec(name="flip"),
        ViewSpec(name="gene_masking", options={"rate": 0.3, "probability": 0.5}),
    )
    assert [ViewSpec.model_validate_json(spec.model_dump_json()) for spec in named] == list(named)
    assert views_named("") == ()


@pytest.mark.parametrize(
    ("name", "batch", "said"),
    [
        ("crop", torch.rand(4, 9), r"images \(batch, channels, height, width\).*found shape \(4, 9\).*gene_masking"),
        ("gene_masking", torch.rand(4, 1, 3, 3), r"profiles \(batch, features\) for the view gene_masking.*blur"),
        ("time_mask", torch.rand(4, 9), r"signals \(batch, channels, length\)"),
        ("flip", torch.rand(4, 1, 3, 3) * 255.0, r"images with values in \[0, 1\]"),
        ("library_jitter", torch.randn(4, 9), "log1p of amounts.*before views that add noise"),
    ],
)
def test_batches_of_another_kind_are_refused(name: str, batch: Tensor, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        Views([ViewSpec(name=name)])(batch, _noise())


@pytest.mark.parametrize(
    ("specs", "size"),
    [
        (default_views("image"), (1, 9, 7)),
        (default_views("image", channels=5), (5, 8, 8)),
        (default_views("image", channels=3), (3, 16, 12)),
        (default_views("profile"), (30,)),
        (default_views("signal"), (2, 40)),
    ],
)
def test_usual_views_make_two_of_one(specs: tuple[ViewSpec, ...], size: tuple[int, ...]) -> None:
    views, batch, one = Views(specs), torch.rand(20, *size, generator=_noise(1)), _noise()
    first, second = views(batch, one), views(batch, one)
    assert first.shape == second.shape == batch.shape
    assert bool((first != second).flatten(1).any(1).all())
    assert views(batch[:1], one).shape == (1, *size)


def _still_read(views: Views) -> float:
    """The share of digits whose view is nearest to another sample, as it is, of the same class."""
    from sklearn.datasets import load_digits

    values, classes = load_digits(return_X_y=True)
    images, labels = torch.from_numpy(values).float() / 16.0, torch.from_numpy(classes)
    seen = views(images.view(-1, 1, 8, 8), _noise()).flatten(1)
    apart = torch.cdist(seen, images).fill_diagonal_(torch.inf)
    return float((labels[apart.argmin(1)] == labels).float().mean())


def test_digits_are_still_read_under_the_usual_views() -> None:
    """Of ten classes; a mirrored digit mostly is not, and neither is a crop as small as those of photographs are."""
    assert _still_read(Views([])) > 0.98
    assert _still_read(Views(default_views("image"))) > 0.8
    assert _still_read(Views(views_named("flip:1"))) < 0.4
    assert _still_read(Views(default_views("image", channels=3))) < 0.6


def test_views_are_listed() -> None:
    listed = json.loads(call("list", "views", "--json").out)
    assert [each["name"] for each in listed] == list(VIEWS)
    assert listed[0]["options"] == {"least": 0.2, "ratio": 4 / 3, "probability": 1.0}
    assert {each["of"] for each in listed} == {"image", "profile", "signal", "any"}
