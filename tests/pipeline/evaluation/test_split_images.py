"""Predicting a run's own split: as evaluation sees it, with files or without."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import ding_cls
from ding_cls.cli import main
from ding_cls.data import DATASETS, Preprocessing
from ding_cls.errors import CheckpointError, ConfigError, DataError
from ding_cls.inference.images import DatasetImage
from ding_cls.inference.sources import read_rgb
from ding_cls.pipeline import evaluate, train
from ding_cls.pipeline.evaluation.split_images import _check_prepared, split_images
from tests.conftest import write_pictures
from tests.inference.conftest import images as images
from tests.inference.conftest import several as several
from tests.inference.conftest import tasks as tasks
from tests.inference.conftest import trained as trained
from tests.options.trials import NAMES, arrays, config, run


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on generated images."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        run("run")
    return folder / "run"


def predicted(run_folder: Path, split: str) -> list[dict]:
    words = [str(run_folder), "--split", split, "--out", "p.json", "--probabilities"]
    assert main(["predict", *words]) == 0
    return json.loads(Path("p.json").read_text())


@pytest.mark.parametrize(
    ("name", "split"), [("trained", "train"), ("several", "val"), ("tasks", "val"), ("made", "train")]
)
def test_a_split_is_that_of_an_evaluation(
    request: pytest.FixtureRequest, workdir: Path, name: str, split: str
) -> None:
    run_folder = request.getfixturevalue(name)
    rows = predicted(run_folder, split)
    evaluate(run_folder, split=split, out="a.npz")
    evaluate(run_folder, split=split, out="a.json")
    assert [row["path"] for row in rows] == [
        row["path"] for row in json.loads(Path("a.json").read_text())["rows"]
    ]
    logits = torch.from_numpy(np.load("a.npz")["logits"]).double()
    expected = logits.sigmoid() if name == "several" else logits.softmax(-1)
    found = [list(row.values())[-expected[0].numel() :] for row in rows]
    assert np.allclose(found, expected.flatten(1), rtol=0, atol=1e-6)


def test_a_runs_own_data_are_never_written_over(
    tasks: Path, trained: Path, workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are named nowhere on the command line."""
    pictures = tasks.parent / "pictures.npz"
    before = pictures.read_bytes()
    with pytest.raises(
        DataError, match=r"pictures\.npz' would be written over '.*pictures\.npz', which is read"
    ):
        evaluate(tasks, out=pictures)
    Path("p.csv").symlink_to(pictures)
    assert main(["predict", str(tasks), "--split", "val", "--out", "p.csv"]) == 2
    assert "'p.csv' would be written over" in capsys.readouterr().err
    assert pictures.read_bytes() == before
    Path("own.json").write_text("{}")
    assert main(["eval", "own.json", str(trained), "--out", "own.json"]) == 2
    assert Path("own.json").read_text() == "{}"


def test_files_are_named_and_what_is_in_none_is_an_image(trained: Path, tasks: Path, images: Path) -> None:
    usual = [Preprocessing(8, 8)]
    found = split_images([trained], "val", preprocessings=usual)
    assert found == [record.path for record in ding_cls.load(trained)(images / "val")]
    arrays = split_images([tasks], "val", preprocessings=usual)
    assert [each.name for each in arrays] == [str(number) for number in range(8)]
    pixels = np.load(tasks.parent / "pictures.npz")["images"]
    assert all(np.array_equal(read_rgb(each), own) for each, own in zip(arrays, pixels, strict=True))
    other = Preprocessing(image_size=4, resize_size=4)
    predictor = ding_cls.load(tasks)
    assert torch.equal(
        other.normalize(other.to_tensor(other(read_rgb(arrays[0])))[None])[0],
        ding_cls.inference.Predictor(predictor.model, other, "abcd").preprocess(arrays[0]),
    )


def test_runs_have_the_split_in_common(trained: Path, made: Path, tasks: Path, workdir: Path) -> None:
    usual = [Preprocessing(8, 8)]
    assert len(split_images([made, made], "val", preprocessings=usual)) == 5
    with pytest.raises(ConfigError, match=r"--split val of '.*' and of '.*' are not the same images"):
        split_images([trained, made], "val", preprocessings=usual)
    with pytest.raises(DataError, match="has no test split"):
        split_images([made], "test", preprocessings=usual)
    torch.save({"a": torch.zeros(1)}, "w.pth")
    with pytest.raises(CheckpointError, match=r"'w\.pth' does not say"):
        split_images(["w.pth"], "val", preprocessings=usual)


