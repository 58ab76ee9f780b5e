"""Bad input is answered by one line on stderr, which names it and says what to do, and by exit code 2."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

import ding_cls
from ding_cls.cli import main, run_program
from ding_cls.errors import CheckpointError
from dizoo.image_classification.entry import imagenet_res18_main as zoo
from dizoo.image_classification.entry.digits_res18_config import digits_res18_config
from dizoo.image_classification.entry.imagenet_res18_config import imagenet_res18_config
from tests.conftest import write_pictures
from tests.programs import run_forked

SMALL = [
    "policy.cuda=False",
    "policy.collect.image_size=32",
    "policy.collect.resize_size=32",
    "policy.learn.batch_size=8",
    "policy.learn.learner.dataloader.num_workers=0",
]
TRAIN = ["train", "--model", "squeezenet1_1", "--epochs", "1", *SMALL]

Fails = Callable[..., str]


def one_line(text: str) -> str:
    """Return the one line of an error, without its first word."""
    (line,) = text.splitlines()
    assert line.startswith("error: "), line
    return line.removeprefix("error: ")


@pytest.fixture
def fails(workdir: Path, capsys: pytest.CaptureFixture[str]) -> Fails:
    """Run ``ding-cls`` and return its one line of error; the exit code must be 2."""

    def run(*argv: str) -> str:
        capsys.readouterr()
        code = main(argv)
        printed = capsys.readouterr()
        assert code == 2, printed.err
        assert "Traceback" not in printed.out
        return one_line(printed.err)

    return run


@pytest.fixture
def trained(picture_folder: Path, workdir: Path) -> Path:
    """The folder of a finished run on the pictures."""
    assert main([*TRAIN, "--data", str(picture_folder)]) == 0
    return Path("runs/pictures_squeezenet1_1")


def test_a_missing_data_folder(fails: Fails) -> None:
    assert fails(*TRAIN, "--data", "nowhere") == (
        "'nowhere' has no folder 'train' (it does not exist); "
        "it should look like nowhere/train/CLASS/picture.jpg"
    )


def test_an_empty_data_folder(fails: Fails, workdir: Path) -> None:
    (workdir / "empty").mkdir()
    assert fails(*TRAIN, "--data", "empty") == (
        "'empty' has no folder 'train' (it is empty); it should look like empty/train/CLASS/picture.jpg"
    )
    (workdir / "empty" / "train").mkdir()
    (workdir / "empty" / "val").mkdir()
    assert fails(*TRAIN, "--data", "empty") == (
        "'empty/train' has no class folders (it is empty); "
        "it should look like empty/train/CLASS/picture.jpg, one folder for each class"
    )
    (workdir / "empty" / "train" / "ash").mkdir()
    assert fails(*TRAIN, "--data", "empty") == (
        "class folder 'empty/train/ash' holds no pictures; add some or remove the folder"
    )


@pytest.mark.parametrize("other", ["valid", "validation"])
def test_two_validation_folders_at_once(fails: Fails, picture_folder: Path, other: str) -> None:
    shutil.copytree(picture_folder / "val", picture_folder / other)
    assert fails(*TRAIN, "--data", str(picture_folder)) == (
        f"'{picture_folder}' has 'val' and '{other}', which mean the same split; remove or rename one of them"
    )


def test_no_data_at_all(fails: Fails) -> None:
    what = "a config file, --data DIR or --synthetic; or a run: --resume RUN"
    assert fails("train") == f"say what to train on: {what}"


def test_an_unknown_key_names_the_nearest(fails: Fails, picture_folder: Path, workdir: Path) -> None:
    assert fails(*TRAIN, "--data", str(picture_folder), "policy.learn.lr_rate=0.1") == (
        "policy.learn.lr_rate is not a known key; did you mean policy.learn.learning_rate? "
        "(override policy.learn.lr_rate=0.1)"
    )
    (workdir / "mine.py").write_text("policy = dict(\n    learn=dict(batchsize=8),\n)\n")
    assert fails("train", "mine.py", "--data", str(picture_folder)) == (
        "policy.learn.batchsize is not a known key; did you mean policy.learn.batch_size? (mine.py:2)"
    )


def test_a_value_of_the_wrong_kind_or_outside_its_range(fails: Fails) -> None:
    assert fails("train", "--synthetic", "policy.learn.batch_size=many") == (
        "policy.learn.batch_size is 'many' (str); it must be a whole number "
        "(override policy.learn.batch_size=many)"
    )
    assert fails("train", "--synthetic", "--epochs", "-1") == (
        "policy.learn.train_epoch is -1; the smallest accepted value is 0 "
        "(override policy.learn.train_epoch=-1)"
    )


def test_all_problems_of_a_config_are_reported_together(
    workdir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "--synthetic", "policy.learn.batch_size=0", "policy.learning.x=1"]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert "policy.learn.batch_size is 0" in first
    assert second.startswith("policy.learning is not a known key; did you mean policy.learn?")


@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("split", ["train", "val"])
def test_an_unreadable_picture_is_named(
    fails: Fails, picture_folder: Path, num_workers: int, split: str
) -> None:
    picture = picture_folder / split / "cedar" / "003.png"
    picture.write_bytes(picture.read_bytes()[:100])
    index = 23 if split == "train" else 13
    workers = f"policy.learn.learner.dataloader.num_workers={num_workers}"
    line = fails(*TRAIN, "--data", str(picture_folder), workers)
    assert line.startswith(
        f"'{picture}' (class 'cedar', index {index}) is truncated after 100 bytes; delete it or replace it; "
        "--check-images at the start, or ding-cls doctor DATA, finds all such images, and a new run with "
        "policy.learn.learner.dataloader.max_bad=N leaves out up to N of them; this ended training after "
    )


def test_a_checkpoint_of_another_architecture_lists_the_keys(
    fails: Fails, picture_folder: Path, trained: Path
) -> None:
    best = trained / "ckpt" / "ckpt_best.pth.tar"
    start = ["train", "--data", str(picture_folder), "--model", "mobilenet_v3_small", "--epochs", "1", *SMALL]
    expected = (
        "the checkpoint does not fit this MobileNetV3: 296 keys differ: "
        "features.0.0.weight (16, 3, 3, 3) is missing; "
    )
    load = fails(*start, f"policy.learn.learner.hook.load_ckpt_before_run={best}")
    assert load.startswith(expected)
    assert load.count(" is missing") == 5
    assert fails(*start, f"exp_name={trained}", "--resume").startswith(expected)
    weights = fails(*start, "--pretrained", str(best))
    assert weights.startswith(f"weights file {best} does not fit MobileNetV3: features.0.0.weight ")


def test_a_network_of_another_shape_lists_the_keys(trained: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"does not fit this Linear: \d+ keys differ: weight \(4, 3\) is m"
    ):
        ding_cls.evaluate(trained / "ckpt" / "ckpt_best.pth.tar", model=nn.Linear(3, 4))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("none.pth.tar", None, "there is no checkpoint 'none.pth.tar'"),
        ("text.pth.tar", b"hello", "'text.pth.tar' (5 bytes) is not a whole checkpoint: "),
    ],
)
def test_a_file_that_is_no_checkpoint(
    fails: Fails, workdir: Path, name: str, content: bytes | None, expected: str
) -> None:
    if content is not None:
        (workdir / name).write_bytes(content)
    assert fails("eval", name).startswith(expected)


def test_a_file_of_weights_alone_cannot_be_judged(fails: Fails, workdir: Path) -> None:
    torch.save({"model": {}}, "weights.pth")
    assert fails("eval", "weights.pth") == (
        "'weights.pth' does not say which model and preprocessing it was made for; to evaluate it name the "
        "config of its network in front: ding-cls eval CONFIG weights.pth (in Python config=); to predict "
        "with it name its network: --model NAME (in Python model='NAME')"
    )


def test_a_class_count_that_does_not_fit(fails: Fails, picture_folder: Path, trained: Path) -> None:
    assert fails(*TRAIN, "--data", str(picture_folder), "policy.model.num_classes=7") == (
        "policy.model.num_classes is 7, but the training data have 4 classes; "
        "leave the key out to take the data's"
    )
    best = trained / "ckpt" / "ckpt_best.pth.tar"
    write_pictures(picture_folder / "val", classes=("yew",), per_class=1)
    yew = f"'{picture_folder}/val/yew' is none of the 4 classes; rename the folder or remove it"
    assert fails("eval", str(best)) == yew
    assert fails(*TRAIN, "--data", str(picture_folder)) == yew
    write_pictures(picture_folder / "train", classes=("yew",), per_class=2)
    load = f"policy.learn.learner.hook.load_ckpt_before_run={best}"
    assert fails(*TRAIN, "--data", str(picture_folder), load) == (
        "class_names differs: the checkpoint was written with ['ash', 'birch', 'cedar', 'fir'], this run has "
        "['ash', 'birch', 'cedar', 'fir', 'yew']; resume with the same, or begin a new run with these "
        f"weights: policy.model.pretrained={best}"
    )


@pytest.mark.parametrize(
    "words",
    [
        ["--data", "nowhere"],
        ["policy.collect.learn_data_path=nowhere/train", "policy.collect.eval_data_path=nowhere/val"],
    ],
)
def test_an_explicit_path_that_is_not_there_never_falls_back_to_the_digits(
    workdir: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    monkeypatch.setenv("DING_CLS_CACHE", str(workdir / "cache"))
    argv = [*words, *SMALL]
    assert run_program(zoo.main, imagenet_res18_config, embedded=digits_res18_config, argv=argv) == 2
    printed = capsys.readouterr()
    assert "nowhere" in one_line(printed.err)
    assert "does not exist" in printed.err
    assert "digits" not in printed.out
    assert not (workdir / "cache").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_cuda_true_without_a_device(fails: Fails, picture_folder: Path) -> None:
    assert fails(*TRAIN, "--data", str(picture_folder), "policy.cuda=True") == (
        "policy.cuda is True, but torch finds no CUDA device here; use policy.cuda=auto or False"
    )


def test_an_unknown_model(fails: Fails, picture_folder: Path) -> None:
    assert fails("train", "--data", str(picture_folder), "--model", "resnet5", *SMALL).startswith(
        "unknown model 'resnet5'; did you mean resnet50 or resnet152 or resnet34"
    )


def test_weights_that_are_not_there(fails: Fails, picture_folder: Path) -> None:
    assert fails(*TRAIN, "--data", str(picture_folder), "--pretrained", "nofile.pth") == (
        "weights file nofile.pth does not exist"
    )


@pytest.mark.parametrize("word", ["=3", "policy..cuda=False", ".=1"])
def test_a_malformed_override(fails: Fails, word: str) -> None:
    assert fails("train", "--synthetic", word) == f"override '{word}' is not of the form key.key=value"


def test_an_override_that_leads_through_a_value(fails: Fails) -> None:
    word = "policy.learn.train_epoch.x=1"
    assert fails("train", "--synthetic", word).startswith(f"override '{word}': 'x' cannot be set in 30")


def test_a_missing_config_file(fails: Fails, workdir: Path) -> None:
    assert fails("train", "mine.py") == "config file mine.py cannot be read: No such file or directory"
    assert fails("train", "mine.py", "yours.py") == "one config file at a time; given were mine.py, yours.py"
    (workdir / "flowers").mkdir()
    assert fails("train", "flowers") == (
        "'flowers' is a folder; a folder of images is given as --data flowers"
    )


@pytest.mark.parametrize(
    "words",
    [
        ["policy.learn.ema={decay:", "0.9,", "evaluate:", "both}"],
        ["policy.learn.batch_size", "=", "4"],
        ["policy.learn.ema.decay:0.9"],
    ],
)
def test_a_value_in_pieces_is_told_how_to_write_it(fails: Fails, workdir: Path, words: list[str]) -> None:
    (workdir / "mine.py").write_text("exp_name = 'a'\n")
    stray = next(word for word in words if "=" not in word)
    for first in (["mine.py"], []):
        assert fails("train", *first, *words).endswith(
            f"'{stray}' is no file; a value is one word, key=value, with no spaces round = and in quotes "
            "where it holds spaces or brackets: 'policy.learn.ema={decay: 0.9}'"
        )


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["--batch-size", "4"], "policy.learn.batch_size=4 or policy.eval.batch_size=4"),
        (["--image-size=32"], "policy.collect.image_size=32"),
        (["--policy.learn.batch_size", "4"], "policy.learn.batch_size=4"),
        (["--lr", "0.1"], "policy.learn.learning_rate=0.1"),
        (["--resize-size"], "policy.collect.resize_size=VALUE"),
        (["--nonsense", "4"], "policy.learn.batch_size=64"),
    ],
)
def test_a_key_written_as_an_option_is_told_how_to_write_it(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["train", "--synthetic", *words])
    assert caught.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert f"unrecognized arguments: {words[0]}" in last
    assert last.endswith(f"; config keys are written key=value: {hint}")


def test_a_config_that_is_more_than_data(fails: Fails, workdir: Path) -> None:
    (workdir / "mine.py").write_text("import os\nexp_name = os.getcwd()\n")
    assert "os.getcwd cannot be called" in fails("train", "mine.py")


def test_resume_without_a_run(fails: Fails, picture_folder: Path) -> None:
    name = "runs/pictures_squeezenet1_1"
    assert fails(*TRAIN, "--data", str(picture_folder), "--resume") == (
        f"there is no run '{name}' to resume here; start it without --resume"
    )
    Path(name).mkdir(parents=True)
    assert fails(*TRAIN, "--data", str(picture_folder), "--resume") == (
        f"the run '{name}' has no checkpoint yet; start it anew without --resume"
    )


def test_a_stray_word_for_a_main(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_program(zoo.main, imagenet_res18_config, embedded=digits_res18_config, argv=["flowers"]) == 2
    assert one_line(capsys.readouterr().err) == (
        "'flowers' is not key=value; a folder of images is given as --data flowers"
    )


def test_an_evaluation_that_cannot_be_done_or_written(
    fails: Fails, picture_folder: Path, trained: Path, workdir: Path
) -> None:
    best = str(trained / "ckpt" / "ckpt_best.pth.tar")
    assert fails("eval", best, "--split", "test") == (
        f"'{picture_folder}' has no folder 'test' (it has 'train', 'val'); "
        f"it should look like {picture_folder}/test/CLASS/picture.jpg"
    )
    assert fails("eval", best, "--batch-size", "0") == "batch_size=0 must be at least 1"
    (workdir / "taken.csv").mkdir()
    assert fails("eval", best, "--out", "taken.csv") == "'taken.csv' is a folder; name a file"
    assert os.listdir("taken.csv") == []
    (workdir / "file").touch()
    assert fails("eval", best, "--out", "file/x.json") == (
        f"'file/x.json' cannot be written: '{workdir}/file' is a file"
    )
    for name in ("results", "results.txt", "results.pkl"):
        # Before anything is read: there is no such checkpoint.
        assert fails("eval", "nowhere", "--out", name) == (
            f"'{name}' must end in .csv, .json, .parquet or .npz: the ending decides the format"
        )
    assert fails("eval", best, "--wrong", "0") == "--wrong 0 must be at least 1"
    assert fails("eval", "--split", "val") == "say which checkpoint: a run's folder, or a file in its ckpt/"


def test_stale_launcher_variables_are_named(
    fails: Fails, picture_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    message = fails(*TRAIN, "--data", str(picture_folder), "policy.multi_gpu=True")
    assert "WORLD_SIZE=2" in message
    assert "RANK is not set" in message


def test_debug_shows_the_traceback_too(workdir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "nofile.py", "--debug"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "error: config file nofile.py cannot be read: No such file or directory"


def test_the_shell_sees_the_line_and_the_code(workdir: Path) -> None:
    done = run_forked("-m", "ding_cls", "train", "--data", "nowhere")
    assert (done.returncode, done.stdout) == (2, "")
    assert one_line(done.stderr).startswith("'nowhere' has no folder 'train'")
