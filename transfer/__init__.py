"""Transfer learning from pretrained Keras HDF5 weights: restore, extract, fine-tune, and say whether it paid.

Public names are resolved on first use, so that `import transfer` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transfer.analysis.diagnosis import Diagnosis as Diagnosis
    from transfer.analysis.drift import Drift as Drift
    from transfer.analysis.flops import Flops as Flops
    from transfer.data.arrays import from_arrays as from_arrays
    from transfer.data.frames import from_frame as from_frame
    from transfer.data.labelled import LabelledSet as LabelledSet
    from transfer.data.labelling_files import read_labelling as read_labelling
    from transfer.data.reading import read_labelled as read_labelled
    from transfer.errors import TransferError as TransferError
    from transfer.evidence.baseline_comparison import BaselineComparison as BaselineComparison
    from transfer.evidence.label_audit import LabelAudit as LabelAudit
    from transfer.evidence.label_curves import LabelCurve as LabelCurve
    from transfer.evidence.leaderboards import Leaderboard as Leaderboard
    from transfer.evidence.proofs import Proof as Proof
    from transfer.evidence.run_comparisons import Comparison as Comparison
    from transfer.evidence.sweeps import Sweep as Sweep
    from transfer.jobs.audits.auditing_labels import audit_labels as audit_labels
    from transfer.jobs.comparisons.comparing_baselines import compare_baselines as compare_baselines
    from transfer.jobs.comparisons.drawing_curves import draw_curve as draw_curve
    from transfer.jobs.diagnoses.counting_flops import count_flops as count_flops
    from transfer.jobs.diagnoses.diagnosing import diagnose as diagnose
    from transfer.jobs.diagnoses.measuring_drift import measure_drift as measure_drift
    from transfer.jobs.features.computing_features import compute_features as compute_features
    from transfer.jobs.features.computing_features import estimate_features as estimate_features
    from transfer.jobs.finetuning.classifier import Classifier as Classifier
    from transfer.jobs.finetuning.finetuning import finetune as finetune
    from transfer.jobs.finetuning.learning_heads import learn_head as learn_head
    from transfer.jobs.pages.reporting import write_report as write_report
    from transfer.jobs.pretraining.pretrained import Pretrained as Pretrained
    from transfer.jobs.pretraining.pretraining import pretrain as pretrain
    from transfer.jobs.pretraining.proving import prove as prove
    from transfer.jobs.rankings.ranking_checkpoints import rank as rank
    from transfer.jobs.runs.comparing_runs import compare as compare
    from transfer.jobs.runs.evaluating import evaluate as evaluate
    from transfer.jobs.runs.exporting import Exported as Exported
    from transfer.jobs.runs.exporting import export as export
    from transfer.jobs.runs.listing_runs import leaderboard as leaderboard
    from transfer.jobs.runs.predicting import predict as predict
    from transfer.jobs.runs.running import load_run as load_run
    from transfer.jobs.sweeps.sweeping import sweep as sweep
    from transfer.labellings import Labelling as Labelling
    from transfer.labellings import Output as Output
    from transfer.models.editing import insert_layer as insert_layer
    from transfer.models.editing import remove_layer as remove_layer
    from transfer.models.editing import rename_layers as rename_layers
    from transfer.models.editing import replace_layer as replace_layer
    from transfer.models.extracting import extract as extract
    from transfer.models.restoring import restore as restore
    from transfer.models.saving import save_model as save_model
    from transfer.models.saving import save_weights as save_weights
    from transfer.rankings import Ranking as Ranking
    from transfer.recipes import Recipe as Recipe
    from transfer.recipes import Stage as Stage
    from transfer.reports.plotting import plot as plot
    from transfer.results import Receipt as Receipt
    from transfer.results import Run as Run
    from transfer.scaling.ray_engine import RayEngine as RayEngine
    from transfer.scaling.ray_fitting import RayFitter as RayFitter
    from transfer.specs import Head as Head
    from transfer.specs import Preprocessing as Preprocessing
    from transfer.surgery.network import Network as Network
    from transfer.training.named_recipes import named_recipe as named_recipe
    from transfer.training.pretraining.fitting import Pace as Pace
    from transfer.training.recipe_texts import read_recipe as read_recipe
    from transfer.weights.cards import Card as Card
    from transfer.weights.matching import match as match
    from transfer.weights.opening import open_checkpoint as open_checkpoint

__version__ = "0.1.0"

_HOMES = {
    "BaselineComparison": "transfer.evidence.baseline_comparison",
    "Card": "transfer.weights.cards",
    "Classifier": "transfer.jobs.finetuning.classifier",
    "Comparison": "transfer.evidence.run_comparisons",
    "Diagnosis": "transfer.analysis.diagnosis",
    "Drift": "transfer.analysis.drift",
    "Exported": "transfer.jobs.runs.exporting",
    "Flops": "transfer.analysis.flops",
    "Head": "transfer.specs",
    "LabelAudit": "transfer.evidence.label_audit",
    "LabelCurve": "transfer.evidence.label_curves",
    "LabelledSet": "transfer.data.labelled",
    "Labelling": "transfer.labellings",
    "Leaderboard": "transfer.evidence.leaderboards",
    "Network": "transfer.surgery.network",
    "Output": "transfer.labellings",
    "Pace": "transfer.training.pretraining.fitting",
    "Preprocessing": "transfer.specs",
    "Pretrained": "transfer.jobs.pretraining.pretrained",
    "Proof": "transfer.evidence.proofs",
    "Ranking": "transfer.rankings",
    "Receipt": "transfer.results",
    "Recipe": "transfer.recipes",
    "Run": "transfer.results",
    "Stage": "transfer.recipes",
    "Sweep": "transfer.evidence.sweeps",
    "TransferError": "transfer.errors",
    "audit_labels": "transfer.jobs.audits.auditing_labels",
    "compare": "transfer.jobs.runs.comparing_runs",
    "compare_baselines": "transfer.jobs.comparisons.comparing_baselines",
    "compute_features": "transfer.jobs.features.computing_features",
    "estimate_features": "transfer.jobs.features.computing_features",
    "RayEngine": "transfer.scaling.ray_engine",
    "RayFitter": "transfer.scaling.ray_fitting",
    "count_flops": "transfer.jobs.diagnoses.counting_flops",
    "diagnose": "transfer.jobs.diagnoses.diagnosing",
    "draw_curve": "transfer.jobs.comparisons.drawing_curves",
    "evaluate": "transfer.jobs.runs.evaluating",
    "export": "transfer.jobs.runs.exporting",
    "extract": "transfer.models.extracting",
    "finetune": "transfer.jobs.finetuning.finetuning",
    "from_arrays": "transfer.data.arrays",
    "from_frame": "transfer.data.frames",
    "insert_layer": "transfer.models.editing",
    "leaderboard": "transfer.jobs.runs.listing_runs",
    "learn_head": "transfer.jobs.finetuning.learning_heads",
    "load_run": "transfer.jobs.runs.running",
    "match": "transfer.weights.matching",
    "measure_drift": "transfer.jobs.diagnoses.measuring_drift",
    "named_recipe": "transfer.training.named_recipes",
    "open_checkpoint": "transfer.weights.opening",
    "plot": "transfer.reports.plotting",
    "predict": "transfer.jobs.runs.predicting",
    "pretrain": "transfer.jobs.pretraining.pretraining",
    "prove": "transfer.jobs.pretraining.proving",
    "rank": "transfer.jobs.rankings.ranking_checkpoints",
    "read_labelled": "transfer.data.reading",
    "read_labelling": "transfer.data.labelling_files",
    "read_recipe": "transfer.training.recipe_texts",
    "remove_layer": "transfer.models.editing",
    "rename_layers": "transfer.models.editing",
    "replace_layer": "transfer.models.editing",
    "restore": "transfer.models.restoring",
    "save_model": "transfer.models.saving",
    "save_weights": "transfer.models.saving",
    "sweep": "transfer.jobs.sweeps.sweeping",
    "write_report": "transfer.jobs.pages.reporting",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'transfer' has no attribute {name!r}")
    found = getattr(importlib.import_module(home), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
