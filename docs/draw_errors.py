"""Write ``docs/errors.md``: every message on it is what the command line printed just now.

``python docs/draw_errors.py``. Each case is a folder of small files and one command, run in that folder.
"""

import contextlib
import io
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from ding_cls.cli import main

PAGE = Path(__file__).resolve().parent / "errors.md"

HEAD = """\
# Errors

Written by `python docs/draw_errors.py`, which runs each command below and keeps what it prints; a test does
the same and compares. An error is one line: what was given and where it came from, what is allowed, what to
do. The exit code is 2; `--debug` adds the traceback. Problems of a config are reported all together, a line
each.
"""

_LANGUAGES = {
    ".py": "python",
    ".yaml": "yaml",
    ".json": "json",
    ".pth.tar": "text",
    ".tar": "text",
    ".txt": "text",
}

SMALL = (
    'model = dict(type="ImageClassifier", backbone=dict(type="ResNet", depth=18),\n'
    '             neck=dict(type="GlobalAveragePooling"), head=dict(type="LinearClsHead", in_channels=512))\n'
)


@dataclass(frozen=True, slots=True)
class Case:
    """One mistake.

    Attributes:
        title: what went wrong, in words.
        command: what is typed after ``ding-cls``.
        files: content by path; ``None`` makes a folder, ``.png`` a picture of that many pixels.
    """

    title: str
    command: str
    files: dict[str, str | int | None] = field(default_factory=dict)


PICTURES: dict[str, str | int | None] = {
    f"pets/{split}/{name}/1.png": 12 for split in ("train", "val") for name in ("cat", "dog")
}

