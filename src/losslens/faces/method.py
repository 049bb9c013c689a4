"""How a comparison was done, in words for the report."""

from __future__ import annotations

from losslens.report.document import Setting
from losslens.run.plan import Plan
from losslens.run.prepared import Prepared
from losslens.run.spec import TrainingSpec


def settings(plan: Plan, training: TrainingSpec, prepared: Prepared) -> list[Setting]:
    """Everything that was the same for all, and what was chosen for each."""
    lines = {
        "Splits": _splits(plan, prepared),
        "Network": _network(plan, prepared.features),
        "Training": _training(training),
        "Learning rate": _rates(training),
        "Scale-blind losses": "cosine and pearson learn magnitudes in a head on the code, whose gradient stops there",
        "Count losses": "predict the expected logarithm under their distribution, not the logarithm of the mean",
        "Intervals": "paired by split, corrected resampled t (Nadeau and Bengio 2003), 95 %; Holm over candidates",
        "Precision": f"{training.precision} matrix products on {training.device}, one thread per training",
        "Seed": str(plan.trials[0].seed),
    }
    return [Setting(name=name, value=value) for name, value in lines.items()]


def _splits(plan: Plan, prepared: Prepared) -> str:
    parts = prepared.split
    repeats = 1 + max(spec.split.repeat for spec in plan.trials)
    sizes = f"{len(parts.train)} training, {len(parts.valid)} validation and {len(parts.test)} test samples"
    return f"{repeats} random split{'s' * (repeats > 1)}, {parts.how}; {sizes}"


def _network(plan: Plan, features: int) -> str:
    spec = next(spec.model for spec in plan.trials if spec.model.is_trained)
    widths = [features, *spec.hidden, spec.code, *spec.hidden[::-1], features]
    return f"{'-'.join(map(str, widths))}, {spec.activation}; the same initial weights for all candidates of a repeat"


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
