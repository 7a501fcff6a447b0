"""What a run will do: a recipe of stages, each field checked when the value is made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Any, Literal, TypeAlias

from transfer.errors import Problem
from transfer.html_tables import as_html
from transfer.recipe_rules import RECIPE_RULES, STAGE_RULES, Rule, refused
from transfer.specs import BatchNormPolicy

Optimizer: TypeAlias = Literal["adam", "adamw", "sgd"]
Precision: TypeAlias = Literal["float32", "mixed_bfloat16", "auto"]
Schedule: TypeAlias = Literal["constant", "linear", "cosine", "steps"]


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a run.

    Attributes:
        kind: `probe` solves the head on frozen features, and takes no other field; `tune` trains by steps.
        unfreeze_from: the first layer that is trained, with all after it. A `tune` stage takes one of the three.
        unfreeze_last: number of last blocks that are trained beside the head, all where there are fewer; 0 for the
            head alone.
        unfreeze: names and patterns of the layers that are trained beside the head, `*` for all.
        batch_norm: what becomes of batch normalization: see `graphs.freezing`.
        fresh: whether every weight starts anew, as for training from scratch.
        lora_rank: where above 0, a kernel that would be trained stays fixed, and a product of two matrices of this
            rank beside it is trained instead, in layers that offer it. Source: Hu et al. (2022), section 4.1.
        epochs: passes over the training examples.
        steps: where above 0, so many steps are taken instead.
        batch_size: examples a step.
        optimizer: `adam`; `adamw`, with decoupled weight decay; `sgd`.
        momentum: of `sgd`.
        rate: the learning rate at its highest; `auto` finds one by a range test. Source: Smith (2017), section 3.3.
        layer_decay: factor on the rate from one block to the one before it; the head has all of it, the last block
            this share, the block before that the square. Source: Howard & Ruder (2018), section 3.2.
        schedule: of the rate after warm-up: `constant`; `linear` and `cosine` down to 0; `steps`, divided by 10 at
            30, 60 and 90 % of the steps. Sources: Loshchilov & Hutter (2017), section 3; Kolesnikov et al.
            (2020), section 3.3.
        warmup: share of the steps in which the rate rises from 0. Source: Goyal et al. (2017), section 2.2.
        weight_decay: of `adamw` and `sgd`: share of a weight that is taken off in a step, times the rate; not of
            biases and norms. Source: Loshchilov & Hutter (2019), section 2.
        l2_sp: factor on half the squared distance of the trained weights, the head's left out, from where they began.
            Source: Li et al. (2018).
        label_smoothing: share of each label that is spread evenly over all classes. Source: Szegedy et al. (2016),
            section 7.
        class_weights: `balanced` weighs an example by the reciprocal of its class's count, 1 on average.
        balance: of the losses of several outputs: `fixed`, by the weights that the labelling gives them;
            `uncertainty`, weights that are trained too. Source: Kendall, Gal & Cipolla (2018), section 3.2.
        mixup: alpha of the Beta(alpha, alpha) from which the share of one of two mixed examples is drawn; 0 mixes
            none. Source: Zhang et al. (2018), section 2.
        augment: ways in which pictures are changed at random: `flip`, `shift`, `zoom`, `rotate`, `brightness`,
            `contrast`.
        views: changed copies that are kept of each example, where `augment` is given.
        patience: epochs without a better validation loss after which it ends, with the best weights; 0 for never.
        ema: decay, a step, of the moving average of the weights that is kept in the end; 0 keeps the last weights.
            Source: Polyak & Juditsky (1992).
        precision: in which layers compute while they are trained: `float32`; `mixed_bfloat16`, with weights of single
            precision; `auto`, the latter where every GPU has units for it. Source: Micikevicius et al. (2018),
            section 3.
    """

    kind: Literal["probe", "tune"] = "tune"
    _: KW_ONLY
    unfreeze_from: str = ""
    unfreeze_last: int | None = None
    unfreeze: tuple[str, ...] = ()
    batch_norm: BatchNormPolicy = "frozen"
    fresh: bool = False
    lora_rank: int = 0
    epochs: int = 10
    steps: int = 0
    batch_size: int = 32
    optimizer: Optimizer = "adam"
    momentum: float = 0.9
    rate: float | Literal["auto"] = 1e-5
    layer_decay: float = 1.0
    schedule: Schedule = "constant"
    warmup: float = 0.0
    weight_decay: float = 0.0
    l2_sp: float = 0.0
    label_smoothing: float = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    balance: Literal["fixed", "uncertainty"] = "fixed"
    mixup: float = 0.0
    augment: tuple[str, ...] = ()
    views: int = 4
    patience: int = 0
    ema: float = 0.0
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        _settle(self, STAGE_RULES, stage_problems(_given(self, STAGE_RULES)))


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a run will do.

    Attributes:
        stages: in order, at least one; a `probe` stage stands first. By default those of `lp-ft`: the head is solved,
            then it and the last two blocks are trained at a small rate.
        seed: of the split, the folds, the order of examples and every initial value.
        validation: share of the training examples that is held out, to choose between the probe and what was tuned
            from it, and to stop early; 0 for none.
        name: what it is called; by default `lp-ft` or `custom`.
    """

    stages: tuple[Stage, ...] = field(default_factory=lambda: LP_FT)
    _: KW_ONLY
    seed: int = 0
    validation: float = 0.2
    name: str = ""

    def __post_init__(self) -> None:
        given: Any = self.stages
        stages = (given,) if isinstance(given, Stage) else tuple(given)
        if not all(isinstance(stage, Stage) for stage in stages):
            raise ValueError(f"stages: expected Stage values, found {given!r}")
        object.__setattr__(self, "stages", stages)
        if self.name == "":
            object.__setattr__(self, "name", "lp-ft" if stages == LP_FT else "custom")
        _settle(self, RECIPE_RULES, recipe_problems(_given(self, RECIPE_RULES), stages))

    def _repr_html_(self) -> str:
        """Of a notebook: what stages are, and the fields in which one is not as it is by default; a column a stage."""
        names = [name for name in STAGE_RULES if any(_tells(stage, name) for stage in self.stages)]
        columns = ("", *(f"stage {place}" for place in range(len(self.stages))))
        rows = [(name, *(_cell(stage, name) for stage in self.stages)) for name in names]
        return as_html([f"{self.name}: seed {self.seed}, validation {self.validation:g}", (columns, rows, ())])


def _tells(stage: Stage, name: str) -> bool:
    default = next(each.default for each in fields(Stage) if each.name == name)
    told = name == "kind" or (stage.kind == "tune" and name in ("epochs", "rate"))
    return told or bool(getattr(stage, name) != default)


def _cell(stage: Stage, name: str) -> str:
    """What a stage says of a field; nothing where the field is not for it."""
    value = getattr(stage, name)
    if value is None or (stage.kind == "probe" and name != "kind"):
        return ""
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def stage_problems(values: Mapping[str, Any]) -> tuple[Problem, ...]:
    """Everything that is wrong with the values of a stage's fields; those left out have their defaults."""
    wrong = refused(values, STAGE_RULES)
    if wrong:
        return wrong
    defaults = {each.name: each.default for each in fields(Stage)}
    given = {**defaults, **{name: STAGE_RULES[name].settled(value) for name, value in values.items()}}
    changed = [name for name in STAGE_RULES if name != "kind" and given[name] != defaults[name]]
    if given["kind"] == "probe":
        return tuple(Problem(name, "no such field in a 'probe' stage", repr(given[name])) for name in changed)
    problems = []
    named = [name for name in ("unfreeze_from", "unfreeze_last", "unfreeze") if name in changed]
    if len(named) != 1:
        expected = "one of unfreeze_from, unfreeze_last and unfreeze in a 'tune' stage"
        problems.append(Problem(named[-1] if named else "unfreeze_last", expected, " and ".join(named) or "none"))
    for name, fitting in (("weight_decay", ("adamw", "sgd")), ("momentum", ("sgd",))):
        if name in changed and given["optimizer"] not in fitting:
            expected = f"optimizer {' or '.join(map(repr, fitting))} beside it"
            problems.append(Problem(name, expected, repr(given["optimizer"])))
    return tuple(problems)


