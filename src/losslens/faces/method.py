"""How a comparison was done, in words for the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from losslens.faces.method_lines import method_lines
from losslens.losses import LOSSES, LossEntry
from losslens.models.corruptions import CORRUPTIONS
from losslens.models.spec import CorruptionSpec, ModelSpec, TermSpec
from losslens.report.document import Setting
from losslens.run.hidden import PROFILES, ROUNDS, SHARE
from losslens.run.plan import Plan
from losslens.run.prepared import Prepared
from losslens.run.spec import TrainingSpec, TrialSpec
from losslens.vocabulary.quantities import Domain


def settings(plan: Plan, training: TrainingSpec, prepared: Prepared) -> list[Setting]:
    """Everything that was the same for all, what was chosen for each, and what only some kinds of models have."""
    first = [spec for spec in plan.trials if spec.split.repeat == 0]
    trained = [spec for spec in first if spec.objective is not None]
    entries = [LOSSES[candidate.loss] for candidate in plan.candidates]
    every = [*trained, *(spec for spec in first if spec.method is not None)]
    lines = {
        "Splits": _splits(plan, prepared),
        **(_trained_lines(trained, entries, training, prepared.features) if trained else {}),
        **method_lines(first, prepared.features),
        "Hidden values": f"{SHARE:.0%} of at most {PROFILES} held-out profiles, filled in {ROUNDS} rounds",
        "Code sizes": _swept(_sizes(every)),
        "Intervals": "paired by split, corrected resampled t (Nadeau and Bengio 2003), 95 %; Holm over candidates",
        "Precision": f"{training.precision} matrix products on {training.device}, one thread per training",
        "Seed": str(plan.trials[0].seed),
    }
    return [Setting(name=name, value=value) for name, value in lines.items() if value]


def _trained_lines(
    trained: list[TrialSpec], entries: list[LossEntry], training: TrainingSpec, features: int
) -> dict[str, str]:
    """Of autoencoders."""
    return {
        "Network": _by_kind(trained, lambda spec: _network(spec.model, _sizes(trained), features)),
        "Initial weights": "the same for all candidates of a repeat that have the same network",
        "Training": _training(training),
        "Learning rate": _rates(training),
        "Weight decay": f"{training.weight_decay:g}, decoupled (AdamW)" if training.weight_decay else "",
        "Averaged weights": _by_kind(trained, _average),
        "Corrupted inputs": _by_kind(trained, _corruption),
        "Pretraining": _by_kind(trained, _pretraining),
        "Further terms": _by_kind(trained, _terms),
        "Scale-blind losses": _if_any(
            (entry.scale_invariant for entry in entries),
            "learn magnitudes in a head on the code, whose gradient stops there",
        ),
        "Count losses": _if_any(
            (entry.domain is Domain.COUNTS for entry in entries),
            "predict the expected logarithm under their distribution, not the logarithm of the mean",
        ),
    }


def _if_any(cases: Iterable[bool], line: str) -> str:
    return line if any(cases) else ""


def _by_kind(trained: list[TrialSpec], say: Callable[[TrialSpec], str]) -> str:
    """What is said of each kind of model, once for all that share it; nothing if there is nothing to say of any."""
    kinds: dict[str, list[str]] = {}
    for spec in trained:
        kinds.setdefault(say(spec), [])
        if spec.model.kind not in kinds[say(spec)]:
            kinds[say(spec)].append(spec.model.kind)
    if len(kinds) == 1:
        return next(iter(kinds))
    return "; ".join(f"{', '.join(map(_called, own))}: {text}" for text, own in kinds.items() if text)


def _called(kind: str) -> str:
    return "plain" if kind == "autoencoder" else kind.replace("_", " ")


def _sizes(trained: list[TrialSpec]) -> list[int]:
    return sorted({spec.model.code for spec in trained})


def _splits(plan: Plan, prepared: Prepared) -> str:
    parts = prepared.split
    repeats = 1 + max(spec.split.repeat for spec in plan.trials)
    sizes = f"{len(parts.train)} training, {len(parts.valid)} validation and {len(parts.test)} test samples"
    return f"{repeats} random split{'s' * (repeats > 1)}, {parts.how}; {sizes}"


def _network(spec: ModelSpec, sizes: list[int], features: int) -> str:
    code = str(spec.code) if len(sizes) == 1 else f"({'|'.join(map(str, sizes))})"
    there, back = "-".join(map(str, spec.hidden)), "-".join(map(str, spec.hidden[::-1]))
    if spec.architecture == "convolutional":
        image = "x".join(map(str, spec.shape))
        shape = f"{image} image, convolutions to {there} channels, each halving it, code {code}, and back"
    else:
        shape = "-".join(part for part in (str(features), there, code, back, str(features)) if part)
    return ", ".join([shape, *_details(spec)])


def _details(spec: ModelSpec) -> list[str]:
    """What a network has beside its layers."""
    found = {
        spec.activation: bool(spec.hidden),
        f"{spec.normalisation} normalisation": spec.normalisation != "none",
        f"dropout {spec.dropout:g}": spec.dropout > 0,
        "weights tied": spec.tied,
        f"{spec.code_activation} code": spec.code_activation != "linear",
        "a linear path that starts at PCA": spec.linear_path,
        "a normal posterior over codes": spec.variational,
        "a decoder that only reads the code": spec.reads_code,
    }
    return [text for text, holds in found.items() if holds]


def _training(training: TrainingSpec) -> str:
    return (
        f"Adam, batches of {training.batch} in the same order for all candidates of a repeat; at most "
        f"{training.epochs} epochs, stopped when {training.patience} bring no improvement of the candidate's own loss "
        "on the validation part; the best weights are kept"
    )


def _rates(training: TrainingSpec) -> str:
    grid = ", ".join(f"{rate:g}" for rate in training.learning_rates)
    if len(training.learning_rates) == 1:
        return f"{grid} for all"
    return (
        f"chosen for each candidate and repeat from {grid}: each is trained for {training.trial_epochs} epochs, "
        "the one with the lowest own loss on the validation part goes on"
    )


def _average(spec: TrialSpec) -> str:
    kept = spec.training.average if spec.training else 0.0
    return f"a running mean of which each step keeps {kept:g}" if kept else ""


def _corruption(spec: TrialSpec) -> str:
    return _corrupted(spec.training.corruption) if spec.training and spec.training.corruption else ""


def _corrupted(spec: CorruptionSpec) -> str:
    entry = CORRUPTIONS[spec.name]
    strength = spec.options.get(entry.strength, entry.options[entry.strength].default)
    said = f"{spec.name.replace('_', ' ')}, {entry.strength} {strength:g}"
    weighed = f", errors counting {spec.corrupted:g} where corrupted and {spec.intact:g} elsewhere"
    return said + (weighed if spec.emphasises else "")


def _pretraining(spec: TrialSpec) -> str:
    if spec.training is None or not spec.training.pretraining:
        return ""
    noise = spec.training.pretraining_corruption
    given = f" on corrupted inputs ({_corrupted(noise)})" if noise else ""
    return f"{spec.training.pretraining} epochs for each layer{given}, then all layers together"


def _terms(spec: TrialSpec) -> str:
    return " and ".join(_term(term) for term in spec.objective.terms) if spec.objective else ""


def _term(term: TermSpec) -> str:
    options = "".join(f", {name} {value}" for name, value in term.options.items())
    rising = f", rising from zero over {term.warm_up} epochs" if term.warm_up else ""
    return f"{term.loss}, weight {term.weight:g}{options}{rising}"


def _swept(sizes: list[int]) -> str:
    if len(sizes) < 2:
        return ""
    return (
        f"{', '.join(map(str, sizes))}; the knee is the smallest not worse than the best by more than one "
        "standard error of the paired difference (Breiman et al. 1984), its interval from resampled splits"
    )
