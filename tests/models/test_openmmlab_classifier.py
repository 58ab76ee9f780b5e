"""Networks in the form of mmclassification: calls by keyword, steps, classes of one's own."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ding_cls.errors import ConfigError, ModelError
from ding_cls.models import BaseClassifier, ImageClassifier, build_backbone, build_head
from tests.models.test_openmmlab import BACKBONE, HEAD, IMAGES, MODEL, TARGETS, _network


def test_by_name_a_network_gives_losses_or_probabilities() -> None:
    network = _network()
    losses = network(img=IMAGES, gt_label=TARGETS, return_loss=True)
    assert set(losses) == {"loss", "accuracy"}
    assert torch.equal(losses["loss"], network(IMAGES, TARGETS).losses["loss"])
    assert torch.equal(network(IMAGES, gt_label=TARGETS)["loss"], losses["loss"])
    network.eval()
    wanted = network(IMAGES).softmax(1).detach().numpy()
    for found in (
        network(return_loss=False, img=IMAGES),
        network([IMAGES], return_loss=False, img_metas=None),
    ):
        assert [each.shape for each in found] == [(3,), (3,)]
        assert np.stack(found) == pytest.approx(wanted)
    plain = network(IMAGES, return_loss=False, softmax=False, post_process=False)
    assert torch.equal(plain, network(IMAGES))
    with pytest.raises(ConfigError, match="forward_test takes one batch of images, not 2"):
        network(img=[IMAGES, IMAGES], return_loss=False)


def test_a_step_gives_the_loss_and_numbers_for_a_log() -> None:
    network = _network()
    found = network.train_step({"img": IMAGES, "gt_label": TARGETS, "img_metas": []}, optimizer=None)
    assert found["num_samples"] == 2
    assert found["log_vars"].keys() == {"loss", "top-1"}
    assert found["log_vars"]["loss"] == pytest.approx(found["loss"].item())
    found["loss"].backward()
    assert network.head.fc.weight.grad is not None
    assert network.val_step({"img": IMAGES, "gt_label": TARGETS})["num_samples"] == 2


def test_features_of_each_stage() -> None:
    network = _network()
    assert network.extract_feat(IMAGES, stage="backbone")[0].shape == (2, 64, 8, 8)
    assert network.extract_feat(IMAGES)[0].shape == (2, 64)
    assert network.extract_feat(IMAGES, stage="pre_logits").shape == (2, 64)
    assert len(network.extract_feats([IMAGES, IMAGES])) == 2
    assert (network.with_neck, network.with_head) == (True, True)
    with pytest.raises(ModelError, match="stage='middle'"):
        network.extract_feat(IMAGES, stage="middle")


def test_a_classifier_of_ones_own_is_trained_and_tested_by_its_own_methods() -> None:
    class Mine(ImageClassifier):
        def forward_train(self, img: Tensor, gt_label: Tensor, **kwargs: Any) -> dict[str, Tensor]:
            losses = super().forward_train(img, gt_label, **kwargs)
            return {"loss": 2 * losses["loss"]}

        def simple_test(self, img: Tensor, img_metas: Any = None, **kwargs: Any) -> Any:
            return self.head.simple_test(self.extract_feat(img.flip(3)), **kwargs)

    parts = {name: MODEL[name] for name in ("backbone", "neck", "head")}
    torch.manual_seed(0)
    mine, usual = Mine(**parts).eval(), _network().eval()
    assert torch.equal(mine(IMAGES, TARGETS).losses["loss"], 2 * usual(IMAGES, TARGETS).losses["loss"])
    assert torch.equal(mine(IMAGES), usual(IMAGES.flip(3)))
    with pytest.raises(ModelError, match="stage"):
        mine.extract_feat(IMAGES, "x")


class _Own(BaseClassifier):
    """Written from the base on, with the parts of the usual network."""

    def __init__(self, backbone: Any, head: Any, init_cfg: Any = None) -> None:
        super().__init__(init_cfg)
        self.backbone = build_backbone(backbone)
        self.head = build_head(head)
        self.gap = nn.AdaptiveAvgPool2d(1)

    def extract_feat(self, img: Tensor) -> Any:  # type: ignore[override]
        return tuple(self.gap(each).flatten(1) for each in self.backbone(img))

    def forward_train(self, img: Tensor, gt_label: Tensor, **kwargs: Any) -> dict[str, Any]:
        if self.augments is not None:
            img, gt_label = self.augments(img, gt_label)
        return {**self.head.forward_train(self.extract_feat(img), gt_label)}


class _OwnTested(_Own):
    def simple_test(self, img: Tensor, img_metas: Any = None) -> Any:
        return self.head.simple_test(self.extract_feat(img))


@pytest.mark.parametrize("kind", [_Own, _OwnTested])
def test_a_network_from_the_base_on_is_trained_and_evaluated(kind: Any) -> None:
    torch.manual_seed(0)
    mine, usual = kind(BACKBONE, HEAD).eval(), _network().eval()
    found = mine(IMAGES, TARGETS)
    assert found.logits is None
    assert found.losses.keys() == {"loss"}
    assert torch.equal(found.losses["loss"], usual(IMAGES, TARGETS).losses["loss"])
    assert torch.allclose(mine(IMAGES).softmax(1), usual(IMAGES).softmax(1))
    assert np.stack(mine(return_loss=False, img=IMAGES)) == pytest.approx(
        np.stack(usual(return_loss=False, img=IMAGES))
    )
    with pytest.raises(ModelError, match="the samples have weights"):
        type("Strict", (kind,), {"forward_train": lambda self, img, gt_label: {}})(BACKBONE, HEAD)(
            IMAGES, TARGETS, torch.ones(2)
        )
