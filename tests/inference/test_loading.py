"""What can be loaded: runs of every kind, weights alone, and what each needs besides."""

import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models import squeezenet1_1

import ding_cls
from ding_cls.checkpoint import read_checkpoint, write_checkpoint
from ding_cls.data import PipelinePreprocessing, Preprocessing
from ding_cls.errors import CheckpointError, ConfigError, ModelError
from ding_cls.inference.ensemble import Ensemble
from ding_cls.models import evaluated_part
from tests.conftest import TinyNet
from tests.harness import run_tiny, tiny_parts
from tests.inference.conftest import ALONE, CLASSES
from tests.options.trials import arrays, run

PIXELS = np.random.default_rng(3).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)


def image(size_px: int = 40) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (size_px, size_px, 3), dtype=np.uint8))


def test_a_run_is_its_folder_or_a_file_in_it(trained: Path) -> None:
    best = read_checkpoint(trained / "ckpt" / "ckpt_best.pth.tar")
    for source in (trained, str(trained), trained / "ckpt", trained / "ckpt" / "ckpt_best.pth.tar"):
        predictor = ding_cls.load(source)
        assert predictor.classes == CLASSES
        assert predictor.preprocessing == Preprocessing(image_size=8, resize_size=8)
        assert predictor.batch_size == 7
        assert not predictor.model.training
        for name, value in predictor.model.state_dict().items():
            assert torch.equal(value.cpu(), best["model"][name])


def test_the_weights_are_those_that_the_run_judged(images: Path, workdir: Path) -> None:
    run_tiny(
        images, "run", ALONE, tiny_parts("LinearClsHead", in_channels=8), "policy.learn.ema={decay: 0.5}"
    )
    state = read_checkpoint("run/ckpt/iteration_10.pth.tar")
    judged = evaluated_part(state)["model"]
    found = ding_cls.load("run/ckpt/iteration_10.pth.tar").model.state_dict()
    assert found.keys() == judged.keys()
    assert all(torch.equal(found[name].cpu(), judged[name]) for name in judged)
    evaluated = ding_cls.evaluate("run/ckpt/iteration_10.pth.tar")
    records = ding_cls.load("run/ckpt/iteration_10.pth.tar")(images / "val")
    hits = sum(record.label == number // 5 for number, record in enumerate(records))
    assert evaluated["acc1"] == 100 * hits / 20


def test_a_network_that_was_handed_in_is_handed_in_again(images: Path, workdir: Path) -> None:
    run_tiny(images, "run", ALONE)
    with pytest.raises(CheckpointError, match=r"hand it in: ding_cls\.load\(\.\.\., model=network\)"):
        ding_cls.load("run")
    network = TinyNet()
    assert ding_cls.load("run", model=network).model is network
    with pytest.raises(CheckpointError, match="does not fit this TinyNet: 2 keys differ"):
        ding_cls.load("run", model=TinyNet(5))


def test_a_pipeline_of_dicts_is_the_runs_own(workdir: Path) -> None:
    steps = [
        {"type": "Resize", "size": 8},
        {"type": "Normalize", "mean": [100.0, 110.0, 120.0], "std": [50.0, 60.0, 70.0], "to_rgb": True},
        {"type": "ImageToTensor", "keys": ["img"]},
    ]
    changes = arrays(pipeline=steps)
    changes["policy.collect.val"] = {**changes["policy.collect.val"], "pipeline": steps}
    run("run", changes)
    predictor = ding_cls.load("run")
    assert type(predictor.preprocessing) is PipelinePreprocessing
    saved = np.load("pictures.npz")
    ding_cls.evaluate("run", out="out.npz")
    expected = torch.from_numpy(np.load("out.npz")["logits"]).double().softmax(1)
    found = predictor(saved["images"])
    assert np.allclose([each.probabilities for each in found], expected, atol=1e-6)
    # An array has no file: to_rgb swaps red and blue.
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in ([100.0, 110, 120], [50.0, 60, 70]))
    pixels = torch.from_numpy(saved["images"][0]).permute(2, 0, 1).flip(0).float()
    assert torch.allclose(predictor.preprocess(saved["images"][0]), (pixels - mean) / std, atol=1e-5)


def test_a_network_for_grey_images_takes_any_image(workdir: Path) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (8, 32, 32), dtype=np.uint8)
    np.savez("grey.npz", images=grey, labels=np.arange(8) % 4)
    section = {"type": "NpzDataset", "data_prefix": str(Path("grey.npz").resolve()), "pipeline": []}
    changes = {
        "policy.model": {"name": "lenet5", "in_channels": 1},
        "policy.collect.synthetic": False,
        "policy.collect.train": section,
        "policy.collect.val": section,
        "policy.collect.image_size": 32,
        "policy.collect.resize_size": 32,
    }
    run("run", changes)
    predictor = ding_cls.load("run")
    ding_cls.evaluate("run", out="out.npz")
    expected = torch.from_numpy(np.load("out.npz")["logits"]).double().softmax(1)
    Path("files").mkdir()
    for number, each in enumerate(grey):
        Image.fromarray(each).save(f"files/{number}.png")
    for images in (list(grey), "files", [Image.fromarray(each) for each in grey]):
        found = predictor(images)
        assert np.allclose([each.probabilities for each in found], expected, atol=1e-6)


