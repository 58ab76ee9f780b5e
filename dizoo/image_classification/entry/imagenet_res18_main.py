"""ResNet-18 on ImageNet, and the whole of this library in one function: data, policy, learner, evaluator,
start.

``python -m dizoo.image_classification.entry.imagenet_res18_main [--data DIR | --synthetic] [key=value ...]``
"""

import sys
from collections.abc import Mapping
from typing import Any

from ding_cls.cli import run_program
from ding_cls.data import build_eval_loader, build_train_loader
from ding_cls.metrics import ImageClassificationMetric, build_metric
from ding_cls.pipeline import TrainResult, build_network, open_run, readable_datasets
from ding_cls.worker import BaseLearner, MetricSerialEvaluator
from ding_cls.worker.learner.learner_hook import ImageClsLogShowHook
from dizoo.image_classification.entry.digits_res18_config import digits_res18_config
from dizoo.image_classification.entry.imagenet_res18_config import imagenet_res18_config
from dizoo.image_classification.policy import ImageClassificationPolicy

PARTS = {"policy": ImageClassificationPolicy, "learner": BaseLearner, "evaluator": MetricSerialEvaluator}

__all__ = ["ImageClassificationMetric", "ImageClsLogShowHook", "main"]


def main(
    cfg: Mapping[str, Any],
    seed: int | None = None,
    *,
    resume: bool = False,
    allow_changed_data: bool = False,
) -> TrainResult:
    """Train, evaluate after each epoch, keep the best checkpoint.

    Args:
        cfg: the config, as in ``imagenet_res18_config``.
        seed: seed of everything random; None takes the config's.
        resume: continue the run in the folder ``exp_name``, to the last bit.
        allow_changed_data: resume also with other data than the run was begun with.
    """
    with open_run(cfg, seed=seed, resume=resume, allow_changed_data=allow_changed_data, **PARTS) as run:
        learn, judge = run.cfg.policy.learn, run.cfg.policy.eval

        # Data. Class numbers come from the training folder; order and augmentation from (seed, epoch, index).
        train_set, eval_set = readable_datasets(run)
        train_loader = run.own(
            build_train_loader(
                train_set,
                learn.batch_size,
                seed=run.cfg.seed,
                drop_last=learn.learner.dataloader.drop_last,
                **run.shard,
            )
        )
        eval_loader = run.own(build_eval_loader(eval_set, judge.batch_size, **run.shard))

        # Policy: network, optimizer, schedule and loss, seen through learn_mode and eval_mode.
        num_classes, is_new = len(train_set.classes), not run.is_resumed
        model, about_weights = build_network(run.cfg, num_classes, load_weights=is_new)
        run.logger.info(about_weights)
        policy = ImageClassificationPolicy(run.cfg.policy, model=model, enable_field=["learn", "eval"])

        # Learner: the loop over batches, with hooks around each update. Register your own the same way.
        learner = BaseLearner(run.learner_cfg, policy.learn_mode, run.tb_logger, exp_name=run.cfg.exp_name)
        learner.register_hook(
            ImageClsLogShowHook(
                "image_cls_log_show", priority=15, position="after_iter", freq=learn.learner.log_show_freq
            )
        )

        # Evaluator: the metric over all evaluation data, exactly, whatever the number of processes.
        metric = build_metric(judge.metric)
        evaluator = MetricSerialEvaluator(
            judge.evaluator, [eval_loader, metric], policy.eval_mode, run.tb_logger, exp_name=run.cfg.exp_name
        )

        run.connect(policy, learner, train_loader)
        learner.start(train_loader, max_epochs=run.max_epochs(train_loader), evaluator=evaluator)
        return run.finish(policy, learner, evaluator)


if __name__ == "__main__":
    sys.exit(run_program(main, imagenet_res18_config, embedded=digits_res18_config))
