"""A learner from its config section."""

from pathlib import Path

from ding_cls.worker import BaseLearner
from ding_cls.worker.learner import create_learner


def test_the_section_and_the_other_arguments_arrive(workdir: Path) -> None:
    engine = create_learner({"hook": {"save_ckpt_after_iter": 7}}, exp_name="made", instance_name="mine")
    assert type(engine) is BaseLearner
    assert (engine.exp_name, engine.instance_name, engine.train_iter) == ("made", "mine", 0)
    engine.close()
