"""Pretraining: against a loop in plain PyTorch, on a planted case, stopped and continued, seeded."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from tests.small_methods import planted, prepared, training, trial
from torch.nn import functional

from losslens.data.readers import read
from losslens.models.backbones import Encoder
from losslens.models.methods import METHODS
from losslens.models.objective import Batch
from losslens.models.spec import ModelSpec
from losslens.run import siamese
from losslens.run.batches import shuffled
from losslens.run.course import is_read
from losslens.run.readout import fit_reader
from losslens.run.siamese import Pairs, Pretraining, Watched, scheduled
from losslens.run.spec import SplitSpec, TransformSpec, TrialResult, TrialSpec
from losslens.run.trial import run_trial
from losslens.vocabulary.errors import BadInput

DATA = planted()


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# --- the loop ------------------------------------------------------------------------------------------------------


def textbook_loss(name, network, slow, first, second):
    """SimSiam and BYOL from their papers, of the modules of a network."""

    def z(view):
        return network.projector(network.encoder.backbone(view - network.encoder.center))

    z1, z2 = z(first), z(second)
    p1, p2 = network.predictor(z1), network.predictor(z2)
    if name == "simsiam":
        cos = [functional.cosine_similarity(p, t.detach()).mean() for p, t in ((p1, z2), (p2, z1))]
        return -sum(cos) / 2
    with torch.no_grad():
        t1, t2 = (slow[1](slow[0].backbone(view - network.encoder.center)) for view in (first, second))
    return sum((2 - 2 * functional.cosine_similarity(p, t)).mean() for p, t in ((p1, t2), (p2, t1)))


@pytest.mark.parametrize("name", ["simsiam", "byol"])
def test_two_epochs_are_those_of_a_loop_in_plain_pytorch(tmp_path, name):
    own = training(name, DATA, tmp_path, epochs=2, weight_decay=1e-2)
    network, slow = copy.deepcopy(own.network), copy.deepcopy(own.network.target)
    peak, steps = own.training.learning_rates[0], 2 * own.steps
    order, noise = (torch.Generator().manual_seed(7 + part) for part in (0, 1))
    parts = [(network.encoder.backbone, False), (network.projector, False), (network.predictor, True)]
    weights = [(p, predicts) for part, predicts in parts for p in part.parameters()]
    speeds, step = [torch.zeros_like(p) for p, _ in weights], 0
    network.train()
    if slow is not None:
        slow.train()
    for _ in range(2):
        for index in shuffled(own.train, 32, order):
            first, second = own.views(own.rows(index), noise)
            loss = textbook_loss(name, network, slow, first, second)
            gradients = torch.autograd.grad(loss, [p for p, _ in weights])
            rise = round(0.1 * steps)
            share = (step + 1) / rise if step < rise else 0.5 + 0.5 * math.cos(math.pi * (step - rise) / (steps - rise))
            with torch.no_grad():
                for (p, predicts), v, g in zip(weights, speeds, gradients, strict=True):
                    pull = g + 1e-2 * p
                    v.copy_(pull if step == 0 else 0.9 * v + pull)
                    p.sub_(peak * (1.0 if predicts and name == "simsiam" else share) * (pull + 0.9 * v))
                if slow is not None:
                    kept = 1 - 0.01 * (math.cos(math.pi * step / steps) + 1) / 2
                    both = zip(slow.parameters(), [*network.encoder.parameters(), *network.projector.parameters()],
                               strict=True)  # fmt: skip
                    for old, new in both:
                        old.mul_(kept).add_((1 - kept) * new)
            step += 1
    own.run()
    assert step == steps
    for (label, ours), theirs in zip(own.network.named_parameters(), network.parameters(), strict=False):
        if not label.startswith("target"):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5, msg=label)
    if slow is not None:
        for ours, theirs in zip(own.network.target.parameters(), slow.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [name for name, entry in METHODS.items() if entry.target == "momentum"])
@pytest.mark.parametrize("shape", [(1, 6, 10), (1, 1, 60)], ids=["image", "signal"])
def test_the_slow_copy_sees_the_same_input_as_the_network(tmp_path, name, shape):
    """Of equal weights: a convolution with borders does not take the mean of its inputs off by itself."""
    spec = trial(name, DATA, views=())
    model = ModelSpec(kind="encoder", architecture="residual", hidden=(4,), code=16, normalisation="batch", shape=shape)
    spec = spec.model_copy(update={"model": model})
    network = Pretraining(spec, prepared(DATA, tmp_path, spec), seed=7).network.train()
    assert network.encoder.center.abs().max() > 0.1
    rows = network.encoder.center + torch.randn(8, 60)
    torch.testing.assert_close(network.target[0].encode(rows), network.encoder.encode(rows))


def test_a_rate_rises_and_falls():
    rates = [scheduled(step, 100, 0.1) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * (step + 1) for step in range(10)])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(0.5)
    assert 0 < rates[-1] < 1e-3


def test_the_slow_copy_is_kept_ever_more(tmp_path):
    own = training("byol", DATA, tmp_path, epochs=4)
    kept = [own.momentum(step) for step in range(4 * own.steps + 1)]
    assert kept[0] == pytest.approx(0.99)
    assert kept[-1] == pytest.approx(1.0)
    assert kept == sorted(kept)
    assert {training("moco_v2", DATA, tmp_path).momentum(step) for step in (0, 5)} == {0.99}


@pytest.mark.parametrize(
    ("shape", "shown"), [((3, 4, 5), (3, 4, 5)), ((1, 1, 60), (1, 60)), ((2, 1, 30), (2, 30)), ((), (60,))]
)
def test_views_are_given_what_rows_are(shape, shown):
    seen = []

    def views(batch, noise, scale):
        seen.append((tuple(batch.shape), scale))
        return batch

    first, second = Pairs(views, ModelSpec(shape=shape))(Batch(torch.zeros(7, 60), scale="scale"), torch.Generator())
    assert first.shape == second.shape == (7, 60)
    assert seen == [((7, *shown), "scale")] * 2


# --- what is learned -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def random_encoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    spec = trial("simclr", DATA)
    untrained = spec.model_copy(
        update={"method": None, "training": None, "model": spec.model.model_copy(update={"kind": "random_encoder"})}
    )
    prepared(DATA, folder, spec)
    return run_trial(untrained, folder / DATA.content_hash).result


@pytest.mark.parametrize("name", METHODS)
def test_every_method_learns_what_views_leave_alone(tmp_path, name, random_encoder):
    spec = trial(name, DATA, epochs=25)
    prepared(DATA, tmp_path, spec)
    result = run_trial(spec, tmp_path / DATA.content_hash).result
    assert result.status == "ok"
    loss = [value for value in result.course["loss"][2 if name == "moco_v2" else 1 :] if value is not None]
    assert np.mean(loss[-3:]) < np.mean(loss[:2])  # a queue is of random directions at first, which is easy
    assert result.metrics["knn_accuracy"] > random_encoder.metrics["knn_accuracy"] + 0.03
    assert result.course["knn_accuracy"][-1] > result.course["knn_accuracy"][0]
    assert result.metrics["r2"] > 0
    assert TrialResult.model_validate_json(result.model_dump_json()) == result


def test_the_first_reading_is_of_the_untrained_encoder(tmp_path, random_encoder):
    spec = trial("simclr", DATA)
    own = Pretraining(spec, prepared(DATA, tmp_path, spec), seed=7)
    torch.manual_seed(7)
    fresh = Encoder(spec.model, DATA.shape[1])
    torch.testing.assert_close(fresh.backbone[0].weight, own.network.encoder.backbone[0].weight)
    assert random_encoder.course == {}
    assert random_encoder.parameters > 0


def test_groups_may_leave_one_row_to_validate_but_not_to_train(tmp_path):
    values = np.random.default_rng(0).normal(size=(40, 60)).astype(np.float32)
    data = read(values, group=np.array(["large"] * 38 + ["one", "another"]))
    seen = set()
    for repeat in range(4):
        spec = trial("simsiam", data, epochs=1).model_copy(update={"split": SplitSpec(repeat=repeat)})
        split = prepared(data, tmp_path, spec).split
        seen.add(len(split.train) > 1)
        if len(split.train) > 1:
            result = run_trial(spec, tmp_path / data.content_hash).result
            assert (len(split.valid), result.status) == (1, "ok")
            assert all(math.isfinite(value) for value in result.course["loss"])
            continue
        with pytest.raises(BadInput, match="two training samples"):
            run_trial(spec, tmp_path / data.content_hash)
    assert seen == {True, False}


@pytest.mark.parametrize("samples", [300, 513, 1500])
def test_an_untrained_encoder_normalises_by_the_training_rows(samples):
    """Also sorted rows, and where a piece of 512 would leave one alone, which has no variance."""
    rows = torch.randn(samples, 20).cumsum(0) / 10.0
    encoder = Encoder(ModelSpec(kind="encoder", hidden=(8,), code=4, normalisation="batch", dropout=0.5), 20)
    siamese.calibrate(encoder, lambda index: Batch(rows[index]), torch.arange(samples))
    hidden = encoder.backbone[:2](rows)
    torch.testing.assert_close(hidden.mean(0), torch.zeros(8), rtol=0, atol=1e-3)
    torch.testing.assert_close(hidden.std(0), torch.ones(8), rtol=0, atol=1e-2)
    assert not any(part.training for part in encoder.modules())
    assert encoder.backbone[1].momentum == 0.1


def test_the_linear_reading_is_ridge_regression(tmp_path):
    spec = trial("simclr", DATA)
    data = prepared(DATA, tmp_path, spec)
    own = Pretraining(spec, data, seed=7)
    train, valid = torch.from_numpy(data.split.train), torch.from_numpy(data.split.valid)
    fit_reader(own.network.encoder, own.rows, train, valid)
    with torch.no_grad():
        codes, others = (own.network.encoder.encode(own.rows(part).profiles).double() for part in (train, valid))
    x, y = (own.rows(part).profiles.double() for part in (train, valid))
    gram = (codes - codes.mean(0)).T @ (codes - codes.mean(0))
    best = math.inf
    for penalty in (1e-6, 1e-4, 1e-2, 1.0):
        ridge = gram + penalty * gram.diagonal().mean() * torch.eye(16)
        weight = torch.linalg.solve(ridge, (codes - codes.mean(0)).T @ (x - x.mean(0)))
        error = ((others - codes.mean(0)) @ weight + x.mean(0) - y).square().sum()
        if error < best:
            best, expected = error, weight
    torch.testing.assert_close(own.network.encoder.reader.weight.double(), expected.T, rtol=1e-4, atol=1e-5)


# --- stopped, continued, seeded ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", METHODS)
def test_a_continued_training_is_the_uninterrupted_one(tmp_path, name, monkeypatch):
    monkeypatch.setattr(siamese, "CHECKPOINT_SECONDS", 0.0)
    whole = training(name, DATA, tmp_path, epochs=4)
    whole.run()
    state = tmp_path / "state.safetensors"

    def stop(epoch, course):
        if epoch == 3:  # the state of epoch 2 is on disk
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training(name, DATA, tmp_path, epochs=4).run(Watched(stop, state))
    again = training(name, DATA, tmp_path, epochs=4)
    assert again.load(state)
    assert again.epoch == 2
    again.run()
    assert again.course == whole.course
    assert again.result().findings == whole.result().findings
    assert [look.epoch for look in again.watching.looks] == [0, 1, 2, 3, 4]
    assert [repr(look) for look in again.watching.looks] == [repr(look) for look in whole.watching.looks]
    for (label, one), other in zip(
        again.network.state_dict().items(), whole.network.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other), label
    assert all(
        torch.equal(*both)
        for both in zip(again.objective.state_dict().values(), whole.objective.state_dict().values(), strict=True)
    )


def test_a_state_of_another_trial_is_not_taken(tmp_path):
    state = tmp_path / "state.safetensors"
    training("simclr", DATA, tmp_path, epochs=1).run(Watched(checkpoint=state))
    assert not training("simclr", DATA, tmp_path, epochs=2).load(state)
    assert not training("simsiam", DATA, tmp_path, epochs=1).load(state)
    assert not training("simclr", DATA, tmp_path, epochs=1).load(tmp_path / "nothing")


def test_equal_seeds_give_equal_courses(tmp_path):
    courses = []
    for _ in range(2):
        own = training("simsiam", DATA, tmp_path, epochs=2)
        own.run()
        courses.append(own.course)
    assert courses[0] == courses[1]
    spec = trial("simsiam", DATA, epochs=2)
    other = Pretraining(spec, prepared(DATA, tmp_path, spec), seed=8)
    other.run()
    assert other.course != courses[0]


def test_what_diverges_says_so(tmp_path):
    spec = trial("vicreg", DATA, epochs=3)
    spec = spec.model_copy(update={"training": spec.training.model_copy(update={"learning_rates": (1e12,)})})
    prepared(DATA, tmp_path, spec)
    result = run_trial(spec, tmp_path / DATA.content_hash).result
    assert result.status == "diverged"
    assert "not finite in epoch" in result.cause


def test_a_trial_of_a_method_has_an_id_of_its_own():
    specs = [
        trial("simsiam", DATA),
        trial("simsiam", DATA, cut=3.0),
        trial("simsiam", DATA, weight_decay=0.0),
        trial("byol", DATA),
        trial("simsiam", DATA, views=()),
    ]
    assert len({spec.id for spec in specs}) == len(specs)
    assert all(TrialSpec.model_validate_json(spec.model_dump_json()).id == spec.id for spec in specs)
    assert specs[1].key == "simsiam/cut=3/wd=0.0005"


def test_raw_features_are_their_own_code(tmp_path):
    spec = TrialSpec(
        data=DATA.content_hash,
        transform=TransformSpec(name="none"),
        split=SplitSpec(repeat=0),
        model=ModelSpec(kind="raw_features", hidden=(), code=1),
    )
    prepared(DATA, tmp_path, spec)
    metrics = run_trial(spec, tmp_path / DATA.content_hash).result.metrics
    assert metrics["r2"] == pytest.approx(1.0)
    assert metrics["trustworthiness"] == pytest.approx(1.0)


def test_long_trainings_are_read_now_and_then():
    read = [epoch for epoch in range(1001) if is_read(epoch, 1000)]
    assert (read[0], read[-1]) == (0, 1000)
    assert len(read) <= 51
    assert all(is_read(epoch, 30) for epoch in range(31))