def test_a_run_on_generated_images_says_so(workdir: Path, caplog: pytest.LogCaptureFixture) -> None:
    run("run")
    with caplog.at_level(logging.WARNING):
        (record,) = ding_cls.load("run")(PIXELS[0])
    assert record.name.startswith("class_")
    assert "'run' was trained on generated images: its classes mean nothing on real ones" in caplog.text


def test_a_checkpoint_of_an_earlier_version_has_its_kind_of_labels_too(several: Path, tasks: Path) -> None:
    for folder, expected in ((several, True), (tasks, False)):
        state = read_checkpoint(folder / "ckpt" / "ckpt_best.pth.tar")
        del state["run"]["label_kind"]
        write_checkpoint("old.pth.tar", state)
        assert ding_cls.load("old.pth.tar").has_several_labels is expected


def test_own_code_needs_leave(images: Path, workdir: Path) -> None:
    Path("own_net.py").write_text(
        "import torch\nfrom ding_cls.models import MODELS\n\n@MODELS.register_module()\n"
        "class OwnNet(torch.nn.Module):\n    def __init__(self, num_classes):\n        super().__init__()\n"
        "        self.fc = torch.nn.Linear(3, num_classes)\n\n    def forward(self, images):\n"
        "        return self.fc(images.mean((2, 3)))\n"
    )
    ding_cls.train(
        data=images,
        epochs=1,
        exp_name="run",
        overrides=[
            *("custom_imports={imports: [own_net]}", "policy.model={type: OwnNet}", ALONE),
            *("policy.collect.image_size=8", "policy.collect.resize_size=8"),
        ],
        allow_code=True,
    )
    with pytest.raises(ConfigError, match="custom_imports wants to import own_net"):
        ding_cls.load("run")
    assert len(ding_cls.load("run", allow_code=True)(images / "val")) == 20


@pytest.fixture
def squeeze(workdir: Path) -> Path:
    torch.manual_seed(0)
    torch.save(squeezenet1_1(num_classes=5).state_dict(), "five.pth")
    torch.save({"state_dict": squeezenet1_1().state_dict()}, "thousand.pth")
    return workdir


def test_weights_alone_need_the_networks_name_and_names_of_classes(squeeze: Path) -> None:
    thousand = ding_cls.load("thousand.pth", model="squeezenet1_1")
    assert thousand.classes[:2] == ("n01440764", "n01443537")
    assert thousand.names[1] == "goldfish, Carassius auratus"
    Path("names.txt").write_text("ash\nbirch\ncedar\noak\nfir\n")
    for classes in ("names.txt", ["ash", "birch", "cedar", "oak", "fir"]):
        predictor = ding_cls.load("five.pth", model="squeezenet1_1", classes=classes)
        expected = squeezenet1_1(num_classes=5).eval()
        expected.load_state_dict(torch.load("five.pth"))
        (record,) = predictor(image(300))
        with torch.no_grad():
            row = expected(predictor.preprocess(image(300))[None]).softmax(1)[0]
        assert np.allclose(record.probabilities, row, atol=1e-6)
        assert record.name == ("ash", "birch", "cedar", "oak", "fir")[int(row.argmax())]


