"""mmclassification's three functions, with its arguments and results."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import ding_cls
from ding_cls.errors import CheckpointError, ConfigError, DataError, ModelError
from ding_cls.inference import inference_model, init_model, show_result_pyplot
from tests.inference.conftest import CLASSES

CONFIG = """
model = dict(
    type='ImageClassifier',
    backbone=dict(type='ResNet', depth=18, num_stages=4, base_channels=8, stem_channels=8),
    neck=dict(type='GlobalAveragePooling'),
    head=dict(type='LinearClsHead', num_classes=3, in_channels=64))
img_norm_cfg = dict(mean=[100.0, 110.0, 120.0], std=[50.0, 60.0, 70.0], to_rgb=True)
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', size=(40, 40)),
    dict(type='Normalize', **img_norm_cfg),
    dict(type='ImageToTensor', keys=['img']),
    dict(type='Collect', keys=['img'])]
data = dict(test=dict(type='CustomDataset', data_prefix='nowhere', pipeline=test_pipeline))
"""


@pytest.fixture
def config() -> str:
    Path("config.py").write_text(CONFIG)
    pixels = np.random.default_rng(0).integers(0, 256, (60, 50, 3), dtype=np.uint8)
    Image.fromarray(pixels).save("image.png")
    return "config.py"


def test_a_runs_checkpoint_gives_what_its_predictor_says(trained: Path, images: Path) -> None:
    best = trained / "ckpt" / "ckpt_best.pth.tar"
    model = init_model(trained, best, device="cpu")
    assert not model.training
    assert (*CLASSES[:3], "tabby, tabby cat") == model.CLASSES
    assert model.cfg.policy.collect.image_size == 8
    for record in ding_cls.load(trained, device="cpu")(images / "val"):
        result = inference_model(model, record.path)
        assert list(result) == ["pred_label", "pred_score", "pred_class"]
        assert (result["pred_label"], result["pred_class"]) == (record.label, record.name)
        assert result["pred_score"] == pytest.approx(record.score, abs=1e-6)
        array = np.asarray(Image.open(record.path))
        # As cv2.imread and mmcv.imread give it.
        assert inference_model(model, array[..., ::-1]) == result


def test_a_file_of_weights_goes_through_the_configs_pipeline(config: str) -> None:
    torch.manual_seed(0)
    source = init_model(config)
    meta = {"CLASSES": ["ash", "birch", "cedar"], "epoch": 3}
    torch.save({"state_dict": source.state_dict(), "meta": meta}, "w.pth")
    model = init_model(config, "w.pth", device="cpu")
    assert model.CLASSES == ("ash", "birch", "cedar")
    pixels = Image.open("image.png").resize((40, 40), Image.Resampling.BILINEAR)
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in ([100.0, 110, 120], [50.0, 60, 70]))
    with torch.no_grad():
        seen = (torch.from_numpy(np.array(pixels)).permute(2, 0, 1).float() - mean) / std
        expected = model(seen[None]).softmax(1)[0]
    result = inference_model(model, "image.png")
    assert result["pred_label"] == int(expected.argmax())
    assert result["pred_score"] == pytest.approx(float(expected.max()), abs=2e-2)
    assert result["pred_class"] == meta["CLASSES"][result["pred_label"]]


def test_options_replace_keys_of_a_config_and_a_config_may_be_a_dict(config: str) -> None:
    model = init_model(config, options={"model.head.num_classes": 5})
    assert model.head.fc.out_features == 5
    assert model.CLASSES == ("0", "1", "2", "3", "4")
    thousand = init_model({"policy": {"model": {"name": "squeezenet1_1"}}})
    assert thousand.CLASSES[1] == "goldfish, Carassius auratus"


def test_what_cannot_be_used_is_an_error(config: str, trained: Path) -> None:
    with pytest.raises(CheckpointError, match="the checkpoint does not fit this ImageClassifier"):
        init_model(config, trained / "ckpt" / "ckpt_best.pth.tar", options={"model.head.num_classes": 4})
    with pytest.raises(ModelError, match=r"weights file gone\.pth does not exist"):
        init_model(config, "gone.pth")
    torch.save(init_model(config, options={"model.head.num_classes": 5}).state_dict(), "five.pth")
    with pytest.raises(
        ModelError, match=r"it lacks head\.fc\.weight, head\.fc\.bias, or has them for another"
    ):
        init_model(config, "five.pth")
    with pytest.raises(ConfigError, match="device='cuda:77'"):
        init_model(config, device="cuda:77")
    with pytest.raises(ConfigError, match="what init_model returned, not a plain Linear"):
        inference_model(torch.nn.Linear(2, 2), "image.png")
    Path("torn.png").write_bytes(b"\x89PNG")
    with pytest.raises(DataError, match=r"'torn\.png' is truncated"):
        inference_model(init_model(config), "torn.png")


def test_an_image_is_drawn_with_its_result(config: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("Agg")
    seen: list[Any] = []

    def look(block: bool) -> None:
        figure = pyplot.gcf()
        (axes,) = figure.axes
        seen.append(
            (block, tuple(figure.get_size_inches()), axes.images[0].get_array(), axes.texts[0].get_text())
        )

    monkeypatch.setattr(pyplot, "show", look)
    result = {"pred_label": 1, "pred_score": 0.876, "pred_class": "goldfish"}
    array = np.asarray(Image.open("image.png"))
    show_result_pyplot(None, "image.png", result)
    show_result_pyplot(None, array[..., ::-1], result, fig_size=(3, 2), wait_time=0.01)
    assert [each[0] for each in seen] == [True, False]
    assert [each[1] for each in seen] == [(15, 10), (3, 2)]
    assert all(np.array_equal(each[2], array) for each in seen)
    assert {each[3] for each in seen} == {"pred_label: 1\npred_score: 0.88\npred_class: goldfish"}
    assert pyplot.get_fignums() == []
