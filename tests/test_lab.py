"""The closed forms of the laboratory against autograd, finite differences and simulation; simulations against SGD."""

from __future__ import annotations

import doctest
import inspect
import math
from itertools import product

import pytest
import torch

import losslens
from losslens import lab
from losslens.vocabulary.errors import BadInput

NORMS = (0.5, 1.0, 2.0, 4.0, 8.0)
ANGLES = (0.3, 1.0, math.pi / 2, 2.2, 3.0)
GRID = list(product((0.3, 1.0, 5.0), ANGLES))


def rows(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def close(found, expected, **how):
    torch.testing.assert_close(found, expected, **how)


@pytest.mark.parametrize("name", lab.__all__)
def test_what_the_laboratory_offers_has_an_example(name):
    thing = getattr(lab, name)
    if callable(thing):
        found = doctest.DocTestFinder(exclude_empty=True).find(thing, name, module=inspect.getmodule(thing))
        assert any(example.want for test in found for example in test.examples), name
        assert "losslens.lab" in thing.__doc__, name


def test_the_gradient_is_autograds_and_orthogonal():
    z, other = rows(0, 50, 7) * 3.0, rows(1, 50, 7)
    z.requires_grad_()
    (expected,) = torch.autograd.grad(torch.cosine_similarity(z, other).sum(), z)
    found = lab.cosine_gradient(z.detach(), other)
    close(found, expected, rtol=1e-10, atol=1e-12)
    assert (found * z).sum(1).abs().max() < 1e-14
    z = z.detach()
    angles = torch.cosine_similarity(z, other).acos()
    sizes = [lab.gradient_norm(float(a), float(r)) for a, r in zip(angles, z.norm(dim=1), strict=True)]
    close(found.norm(dim=1), torch.tensor(sizes, dtype=torch.float64))


def test_the_gradient_is_that_of_finite_differences():
    z, other, reach = rows(2, 5) * 2.0, rows(3, 5), 1e-6
    for place, slope in enumerate(lab.cosine_gradient(z, other)):
        shift = torch.zeros(5, dtype=torch.float64)
        shift[place] = reach
        up, down = (torch.cosine_similarity(z + sign * shift, other, dim=0) for sign in (1, -1))
        assert float(slope) == pytest.approx(float((up - down) / (2 * reach)), abs=1e-9)


def test_extreme_rows_have_a_gradient():
    z = torch.tensor([[1e30, 0.0], [0.0, 0.0], [1e-30, 0.0]])
    found = lab.cosine_gradient(z, torch.tensor([[0.0, 1.0]]).expand(3, 2))
    assert found[:, 1].tolist() == pytest.approx([1e-30, 0.0, 1e30], rel=1e-5)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_forces_add_up_to_the_gradient_of_info_nce(temperature):
    a, b = rows(4, 12, 6) * 5.0, rows(5, 12, 6)
    a.requires_grad_()
    (expected,) = torch.autograd.grad(losslens.info_nce(a, b, temperature=temperature, reduction="sum"), a)
    forces = lab.info_nce_forces(a.detach(), b, temperature=temperature)
    close(forces.attraction + forces.repulsion, expected, rtol=1e-9, atol=1e-12)
    halved = lab.info_nce_forces(a.detach() * 2.0, b, temperature=temperature)
    for force, half in zip(forces, halved, strict=True):
        assert (force * a).sum(1).abs().max() < 1e-13
        close(half, force / 2.0)


def test_attraction_alone_is_the_gradient_of_the_cosine():
    a, b = rows(6, 9, 4), rows(7, 9, 4)
    close(lab.info_nce_forces(a, b, temperature=0.5).attraction, -lab.cosine_gradient(a, b) / 0.5)


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_one_step_changes_the_cosine_exactly_as_told(sides, power):
    """Also with steps so large that they overshoot, which the first order does not see."""
    for (norm, angle), step in product(GRID, (1e-3, 0.1, 3.0)):
        pairs = lab.pairs_at(angle, count=3, norm=norm, dimension=5)
        one = lab.stepped(*pairs, step, grad_scale=power)
        other = lab.stepped(pairs.other, pairs.one, step, grad_scale=power) if sides == 2 else pairs.other
        found = float((torch.cosine_similarity(one, other) - torch.cosine_similarity(*pairs)).mean())
        told = lab.cosine_change(math.cos(angle), norm, step, sides=sides, grad_scale=power)
        assert told == pytest.approx(found, abs=1e-13), (norm, angle, step)
        size = lab.gradient_norm(angle, norm, grad_scale=power)
        assert float(one.norm(dim=1).mean()) == pytest.approx(lab.grown_norm(norm, step, size), rel=1e-12)


def test_a_step_can_lower_the_cosine_and_a_bound_that_forgets_this_would_fail():
    """2 e s^2 - e^2 s^2 c, the exact change without its denominator halved, is no bound from above."""
    violated = 0
    for cosine, effective in product((-0.9, -0.5, 0.5, 0.9), (0.1, 1.0, 3.0)):
        change = lab.cosine_change(cosine, 1.0, effective)
        violated += change > effective * (1.0 - cosine**2) * (2.0 - effective * cosine) + 1e-12
        assert (change < 0.0) == (effective * cosine > 1.0)
    assert violated > 0


@pytest.mark.parametrize(
    ("power", "steps"),
    [(0.0, [23, 95, 380, 1520, 6080]), (1.0, [47, 94, 189, 379, 759]), (2.0, [94, 94, 94, 94, 94])],
)
def test_powers_of_grad_scale_change_the_cost_of_a_norm(power, steps):
    found = [lab.climb(lab.pairs_at(math.pi / 2, norm=r, count=2), step=0.02, grad_scale=power).steps for r in NORMS]
    assert found == steps


@pytest.mark.parametrize("sides", [1, 2])
def test_the_closed_form_counts_the_steps(sides):
    """Within two steps or 2 % where steps are small; the norm that grows meanwhile is what it leaves out."""
    for norm, angle in GRID:
        step = 0.01 * norm**2
        found = lab.climb(lab.pairs_at(angle, norm=norm, count=2), step=step, sides=sides).steps
        told = lab.steps_needed(norm, step, angle=angle, sides=sides)
        assert found == pytest.approx(told, rel=0.02, abs=2.0), (norm, angle)


def test_the_whole_course_is_the_closed_form():
    course = lab.climb(lab.pairs_at(2.5, norm=2.0, count=2), step=0.02)
    told = [math.cos(lab.angle_after(place, 2.5, 2.0, 0.02)) for place in range(len(course.cosine))]
    assert max(abs(a - b) for a, b in zip(course.cosine, told, strict=True)) < 0.005
    assert course.start_angle == pytest.approx(2.5)


def test_the_simulation_is_gradient_descent_on_the_mean():
    """Step by step that of torch's optimiser on the mean of -cos, a decay and a stopped side included."""
    for sides, decay in ((2, 0.0), (1, 0.0), (2, 0.5)):
        pairs = lab.pairs_at(count=6, dimension=4, norm=1.5)
        points = [part.clone().requires_grad_() for part in pairs]
        optimiser = torch.optim.SGD(points[:sides], lr=6 * 0.05, weight_decay=decay / 6)
        cosines = []
        for _ in range(8):
            optimiser.zero_grad()
            loss = -torch.cosine_similarity(*points).mean()
            cosines.append(-loss.item())
            loss.backward()
            optimiser.step()
        found = lab.climb(pairs, step=0.05, sides=sides, decay=decay, most=7)
        assert found.steps is None
        assert found.cosine == pytest.approx(cosines, abs=1e-12)


def test_quadratic_in_the_norm_and_logarithmic_in_the_distance_from_opposite():
    assert lab.steps_needed(10.0, 0.02) == pytest.approx(100.0 * lab.steps_needed(1.0, 0.02))
    costs = [lab.steps_needed(1.0, 0.02, angle=math.pi - gap) for gap in (1e-2, 1e-3, 1e-4)]
    assert costs[1] - costs[0] == pytest.approx(costs[2] - costs[1], rel=1e-3)
    assert lab.steps_needed(1.0, 0.02, angle=math.pi) == math.inf
    assert lab.steps_needed(1.0, 0.02, angle=0.01) == 0.0


def test_norms_grow_with_the_fourth_root_of_time_and_decay_holds_them():
    norms = lab.wander(3000, norm=0.5, step=0.5, count=100)
    for place in (100, 1000, 3000):
        assert norms[place] == pytest.approx(lab.norm_after(place, 0.5, 0.5, sine_squared=0.95), rel=0.01)
    assert norms[3000] / norms[300] == pytest.approx(10**0.25, rel=0.02)
    for decay in (0.02, 0.3):
        end = lab.wander(1000, norm=2.0, step=0.5, decay=decay, count=200)[-200:]
        level = lab.equilibrium_norm(0.5, decay, sine_squared=0.95)
        assert sum(end) / len(end) == pytest.approx(level, rel=0.02)


def test_without_the_product_term_the_equilibrium_is_the_known_one():
    assert lab.equilibrium_norm(1e-4, 0.5) == pytest.approx((1e-4 / 1.0) ** 0.25, rel=1e-4)


def test_pairs_are_where_they_are_asked_for():
    for angle in ANGLES:
        one, other = lab.pairs_at(angle, norm=3.0, count=20)
        close(torch.cosine_similarity(one, other).acos(), torch.full((20,), angle, dtype=torch.float64))
        close(other.norm(dim=1), torch.full((20,), 3.0, dtype=torch.float64))
    assert abs(float(torch.cosine_similarity(*lab.pairs_at()).mean())) < 0.03
    assert torch.equal(lab.pairs_at(seed=3).one, lab.pairs_at(seed=3).one)
    assert not torch.equal(lab.pairs_at(seed=3).one, lab.pairs_at(seed=4).one)


def test_the_field_in_the_plane_is_across_and_turns_with_its_target():
    field = lab.gradient_field(0.7, resolution=6)
    assert (field.points * field.vectors).sum(1).abs().max() < 1e-14
    target = torch.tensor([math.cos(0.7), math.sin(0.7)], dtype=torch.float64)
    assert bool(((field.vectors @ target) >= -1e-14).all())
    way = lab.paths(torch.tensor([[0.0, 1.0]]), 0.7, step=0.1, steps=400)
    close(way[-1, 0] / way[-1, 0].norm(), target, atol=1e-3, rtol=0.0)
    assert bool((way.norm(dim=2).diff(dim=0) >= -1e-12).all())


def test_a_reading_says_the_same_twice_where_both_are_known():
    for setting in (lab.Setting(norm=2.0, angle=2.0), lab.Setting(norm=0.5, sides=1, grad_scale=1.0)):
        figures = {figure.what: figure for figure in lab.read(setting).figures}
        assert len(figures) == 4
        for what, figure in figures.items():
            near = {"abs": 2.0} if what.startswith("steps") else {"rel": 1e-6, "abs": 1e-12}
            assert figure.measured == pytest.approx(figure.formula, **near), what
    decayed = lab.read(lab.Setting(norm=1.5, decay=0.3, until=0.9))
    assert [figure.measured is None for figure in decayed.figures] == [False, True, True, True, False]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: lab.steps_needed(0.0, 0.1), "positive norm"),
        (lambda: lab.steps_needed(1.0, -0.1), "positive step"),
        (lambda: lab.steps_needed(1.0, 0.1, until=1.0), "between -1 and 1"),
        (lambda: lab.steps_needed(1.0, 0.1, angle=90.0), "radians"),
        (lambda: lab.cosine_change(0.0, 1.0, 0.1, sides=3), "1 or 2 sides"),
        (lambda: lab.climb(lab.pairs_at(count=2), step=0.1, sides=0), "1 or 2 sides"),
        (lambda: lab.climb(lab.pairs_at(count=2), step=1.0, decay=1.0), "below 1"),
        (lambda: lab.pairs_at(count=0), "at least one pair"),
        (lambda: lab.pairs_at(dimension=1), "two dimensions"),
        (lambda: lab.equilibrium_norm(1.0, 0.0), "between 0 and 2"),
        (lambda: lab.info_nce_forces(torch.eye(2), torch.eye(2), temperature=0.0), "positive temperature"),
        (lambda: lab.read(lab.Setting(angle=math.pi)), "180 degrees"),
        (lambda: lab.read(lab.Setting(grad_scale=-1.0)), "from 0 to 2"),
    ],
)
def test_what_makes_no_sense_is_refused(call, words):
    with pytest.raises(BadInput, match=words):
        call()
