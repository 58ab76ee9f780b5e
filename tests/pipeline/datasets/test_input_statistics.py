"""What a network's library declares is taken where the config is silent, kept by a resume, and said."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from ding_cls.checkpoint import read_checkpoint
from ding_cls.cli import main, run_program
from ding_cls.config import compile_config, read_config
from ding_cls.data import Preprocessing
from ding_cls.errors import ConfigError
from ding_cls.pipeline import build_datasets, evaluate, preprocessing_of, train
from ding_cls.pipeline.datasets.input_statistics import fill_input_statistics, input_line
from ding_cls.pipeline.dry_run.run import dry_run
from ding_cls.pipeline.train import read_run
from ding_cls.policy import ImageClassificationPolicy
from dizoo.image_classification.entry import imagenet_res18_main as zoo
from dizoo.image_classification.entry.imagenet_res18_config import imagenet_res18_config

INCEPTION = {"name": "inception_v3"}
PIPELINE = {"type": "CustomDataset", "pipeline": [{"type": "LoadImageFromFile"}]}
QUICK = (
    "policy.cuda=False",
    "policy.learn.batch_size=8",
    "policy.learn.learner.dataloader.num_workers=0",
    "policy.collect.synthetic_samples=8",
    "policy.collect.synthetic_eval_samples=4",
    "policy.model.num_classes=3",
)
SHUFFLENET = "shufflenet_v2_x1_5"


def filled(model: dict[str, Any], **collect: Any) -> dict[str, Any]:
    cfg: dict[str, Any] = {"policy": {"model": model, "collect": collect}}
    fill_input_statistics(cfg)
    found: dict[str, Any] = cfg["policy"]["collect"]
    return found


def told(model: dict[str, Any], **collect: Any) -> str:
    cfg: dict[str, Any] = {"policy": {"model": model, "collect": collect}}
    origins = {"policy.model.name": "file.py:1"}
    fill_input_statistics(cfg, origins)
    return input_line(cfg, origins)


@pytest.mark.parametrize("pretrained", [None, False, True, "w.pth"])
def test_a_silent_config_takes_them_with_a_line(pretrained: Any) -> None:
    model = INCEPTION if pretrained is None else {**INCEPTION, "pretrained": pretrained}
    assert filled(model) == {"image_size": 299, "resize_size": 342}
    sizes = "policy.collect.image_size=299, policy.collect.resize_size=342"
    assert told(model) == f"input as declared for torchvision's inception_v3 (IMAGENET1K_V1): {sizes}"
    assert filled({"name": "efficientnet_b0"}) == {"interpolation": "bicubic"}
    half = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
    assert filled({"name": "efficientnet_v2_l"}) == {
        **half,
        "image_size": 480,
        "interpolation": "bicubic",
        "resize_size": 480,
    }


def test_what_the_config_says_stays() -> None:
    pytest.importorskip("timm")
    half = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
    xception = {"name": "timm/legacy_xception"}
    assert filled(xception, image_size=96) == {
        "image_size": 96,
        **half,
        "interpolation": "bicubic",
        "resize_size": 106,
    }
    assert filled(xception, mean=[0.1] * 3, interpolation="lanczos") == {
        "mean": [0.1] * 3,
        "interpolation": "lanczos",
        "image_size": 299,
        "resize_size": 333,
    }
    assert filled({"name": "timm/resnet50.a1_in1k"}) == {"interpolation": "bicubic", "resize_size": 235}


@pytest.mark.parametrize(
    ("model", "image_size", "resize_size"),
    [
        (INCEPTION, 96, 110),
        ({"name": "resnet50"}, 112, 116),
        ({"name": "mobilenet_v2", "pretrained": "w.pth"}, 112, 116),
        ({}, 112, 128),
        ({"name": "resnet18"}, 64, 73),
        ({"name": "efficientnet_b7"}, 256, 256),
        ({"name": "lenet5"}, 28, 32),
        ({"name": "MyNet (given)"}, 32, 37),
    ],
)
def test_a_size_alone_moves_the_other(model: dict[str, Any], image_size: int, resize_size: int) -> None:
    collect = filled(model, image_size=image_size, interpolation="bilinear")
    assert collect == {"image_size": image_size, "resize_size": resize_size, "interpolation": "bilinear"}
    compiled = compile_config({"policy": {"collect": collect}}, save_cfg=False).policy.collect
    assert (compiled.image_size, compiled.resize_size) == (image_size, resize_size)
    both = {"image_size": image_size, "resize_size": 300, "interpolation": "bilinear"}
    assert filled(model, **both) == both


def test_a_size_of_a_network_that_no_library_knows_is_said() -> None:
    line = "for image_size=28, as 256 with 224: policy.collect.resize_size=32"
    assert told({"name": "lenet5"}, image_size=28) == line


@pytest.mark.parametrize(
    ("model", "collect"),
    [
        ({"name": "resnet18", "pretrained": True}, {}),
        ({}, {}),
        ({"name": "lenet5"}, {}),
        (INCEPTION, {"train": PIPELINE}),
        (INCEPTION, {"val": PIPELINE}),
        (INCEPTION, {"train": {"type": "RepeatDataset", "times": 2, "dataset": PIPELINE}}),
        (INCEPTION, {"image_size": "x"}),
    ],
)
def test_nothing_is_changed(model: dict[str, Any], collect: dict[str, Any]) -> None:
    assert filled(model, **collect) == collect
    assert told(model, **collect) == ""


def test_beside_a_pipeline_of_its_own_a_size_still_moves_the_other() -> None:
    assert filled(INCEPTION, train=PIPELINE, image_size=96)["resize_size"] == 110


def test_a_network_of_one_size_is_built_for_it() -> None:
    cfg: dict[str, Any] = {"policy": {"model": {"name": "vit_h_14"}}}
    fill_input_statistics(cfg)
    sizes = {"image_size": 518, "resize_size": 518, "interpolation": "bicubic"}
    assert cfg["policy"] == {"model": {"name": "vit_h_14", "image_size": 518}, "collect": sizes}


@pytest.mark.parametrize(
    "cfg", [{}, {"policy": 3}, {"policy": {"model": 3}}, {"policy": {"model": INCEPTION, "collect": 3}}]
)
def test_a_config_of_another_form_is_left_to_the_checks(cfg: dict[str, Any]) -> None:
    before = dict(cfg)
    fill_input_statistics(cfg)
    assert cfg == before


@pytest.mark.parametrize("image_size", [32, 64, 112, 299])
@pytest.mark.parametrize("name", ["resnet18", "resnet50", "efficientnet_b0"])
def test_evaluation_sees_the_same_share_of_an_image_at_any_size(
    picture_folder: Path, name: str, image_size: int
) -> None:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (400, 300, 3), dtype=np.uint8))
    picture.save(picture_folder / "val" / "ash" / "000.png")
    words = [f"policy.collect.image_size={image_size}", "policy.collect.crop_scale=[1,1]"]
    described = read_run(
        None,
        data=picture_folder,
        model=name,
        epochs=1,
        pretrained=False,
        synthetic=False,
        resume=False,
        exp_name=None,
        overrides=words,
    )
    cfg = compile_config(described.cfg, save_cfg=False)
    ratio, mode = {"resnet18": (256 / 224, "bilinear"), "resnet50": (232 / 224, "bilinear")}.get(
        name, (256 / 224, "bicubic")
    )
    train_set, eval_set = build_datasets(cfg)
    resize_size = round(image_size * ratio)
    share = (cfg.policy.collect.image_size / cfg.policy.collect.resize_size) ** 2
    assert share == pytest.approx(1 / ratio**2, rel=0.03)
    steps = [
        v2.Resize(resize_size, v2.InterpolationMode(mode), antialias=True),
        v2.CenterCrop(image_size),
        v2.PILToTensor(),
    ]
    assert torch.equal(eval_set.load(0)[0].permute(2, 0, 1), v2.Compose(steps)(picture))
    assert preprocessing_of(cfg) == Preprocessing(image_size, resize_size, interpolation=mode)
    assert (train_set.transform.image_size, train_set.transform.interpolation) == (image_size, mode)


def test_described_data_get_the_interpolation_in_their_own_steps(picture_folder: Path) -> None:
    collect = {
        "image_size": 10,
        "interpolation": "bicubic",
        "train": {"type": "CustomDataset", "data_prefix": str(picture_folder / "train")},
        "val": {"type": "CustomDataset", "data_prefix": str(picture_folder / "val")},
    }
    cfg = compile_config({"policy": {"collect": collect}}, save_cfg=False)
    train_set, eval_set = build_datasets(cfg)
    assert preprocessing_of(cfg) == Preprocessing(10, 11, interpolation="bicubic")
    (cut,) = (each for each in train_set.pipeline.pixel_steps if hasattr(each, "scale"))
    assert cut.interpolation == "bicubic"
    picture = Image.open(next(iter(sorted((picture_folder / "val" / "ash").iterdir()))))
    assert torch.equal(
        eval_set.load(0)[0], torch.from_numpy(np.asarray(preprocessing_of(cfg)(picture)).copy())
    )


def geometry_of(run: str) -> tuple[int, int, str]:
    state = read_checkpoint(f"{run}/ckpt/ckpt_best.pth.tar")["run"]["preprocessing"]
    saved = read_config(f"{run}/total_config.py").policy.collect
    keys = ("image_size", "resize_size", "interpolation")
    assert [state[key] for key in keys] == [saved[key] for key in keys]
    return state["image_size"], state["resize_size"], state["interpolation"]


@pytest.mark.slow
def test_every_way_to_say_the_size(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = "policy.collect.image_size=32"
    words = ["train", "--synthetic", "--model", SHUFFLENET, "--epochs", "1", *QUICK]
    assert main([*words, small, "--work-dir", "typed"]) == 0
    line = (
        f"input as declared for torchvision's {SHUFFLENET} (IMAGENET1K_V1): policy.collect.resize_size=33\n"
    )
    assert capsys.readouterr().out.count(line) == 1
    assert Path("typed/log/learner/learner.txt").read_text().count(line) == 1
    Path("file.py").write_text(
        f"policy = dict(model=dict(name='{SHUFFLENET}'), collect=dict(image_size=32), "
        "learn=dict(train_epoch=1))\n"
    )
    assert main(["train", "file.py", "--synthetic", *QUICK, "--work-dir", "filed"]) == 0
    assert capsys.readouterr().out.count(line) == 1
    program = [small, f"policy.model.name={SHUFFLENET}", "policy.learn.train_epoch=1", "exp_name=main"]
    words = ["--synthetic", *program, *QUICK]
    assert run_program(zoo.main, imagenet_res18_config, argv=words) == 0
    assert capsys.readouterr().out.count(line) == 1
    cfg: dict[str, Any] = {
        "exp_name": "python",
        "policy": {"model": {"name": SHUFFLENET}, "collect": {"image_size": 32}, "learn": {"train_epoch": 1}},
    }
    train(cfg, synthetic=True, overrides=QUICK)
    assert cfg["policy"]["collect"] == {"image_size": 32}
    for run in ("typed", "filed", "main", "python"):
        assert geometry_of(run) == (32, 33, "bilinear")
    assert evaluate("typed")["num_samples"] == 4


def test_a_known_programs_compile_moves_it_too() -> None:
    class Small(ImageClassificationPolicy):
        config = {"collect": {"image_size": 112}}

    class Both(ImageClassificationPolicy):
        config = {"collect": {"image_size": 112, "resize_size": 150}}

    def sizes(cfg: dict[str, Any], policy: Any = None) -> tuple[int, int]:
        collect = compile_config(cfg, policy=policy, save_cfg=False).policy.collect
        return collect.image_size, collect.resize_size

    small: dict[str, Any] = {"policy": {"collect": {"image_size": 112}}}
    explicit: dict[str, Any] = {"policy": {"collect": {"image_size": 112, "resize_size": 256}}}
    assert sizes({}) == (224, 256)
    assert sizes(small) == sizes({}, Small) == (112, 128)
    assert sizes(explicit) == sizes({"policy": {"collect": {"resize_size": 256}}}, Small) == (112, 256)
    assert sizes({}, Both) == sizes(small, Both) == (112, 150)
    assert sizes({"policy": {"collect": {"image_size": 28}}}) == (28, 32)


def test_a_policy_class_of_ones_own_has_said_it() -> None:
    class Small(ImageClassificationPolicy):
        config = {"collect": {"image_size": 112, "mean": [0.1, 0.1, 0.1]}}

    cfg: dict[str, Any] = {"policy": {"model": {"name": "efficientnet_v2_l"}}}
    fill_input_statistics(cfg, policy=Small)
    assert cfg["policy"]["collect"] == {"interpolation": "bicubic", "resize_size": 112}


def test_an_error_names_the_library(tmp_path: Path) -> None:
    words = ["policy.collect.resize_size=256", "policy.model.name=inception_v3"]
    with pytest.raises(ConfigError, match=r"resize_size is 256; it must be at least .*image_size=299"):
        dry_run(synthetic=True, overrides=[*words, *QUICK])


@pytest.mark.slow
def test_a_resumed_run_keeps_what_it_began_with(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("run.py").write_text(
        f"policy = dict(model=dict(name='{SHUFFLENET}'), collect=dict(image_size=32), "
        "learn=dict(train_epoch=1))\n"
    )
    # The run began when the library declared nothing.
    with monkeypatch.context() as patch:
        patch.setattr("ding_cls.pipeline.datasets.input_statistics.input_statistics", lambda _: None)
        train("run.py", synthetic=True, overrides=QUICK)
    assert geometry_of("run") == (32, 37, "bilinear")
    capsys.readouterr()
    train("run.py", synthetic=True, epochs=2, resume=True, overrides=QUICK)
    assert geometry_of("run") == (32, 37, "bilinear")
    out = capsys.readouterr().out
    assert "resize_size" not in out
    assert "policy.learn.train_epoch was 1 in the checkpoint and is 2 now" in out
    # Another size is another input: the rest follows it.
    words = [*QUICK, "policy.collect.image_size=64"]
    train("run.py", synthetic=True, epochs=3, resume=True, overrides=words)
    saved = read_checkpoint("run/ckpt/iteration_3.pth.tar")["run"]["preprocessing"]
    assert (saved["image_size"], saved["resize_size"]) == (64, 66)


@pytest.mark.slow
def test_a_config_is_shown_and_compared_as_it_runs(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("run.py").write_text("exp_name = 'a'\npolicy = dict(model=dict(name='efficientnet_b1'))\n")
    assert main(["config", "show", "--full", "run.py"]) == 0
    lines = {each.strip().partition("=")[0]: each for each in capsys.readouterr().out.splitlines()}
    assert lines["image_size"].startswith("        image_size=240, ")
    assert lines["image_size"].endswith(" # torchvision's efficientnet_b1 (IMAGENET1K_V2)")
    assert "resize_size=255," in lines["resize_size"]
    Path("same.py").write_text(
        "exp_name = 'a'\npolicy = dict(model=dict(name='efficientnet_b1'), "
        "collect=dict(image_size=240, resize_size=255))\n"
    )
    assert main(["config", "diff", "run.py", "same.py"]) == 0
    # Which size the network sees is not said: lint, which imports no library, cannot know.
    assert main(["config", "lint", "run.py", "policy.collect.resize_size=400"]) == 0
    words = ["policy.collect.resize_size=400", "policy.collect.image_size=240"]
    assert main(["config", "lint", "run.py", *words]) == 1
    assert "sees 36 % of a square image" in capsys.readouterr().out
    (remark,) = dry_run("run.py", synthetic=True, epochs=20, overrides=[words[0], *QUICK]).remarks[-1:]
    assert "sees 36 % of a square image" in remark
