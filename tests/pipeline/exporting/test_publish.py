"""Weights leave the house alone, under their digest, with a card; and only if they say the same."""

import copy
import errno
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch.hub import HASH_REGEX

from ding_cls.checkpoint import read_checkpoint, write_checkpoint
from ding_cls.errors import CheckpointError, ConfigError, DataError, DiskError, ExportError
from ding_cls.models import load_pretrained
from ding_cls.models.weights.writing import write_weights
from ding_cls.pipeline.exporting import publish as module
from ding_cls.pipeline.exporting.publish import Published, check_loads, publish, published_name
from tests.conftest import TinyNet
from tests.harness import run_tiny, tiny_parts
from tests.options.trials import run

BEST = Path("ckpt", "ckpt_best.pth.tar")


@pytest.fixture(scope="module")
def published(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Published:
    found = publish(trained, out=tmp_path_factory.mktemp("published"))
    assert found is not None
    return found


def changed(run_folder: Path, place: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Return a copy of a run whose best checkpoint is changed."""
    shutil.copytree(run_folder, place)
    state = read_checkpoint(place / BEST)
    change(state)
    write_checkpoint(place / BEST, state)
    return place


def test_the_file_holds_the_judged_weights_and_nothing_else(published: Published, trained: Path) -> None:
    state = torch.load(published.weights, weights_only=True)
    expected = read_checkpoint(trained / BEST)["model"]
    assert list(state) == list(expected)
    assert all(torch.equal(state[name], tensor) for name, tensor in expected.items())
    content = published.weights.read_bytes()
    host = os.uname().nodename.encode()
    assert not any(each in content for each in (str(trained.parent).encode(), host, b"optimizer", b"numpy"))


def test_the_name_ends_in_the_digest_that_torch_hub_checks(published: Published, workdir: Path) -> None:
    name = published.weights.name
    assert re.fullmatch(r"run_\d{8}-[0-9a-f]{8}\.pth", name)
    digest = HASH_REGEX.search(name)
    assert digest is not None
    assert published.sha256.startswith(digest[1])
    assert published.card.name == f"{published.weights.stem}.md"
    assert published.sha256 in published.card.read_text(encoding="utf-8")
    torch.hub.download_url_to_file(published.weights.resolve().as_uri(), "fetched", digest[1], progress=False)


@pytest.mark.parametrize("format", ["pth", pytest.param("safetensors", marks=pytest.mark.slow)])
def test_the_same_checkpoint_gives_the_same_name_and_bytes(
    format: Any, trained: Path, published: Published, workdir: Path
) -> None:
    moved = shutil.copytree(trained, workdir / "elsewhere" / "renamed")
    first, second = published, publish(moved, out="b", format=format)
    if format != "pth":
        again = publish(trained, out="a", format=format)
        assert again is not None
        first = again
    assert second is not None
    assert first.weights.name == second.weights.name
    assert first.weights.read_bytes() == second.weights.read_bytes()
    assert first.card.read_bytes() == second.card.read_bytes()
    assert sorted(os.listdir("b")) == sorted([first.weights.name, first.card.name])


def test_what_safetensors_says_of_itself_is_enough_to_use_it(trained: Path, workdir: Path) -> None:
    found = publish(trained, format="safetensors")
    assert found is not None
    with safe_open(found.weights, "pt") as file:
        about = file.metadata()
    run_facts = read_checkpoint(trained / BEST)["run"]
    assert json.loads(about["preprocessing"]) == run_facts["preprocessing"]
    assert json.loads(about["ding_cls"])["classes"] == run_facts["class_names"]
    assert json.loads(about["network"])["backbone"] == {"type": "TinyBackbone"}
    assert about["format"] == "pt"
    assert str(trained.parent) not in str(about)
    assert load_file(found.weights).keys() == read_checkpoint(trained / BEST)["model"].keys()


@pytest.mark.slow
def test_of_averaged_weights_those_that_were_judged_leave(
    images: Path, workdir: Path, tmp_path: Path
) -> None:
    run_tiny(images, "run", tiny_parts("LinearClsHead", in_channels=8), "policy.learn.ema.decay=0.5")
    state = read_checkpoint(Path("run", BEST))
    found = publish("run")
    assert found is not None
    weights = torch.load(found.weights, weights_only=True)
    assert all(torch.equal(weights[name], tensor) for name, tensor in state["model"].items())
    in_training = state["training_model"]
    assert not all(torch.equal(weights[name], tensor) for name, tensor in in_training.items())
    assert "an average over training (EMA)" in found.card.read_text()

    def as_it_was(state: dict[str, Any]) -> None:
        # As checkpoints were: 'model' in training, the average in a part of its own.
        state["averaged"] = {**state["averaged"], "model": state["model"]}
        state["model"] = state.pop("training_model")

    older = publish(changed(Path("run"), tmp_path / "older", as_it_was), out="older")
    assert older is not None
    assert older.sha256 == found.sha256


@pytest.mark.parametrize("kind", ["several", pytest.param("tasks", marks=pytest.mark.slow)])
def test_several_labels_and_tasks_are_published(
    kind: str, workdir: Path, request: pytest.FixtureRequest
) -> None:
    found = publish(request.getfixturevalue(kind))
    assert found is not None
    text = found.card.read_text()
    wanted = {"several": "any number of 4 classes, those with a probability from 0.4 on", "tasks": "3 tasks"}
    assert wanted[kind] in text
    assert "trained on generated images" not in text


@pytest.mark.slow
def test_a_run_with_a_network_of_its_own_is_published_with_it(images: Path, workdir: Path) -> None:
    run_tiny(images, "run")
    with pytest.raises(CheckpointError, match=r"a network of its own.*publish\(\.\.\., model=network\)"):
        publish("run")
    network = TinyNet()
    found = publish("run", model=network)
    assert found is not None
    other = TinyNet()
    load_pretrained(other, found.weights)
    example = torch.rand(2, 3, 8, 8)
    assert torch.equal(other.eval()(example), network.eval()(example))
    assert "`network` is the TinyNet of that program" in found.card.read_text()


def test_a_run_on_generated_images_says_so(workdir: Path) -> None:
    run("run", {})
    found = publish("run")
    assert found is not None
    text = found.card.read_text()
    assert "> **Note.** The network was trained on generated images" in text
    assert "| val | generated images | 5 |" in text


def test_an_untrained_checkpoint_is_published_with_a_note(
    trained: Path, workdir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    found = publish(changed(trained, workdir / "new", lambda state: state.update(last_iter=0)))
    assert found is not None
    assert "> **Note.** These weights are not trained" in found.card.read_text()
    assert "it is not trained" in caplog.text


def test_without_the_data_the_card_has_what_the_run_recorded(
    trained: Path, workdir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def without_data(state: dict[str, Any]) -> None:
        for name in ("learn_data_path", "eval_data_path"):
            state["run"]["config"]["policy"]["collect"][name] = str(workdir / "flowers" / "val")

    moved = changed(trained, workdir / "moved", without_data)
    found = publish(moved)
    assert found is not None
    text = found.card.read_text()
    assert "As the run recorded them, without intervals" in text
    assert "95 %" not in text.split("## Data")[0]
    acc1 = read_checkpoint(trained / BEST)["parts"]["evaluator"]["last_result"]["acc1"]
    assert f"| acc1 | {acc1:.2f} % |" in text
    assert "not evaluated, the card has what the run recorded" in caplog.text
    assert str(workdir) not in text
    with pytest.raises(DataError):
        publish(moved, split="test", out="other")
    assert not Path("other").exists()


def test_a_calibrated_checkpoint_tells_its_temperature(trained: Path, workdir: Path) -> None:
    errors = {"ece": 0.1, "nll": 0.5}
    calibration = {
        "temperature": [1.5],
        "fitted_on": {"split": "val", "digest": "0" * 64, "num_samples": 20},
        "before": errors,
        "after": errors,
        "held_out": {},
        "curve": {"thresholds": [0.9, 0.5], "kept": [5, 20], "wrong": [0, 4]},
        "precision": {},
    }
    folder = changed(trained, workdir / "new", lambda state: state.update(calibration=calibration))
    found = publish(folder, format="safetensors")
    assert found is not None
    text = found.card.read_text()
    assert "| temperature, which logits are divided by | 1.5 |" in text
    assert "| surest 100 % of the images | 20.00 % wrong, scores from 0.5000 on |" in text
    assert "have not been calibrated" not in text
    with safe_open(found.weights, "pt") as file:
        assert json.loads(file.metadata()["ding_cls"])["calibration"] == calibration


def test_other_weights_than_the_checkpoints_are_refused(
    trained: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = module.write_weights

    def sabotaged(path: Path, state: dict[str, torch.Tensor], metadata: dict[str, str]) -> None:
        name = next(iter(state))
        written(path, {**state, name: state[name] * (1 + 1e-6)}, metadata)

    monkeypatch.setattr(module, "write_weights", sabotaged)
    with pytest.raises(ExportError, match=r"other logits .*nothing is published"):
        publish(trained, out="out")
    assert os.listdir("out") == []


def test_on_a_full_disk_nothing_is_there(
    trained: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_: Any) -> None:
        path.write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(module, "write_weights", full)
    with pytest.raises(DiskError, match=r"/out' could not be written: No space left"):
        publish(trained, out="out")
    assert os.listdir("out") == []


def test_a_checkpoint_that_is_replaced_in_the_meantime_is_refused(
    trained: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The card would tell the results of one file's weights beside those of another."""
    folder = shutil.copytree(trained, workdir / "new")
    evaluate = module.evaluate_checkpoint

    def replaced(file: Path, **settings: Any) -> Any:
        found = evaluate(file, **settings)
        state = read_checkpoint(file)
        state["model"]["head.fc.bias"].add_(1)
        write_checkpoint(file, state)
        return found

    monkeypatch.setattr(module, "evaluate_checkpoint", replaced)
    with pytest.raises(CheckpointError, match=r"other weights now than the network: its run trains on"):
        publish(folder, out="out")
    assert not Path("out").exists()


def test_a_network_may_mask_a_class(tmp_path: Path) -> None:
    class Masked(torch.nn.Linear):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return super().forward(images.mean((2, 3))).index_fill(1, torch.tensor([1]), -torch.inf)

    network = Masked(3, 4)
    write_weights(tmp_path / "x.pth", network.state_dict())
    check_loads(tmp_path / "x.pth", network, Masked(3, 4), [torch.rand(2, 3, 4, 4)])


def test_weights_that_do_not_load_are_refused(
    trained: Path, workdir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "read_back", lambda path: {})
    with pytest.raises(ExportError, match=r"do not load into a new ImageClassifier: Missing"):
        publish(trained, out="out")
    assert os.listdir("out") == []


def test_images_that_the_network_cannot_take_are_named(tmp_path: Path) -> None:
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2))
    write_weights(tmp_path / "x.pth", network.state_dict())
    with pytest.raises(ExportError, match=r"cannot take images \(1, 3, 5, 4\).*--data PATH"):
        check_loads(tmp_path / "x.pth", network, copy.deepcopy(network), [torch.zeros(1, 3, 5, 4)])
    check_loads(tmp_path / "x.pth", network, copy.deepcopy(network), [torch.zeros(1, 3, 2, 2)])