def recipe_problems(values: Mapping[str, Any], stages: Sequence[Stage | None]) -> tuple[Problem, ...]:
    """Everything that is wrong with a recipe's other fields and the order of its stages; None for one not known."""
    problems = [*refused(values, RECIPE_RULES)]
    if not stages:
        problems.append(Problem("stages", "at least one stage", "none"))
    for place, stage in enumerate(stages):
        if stage is None:
            continue
        if place and stage.kind == "probe":
            problems.append(Problem(f"stages.{place}.kind", "'tune': a 'probe' stage stands first", "'probe'"))
        if place and stage.fresh:
            problems.append(Problem(f"stages.{place}.fresh", "false: weights start anew in the first stage", "true"))
        if stage.patience and values.get("validation") == 0:
            problems.append(Problem(f"stages.{place}.patience", "0 where validation is 0", str(stage.patience)))
    return tuple(problems)


def _settle(value: Stage | Recipe, rules: Mapping[str, Rule], problems: Iterable[Problem]) -> None:
    """Keep each field as its rule says, unless something is wrong.

    Raises:
        ValueError: that names everything that is.
    """
    found = [f"{each.where}: expected {each.expected}, found {each.found}" for each in problems]
    if found:
        raise ValueError("; ".join(found))
    for name, rule in rules.items():
        object.__setattr__(value, name, rule.settled(getattr(value, name)))


def _given(value: Stage | Recipe, rules: Mapping[str, Rule]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in rules}


# Solve the head to its optimum, then train it and the last two blocks at a small rate. Chosen on 1,588 drawings in five
# classes, MobileNetV2 at 96 pixels, 10 and 40 examples a class: rates from 1e-4 to 1e-3, one to three blocks, 5 to 20
# epochs. Source: Kumar et al. (2022), "Fine-tuning can distort pretrained features", section 3.4.
LP_FT: tuple[Stage, ...] = (Stage("probe"), Stage(unfreeze_last=2, epochs=10, rate=1e-4, schedule="cosine", warmup=0.1))
