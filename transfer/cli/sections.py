"""What `transfer --help` lists: each command with a few words, by what one wants to do; none is imported for it."""

from __future__ import annotations

SECTIONS: dict[str, dict[str, str]] = {
    "Learn": {
        "finetune": "put a new head on a file, learn labelled examples, score it",
        "predict": "ask a finished run about new pictures",
        "sweep": "try other rates, depths, … of a recipe, test the best",
        "evaluate": "score a finished run on other labelled examples",
        "export": "write a run's network as ONNX, LiteRT or SavedModel",
        "pretrain": "teach an encoder from examples without labels",
    },
    "Look at a file": {
        "inspect": "its tensors, and which known network it is",
        "match": "which tensor would go where in an architecture",
        "verify": "every bit against what was recorded when it was written",
        "graph": "its layers as a table or a drawing",
        "flops": "what it costs, layer by layer",
        "checkpoints": "those that come along",
    },
    "Make another of it": {
        "extract": "keep some layers, freeze some, attach new heads",
        "convert": "another layout; values keep their bits",
    },
    "Look at examples": {
        "labelling": "what their labels are taken for",
        "audit": "labels that are likely wrong, and pictures that come twice",
        "drift": "whether a file fits them",
        "diagnose": "what keeps a network from learning them",
        "features": "what a file makes of them, once, in files",
    },
    "Say whether it paid": {
        "rank": "which file to start from, and where to cut it",
        "baselines": "a file beside simple answers, over repeated folds",
        "curve": "few labels and more: how many the pretraining is worth",
        "compare": "which of several runs is better, if any is",
        "leaderboard": "all runs below a folder, task by task",
        "report": "a page about runs",
    },
    "Around it": {
        "new": "start a project: a recipe, a labelling, a builder",
        "recipe": "show and check what a run will do",
        "cache": "show and clear what runs keep for others",
        "doctor": "whether this installation will do",
        "completion": "let a shell complete names",
        "help": "topics, and commands",
    },
}
