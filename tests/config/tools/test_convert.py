"""A config of mmclassification's, printed in our own spelling, is the same config."""

from pathlib import Path

import pytest

from ding_cls.config import compile_config, read_config
from ding_cls.config.tools.convert import native_text
from ding_cls.config.tools.inspected import inspect_config
from ding_cls.errors import ConfigError

CORPUS = sorted((Path(__file__).parents[1] / "assets" / "mm").rglob("*.py"))
LEAVES = sorted((Path(__file__).parents[1] / "assets" / "mm" / "resnet").glob("*.py"))

CONVERTED = """\
exp_name = 'runs/a'
policy = dict(
    model=dict(
        type='ImageClassifier',
        backbone=dict(type='ResNet', depth=18),
    ),
    learn=dict(
        train_epoch=3,
        batch_size=8,
        learning_rate=0.2,
        lr_schedule='constant',
        warmup_epoch=0,
        weight_decay=None,
        optimizer=dict(type='SGD'),
        momentum=0.0,
        nesterov=False,
    ),
    eval=dict(
        batch_size=8,
        evaluator=dict(eval_freq=1),
    ),
)"""


def test_the_corpus_is_this() -> None:
    assert (len(CORPUS), len(LEAVES)) == (11, 4)


@pytest.mark.parametrize("words", [[], ["runner.max_epochs=7", "policy.cuda=False"]])
@pytest.mark.parametrize("file", LEAVES, ids=lambda path: path.stem)
def test_a_converted_config_compiles_to_the_same_tree(file: Path, words: list[str], tmp_path: Path) -> None:
    copy = tmp_path / "new.py"
    copy.write_text(native_text(file, words))
    assert {*read_config(copy)} <= {"exp_name", "seed", "custom_imports", "policy"}
    expected = inspect_config(file, words)
    assert inspect_config(copy).tree == expected.tree
    assert compile_config(read_config(copy), save_cfg=False) == expected.tree
    assert native_text(copy) == copy.read_text()


@pytest.mark.parametrize("file", CORPUS, ids=lambda path: path.stem)
def test_a_part_of_a_config_is_converted_too(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "new.py"
    copy.write_text(native_text(file))
    assert inspect_config(copy).tree == inspect_config(file).tree


def test_the_text_reads_like_one_that_was_written(tmp_path: Path) -> None:
    file = tmp_path / "old.py"
    file.write_text(
        "optimizer = dict(type='SGD', lr=0.1)\nrunner = dict(max_epochs=3)\nwork_dir = 'runs/a'\n"
        "data = dict(samples_per_gpu=8)\n_depth = 18\n"
        "model = dict(type='ImageClassifier', backbone=dict(type='ResNet', depth=_depth))\n"
    )
    assert native_text(file, ["optimizer.lr=0.2"]) == CONVERTED


def test_what_cannot_be_used_is_not_converted(tmp_path: Path) -> None:
    file = tmp_path / "old.py"
    file.write_text("optimizer_config = dict(update_interval=2)\ntotal_epochs = 'a'\n")
    with pytest.raises(ConfigError) as caught:
        native_text(file)
    assert [line.split(" is ")[0] for line in str(caught.value).splitlines()] == [
        "optimizer_config.update_interval",
        "policy.learn.train_epoch",
    ]