CASES: dict[str, list[Case]] = {
    "A config file": [
        Case("not Python's syntax", "train a.py", {"a.py": "policy = dict(\n"}),
        Case(
            "something that would have to be executed", "train a.py", {"a.py": "import os\nos.system('ls')\n"}
        ),
        Case("an import", "train a.py", {"a.py": "import subprocess\n"}),
        Case("a function that is no data", "train a.py", {"a.py": "seed = open('x')\n"}),
        Case("a name that was not defined", "train a.py", {"a.py": "seed = later\nlater = 1\n"}),
        Case("too much to compute", "train a.py", {"a.py": "seed = 9 ** 9 ** 9\n"}),
        Case("a file that is not there", "train a.py"),
        Case("another kind of file", "train a.txt", {"a.txt": "seed = 1\n"}),
        Case("a base that is not there", "train a.py", {"a.py": "_base_ = 'base.py'\n"}),
        Case("bases in a circle", "train a.py", {"a.py": "_base_ = 'b.py'\n", "b.py": "_base_ = 'a.py'\n"}),
        Case(
            "two bases that set the same key",
            "train a.py",
            {"a.py": "_base_ = ['b.py', 'c.py']\n", "b.py": "seed = 1\n", "c.py": "\nseed = 2\n"},
        ),
        Case("a base that is no config", "train a.py", {"a.py": "_base_ = '../../etc/passwd'\n"}),
        Case("a key that hides a method", "train a.py", {"a.py": "env = dict(items=3)\n"}),
        Case("a YAML tag", "train a.yaml", {"a.yaml": "seed: !!python/object/apply:os.system ['ls']\n"}),
        Case("a broken JSON file", "train a.json", {"a.json": '{"seed" 1}\n'}),
    ],
    "Keys and values": [
        Case(
            "several problems at once",
            "train a.py",
            {
                "a.py": "policy = dict(\n    learn=dict(lr_rate=0.1, batch_size='32'),\n"
                "    collect=dict(image_size=0),\n)\nexp_nam = 'x'\n"
            },
        ),
        Case("an override of an unknown key", "train a.py policy.learn.lr=0.1", {"a.py": "seed = 1\n"}),
        Case("a word that is neither a file nor key=value", "train --synthetic seed"),
        Case(
            "a list index that does not exist",
            "train a.py policy.learn.learner.custom_hooks.3.priority=1",
            {"a.py": "policy = dict(learn=dict(learner=dict(custom_hooks=[dict(type='log_show')])))\n"},
        ),
        Case("a choice that does not exist", "train --synthetic policy.learn.lr_schedule=cosinus"),
        Case(
            "a part without its type",
            "train --synthetic policy.learn.optimizer={'lr':0.1} policy.learn.loss={'a':1}",
        ),
        Case(
            "one value in two places",
            "train a.py",
            {
                "a.py": "policy = dict(learn=dict(\n    learning_rate=0.1,\n"
                "    optimizer=dict(type='SGD', lr=0.2)))\n"
            },
        ),
        Case(
            "a config in both spellings",
            "train a.py",
            {"a.py": SMALL + "data = dict(samples_per_gpu=32)\npolicy = dict(learn=dict(batch_size=64))\n"},
        ),
        Case(
            "a word of the second spelling for a config in ours",
            "train a.py optimizer.lr=0.1",
            {"a.py": "policy = dict(learn=dict(batch_size=64))\n"},
        ),
        Case(
            "a key of the second spelling that is misspelt",
            "train a.py",
            {"a.py": SMALL + "data = dict(sample_per_gpu=32)\n"},
        ),
        Case(
            "a network by name and by parts",
            "train a.py",
            {"a.py": "policy = dict(model=dict(name='resnet18', type='ImageClassifier'))\n"},
        ),
    ],
    "Parts by name": [
        Case("no such network", "train --synthetic --model resnet19"),
        Case("no such backbone", "train a.py --synthetic", {"a.py": SMALL.replace("ResNet", "ResNot")}),
        Case("no such argument", "train a.py --synthetic", {"a.py": SMALL.replace("depth", "dept")}),
        Case("a missing argument", "train a.py --synthetic", {"a.py": SMALL.replace(", depth=18", "")}),
        Case("no such optimizer", "train --synthetic policy.learn.optimizer.type=Adan2"),
        Case("no such loss", "train --synthetic policy.learn.loss.type=LabelSmothLos"),
        Case("no such schedule", "train --synthetic policy.learn.lr_schedule=dict(type=Stepp)"),
        Case("no such metric", "train --synthetic policy.eval.metric.type=ImageClasificationMetric"),
        Case("no such hook", "train --synthetic policy.learn.learner.custom_hooks=[dict(type=save_ckp)]"),
        Case(
            "no such priority",
            "train --synthetic policy.learn.learner.custom_hooks=[dict(type=log_show,priority=NORMALL)]",
        ),
        Case("no such data set", "train --data pets policy.collect.train.type=CustomDatset", PICTURES),
        Case(
            "no such transform",
            "train --data pets policy.collect.train=dict(type=CustomDataset,pipeline=[dict(type=LoadImage)])",
            PICTURES,
        ),
        Case(
            "a config that wants to import code",
            "train a.py --synthetic",
            {"a.py": "custom_imports = dict(imports=['my_parts'])\n"},
        ),
        Case(
            "code that is not there",
            "train a.py --synthetic --allow-code",
            {"a.py": "custom_imports = dict(imports=['my_parts'])\n"},
        ),
    ],
    "Data": [
        Case("no data named", "train"),
        Case("a folder that is not there", "train --data pets"),
        Case("a folder without splits", "train --data pets", {"pets/cat/1.png": 12}),
        Case("a class without pictures", "train --data pets", {**PICTURES, "pets/train/emu": None}),
        Case("a class that training lacks", "train --data pets", {**PICTURES, "pets/val/emu/1.png": 12}),
        Case("a file that is no picture", "train --data pets", {**PICTURES, "pets/train/cat/1.png": "text"}),
        Case("another number of classes", "train --data pets policy.model.num_classes=3", PICTURES),
    ],
    "Runs and checkpoints": [
        Case("nothing to resume", "train --synthetic --resume"),
        Case("a checkpoint that is not there", "eval runs/pets/ckpt/ckpt_best.pth.tar"),
        Case("a file that is no checkpoint", "eval a.pth.tar", {"a.pth.tar": "text"}),
    ],
    "Evaluating and predicting": [
        Case("a config after its checkpoint", "eval run a.py", {"a.py": "seed = 1\n"}),
        Case("a config without a checkpoint", "eval a.py", {"a.py": "seed = 1\n"}),
        Case("another kind of result file", "eval run --out results.xlsx"),
        Case("a flag of another program", "eval run --metrics accuracy"),
        Case("no images", "predict run"),
        Case("an image that is not there", "predict run cat.png"),
        Case("a folder without images", "predict run photos", {"photos/notes.txt": "text"}),
        Case("the image before the run", "predict cat.png run", {"cat.png": 12}),
        Case("another kind of table", "predict run cat.png --out cats.xlsx", {"cat.png": 12}),
        Case(
            "a network behind images",
            "predict run photos more.pth",
            {"photos/cat.png": 12, "more.pth": "text"},
        ),
        Case("images beside a split", "predict run photos --split test"),
        Case("probabilities without a file", "predict run cat.png --probabilities", {"cat.png": 12}),
        Case(
            "a folder of pictures that holds something",
            "predict run cat.png --draw photos",
            {"cat.png": 12, "photos/cat.png": 12},
        ),
        Case("what is wrong, but no place for it", "predict run cat.png --wrong", {"cat.png": 12}),
        Case("weights without a network", "predict photos --pretrained", {"photos/cat.png": 12}),
    ],
    "Tools": [
        Case("show: a file that is not there", "config show a.py"),
        Case("diff: an unknown key", "config diff a.py b.py", {"a.py": "seed = 1\n", "b.py": "sed = 1\n"}),
        Case("a config and a model's name", "train resnet50"),
    ],
}


