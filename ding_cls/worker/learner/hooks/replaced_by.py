"""Hooks of mmcv and mmengine whose work is no hook's here: what to write in their place."""

import re

_LOGGERS = (
    "list MlflowLoggerHook or WandbLoggerHook in policy.learn.learner.loggers, or write a hook of your own; "
    "TensorBoard and metrics.jsonl are always written"
)
_ACCUMULATION, _HALF = "policy.learn.accumulation_steps=K", "policy.learn.precision='fp16'"
_CLIPPING = "policy.learn.grad_clip=dict(max_norm=...); the optimizer's step is part of every update"
_AVERAGES = "policy.learn.{}=dict(...): averaged weights are part of the policy"
_EVALUATION = "policy.eval.evaluator: eval_interval, by_epoch, start, save_best, rule"
_SAVING = "policy.learn.learner.hook.save_ckpt_after_epoch=K, and policy.learn.learner.checkpoint"

_IN_PLACE_OF = {
    "CheckpointHook": _SAVING,
    "EvalHook": _EVALUATION,
    "DistEvalHook": _EVALUATION,
    "OptimizerHook": _CLIPPING,
    "DistOptimizerHook": _CLIPPING,
    "Fp16OptimizerHook": _HALF,
    "GradientCumulativeOptimizerHook": _ACCUMULATION,
    "GradientCumulativeFp16OptimizerHook": f"{_ACCUMULATION} and {_HALF}",
    "EMAHook": _AVERAGES.format("ema"),
    "SWAHook": _AVERAGES.format("swa"),
    "PreciseBNHook": _AVERAGES.format("precise_bn"),
    "ParamSchedulerHook": "policy.learn.lr_schedule=dict(type=...)",
    "SwitchRecipeHook": "policy.learn.recipes=[dict(action_epoch=K, batch_augments=..., loss=...)]",
    "VisualizationHook": "none: a run draws no pictures while it trains",
    "LoggerHook": "policy.learn.learner.log_show_freq",
    "NeptuneLoggerHook": _LOGGERS,
    "DvcliveLoggerHook": _LOGGERS,
    "ClearMLLoggerHook": _LOGGERS,
    "SegmindLoggerHook": _LOGGERS,
    "PaviLoggerHook": _LOGGERS,
}
_PATTERNS = {
    r"\w+LrUpdaterHook": "policy.learn.lr_schedule=dict(type=...), or lr_config=dict(policy=...)",
    r"\w+MomentumUpdaterHook": "policy.learn.momentum_schedule, or momentum_config=dict(policy=...)",
}


def in_place_of(name: str) -> str | None:
    """Return what does the work of a hook of mmcv here; None where its name is not one of these."""
    found = (text for pattern, text in _PATTERNS.items() if re.fullmatch(pattern, name))
    return _IN_PLACE_OF.get(name) or next(found, None)
