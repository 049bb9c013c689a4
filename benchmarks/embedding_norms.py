"""Whether small first weights and weight decay, which keep embeddings short, make self-supervised methods learn sooner.

The gradient of a cosine fades as the norm of the embedding grows, so it has been recommended to divide first weights
by a cut of 3 (contrastive methods) or 9 (methods without negatives) and to train with weight decay. SimCLR, SimSiam
and BYOL are trained with cuts of 1, 3 and 9, with and without decay, on digits and two sets of single cells; once
cut are all parameters ("all", as the authors' code does it), once those of the last linear layer alone ("last").
While they train, neighbours of validation samples (weighted by cosine, on features of the backbone) tell the label;
nothing is chosen by it. Counted are the epochs until that accuracy reaches a level: nine tenths of the way from the
median before training to the median at the end, over all settings and splits of a method. An untrained network may be
near the end already, so that a share of the last accuracy alone would be reached before the first step. A training
that never gets there counts as one epoch more than it had. Readings are evenly spaced epochs, at most about 50. Leads
are paired by split, their 95 % intervals corrected for splits that share samples.

    python benchmarks/embedding_norms.py --json benchmarks/results/embedding-norms.json
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median
from typing import Any

from _comparing import Beside, beside, compared, parser, report
from beating_pca import citeseq_cbmc, pancreas
from losslens.report.document import Document, Row
from stacked_denoising import digits, mnist_5k

DATA = {"digits": digits, "pancreas": pancreas, "citeseq_cbmc": citeseq_cbmc, "mnist_5k": mnist_5k}
EPOCHS = {"digits": 40, "pancreas": 30, "citeseq_cbmc": 15, "mnist_5k": 20}
USUAL = [*DATA][:3]  # the last one takes ten times as long
CUTS, DECAYS = (1.0, 3.0, 9.0), (0.0, 5e-4)
FORMS = ("all", "last")
RECOMMENDED = {"simclr": 3.0, "simsiam": 9.0, "byol": 9.0}  # with the decay
SHARE = 0.9  # of the way from the median first to the median last accuracy

Setting = tuple[Any, ...]  # cut and weight decay


@dataclass(frozen=True)
class Course:
    """One training: its accuracy of neighbours and mean norm of embeddings by epoch, None where nothing was read.

    ``acts`` are the diagnostics that called for action.
    """

    accuracy: Sequence[float | None]
    norm: Sequence[float | None]
    acts: Sequence[str] = ()

    @property
    def last(self) -> float:
        """The accuracy that it ended with."""
        return _ends(self.accuracy)[1]

    def reached(self, level: float) -> int | None:
        """The first epoch read with such an accuracy."""
        read = enumerate(self.accuracy)
        return next((epoch for epoch, value in read if value is not None and value >= level), None)

    def epochs(self, level: float) -> int:
        """The same, or one more than it had if it never got there."""
        found = self.reached(level)
        return len(self.accuracy) if found is None else found


Courses = dict[Setting, dict[int, Course]]  # of one method, by split


def courses(document: Document, method: str, cuts: Sequence[float]) -> Courses:
    """Every setting of a method."""

    def of(row: Row) -> dict[int, Course]:
        acts = [found for found in row.findings if found.verdict == "act"]
        return {
            each.repeat: Course(
                each.readings["knn_accuracy"],
                each.readings["norm"],
                sorted({found.name for found in acts if each.repeat in found.worst}),
            )
            for each in row.courses
            if any(value is not None for value in each.readings["knn_accuracy"])
        }

    return {(cut, decay): of(document.row(f"{method}/cut={cut:g}/wd={decay:g}")) for cut in cuts for decay in DECAYS}


def level_of(found: Courses) -> float:
    """The accuracy to be reached, for a method."""
    ends = [_ends(course.accuracy) for own in found.values() for course in own.values()]
    first, last = (median(part) for part in zip(*ends, strict=True))
    return first + SHARE * (last - first)


def leads(found: Courses, setting: Setting, other: Setting, level: float) -> tuple[Beside, Beside]:
    """How many epochs sooner a setting gets there than another, and how far ahead it ends."""
    shared = sorted(found[setting].keys() & found[other].keys())
    pairs = [(found[setting][split], found[other][split]) for split in shared]
    own, theirs = ([course.epochs(level) for course in part] for part in zip(*pairs, strict=True))
    last, their_last = ([course.last for course in part] for part in zip(*pairs, strict=True))
    return beside(own, theirs, higher_is_better=False), beside(last, their_last)


def verdict(sooner: Sequence[Beside], further: Sequence[Beside]) -> str:
    """Confirmed if sooner than each and nowhere worse in the end; refuted if later than one, or worse in the end."""
    if any(lead.high < 0 for lead in (*sooner, *further)):
        return "refuted"
    return "confirmed" if all(lead.low > 0 for lead in sooner) else "undecided"


def judged(
    name: str, method: str, found: Courses, form: str = "all", level: float | None = None
) -> Iterator[dict[str, Any]]:
    """Every setting of a method beside cut 1 without decay and beside cut 1 with the same."""
    level = level_of(found) if level is None else level
    for (cut, decay), own in found.items():
        epochs = {split: course.epochs(level) for split, course in own.items()}
        others = {
            f"cut 1, decay {theirs:g}": leads(found, (cut, decay), (1.0, theirs), level)
            for theirs in dict.fromkeys((0.0, decay))
            if (cut, decay) != (1.0, theirs)
        }
        yield {
            "data": name, "method": method, "form": form, "cut": cut, "decay": decay, "level": level, "epochs": epochs,
            "trained for": max(len(course.accuracy) for course in own.values()) - 1,
            "never": sum(course.reached(level) is None for course in own.values()),
            "at the start": sum(course.reached(level) == 0 for course in own.values()),
            "first": {split: _ends(course.accuracy)[0] for split, course in own.items()},
            "last": {split: course.last for split, course in own.items()},
            "called for action": dict(Counter(name for course in own.values() for name in course.acts)),
            "splits called": sum(bool(course.acts) for course in own.values()),
            "norm": [fmean(_ends(course.norm)[end] for course in own.values()) for end in (0, 1)],
            "leads": {other: {"sooner": vars(one), "further": vars(two)} for other, (one, two) in others.items()},
        }  # fmt: skip


def sentence(rows: Sequence[dict[str, Any]]) -> str:
    """What became of the recommendation for one method on one data set."""
    method = rows[0]["method"]
    cut, decay = RECOMMENDED[method], max(DECAYS)
    own = next(row for row in rows if (row["cut"], row["decay"]) == (cut, decay))
    sooner, further = ([Beside(**lead[which]) for lead in own["leads"].values()] for which in ("sooner", "further"))
    against = "; ".join(
        f"beside {other} {one.told(1)} epochs sooner and {two.told(3)} in the last accuracy"
        for other, one, two in zip(own["leads"], sooner, further, strict=True)
    )
    start = f" In {own['at the start']} splits it was reached before training." if own["at the start"] else ""
    return (
        f"{method} on {own['data']}: a cut of {cut:g} (form {own['form']}) with decay {decay:g} is "
        f"{verdict(sooner, further)}. It reaches "
        f"{own['level']:.3f} in {fmean(own['epochs'].values()):.1f} epochs, not in {own['never']} of "
        f"{len(own['epochs'])} splits; {against}.{start}"
    )


def together(found: Sequence[dict[str, Any]], method: str, form: str) -> str:
    """The same over all data sets: leads are averaged over them split by split, epochs as shares of a training."""
    rows = {
        (row["data"], row["cut"], row["decay"]): row for row in found if (row["method"], row["form"]) == (method, form)
    }
    names = list(dict.fromkeys(data for data, *_ in rows))
    cut, decay = RECOMMENDED[method], max(DECAYS)

    def means(cut: float, decay: float) -> tuple[list[float], list[float]]:
        own = [rows[name, cut, decay] for name in names]
        splits = sorted(set.intersection(*(set(row["epochs"]) for row in own)))
        shares = [fmean(row["epochs"][split] / row["trained for"] for row in own) for split in splits]
        return shares, [fmean(row["last"][split] for row in own) for split in splits]

    sooner, further, told = [], [], []
    for theirs in DECAYS:
        (shares, last), (their_shares, their_last) = means(cut, decay), means(1.0, theirs)
        sooner.append(beside(shares, their_shares, higher_is_better=False))
        further.append(beside(last, their_last))
        told.append(
            f"beside cut 1, decay {theirs:g} sooner by {sooner[-1].told(2)} of a training and {further[-1].told(3)} in "
            "the last accuracy"
        )
    return (
        f"{method} on {', '.join(names)} together: a cut of {cut:g} (form {form}) with decay {decay:g} is "
        f"{verdict(sooner, further)}; {'; '.join(told)}."
    )


def calls(found: Sequence[dict[str, Any]], method: str) -> str:
    """In how many trainings of a method the verdicts called for action, without a cut and by form and cut."""
    shown = [row for row in found if row["method"] == method and (row["cut"] > 1 or row["form"] == FORMS[0])]
    counted: dict[str, list[int]] = {}
    for row in shown:
        name = "no cut" if row["cut"] == 1 else f"{row['form']} by {row['cut']:g}"
        total = counted.setdefault(name, [0, 0])
        total[0], total[1] = total[0] + row["splits called"], total[1] + len(row["epochs"])
    told = "; ".join(f"{name}: {some} of {of}" for name, (some, of) in counted.items())
    return f"{method}: trainings in which a verdict called for action. {told}."


def _ends(readings: Sequence[float | None]) -> tuple[float, float]:
    read = [value for value in readings if value is not None]
    return read[0], read[-1]


def _row(each: dict[str, Any]) -> list[str]:
    def told(which: str, digits: int) -> str:
        return "; ".join(Beside(**lead[which]).told(digits) for lead in each["leads"].values())

    epochs = f"{fmean(each['epochs'].values()):.1f}" + f" ({each['never']} never)" * (each["never"] > 0)
    last, norm = (
        f"{fmean(each['first'].values()):.3f} to {fmean(each['last'].values()):.3f}",
        "{:.3g} to {:.3g}".format(*each["norm"]),
    )
    names = [
        each["data"],
        each["method"],
        each["form"],
        f"{each['cut']:g}",
        f"{each['decay']:g}",
        f"{each['level']:.3f}",
    ]
    called = "; ".join(f"{name} {splits}" for name, splits in each["called for action"].items())
    return [*names, epochs, told("sooner", 1), last, told("further", 3), norm, called]


def measured(name: str, budget: dict[str, Any], folder: Path) -> dict[str, dict[str, Courses]]:
    """The courses of every method by form of the cut; those that are not cut are trained once."""
    values, how = DATA[name]()
    own = {"weight_decay": list(DECAYS)} | how | budget
    found: dict[str, dict[str, Courses]] = {}
    for form, cuts in zip(FORMS, (CUTS, CUTS[1:]), strict=True):
        document = compared(f"{name} {budget['epochs']} {form}", values, folder, cut=list(cuts), cut_form=form, **own)
        found[form] = {method: courses(document, method, cuts) for method in budget["methods"]}
    for method, own_courses in found["last"].items():
        own_courses |= {setting: each for setting, each in found["all"][method].items() if setting[0] == 1.0}
    return found


def main(arguments: Sequence[str] | None = None) -> None:
    options = parser(__doc__ or "")
    options.add_argument("--data", choices=DATA, help=f"one of the sets; {', '.join(USUAL)} if not given")
    options.add_argument("--epochs", type=int, help=f"of each training; usually {EPOCHS}")
    asked = options.parse_args(arguments)
    quick = {"epochs": 2, "repeats": 2, "methods": ["simclr"]}
    budget: dict[str, Any] = quick if asked.quick else {"repeats": asked.repeats, "methods": list(RECOMMENDED)}
    names = [asked.data] if asked.data else USUAL[: 1 if asked.quick else None]
    told, found = [], []
    for name in names:
        own = {"epochs": asked.epochs or EPOCHS[name]} | budget
        by_form = measured(name, own, asked.folder / "embedding-norms")
        for method in budget["methods"]:
            level = level_of(
                {(form, *setting): own for form in FORMS for setting, own in by_form[form][method].items()}
            )
            for form in FORMS:
                rows = [*judged(name, method, by_form[form][method], form, level)]
                found += rows
                told.append(sentence(rows))
    told += [together(found, method, form) for method in budget["methods"] for form in FORMS if len(names) > 1]
    told += [calls(found, method) for method in budget["methods"]]
    head = ["data", "method", "form", "cut", "decay", "level", "epochs to it",
            "sooner than cut 1 without decay; with its own",
            "accuracy from, to", "lead in the last", "norm from, to", "called for action (splits)"]  # fmt: skip
    report(
        f"Epochs to a level of accuracy, {budget['repeats']} splits",
        head,
        [_row(each) for each in found],
        asked.json,
        found,
    )
    print("", *told, sep="\n")


if __name__ == "__main__":
    main()
