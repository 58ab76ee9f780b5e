"""What updates leave out, and that nobody sees the difference."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from ding_cls.common.late import Percentage
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.worker import BaseLearner, LearnerHook
from ding_cls.worker.learner.hooks.builtin import LogShowHook
from tests.worker.learner.parts import QUIET, Loader

LEARN = {"learning_rate": 0.1, "lr_schedule": "constant", "warmup_epoch": 0}


class Dropping(nn.Sequential):
    def __init__(self) -> None:
        super().__init__(nn.Flatten(), nn.Dropout(0.5), nn.Linear(12, 4))


class Images(Loader):
    """Plain batches of floats, four an update."""

    def __iter__(self) -> Any:
        for _ in super().__iter__():
            yield [torch.linspace(-1, 1, 48).reshape(4, 3, 2, 2), torch.tensor([3, 1, 2, 0])]


class Seeing(LearnerHook):
    """Does with an update's numbers what hooks do with tensors."""

    def __init__(self) -> None:
        super().__init__("seeing", 12, position="after_iter")
        self.seen: list[Any] = []

    def __call__(self, engine: BaseLearner) -> None:
        acc1 = engine.log_buffer["scalar"]["acc1"]
        assert torch.is_tensor(acc1)
        assert torch.is_tensor(engine.outputs["acc1"])
        error = 100 - acc1.mean()
        assert f"{error:.3f}" == f"{100 - acc1.item():.3f}"
        assert max(acc1, -1.0) == np.mean([acc1, acc1]) == acc1.cpu().numpy()
        self.seen.append(acc1)
        # Changes the tensor itself.
        engine.log_buffer["scalar"]["total_loss"] *= 1000
        engine.log_buffer["scalar"]["acc1"] *= 1000


def policy_of(kind: type[ImageClassificationPolicy] = ImageClassificationPolicy) -> ImageClassificationPolicy:
    torch.manual_seed(0)
    return kind({"cuda": False, "learn": LEARN}, model=Dropping())


def trained(*hooks: LearnerHook, kind: type[ImageClassificationPolicy] = ImageClassificationPolicy) -> Any:
    learner = BaseLearner(QUIET, policy_of(kind).learn_mode, exp_name=f"run_{len(hooks)}_{kind.__name__}")
    for hook in hooks:
        learner.register_hook(hook)
    learner.start(Images(), max_epochs=2)
    learner.close()
    return learner


@pytest.fixture(autouse=True)
def in_own_folder(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def sums(learner: BaseLearner) -> Mapping[str, Any]:
    state = learner.history.state_dict()
    return {name: [row[name] for row in state["rows"]] for name in ("train_loss", "train_acc1")}


def test_hooks_see_tensors_and_what_they_do_to_them_is_their_own_matter() -> None:
    plain, watched = trained(), trained(Seeing())
    assert isinstance(plain.outputs["acc1"], Percentage)
    assert torch.is_tensor(watched.outputs["acc1"])
    assert sums(watched) == sums(plain)
    assert all(map(math.isfinite, sums(plain)["train_loss"]))
    assert watched.has_readers
    assert watched.history.copies


def test_a_subclass_of_a_hook_of_ours_sees_tensors() -> None:
    class Show(LogShowHook):
        def __call__(self, engine: Any) -> None:
            assert engine.log_buffer["scalar"]["acc1"] * 2 >= 0
            super().__call__(engine)

    assert trained(Show("show")).monitor.averages()["acc1"] >= 0


def test_a_subclass_of_the_policy_computes_with_what_its_base_returns() -> None:
    class Erring(ImageClassificationPolicy):
        def _forward_learn(self, data: Any) -> dict[str, Any]:
            found = super()._forward_learn(data)
            return {**found, "error": 100 - found["acc1"]}

    learner = trained(kind=Erring)
    assert learner.outputs["error"] + learner.outputs["acc1"] == 100


def test_outside_a_run_updates_return_tensors() -> None:
    policy = policy_of()
    learner = BaseLearner(QUIET, policy.learn_mode, exp_name="own_loop")
    (data, *_) = Images()
    assert torch.is_tensor(policy.learn_mode.forward(data)["acc1"])
    learner.start(Images(), max_epochs=1)
    assert torch.is_tensor(policy.learn_mode.forward(data)["acc1"])
    learner.close()


def test_torchs_own_loader_shuffles_as_in_a_loop_of_ones_own() -> None:
    class Keeping(LearnerHook):
        def __call__(self, engine: Any) -> None:
            orders.append(engine.policy.get_attribute("targets"))

    class Noting(ImageClassificationPolicy):
        def _forward_learn(self, data: Any) -> dict[str, Any]:
            self._targets = data[1].tolist()
            return super()._forward_learn(data)

    orders: list[list[int]] = []
    dataset = TensorDataset(torch.zeros(16, 3, 2, 2), torch.arange(16) % 4)
    loader = DataLoader(dataset, batch_size=16, shuffle=True)
    learner = BaseLearner(QUIET, policy_of(Noting).learn_mode, exp_name="torchs")
    learner.register_hook(Keeping("keeping", position="after_iter"))
    torch.manual_seed(3)
    # A program may also call start once for each epoch.
    learner.start(loader, max_epochs=2)
    learner.start(loader, max_epochs=3)
    learner.close()
    torch.manual_seed(3)
    assert orders == [targets.tolist() for _ in range(3) for _, targets in loader]
    assert len({tuple(each) for each in orders}) == 3
