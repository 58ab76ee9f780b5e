"""Distillation: the formula, a teacher that stays as it is, its file and hash, and what does not fit."""

import hashlib
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from ding_cls.checkpoint import read_checkpoint, write_checkpoint
from ding_cls.errors import CheckpointError, ConfigError
from ding_cls.models import BACKBONES, CLASSIFIERS, build_model
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.types import Batch
from tests.harness import in_older_layout
from tests.models.test_classifier import OneCall
from tests.policy.test_losses import CLASSES, Stem, batch, build, near, parts, plain, same, weights_of


@CLASSIFIERS.register_module()
class DistillTeacher(nn.Module):
    """As ``plain()``, wider, with BatchNorm and dropout: in training it would change and be random."""

    def __init__(self, width: int = 6, num_classes: int = CLASSES) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)
        self.norm = nn.BatchNorm2d(width)
        self.drop = nn.Dropout(0.5)
        self.head = nn.Linear(width, num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(self.drop(self.norm(torch.relu(self.conv(images))).mean((2, 3))))


BACKBONES.register_module("DistillStem", module=Stem)
HEAD = {"type": "LinearClsHead", "num_classes": CLASSES, "in_channels": 4}


def teacher(width: int = 6) -> DistillTeacher:
    torch.manual_seed(3)
    return DistillTeacher(width)


def saved(path: Path, network: nn.Module, **run: Any) -> str:
    """Write what a run of ours would have written."""
    described = {"type": "DistillTeacher", "width": network.conv.out_channels}
    write_checkpoint(
        path,
        {
            "model": network.state_dict(),
            "run": {"config": {"policy": {"model": described}}, "class_names": ["a", "b", "c"], **run},
        },
    )
    return str(path)


@pytest.fixture
def file(tmp_path: Path) -> str:
    return saved(tmp_path / "teacher.pth.tar", teacher())


def expected_loss(
    images: torch.Tensor, targets: torch.Tensor, model: nn.Module, alpha: float, t: float
) -> Any:
    logits, wanted = model(images), teacher().eval()(images).detach()
    p, q = (wanted / t).softmax(1), (logits / t).softmax(1)
    divergence = (p * (p.log() - q.log())).sum(1)
    each = functional.cross_entropy(logits, targets, reduction="none")
    return (1 - alpha) * each + alpha * t**2 * divergence


@pytest.mark.parametrize(("alpha", "t"), [(0.5, 4.0), (0.9, 1.0), (1.0, 2.0)])
@pytest.mark.parametrize("weights", [False, True])
def test_the_loss_is_hintons(file: str, alpha: float, t: float, weights: bool) -> None:
    each = batch(0, weights=weights)
    policy = build(plain(), distill={"teacher": file, "alpha": alpha, "temperature": t})
    model = plain()
    values = expected_loss(each.images, each.targets, model, alpha, t)
    share = torch.ones(8) if each.weights is None else each.weights
    loss = (values * share).sum() / share.sum()
    loss.backward()
    found = policy.learn_mode.forward(each)
    assert found["total_loss"].item() == pytest.approx(loss.item(), abs=1e-6)
    assert found["loss"].item() + found["distill"].item() == pytest.approx(loss.item(), abs=1e-6)
    pairs = zip(policy._model.parameters(), model.parameters(), strict=True)
    assert all(torch.allclose(left.grad, right.grad, atol=1e-6) for left, right in pairs)


@pytest.mark.parametrize("weights", [False, True])
def test_pieces_and_parts_learn_the_same(file: str, weights: bool) -> None:
    distill = {"teacher": file}
    whole, split = build(plain(), distill=distill), build(plain(), distill=distill, accumulation_steps=3)
    of_parts = build(parts(), distill=distill)
    for step in range(2):
        each = batch(step, weights=weights)
        for policy in (whole, split, of_parts):
            policy.learn_mode.forward(each)
        assert near(weights_of(split), weights_of(whole))
        assert same(weights_of(of_parts), weights_of(whole))


def test_the_teacher_stays_as_it_is_and_in_no_checkpoint(file: str) -> None:
    policy = build(plain(), distill={"teacher": file})
    network = policy._distillation._teacher
    for step in range(2):
        policy.learn_mode.forward(batch(step))
        policy.eval_mode.forward(batch(9))
    assert not network.training
    assert all(not each.requires_grad and each.grad is None for each in network.parameters())
    known = teacher().state_dict()
    assert all(torch.equal(value, known[name]) for name, value in network.state_dict().items())
    state = policy.learn_mode.state_dict()
    assert list(state["model"]) == list(plain().state_dict())
    digest = hashlib.sha256(Path(file).read_bytes()).hexdigest()
    assert state["distill"] == {"teacher": file, "sha256": digest}


def test_the_teachers_weights_are_those_its_run_judged(tmp_path: Path) -> None:
    averaged = saved(tmp_path / "averaged.pth.tar", teacher())
    state = {**read_checkpoint(averaged), "averaged": {"num_averaged": 2}}
    state["training_model"] = {name: value + 1 for name, value in state["model"].items()}
    for number, each in enumerate((state, in_older_layout(state))):
        write_checkpoint(tmp_path / f"{number}.pth.tar", each)
        policy = build(plain(), distill={"teacher": str(tmp_path / f"{number}.pth.tar")})
        found = policy._distillation._teacher.state_dict()
        assert all(torch.equal(value, found[name]) for name, value in teacher().state_dict().items())


def test_building_the_teacher_moves_no_chance(file: str) -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    model = plain()
    torch.manual_seed(7)
    build(model, distill={"teacher": file})
    assert torch.equal(torch.rand(1), expected)


def test_a_run_goes_on_with_the_teacher_it_had(file: str, tmp_path: Path) -> None:
    one, other = (build(plain(), distill={"teacher": file}) for _ in range(2))
    one.learn_mode.forward(batch(0))
    other.learn_mode.load_state_dict(deepcopy(one.learn_mode.state_dict()))
    for policy in (one, other):
        policy.learn_mode.forward(batch(1))
    assert same(weights_of(other), weights_of(one))
    another = build(plain(), distill={"teacher": saved(tmp_path / "b.pth.tar", teacher(5))})
    with pytest.raises(CheckpointError, match=r"learned from the teacher .* with the SHA-256 .*\.\.\. now"):
        another.learn_mode.load_state_dict(deepcopy(one.learn_mode.state_dict()))


@pytest.mark.parametrize("layers", [None, "backbone", ["backbone", "backbone"]])
def test_features_are_compared_by_their_squares(tmp_path: Path, layers: Any) -> None:
    torch.manual_seed(5)
    guide = parts()
    torch.nn.init.normal_(guide.backbone.conv.weight)
    weights = tmp_path / "guide.pth"
    torch.save(guide.state_dict(), weights)
    described = {"type": "ImageClassifier", "backbone": {"type": "DistillStem"}, "head": HEAD}
    distill = {"teacher": str(weights), "model": described, "feature_weight": 3.0, "feature_layers": layers}
    policy, each = build(parts(), distill=distill), batch(0, weights=True)
    student = parts()
    distance = (student.backbone(each.images)[-1] - guide.backbone(each.images)[-1]).square().mean(1)
    expected = 3 * (distance * each.weights).sum() / each.weights.sum()
    found = policy.learn_mode.forward(each)
    assert found["features"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert found["total_loss"].item() == pytest.approx(
        sum(found[name].item() for name in ("loss", "distill", "features")), rel=1e-5
    )
    policy.eval_mode.forward(each)
    assert policy._distillation._features == {}


def test_a_teacher_without_its_last_layer_teaches_nothing(tmp_path: Path) -> None:
    weights = tmp_path / "r18.pth"
    torch.save(build_model("resnet18", num_classes=CLASSES + 1).state_dict(), weights)
    distill = {"teacher": str(weights), "model": {"name": "resnet18", "num_classes": CLASSES}}
    with pytest.raises(ConfigError, match=r"has no fc\.weight, fc\.bias for"):
        build(build_model("resnet18", num_classes=CLASSES), distill=distill)


def test_a_resnet_teaches_another_by_its_pooled_features(tmp_path: Path) -> None:
    torch.manual_seed(0)
    weights = tmp_path / "r18.pth"
    torch.save(build_model("resnet18", num_classes=CLASSES).state_dict(), weights)
    distill = {
        "teacher": str(weights),
        "model": {"name": "resnet18", "num_classes": 3},
        "feature_weight": 1.0,
    }
    policy = build(build_model("resnet18", num_classes=CLASSES), distill=distill)
    each = Batch(torch.randn(4, 3, 32, 32), batch(0, 4).targets, torch.arange(4))
    assert policy.learn_mode.forward(each)["features"] > 0


def test_the_teacher_may_be_the_folder_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "run" / "ckpt").mkdir(parents=True)
    best = saved(tmp_path / "run" / "ckpt" / "ckpt_best.pth.tar", teacher())
    state = build(plain(), distill={"teacher": str(tmp_path / "run")}).learn_mode.state_dict()["distill"]
    assert state == {"teacher": best, "sha256": hashlib.sha256(Path(best).read_bytes()).hexdigest()}


@pytest.mark.parametrize(
    ("distill", "error", "match"),
    [
        ({}, ConfigError, "names no teacher"),
        ({"teacher": "none.pth.tar"}, CheckpointError, "there is no checkpoint 'none.pth.tar'"),
        ({"teachr": "x"}, ConfigError, "did you mean 'teacher'"),
        ({"teacher": "x", "alpha": 1.5}, ConfigError, r"alpha is 1\.5"),
        ({"teacher": "x", "temperature": 0}, ConfigError, "temperature=0"),
        ({"teacher": "x", "feature_weight": -1}, ConfigError, "feature_weight=-1"),
        ({"model": {"type": "DistillTeacher"}}, ConfigError, "has no weights"),
    ],
)
def test_what_cannot_teach_is_one_line(distill: dict[str, Any], error: type, match: str) -> None:
    with pytest.raises(error, match=match):
        build(plain(), distill=distill)


def test_what_does_not_fit_is_one_line(tmp_path: Path, file: str) -> None:
    policy = build(plain(), distill={"teacher": file})
    with pytest.raises(
        ConfigError, match=r"knows 3 classes, a, b, c \.\.\., which are not the 3 of the training"
    ):
        policy.learn_mode.set_attribute("class_names", ["b", "a", "c"])
    policy.learn_mode.set_attribute("class_names", ["a", "b", "c"])
    more = build(
        plain(), distill={"teacher": file, "feature_weight": 1.0, "feature_layers": ["head", "conv"]}
    )
    with pytest.raises(ConfigError, match="the features of student and teacher differ in shape"):
        more.learn_mode.forward(batch(0))
    with pytest.raises(ConfigError, match="Plain has no module 'avgpool'"):
        build(plain(), distill={"teacher": file, "feature_weight": 1.0})
    torch.save(plain().state_dict(), tmp_path / "weights.pth")
    with pytest.raises(ConfigError, match="does not say what network it is; describe it"):
        build(plain(), distill={"teacher": str(tmp_path / "weights.pth")})
    other = saved(
        tmp_path / "c.pth.tar",
        teacher(),
        config={"policy": {"model": {"type": "DistillTeacher", "width": 5}}},
    )
    with pytest.raises(CheckpointError, match="does not fit DistillTeacher"):
        build(plain(), distill={"teacher": other})


def test_pictures_normalised_otherwise_are_refused(tmp_path: Path) -> None:
    config = {"policy": {"model": {"type": "DistillTeacher"}, "collect": {"mean": [0.5, 0.5, 0.5]}}}
    path = saved(tmp_path / "d.pth.tar", teacher(), config=config)
    with pytest.raises(ConfigError, match=r"normalised with policy\.collect\.mean=\[0\.5, 0\.5, 0\.5\]"):
        build(plain(), distill={"teacher": path})


def test_a_head_that_gives_losses_alone_cannot_be_taught(file: str) -> None:
    class Single(OneCall):
        def forward_train(self, x: Any, gt_label: torch.Tensor, **kwargs: Any) -> dict[str, Any]:
            return {"loss": functional.cross_entropy(self.fc(x[-1]), gt_label)}

    policy: ImageClassificationPolicy = build(parts(Single()), distill={"teacher": file})
    with pytest.raises(ConfigError, match="this head gives losses alone"):
        policy.learn_mode.forward(batch(0))
