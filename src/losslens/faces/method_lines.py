"""How self-supervised methods were trained, in words for the report."""

from __future__ import annotations

from losslens.measure.directions import NEIGHBOURS, TEMPERATURE
from losslens.models.methods import METHODS, Head
from losslens.models.spec import MethodSpec, ModelSpec, ViewSpec
from losslens.run.spec import TrainingSpec, TrialSpec


def method_lines(trials: list[TrialSpec], features: int) -> dict[str, str]:
    """What their report says beside what holds for all rows; nothing without such methods."""
    own = [(spec.model, spec.method, spec.training) for spec in trials if spec.method and spec.training]
    if not own:
        return {}
    model, method, training = own[0]
    each = {method.name: (method, training) for _, method, training in own}
    return {
        "Backbone": _backbone(model, features),
        "Views": " then ".join(map(_view, method.views)),
        "Methods": "; ".join(f"{METHODS[name].title}: {_method(*spec)}" for name, spec in each.items()),
        "Self-supervised training": _training(training),
        "Cut": f"weights divided by it before training ({method.cut_form}); 1 leaves them as they are",
        "Gradient scale": f"times the norm to the power {method.grad_scale:g}" if method.grad_scale else "",
        "Codes": "the backbone's output, without the heads; reconstructions of these rows are a linear read-out of it "
        "(ridge regression on the training part, the penalty chosen on the validation part)",
        "Neighbours while training": f"of validation samples among training samples: at most {NEIGHBOURS}, a tenth of "
        f"a small training part, voting with weights exp(cosine / {TEMPERATURE})",
    }


def _backbone(model: ModelSpec, features: int) -> str:
    if model.architecture != "residual":
        widths = "-".join(map(str, (features, *model.hidden, model.code)))
        return f"perceptron {widths}, {model.normalisation} normalisation"
    stages, size = ", ".join(map(str, (*model.hidden, model.code))), "x".join(map(str, model.shape))
    return f"residual network on {size}, stages of {model.blocks} block(s) with {stages} channels, small-image stem"


def _view(spec: ViewSpec) -> str:
    options = ", ".join(f"{name} {value}" for name, value in spec.options.items())
    return spec.name.replace("_", " ") + (f" ({options})" if options else "")


def _method(method: MethodSpec, training: TrainingSpec) -> str:
    entry = METHODS[method.name]
    heads = [f"projector of {_head(entry.projector, method.head)}"]
    heads += [f"predictor of {_head(entry.predictor, method.head)}"] if entry.predictor else []
    found = {
        f"temperature {method.temperature:g}": entry.contrastive or bool(entry.memory),
        f"slow copy of momentum {method.momentum:g}{' rising to 1' if entry.momentum_rises else ''}": entry.momentum
        > 0,
        f"{method.queue} negatives in a queue": method.queue > 0,
        "constant rate of the predictor": entry.constant,
        f"learning rate {training.learning_rates[0]:g}": True,
    }
    return ", ".join([*heads, *(text for text, holds in found.items() if holds)])


def _head(head: Head, width: int) -> str:
    where = {"none": "no", "hidden": "hidden", "all": "every"}[head.normalised]
    return f"{head.layers} layers ({round(head.hidden * width)} inside, {where} batch normalisation)"


def _training(training: TrainingSpec) -> str:
    return (
        f"SGD with momentum 0.9, batches of {training.batch}, {training.epochs} epochs, the rate rising linearly and "
        "then falling as a cosine; weight decay on all weights, coupled; the last weights are kept"
    )
