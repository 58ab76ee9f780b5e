"""From a compiled config to data sets and a network."""

from pathlib import Path
from typing import Any

import pytest
import torch

import ding_cls
from ding_cls.config import compile_config
from ding_cls.data import ImageNetDataset, SyntheticDataset
from ding_cls.errors import CheckpointError, ConfigError, DataError, ModelError
from ding_cls.pipeline import build_datasets, build_network, preprocessing_of, train
from ding_cls.pipeline.build import check_network
from ding_cls.pipeline.dry_run.run import dry_run
from ding_cls.policy import ImageClassificationPolicy
from tests.conftest import TinyNet


def compiled(**policy: Any) -> Any:
    return compile_config({"policy": policy}, 3, save_cfg=False, policy=ImageClassificationPolicy)


def folders(root: Path, **collect: Any) -> dict[str, Any]:
    return {"learn_data_path": str(root / "train"), "eval_data_path": str(root / "val"), **collect}


def test_preprocessing_says_what_the_config_says() -> None:
    cfg = compiled(collect={"image_size": 20, "resize_size": 24, "mean": [0.1, 0.2, 0.3], "std": [1, 2, 3]})
    found = preprocessing_of(cfg)
    assert (found.image_size, found.resize_size, found.mean, found.std) == (
        20,
        24,
        (0.1, 0.2, 0.3),
        (1, 2, 3),
    )
    assert preprocessing_of(compiled()).mean == (0.485, 0.456, 0.406)


def test_both_sets_number_their_classes_by_the_training_folder(picture_folder: Path) -> None:
    for path in (picture_folder / "val" / "birch").iterdir():
        path.unlink()
    (picture_folder / "val" / "birch").rmdir()
    train_set, eval_set = build_datasets(
        compiled(collect=folders(picture_folder, image_size=8, resize_size=8))
    )
    assert isinstance(train_set, ImageNetDataset)
    assert (len(train_set), len(eval_set)) == (40, 15)
    assert list(eval_set.classes) == list(train_set.classes) == ["ash", "birch", "cedar", "fir"]
    assert sorted({eval_set.load(index)[1] for index in range(15)}) == [0, 2, 3]


def test_a_class_that_training_lacks_is_an_error(picture_folder: Path) -> None:
    (picture_folder / "val" / "ash").rename(picture_folder / "val" / "oak")
    with pytest.raises(DataError, match="oak"):
        build_datasets(compiled(collect=folders(picture_folder)))


def test_synthetic_sets_differ_from_each_other_and_follow_the_seed() -> None:
    collect = {"synthetic": True, "synthetic_samples": 6, "synthetic_eval_samples": 5, "image_size": 8}
    cfg = compiled(collect=collect, model={"num_classes": 3})
    train_set, eval_set = build_datasets(cfg)
    assert isinstance(train_set, SyntheticDataset)
    assert (len(train_set), len(eval_set), len(train_set.classes)) == (6, 5, 3)
    assert train_set.load(0)[0].shape == (8, 8, 3)
    assert not torch.equal(train_set.load(0)[0], eval_set.load(0)[0])
    assert torch.equal(train_set.load(4)[0], build_datasets(cfg)[0].load(4)[0])
    cfg.seed = 4
    assert not torch.equal(train_set.load(4)[0], build_datasets(cfg)[0].load(4)[0])


def test_a_network_has_as_many_classes_as_the_data() -> None:
    network, about = build_network(compiled(model={"name": "squeezenet1_1"}), 7)
    assert network.classifier[1].out_channels == 7
    assert about == "squeezenet1_1 with random weights"


def test_another_number_of_classes_is_an_error() -> None:
    with pytest.raises(
        ConfigError, match=r"num_classes is 5, but the training data have 7 classes; leave the key"
    ):
        build_network(compiled(model={"name": "squeezenet1_1", "num_classes": 5}), 7)


def test_an_unknown_network_is_an_error() -> None:
    with pytest.raises(ModelError, match="squeezenet1_1"):
        build_network(compiled(model={"name": "squeezenet1_11"}), 7)


def test_a_file_of_weights_is_loaded_and_told(tmp_path: Path) -> None:
    donor, _ = build_network(compiled(model={"name": "squeezenet1_1"}), 5)
    torch.save(donor.state_dict(), tmp_path / "weights.pth")
    cfg = compiled(model={"name": "squeezenet1_1", "pretrained": str(tmp_path / "weights.pth")})
    network, about = build_network(cfg, 7)
    assert about.startswith("squeezenet1_1: ")
    taken = network.state_dict()
    same = []
    for name, each in donor.state_dict().items():
        if not name.startswith("classifier.1."):
            assert torch.equal(taken[name], each), name
            same.append(name)
    assert len(same) == len(taken) - 2
    assert taken["classifier.1.weight"].shape[0] == 7


def test_a_network_that_cannot_take_the_pictures_is_refused_before_training() -> None:
    cfg = compiled(model={"name": "inception_v3"}, collect={"image_size": 16, "resize_size": 16})
    with pytest.raises(ConfigError, match=r"^Inception3 cannot take pictures of 16 px .*image_size$"):
        build_network(cfg, 4)