def test_a_librarys_network_has_the_librarys_preprocessing(squeeze: Path) -> None:
    torch.save(squeezenet1_1().state_dict(), "w.pth")
    assert ding_cls.load("w.pth", model="squeezenet1_1").preprocessing == Preprocessing(224, 256)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"source": "five.pth"}, CheckpointError, "weights alone .*; predict takes them with --model NAME"),
        (
            {"source": "five.pth", "model": "squeezenet1_1"},
            ConfigError,
            "5 classes, and no names .* --classes",
        ),
        (
            {"source": "five.pth", "model": "squeezenet1_1", "classes": ["a"]},
            ConfigError,
            "5 classes, and 1 names were given; add --classes FILE",
        ),
        ({"source": "five.pth", "model": "squeeze"}, ModelError, "unknown model 'squeeze'"),
        ({"source": "five.pth", "model": "resnet18"}, ModelError, r"weights file five\.pth"),
        ({"source": "gone.pth", "model": "resnet18"}, ModelError, r"weights file gone\.pth does not exist"),
        ({"source": "gone.pth"}, CheckpointError, r"there is no checkpoint 'gone\.pth'"),
        ({"source": "."}, CheckpointError, r"'\.' holds no checkpoint \(it has five\.pth, thousand\.pth\)"),
        ({"source": ".", "model": "resnet18"}, ConfigError, "'.' is a folder; a run knows its network"),
        ({}, ConfigError, "say which network: a run's folder"),
        ({"pretrained": True}, ConfigError, "say which network: model='NAME'"),
        ({"source": "five.pth", "model": "a", "pretrained": True}, ConfigError, "give one of the two"),
        ({"model": "resnet18"}, ConfigError, "give one of the two"),
        ({"source": "five.pth", "model": "a", "threshold": 0.5}, ConfigError, "a threshold is for a run"),
        ({"source": "five.pth", "classes": ["a"]}, ConfigError, "leave 'classes' out"),
    ],
)
def test_what_cannot_be_loaded_is_an_error_of_one_line(
    squeeze: Path, arguments: dict, error: type, message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        ding_cls.load(**arguments)
    assert "\n" not in str(caught.value)


def test_an_image_in_the_checkpoints_place_is_named(workdir: Path) -> None:
    image().save("cat.png")
    with pytest.raises(CheckpointError, match="is an image; the run or checkpoint is named first"):
        ding_cls.load("cat.png")


def test_a_threshold_is_for_several_labels(trained: Path) -> None:
    with pytest.raises(ConfigError, match=r"threshold=0\.5 is for images with several labels"):
        ding_cls.load(trained, threshold=0.5)


def test_a_program_with_a_loop_of_its_own_says_too_little(workdir: Path) -> None:
    write_checkpoint("own.pth.tar", {"model": TinyNet().state_dict(), "last_iter": 3})
    with pytest.raises(CheckpointError, match="does not say which model and preprocessing it was made for"):
        ding_cls.load("own.pth.tar")


def test_weights_without_an_update_are_told(
    trained: Path, workdir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = read_checkpoint(trained / "ckpt" / "ckpt_best.pth.tar")
    ding_cls.load(trained)
    assert "not trained" not in caplog.text
    write_checkpoint("untrained.pth.tar", {**state, "last_iter": 0})
    ding_cls.load("untrained.pth.tar")
    assert "'untrained.pth.tar' was saved before its run's first update: it is not trained" in caplog.text


def test_a_list_is_a_mean_of_networks_with_what_the_command_says_of_each(
    trained: Path, tmp_path: Path, images: Path
) -> None:
    other = read_checkpoint(trained / "ckpt" / "ckpt_best.pth.tar")
    order = [2, 0, 3, 1]
    other["run"]["class_names"] = [CLASSES[each] for each in order]
    other["run"]["preprocessing"] = Preprocessing(image_size=8, resize_size=12).state_dict()
    for name in ("head.fc.weight", "head.fc.bias"):
        other["model"][name] = other["model"][name][order] * 1.5
    write_checkpoint(tmp_path / "other.pth.tar", other)
    sources = [trained, tmp_path / "other.pth.tar"]
    predictor = ding_cls.load(sources, tta=True, device="cpu")
    assert isinstance(predictor, Ensemble)
    assert (predictor.classes, predictor.tta, len(predictor.members)) == (CLASSES, True, 2)
    members = [ding_cls.load(each, tta=True, device="cpu")(images / "val") for each in sources]
    names = [member.members[0].classes for member in (ding_cls.load(each) for each in sources)]
    places = [[each.index(name) for name in CLASSES] for each in names]
    for record, *own in zip(predictor(images / "val"), *members, strict=True):
        rows = [each.probabilities[place] for each, place in zip(own, places, strict=True)]
        assert np.allclose(record.probabilities, np.mean(rows, 0), rtol=0, atol=1e-6)
    assert ding_cls.load([trained]).members[0].model is not None


def test_networks_that_make_no_mean_are_refused(trained: Path, several: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the list of networks is empty; name one at least"):
        ding_cls.load([])
    with pytest.raises(ConfigError, match=r"are the same file, and a mean would count it twice"):
        ding_cls.load([trained, trained / "ckpt"])
    with pytest.raises(ConfigError, match=r"a network holds the weights of one checkpoint"):
        ding_cls.load([trained, several], model=TinyNet())
    with pytest.raises(
        ConfigError, match=r"the images of '.*several.*' have several labels, those of '.*' have"
    ):
        ding_cls.load([trained, several])


def test_weights_alone_make_a_mean_too(workdir: Path) -> None:
    for seed in (0, 1):
        torch.manual_seed(seed)
        torch.save(ding_cls.build_model("squeezenet1_1", num_classes=2).state_dict(), f"{seed}.pth")
    predictor = ding_cls.load(["0.pth", "1.pth"], model="squeezenet1_1", classes=["a", "b"], device="cpu")
    rows = [
        ding_cls.load(f"{seed}.pth", model="squeezenet1_1", classes=["a", "b"], device="cpu")(image())[0]
        for seed in (0, 1)
    ]
    expected = np.mean([each.probabilities for each in rows], 0)
    assert np.allclose(predictor(image())[0].probabilities, expected, rtol=0, atol=1e-6)
