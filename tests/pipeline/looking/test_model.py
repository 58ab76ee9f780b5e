"""A network's numbers: those that were published, and those counted by hand."""

from typing import Any

import pytest
import torch
import torchvision
from torch import nn

from ding_cls.errors import ConfigError, DataError
from ding_cls.pipeline.looking.model import describe_model, measured
from ding_cls.pipeline.looking.opening import opened_config
from ding_cls.report.network import NetworkTable
from tests import harness
from tests.pipeline.looking.test_pipeline import GIVEN


class Listed(nn.Module):
    """A thousand layers in a list, which is never called; a token of its own; a part that is not used."""

    def __init__(self, depth: int = 1000) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(5))
        self.stem = nn.Conv2d(3, 4, 3, padding=1)
        self.blocks = nn.ModuleList([nn.Conv2d(4, 4, 1, bias=False) for _ in range(depth)])
        self.head = nn.Linear(4, 2)
        self.aux = nn.Linear(4, 7)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.stem(images)
        for block in self.blocks:
            features = block(features)
        return self.head(features.mean((2, 3)))


def of_config(config: Any = None, *overrides: str, needs_data: bool = False, **given: Any) -> NetworkTable:
    arguments = {**GIVEN, "data": None, "synthetic": config is None, **given}
    with opened_config(config, **arguments, overrides=["policy.cuda=False", *overrides]) as opened:
        return describe_model(opened, needs_data=needs_data)


@pytest.mark.parametrize(
    ("name", "millions", "giga"),
    [
        ("resnet50", 25.6, 4.09),
        ("mobilenet_v2", 3.5, 0.30),
        ("vit_b_16", 86.6, 17.56),
        pytest.param("swin_t", 28.3, 4.49, marks=pytest.mark.slow),
        pytest.param("convnext_tiny", 28.6, 4.46, marks=pytest.mark.slow),
        pytest.param("densenet121", 8.0, 2.83, marks=pytest.mark.slow),
    ],
)
def test_published_networks_have_their_published_numbers(name: str, millions: float, giga: float) -> None:
    # Nothing is computed on this device: shapes alone.
    with torch.device("meta"):
        network = torchvision.models.get_model(name)
    table = measured(network, (3, 224, 224))
    weights = torchvision.models.get_model_weights(name).IMAGENET1K_V1
    assert table.num_parameters == weights.meta["num_params"]
    assert round(table.num_parameters / 1e6, 1) == millions
    assert table.num_macs / 1e9 == pytest.approx(weights.meta["_ops"], abs=0.006)
    assert table.num_macs / 1e9 == pytest.approx(giga, abs=0.006)
    assert sum(row.num_parameters for row in table.rows) == table.num_parameters
    assert sum(row.num_macs for row in table.rows) == table.num_macs
    assert len(table.rows) <= 16
    assert table.output == "1000"


def test_a_thousand_layers_are_a_few_rows() -> None:
    network = Listed().train()
    table = measured(network, (3, 6, 6))
    rows = [(row.name, row.output, row.num_parameters, row.num_macs) for row in table.rows]
    assert rows == [
        ("(token)", "", 5, 0),
        ("stem", "4 x 6 x 6", 112, 36 * 3 * 4 * 9),
        ("blocks (1000)", "4 x 6 x 6", 16_000, 36 * 16_000),
        ("head", "2", 10, 8),
        ("aux", "", 35, 0),
    ]
    assert table.weight_bytes == 4 * table.num_parameters
    assert network.training
    assert not any(each._forward_hooks for each in network.modules())


def test_functions_between_the_parts_of_a_list_count_for_the_part_before_them() -> None:
    class Functions(Listed):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            features = torch.relu(nn.functional.conv2d(images, self.stem.weight, padding=1))
            for block in self.blocks:
                features = nn.functional.conv2d(block(features), block.weight)
            return self.head(features.mean((2, 3)))

    table = measured(Functions(3), (3, 6, 6))
    assert [(row.name, row.num_parameters, row.num_macs) for row in table.rows] == [
        ("(token)", 5, 36 * 3 * 4 * 9),
        ("blocks (3)", 48, 2 * 3 * 36 * 16),
        ("head", 10, 8),
        ("stem", 112, 0),
        ("aux", 35, 0),
    ]


@pytest.mark.slow
def test_a_graph_of_torchvision_has_the_rows_of_its_stages() -> None:
    model = {"type": "ImageClassifier", "backbone": {"type": "SwinTransformer", "arch": "tiny"}}
    model |= {"neck": {"type": "GlobalAveragePooling"}, "head": {"type": "LinearClsHead", "in_channels": 768}}
    model["head"]["num_classes"] = 1000
    collect = {"learn_data_path": "gone/train", "eval_data_path": "gone/val"}
    table = of_config({"policy": {"model": model, "collect": collect}})
    assert table.num_macs / 1e9 == pytest.approx(4.49, abs=0.01)
    assert sum(row.num_macs for row in table.rows) == table.num_macs
    assert sum(row.num_parameters for row in table.rows) == table.num_parameters
    assert len(table.rows) < 20


def test_attention_is_counted_as_its_two_products() -> None:
    attention = nn.MultiheadAttention(8, 2, batch_first=True)

    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.attention = attention

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            tokens = images.flatten(2)
            return self.attention(tokens, tokens, tokens, need_weights=False)[0]

    was_fast = torch.backends.mha.get_fastpath_enabled()
    table = measured(Attending(), (5, 2, 4))
    assert table.num_macs == 5 * 8 * 24 + 5 * 5 * 8 * 2 + 5 * 8 * 8
    assert torch.backends.mha.get_fastpath_enabled() == was_fast


def test_what_is_frozen_is_not_trained() -> None:
    table = of_config(None, "policy.learn.freeze={until_epoch: 2}", model="squeezenet1_1")
    assert table.num_parameters == 1_235_496
    assert table.num_trainable == 513_000
    assert sum(row.num_trainable for row in table.rows) == 513_000
    assert table.remarks == ("what is frozen at the begin is trained from epoch 3 on",)


def test_several_tasks_and_the_configs_size() -> None:
    assert harness.TinyBackbone
    parts = {
        "backbone": {"type": "TinyBackbone"},
        "neck": {"type": "GlobalAveragePooling"},
        "head": {"type": "MultiTaskHead", "num_tasks": 3, "num_classes": 4, "in_channels": 8},
    }
    collect = {"learn_data_path": "gone/train", "eval_data_path": "gone/val", "image_size": 32}
    table = of_config({"policy": {"model": {"type": "ImageClassifier", **parts}, "collect": collect}})
    assert (table.input, table.output) == ("3 x 32 x 32", "3 x 4")
    assert "gone" in table.remarks[0]


def test_data_that_are_named_must_be_there(tmp_path: Any) -> None:
    with pytest.raises(DataError, match="gone"):
        of_config(None, data=tmp_path / "gone", synthetic=False, needs_data=True)


def test_an_image_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(ConfigError, match=r"Listed cannot take an image of 2 x 6 x 6"):
        measured(Listed(1), (2, 6, 6))