@pytest.mark.parametrize(
    "network", [torch.nn.Flatten(), torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 2))]
)
def test_a_network_without_one_logit_a_class_is_refused(network: torch.nn.Module) -> None:
    cfg = compiled(collect={"image_size": 4, "resize_size": 4})
    with pytest.raises(
        ModelError, match=r"turns one image into \(1, \d+\); for 3 classes it must be \(1, 3\)"
    ):
        check_network(network, cfg, 3)


def test_checking_a_network_leaves_no_trace() -> None:
    cfg = compiled(collect={"image_size": 8, "resize_size": 8})
    network = TinyNet().train()
    weights = {name: value.clone() for name, value in network.state_dict().items()}
    before = torch.get_rng_state()
    check_network(network, cfg, 4)
    assert network.training
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())


class Narrow(TinyNet):
    """Normalises vectors too: one image alone has one value for each channel."""

    def __init__(self, num_classes: int = 4, kind: type[torch.nn.Module] = torch.nn.BatchNorm1d) -> None:
        super().__init__(num_classes)
        self.last = kind(num_classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.last(super().forward(images))


FREEZE = {"patterns": ["*"], "keep": ["head"]}


@pytest.mark.parametrize(
    ("network", "num_samples", "learn", "is_refused"),
    [
        (Narrow, 1, {}, True),
        (Narrow, 2, {}, False),
        (Narrow, 8, {"batch_size": 1}, True),
        (TinyNet, 1, {}, False),
        (TinyNet, 8, {"batch_size": 1}, False),
        # Batches of 2 and 1.
        (Narrow, 3, {"batch_size": 2}, True),
        (Narrow, 3, {"batch_size": 2, "learner": {"dataloader": {"drop_last": True}}}, False),
        (Narrow, 4, {"batch_size": 3}, False),
        # 3 images in pieces of 2 and 1.
        (Narrow, 3, {"accumulation_steps": 2}, True),
        (Narrow, 4, {"accumulation_steps": 2}, False),
        (Narrow, 4, {"accumulation_steps": 9}, True),
        (Narrow, 8, {"batch_size": 1, "freeze": FREEZE}, False),
        (Narrow, 8, {"batch_size": 1, "freeze": {**FREEZE, "norm_eval": False}}, True),
        (Narrow, 8, {"batch_size": 1, "freeze": {**FREEZE, "until_epoch": 1}}, True),
        (lambda: Narrow(kind=torch.nn.LayerNorm), 8, {"batch_size": 1}, False),
    ],
)
def test_a_single_image_is_refused_where_batchnorm_would_fail(
    workdir: Path, network: Any, num_samples: int, learn: dict[str, Any], is_refused: bool
) -> None:
    loader = {"num_workers": 0, **learn.get("learner", {}).get("dataloader", {})}
    sizes = {"image_size": 8, "resize_size": 8, "synthetic_samples": num_samples, "synthetic_eval_samples": 4}
    cfg = {
        "exp_name": "run",
        "policy": {
            "cuda": False,
            "model": {"num_classes": 4},
            "learn": {**learn, "train_epoch": 1, "learner": {"dataloader": loader}},
            "collect": {"synthetic": True, **sizes},
        },
    }
    if not is_refused:
        train(cfg, model=network())
        return
    with pytest.raises(ConfigError, match=rf"{num_samples} training images in batches of .* a single image"):
        train(cfg, model=network())
    # torch says it too, in its own way and later.
    with pytest.raises(ConfigError) as told:
        dry_run(cfg | {"policy": cfg["policy"] | {"model": {"name": "resnet18", "num_classes": 4}}})
    assert "\n" not in str(told.value)
    assert list(workdir.iterdir()) == []


@pytest.mark.parametrize("place", ["pretrained", "checkpoint"])
def test_weights_of_a_run_are_those_of_its_best_checkpoint(tmp_path: Path, place: str) -> None:
    run = tmp_path / "run" / "ckpt"
    run.mkdir(parents=True)
    with pytest.raises(CheckpointError, match=r"run' holds no checkpoint"):
        build_network(compiled(model=described_weights(place, run.parent)), 4)
    torch.manual_seed(5)
    states = [dict(ding_cls.build_model("resnet18", num_classes=4).state_dict()) for _ in range(2)]
    torch.save({"model": states[0]}, run / "iteration_9.pth.tar")
    torch.save({"model": states[1]}, run / "ckpt_best.pth.tar")
    for folder in (run.parent, run):
        network, line = build_network(compiled(model=described_weights(place, folder)), 4)
        assert torch.equal(network.state_dict()["conv1.weight"], states[1]["conv1.weight"])
        assert str(run / "ckpt_best.pth.tar") in line
    (run / "ckpt_best.pth.tar").unlink()
    network, _ = build_network(compiled(model=described_weights(place, run.parent)), 4)
    assert torch.equal(network.state_dict()["conv1.weight"], states[0]["conv1.weight"])


def described_weights(place: str, folder: Path) -> dict[str, Any]:
    if place == "pretrained":
        return {"name": "resnet18", "pretrained": str(folder)}
    return {"name": "resnet18", "init_cfg": {"type": "Pretrained", "checkpoint": str(folder)}}
