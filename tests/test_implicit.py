"""Every problem is learned a little, continues exactly, is warned about and refused where it must be."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.implicit_data import circle, film, picture, sphere, tone
from tests.small_runs import call, without_times
from tests.test_report_browser import visit

import losslens
from losslens.data.signals import read_picture
from losslens.faces.implicit.fit import Fit, load_fit
from losslens.faces.implicit.tasks import TASKS
from losslens.models.coordinates import CoordinateNetwork, ImplicitSpec, siren_initialise
from losslens.run.equations import helmholtz, point_source, standing_wave, wave
from losslens.run.fields import Points, Response
from losslens.run.fitting import Fitting, FittingSpec, load_state, save_state
from losslens.run.mistakes import advice
from losslens.run.signals import differences, second_differences, signal
from losslens.run.surfaces import signed_distance
from losslens.vocabulary.errors import BadInput, Interrupted, LosslensWarning

SMALL = {"hidden": (24, 24), "learning_rate": 9e-4}
LOW, MIDDLE = ({"omega": omega, "first_omega": omega} for omega in (6.0, 10.0))

# A task, its data and options, and what the yardstick must reach from what at the start, within two seconds or so.
LEARNED = {
    "grey image": ("image", picture(), {"steps": 150}, 25.0),
    "RGB image": ("image", picture(channels=3), {"steps": 150}, 22.0),
    "sampled image": ("image", picture(), {"steps": 150, "points": 40}, 18.0),
    "audio": ("audio", tone(), {"steps": 150, "first_omega": 100.0}, 18.0),
    "stereo audio": ("audio", tone(channels=2), {"steps": 150, "first_omega": 100.0}, 18.0),
    "video": ("video", film(), {"steps": 150}, 22.0),
    "gradients": ("poisson", picture(25, 23), {"steps": 150, **MIDDLE}, 20.0),
    "Laplacian": ("poisson", picture(25, 23, disc=0.0), {"steps": 150, "known": "laplacian", **MIDDLE}, 20.0),
    "curve": ("sdf", circle(), {"steps": 100, "points": 200, **LOW}, 0.06),
    "surface": ("sdf", sphere(), {"steps": 100, "points": 200, **LOW}, 0.14),
    "helmholtz": ("helmholtz", None, {"steps": 200, "points": 200, "wavenumber": 3.0, **LOW}, 40.0),
    "wave": ("wave", None, {"steps": 200, "points": 200, **LOW}, 25.0),
}


def fitted(name: str, **more: object) -> Fit:
    task, source, options, _ = LEARNED[name]
    return losslens.implicit(task, source, baselines=(), **{**SMALL, **options, **more})


@pytest.mark.parametrize("name", LEARNED)
def test_every_problem_is_learned(name):
    fit = fitted(name)
    curve, wanted = [score for _, score in fit.found.rows[0].curve], LEARNED[name][3]
    if fit.found.higher_is_better:
        assert fit.score > wanted > curve[0] + 3.0, (curve[0], fit.score)
    else:
        assert fit.score < wanted < 0.7 * curve[0], (curve[0], fit.score)
    values = fit.trained.reconstruct()
    assert values.shape[:-1] == fit.found.shape
    assert np.isfinite(values).all()


def test_the_yardstick_of_a_fit_is_that_of_its_drawing():
    for name in ("grey image", "gradients", "Laplacian"):
        fit = fitted(name, steps=20)
        error = np.mean((fit.trained.reconstruct().astype(float) - LEARNED[name][1]) ** 2)
        assert fit.score == pytest.approx(10 * np.log10(4.0 / error), abs=0.01)
        assert np.allclose(fit.trained.at([[-1.0, 1.0]]), fit.trained.reconstruct()[0, -1], atol=1e-5)


def test_the_distance_is_in_the_units_of_the_cloud(tmp_path):
    fit = fitted("curve", steps=300, out=tmp_path / "fit")
    saved = np.load(tmp_path / "fit" / "reconstruction.npz")
    x, y = np.meshgrid(saved["axis_0"], saved["axis_1"], indexing="ij")
    true = np.hypot(x - 10.0, y) - 3.0
    assert (saved["axis_0"][0], saved["axis_0"][-1]) == pytest.approx((10 - 3.75, 10 + 3.75), rel=1e-3)
    assert np.abs(saved["values"][..., 0] - true).mean() < 0.25
    assert fit.found.higher_is_better is False


# What is asked of a network is right: known solutions fulfil the equations that the terms are made of.


def solved(field, solution):
    """Terms of a field where the network is the known solution."""

    class Known(torch.nn.Module):
        def forward(self, where):
            return solution(where)

    points = field.sample(torch.Generator().manual_seed(1))
    double = Points(points.coordinates.double(), {name: values.double() for name, values in points.known.items()})
    response = Response.__new__(Response)
    response.coordinates = double.coordinates.requires_grad_()
    response.output = Known()(response.coordinates)
    return {term.name: float(term.values(response, double.known).mean().detach()) for term in field.terms}


def test_the_standing_wave_solves_the_wave_equation():
    right = solved(wave(2.0), lambda where: standing_wave(where, 2.0))
    assert all(value < 1e-6 for value in right.values()), right
    slower = solved(wave(2.0), lambda where: standing_wave(where, 1.0))
    assert slower["residual"] > 1e-2
    late = solved(wave(2.0), lambda where: standing_wave(where + torch.tensor([0.1, 0.0]), 2.0))
    assert late["velocity at the start"] > 1e-2
    assert late["values at the start and the ends"] > 1e-2


def test_the_point_source_solves_the_helmholtz_equation():
    from scipy import special

    wavenumber, step = 5.0, 1e-3
    where = 1.6 * torch.rand(200, 2, dtype=torch.float64) - 0.8
    shifts = step * torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1]], dtype=torch.float64)
    around = sum(point_source(where + shift, wavenumber) for shift in shifts)
    middle = point_source(where, wavenumber)
    assert ((around - 4 * middle) / step**2 + wavenumber**2 * middle).abs().max() < 1e-3
    assert point_source(torch.zeros(1, 2), wavenumber).norm() == pytest.approx(1.0)
    far = np.hypot(2.0, -0.4)
    ratio = abs(special.hankel1(0, 5 * far)) / abs(special.hankel1(0, 5 * np.hypot(1.5, 0.4)))
    assert point_source(torch.tensor([[0.5, 0.0]]), wavenumber).norm() == pytest.approx(ratio)


def test_the_terms_of_a_surface_vanish_at_its_distance():
    cloud = circle(radius=1.0) - np.array([10.0, 0, 0, 0], np.float32)
    field = signed_distance(0.6 * cloud[:, :2], cloud[:, 2:])
    right = solved(field, lambda where: where.norm(dim=1, keepdim=True) - 0.6)
    assert all(value < 1e-2 for value in right.values()), right
    inside_out = solved(field, lambda where: 0.6 - where.norm(dim=1, keepdim=True))
    assert inside_out["cosine with the normal"] == pytest.approx(1.0, abs=1e-3)  # two, for half of the points
    steep = solved(field, lambda where: 3.0 * (where.norm(dim=1, keepdim=True) - 0.6))
    assert steep["Eikonal"] == pytest.approx(2.0, abs=1e-3)
    assert field.yardstick.measure(lambda where: where.norm(dim=1, keepdim=True) - 0.6) < 1e-2
    assert field.yardstick.measure(lambda where: torch.zeros(len(where), 1)) > 0.1


def test_differences_are_those_of_polynomials():
    down, right = np.meshgrid(np.linspace(-1, 1, 9), np.linspace(-1, 1, 21), indexing="ij")
    values = (down**2 - 3 * right**2 + down * right).astype(np.float32)[..., None]
    inner = (slice(1, -1), slice(1, -1), 0)
    slopes = differences(values)
    assert np.allclose(slopes[(*inner, 0)], (2 * down + right)[1:-1, 1:-1], atol=1e-4)
    assert np.allclose(slopes[(*inner, 1)], (down - 6 * right)[1:-1, 1:-1], atol=1e-4)
    assert np.allclose(second_differences(values)[inner], 2.0 - 6.0, atol=1e-3)


# Continuing.


def test_a_continued_fit_is_the_uninterrupted_one(tmp_path):
    options = {"baselines": ("fourier",), "points": 60, **SMALL}
    whole = losslens.implicit("image", picture(), steps=37, **options, out=tmp_path / "whole")
    losslens.implicit("image", picture(), steps=13, **options, out=tmp_path / "parts")
    parts = losslens.implicit("image", picture(), steps=37, **options, out=tmp_path / "parts")
    one, two = (json.loads((tmp_path / name / "results.json").read_text()) for name in ("whole", "parts"))
    assert without_times(one) == without_times(two)
    for kind in ("siren", "fourier"):
        ours, theirs = (fit.networks[kind].network.state_dict() for fit in (whole, parts))
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_an_interrupted_fit_says_so_and_continues(tmp_path, monkeypatch):
    from losslens.run import fitting

    monkeypatch.setattr(fitting, "CHECKPOINT_SECONDS", 0.0)

    def interrupt(self, *given, before=Fitting.backward):
        if self.step == 8:
            raise KeyboardInterrupt
        return before(self, *given)

    options = {"steps": 20, "baselines": (), "points": 60, **SMALL}
    with monkeypatch.context() as patch:
        patch.setattr(Fitting, "backward", interrupt)
        with pytest.raises(Interrupted, match=r"step 8.* continues"):
            losslens.implicit("image", picture(), **options, out=tmp_path / "stopped")
    continued = losslens.implicit("image", picture(), **options, out=tmp_path / "stopped")
    whole = losslens.implicit("image", picture(), **options)
    assert continued.found.rows[0].curve == whole.found.rows[0].curve


def test_a_state_of_something_else_or_a_damaged_one_is_not_taken(tmp_path):
    path = tmp_path / "state.safetensors"
    spec = ImplicitSpec(inputs=2, hidden=(8,))

    def begin(seed: int = 0) -> Fitting:
        return Fitting(signal(picture(), "image"), CoordinateNetwork.build(spec, 0), FittingSpec(seed=seed))

    begun = begin()
    begun.run(3)
    save_state(begun, path)
    same, other = begin(), begin(seed=1)
    assert load_state(same, path)
    assert same.step == 3
    assert not load_state(other, path)
    path.write_bytes(path.read_bytes()[:100])
    assert not load_state(begin(), path)


def test_a_folder_of_other_settings_is_refused_and_left_alone(tmp_path):
    out = tmp_path / "fit"
    fitted("grey image", steps=2, out=out)
    before = (out / "results.json").read_bytes()
    with pytest.raises(BadInput, match=r"a fit of other data and settings \(image array\)"):
        fitted("grey image", steps=2, omega=20.0, out=out)
    assert (out / "results.json").read_bytes() == before


def test_a_saved_fit_draws_at_any_resolution(tmp_path):
    fit = fitted("grey image", steps=30, out=tmp_path / "fit")
    loaded = load_fit(tmp_path / "fit")
    assert np.array_equal(loaded.reconstruct(), fit.trained.reconstruct())
    finer = loaded.reconstruct("29x21")
    assert finer.shape == (29, 21, 1)
    assert np.allclose(finer[::2, ::2], loaded.reconstruct(), atol=1e-5)
    with pytest.raises(BadInput, match="a fit"):
        load_fit(tmp_path)


# Precision and sizes.


@pytest.mark.parametrize("name", ["grey image", "gradients", "Laplacian", "curve", "wave"])
@pytest.mark.parametrize("kind", ["siren", "tanh", "fourier"])
def test_bfloat16_stays_finite_and_learns(name, kind):
    fit = fitted(name, steps=30, precision="bf16", network=kind)
    curve = [score for _, score in fit.found.rows[0].curve]
    assert np.isfinite(curve).all()
    assert curve[-1] != curve[0]
    assert next(fit.trained.network.parameters()).dtype == torch.float32


@pytest.mark.parametrize("shape", [(1, 7), (2, 1), (3, 5), (17, 2)])
@pytest.mark.filterwarnings("ignore:A first omega")  # seven pixels hold no more
def test_odd_sizes(shape):
    fit = losslens.implicit("image", picture(*shape), baselines=(), steps=5, hidden=(8,))
    assert fit.trained.reconstruct().shape == (*shape, 1)
    assert np.isfinite(fit.score)


def test_a_diverged_network_is_a_result():
    with pytest.warns(LosslensWarning, match="learning rate"):
        fit = losslens.implicit("image", picture(), baselines=(), steps=30, hidden=(8,), learning_rate=1e38)
    assert fit.score is None
    assert "not finite at step" in fit.found.rows[0].diverged
    assert "did not learn" in fit.found.sentence


def test_large_batches_are_cut_without_a_change(monkeypatch):
    from losslens.run import fitting

    def one_step(chunk: int) -> list[torch.Tensor]:
        monkeypatch.setattr(fitting, "CHUNK", chunk)
        begun = Fitting(wave(points=90), CoordinateNetwork.build(ImplicitSpec(inputs=2, hidden=(8,)), 0), FittingSpec())
        begun.backward(begun.field.sample(torch.Generator().manual_seed(0)))
        return [parameter.grad.clone() for parameter in begun.network.parameters()]

    for whole, cut in zip(one_step(1000), one_step(7), strict=True):
        assert torch.allclose(whole, cut, rtol=1e-3, atol=1e-4 * float(whole.abs().max()))


# Mistakes.


def begun(**settings: object) -> Fitting:
    name = str(settings.pop("name", "image"))
    values = settings.pop("values", picture())
    rate = settings.pop("learning_rate", 1e-4)
    field = signal(values, name)
    spec = ImplicitSpec(inputs=values.ndim - 1, outputs=values.shape[-1], **{"hidden": (64, 64), **settings})
    return Fitting(field, CoordinateNetwork.build(spec, 0), FittingSpec(learning_rate=rate))


MISTAKES = {
    "low for 'image'": {"first_omega": 1.0},
    "high for 'image'": {"first_omega": 150.0, "values": picture(201, 201)},
    "between neighbouring samples": {"first_omega": 300.0},
    "low for 'audio'": {"name": "audio", "values": tone(4001), "first_omega": 30.0},
    "learning rate 0.001 is large": {"learning_rate": 1e-3},
}


@pytest.mark.parametrize("words", MISTAKES)
def test_a_mistake_is_told(words):
    told = list(advice(begun(**MISTAKES[words])))
    assert len(told) == 1
    assert words in told[0]


@pytest.mark.parametrize("settings", [{}, {"hidden": (16,)}, {"kind": "relu", "learning_rate": 1e-2}, {"omega": 60.0}])
def test_what_is_right_is_not_told(settings):
    assert list(advice(begun(**settings))) == []


def test_initial_weights_that_are_not_of_a_siren_are_told():
    wrong = begun()
    siren_initialise(wrong.network.layers, omega=1.0)
    told = list(advice(wrong))
    assert "not the initial weights of a SIREN" in told[0]
    assert "only noise" in told[0]
    siren_initialise(wrong.network.layers, omega=300.0)
    assert "hardly any signal" in next(advice(wrong))


def test_coordinates_outside_are_warned_of(tmp_path):
    fit = fitted("grey image", steps=2)
    with pytest.warns(LosslensWarning, match=r"leave \[-1, 1\]"):
        assert fit.trained.at([[0.0, 2.0]]).shape == (1, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit.trained.at([[0.0, 1.0]])


WRONG = {
    "task among": ("imagge", picture(), {}),
    "Did you mean 'image'": ("imagge", picture(), {}),
    "a path or an array for 'image', found none": ("image", None, {}),
    "no data for 'wave'": ("wave", picture(), {}),
    "an option of 'audio'": ("audio", tone(), {"size": 8}),
    r"an option of 'image' \(size, points\), found 'wavenumber'": ("image", picture(), {"wavenumber": 3.0}),
    "network among": ("image", picture(), {"network": "gelu"}),
    "second derivatives are zero": ("wave", None, {"network": "relu"}),
    "which 'poisson from laplacian'": ("poisson", picture(), {"known": "laplacian", "baselines": ("relu",)}),
    "gradients or laplacian": ("poisson", picture(), {"known": "hessian"}),
    "3 or more pixels": ("poisson", picture(2, 9), {}),
    "omega: input should be greater than 0": ("image", picture(), {"omega": -1.0}),
    "hidden 0: input should be greater": ("image", picture(), {"hidden": (0,)}),
    "one or more steps": ("image", picture(), {"steps": 0}),
    "device of this machine": ("image", picture(), {"device": "tpu"}),
    "precision: input should be": ("image", picture(), {"precision": "fp8"}),
    "no resonance of the square": ("helmholtz", None, {"wavenumber": 2.2214}),
    "a positive speed": ("wave", None, {"speed": 0.0}),
    "one or more points": ("wave", None, {"points": 0}),
    "a positive wavenumber": ("helmholtz", None, {"wavenumber": -1.0}),
}


@pytest.mark.parametrize("message", WRONG)
def test_what_cannot_be_is_refused(message, tmp_path):
    task, source, options = WRONG[message]
    with pytest.raises(BadInput, match=message):
        losslens.implicit(task, source, **{"steps": 1, "hidden": (8,), **options}, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_resonances_are_those_of_the_square():
    for one, other in ((1, 1), (2, 3), (4, 1)):
        with pytest.raises(BadInput, match="resonance"):
            helmholtz(np.pi / 2 * np.hypot(one, other) * 1.001)
    helmholtz(6.0)


def test_every_task_has_the_networks_that_can_solve_it_unasked():
    fit = losslens.implicit("wave", baselines=None, steps=1, hidden=(8,), points=20)
    assert list(fit.networks) == ["siren", "tanh", "fourier"]
    fit = losslens.implicit("image", picture(), baselines=None, steps=1, hidden=(8,))
    assert list(fit.networks) == ["siren", "relu", "tanh", "fourier"]


# The command.


def save_inputs(folder: Path) -> dict[str, list[object]]:
    from PIL import Image
    from scipy.io import wavfile

    pixels = np.rint((picture()[..., 0] + 1) * 127.5).astype(np.uint8)
    Image.fromarray(pixels).save(folder / "picture.png")
    wavfile.write(folder / "tone.wav", 8000, (tone()[:, 0] * 30000).astype(np.int16))
    np.savez(folder / "film.npz", frames=film())
    np.savetxt(folder / "sphere.xyz", sphere())
    return {
        "image": [folder / "picture.png"],
        "audio": [folder / "tone.wav", "--first-omega", 100],
        "video": [folder / "film.npz"],
        "poisson": [folder / "picture.png", "--from", "laplacian"],
        "sdf": [folder / "sphere.xyz", "--points", 50],
        "helmholtz": ["--points", 50],
        "wave": ["--points", 50],
    }


@pytest.mark.parametrize("task", TASKS)
def test_the_command_leaves_everything_and_draws_again(task, tmp_path):
    arguments = save_inputs(tmp_path)[task]
    out = tmp_path / "fit"
    ended = call("implicit", task, *arguments, "-o", out, "--steps", 3, "--hidden", "8", "--baselines", "fourier")
    assert ended.status == 0, ended.err
    assert "after 3 steps" in " ".join(ended.out.split())
    found = json.loads((out / "results.json").read_text())
    assert [row["kind"] for row in found["rows"]] == ["siren", "fourier"]
    page = (out / "report.html").read_text()
    assert "ReLU with Fourier features" in page
    assert ("data:image/png" in page) == (task != "audio")
    (drawn,) = [path for path in out.glob("reconstruction.*") if path.suffix != ".png" or task in ("image", "poisson")]
    again = tmp_path / f"again{drawn.suffix}"
    ended = call("implicit", "evaluate", out, "--resolution", 20, "-o", again)
    assert ended.status == 0, ended.err
    assert again.stat().st_size > 0
    assert not list(out.rglob("*.partial*"))


def test_the_page_is_drawn_silent_and_offline(tmp_path):
    fit = losslens.implicit("audio", tone(), baselines=("relu",), steps=20, hidden=(8,), out=tmp_path / "fit")
    seen = visit((tmp_path / "fit" / "report.html").read_text(), tmp_path)
    seen.check()
    assert seen.probe["plots"] == 2 * 3  # three layers each: readings by step, and the sounds
    assert fit.found.sentence in seen.dom


def test_evaluate_writes_other_forms_and_refuses_impossible_ones(tmp_path):
    from scipy.io import wavfile

    inputs, common = save_inputs(tmp_path), ("--steps", 2, "--hidden", "8", "--baselines", "none")
    for task in ("image", "audio", "video"):
        assert call("implicit", task, *inputs[task], "-o", tmp_path / task, *common).status == 0
    assert (
        call("implicit", "evaluate", tmp_path / "image", "--resolution", "31x20", "-o", tmp_path / "b.png").status == 0
    )
    assert read_picture(tmp_path / "b.png").shape == (31, 20, 1)
    assert call("implicit", "evaluate", tmp_path / "audio", "--resolution", 802, "-o", tmp_path / "b.wav").status == 0
    assert wavfile.read(tmp_path / "b.wav")[0] == 16000
    assert call("implicit", "evaluate", tmp_path / "video", "-o", tmp_path / "frames").status == 0
    assert len(list((tmp_path / "frames").glob("*.png"))) == 5
    for arguments, words in (
        ((tmp_path / "image", "-o", tmp_path / "no.wav"), "an output of 'image' as .npz, .png"),
        ((tmp_path / "audio", "-o", tmp_path / "no.png"), "an output of 'audio' as .npz, .wav"),
        ((tmp_path / "image", "-o", tmp_path / "no" / "no.png"), "an existing folder"),
        ((tmp_path / "image", "--resolution", "2x2x2", "-o", tmp_path / "no.png"), "a resolution HEIGHTxWIDTH"),
        ((tmp_path / "image",), "no file"),
        ((tmp_path, "-o", tmp_path / "no.png"), "model.json"),
    ):
        ended = call("implicit", "evaluate", *arguments)
        assert ended.status == 2
        assert words in ended.err
    assert not list(tmp_path.glob("no*"))


def test_the_command_warns_in_plain_words_and_refuses_a_resolution(tmp_path):
    source = save_inputs(tmp_path)["image"][0]
    common = ("-o", tmp_path / "fit", "--steps", 1, "--hidden", "8", "--baselines", "none")
    warned = call("implicit", "image", source, "--omega", "1", *common)
    assert warned.err.startswith("warning: A first omega of 1 is low")
    assert "A first omega of 1 is low" in json.loads((tmp_path / "fit" / "results.json").read_text())["warnings"][0]
    refused = call("implicit", "image", source, "--resolution", "9x9", *common)
    assert refused.status == 2
    assert "evaluate" in refused.err