def test_logits_that_are_no_numbers_are_refused(trained: Path, workdir: Path) -> None:
    def broken(state: dict[str, Any]) -> None:
        state["model"]["head.fc.bias"].fill_(float("nan"))

    with pytest.raises(ExportError, match=r"logits are not finite"):
        publish(changed(trained, workdir / "new", broken))


def test_a_card_that_was_filled_in_stays(published: Published, trained: Path, workdir: Path) -> None:
    out = Path(shutil.copytree(published.card.parent, "out"))
    card = out / published.card.name
    again = publish(trained, out=out)
    assert again == Published(out / published.weights.name, card, published.sha256)
    card.write_text(card.read_text().replace("license: unknown", "license: mit"))
    with pytest.raises(DataError, match=r"is there with other content"):
        publish(trained, out=out)
    assert "license: mit" in card.read_text()


def test_what_is_no_run_is_refused(workdir: Path, trained: Path) -> None:
    torch.save({"w": torch.zeros(2)}, "weights.pth")
    torch.save({"meta": {}, "state_dict": {"w": torch.zeros(2)}}, "mmcls.pth")
    for name in ("weights.pth", "mmcls.pth"):
        with pytest.raises(CheckpointError, match=r"is no checkpoint of a run"):
            publish(name)
    for name in ("x.onnx", "x.safetensors"):
        Path(name).touch()
        with pytest.raises(CheckpointError, match=r"has left its run already; publish takes a run's folder"):
            publish(name)
    Path("x.png").touch()
    with pytest.raises(CheckpointError, match=r"is an image"):
        publish("x.png")
    shutil.copytree(trained, Path("kfold", "fold_1"))
    with pytest.raises(CheckpointError, match=r"holds the runs of 1 folds; name one"):
        publish("kfold")
    Path("taken").touch()
    with pytest.raises((DataError, ConfigError), match=r"taken"):
        publish(trained, out="taken")


@pytest.mark.parametrize(
    ("exp_name", "name"),
    [
        ("runs/digits", "digits"),
        ("r-ab.c", "r-ab_c"),
        ("runs/flowers/fold_3", "flowers_fold_3"),
        ("fold_3", "fold_3"),
        ("lr=0.1", "lr_0_1"),
        ("שלום", "model"),
        ("a b\n|🌷", "a_b"),
        ("x" * 300, "x" * 80),
    ],
)
def test_any_run_has_a_name_whose_digest_is_found(exp_name: str, name: str) -> None:
    assert published_name(exp_name) == name
    digest = HASH_REGEX.search(f"{name}_20260101-0123abcd.pth")
    assert digest is not None
    assert digest[1] == "0123abcd"