def test_a_dataset_that_prepares_its_images_itself_is_for_its_own_network(made: Path) -> None:
    class Prepared:
        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            return torch.full((3, 2, 2), float(index)), 0

    own = Preprocessing(2, 2)
    image = DatasetImage("7", Prepared(), 7, own)
    assert image.pixels() is None
    predictor = ding_cls.load(made)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 2))
    (record,) = ding_cls.inference.Predictor(network, own, "ab", device="cpu").stream([image])
    assert (record.path, record.error) == ("7", "")
    (other,) = predictor.stream([image])
    assert other.error == "sample '7' of the dataset comes prepared; what it was is not known"
    _check_prepared([image, "a.png"], "val", [own])
    with pytest.raises(ConfigError, match="--split val: Prepared gives images as it prepares them"):
        _check_prepared(["a.png", image], "val", [own, Preprocessing(4, 4)])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["RUN", "x.png", "--split", "val"], "--split takes the run's own images, and 'x.png' is named"),
        (
            ["w.pth", "--model", "resnet18", "--split", "val"],
            "--split is a run's own, and weights alone know",
        ),
        (["--pretrained", "--model", "resnet18", "x.png", "--split", "val"], "--split is a run's own"),
    ],
)
def test_a_split_and_images_are_one_too_many(
    trained: Path, workdir: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["predict", *(str(trained) if word == "RUN" else word for word in words)]) == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")


def assert_as_evaluated(split: str, num_images: int) -> None:
    """Check the rows of the run ``run`` against its evaluation."""
    rows = predicted(Path("run"), split)
    assert len(rows) == num_images
    evaluate("run", split=split, out="a.json")
    evaluate("run", split=split, out="a.npz")
    assert [row["path"] for row in rows] == [
        row["path"] for row in json.loads(Path("a.json").read_text())["rows"]
    ]
    expected = torch.from_numpy(np.load("a.npz")["logits"]).softmax(1)
    assert np.allclose([[row[name] for name in NAMES] for row in rows], expected, rtol=0, atol=1e-6)


def test_a_table_with_splits(workdir: Path) -> None:
    write_pictures(Path("in"), classes=NAMES, per_class=4, size_px=11)
    lines = ["path,label,split"]
    for number, path in enumerate(sorted(Path("in").rglob("*.png"))):
        lines.append(f"{path},{path.parent.name},{('train', 'train', 'val', 'test')[number % 4]}")
    Path("t.csv").write_text("\n".join(lines) + "\n")
    train(config({"policy.collect.synthetic": False}), data="t.csv", exp_name="run")
    for split, count in (("train", 8), ("val", 4), ("test", 4)):
        assert_as_evaluated(split, count)


def test_grey_arrays_in_wrappers(workdir: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 9, 9), dtype=np.uint8)
    np.savez("g.npz", images=pixels, labels=np.arange(8) % 4, classes=np.array(NAMES))
    section = {"type": "NpzDataset", "data_prefix": "g.npz", "pipeline": [{"type": "Resize", "size": (8, 8)}]}
    few = {"type": "SubsetDataset", "num_samples": 3, "dataset": dict(section)}
    changes = {
        "policy.collect.synthetic": False,
        "policy.collect.train": section,
        "policy.collect.val": {"type": "ConcatDataset", "datasets": [dict(section), few]},
    }
    run("run", changes)
    assert_as_evaluated("val", 11)


def test_a_dataset_of_the_users_own(workdir: Path) -> None:
    @DATASETS.register_module(name="t_own_floats")
    class Own(torch.utils.data.Dataset):
        classes = NAMES
        targets = tuple(number % 4 for number in range(8))

        def __len__(self) -> int:
            return 8

        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            return torch.full((3, 8, 8), index / 8) + torch.arange(8) / 10, index % 4

    section = {"type": "t_own_floats"}
    changes = dict.fromkeys(("policy.collect.train", "policy.collect.val"), section)
    run("run", {"policy.collect.synthetic": False, **changes})
    assert_as_evaluated("val", 8)


def test_arrays_are_prepared_for_each_network_in_its_own_way(workdir: Path) -> None:
    steps = [{"type": "Resize", "size": (8, 8)}]
    changes = arrays(size_px=12, pipeline=steps)
    for name, pipeline in (("run", steps), ("other", [{"type": "CenterCrop", "crop_size": 6}])):
        changes["policy.collect.val"]["pipeline"] = pipeline
        run(name, changes)
    words = ["run", "other", "--split", "val", "--out", "p.json", "--probabilities"]
    assert main(["predict", *words]) == 0
    pixels = np.load("pictures.npz")["images"]
    members = [ding_cls.load(name)(pixels) for name in ("run", "other")]
    for row, *own in zip(json.loads(Path("p.json").read_text()), *members, strict=True):
        mean = np.mean([each.probabilities for each in own], 0)
        assert np.allclose([row[name] for name in NAMES], mean, rtol=0, atol=1e-6)