def page() -> str:
    """Return the text of ``docs/errors.md``.

    Raises:
        ValueError: a command did not fail.
    """
    parts = [HEAD]
    for section, cases in CASES.items():
        parts.append(f"## {section}\n")
        for case in cases:
            code, printed = outcome(case)
            if code != 2:
                raise ValueError(f"{case.title}: exit code {code}: {printed}")
            parts.append(shown(case, printed))
    return "\n".join(parts)


def shown(case: Case, printed: str) -> str:
    """Return a case as it stands on the page: title, files, command, message."""
    texts = {path: text for path, text in case.files.items() if isinstance(text, str) and path[1] == "."}
    files = "".join(
        f"`{path}`:\n\n```{_LANGUAGES[Path(path).suffix]}\n{text}```\n\n" for path, text in texts.items()
    )
    title = case.title[:1].upper() + case.title[1:]
    return f"{title}:\n\n{files}```text\n$ ding-cls {case.command}\n{printed}```\n"


def outcome(case: Case) -> tuple[int, str]:
    """Run a case's command in a folder with its files; return exit code and what went to the error stream."""
    with tempfile.TemporaryDirectory() as name, _inside(Path(name).resolve()) as folder:
        for path, content in case.files.items():
            _write(Path(path), content)
        printed = io.StringIO()
        with contextlib.redirect_stderr(printed), contextlib.redirect_stdout(io.StringIO()):
            try:
                code = main(case.command.split())
            except SystemExit as stop:
                code = int(stop.code or 0)
        return code, printed.getvalue().replace(str(folder), "/home/you")


def _write(path: Path, content: str | int | None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if content is None:
        path.mkdir()
    elif isinstance(content, int):
        Image.new("RGB", (content, content)).save(path)
    else:
        path.write_text(content, encoding="utf-8")


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[Path]:
    before = Path.cwd()
    os.chdir(folder)
    try:
        yield folder
    finally:
        os.chdir(before)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
