"""Write ``docs/second-spelling.md`` from the table of keys; run ``python`` with this file."""

from pathlib import Path

from ding_cls.config.openmmlab.key_table import LATER, NO_EFFECT, TABLE, TRAINING, Row

PAGE = Path(__file__).resolve().parent / "second-spelling.md"

HEAD = f"""\
# The second spelling of a config

Written by `python docs/draw_second_spelling.py` from
[its table of keys](../ding_cls/config/openmmlab/key_table.py); edit that file, not this page.

A config file may be written in the top-level names of mmclassification 0.x: `model`, `data`, `optimizer`,
`lr_config`, `runner` and the others below. It is translated to the keys of [the native tree](config.md) once,
as it is read; nothing after that knows of two spellings. A config that has keys of both is an error which
names both places; `seed` and `custom_imports` are the same in either.

**`ding-cls config convert OLD.py > new.py`** prints a file of mmclassification's, with what it inherits, as a
native one: both compile to the same tree.

**What applies when.** (1) The file and its bases. (2) `key=value` words in its own names, such as
`optimizer.lr=0.2`: set before the translation, as if the file had them. (3) The translation. (4) Options such
as `--epochs` or `--work-dir`. (5) Native words, such as `policy.learn.learning_rate=0.1`: they win over all
before. What is computed from a value in (3), such as the batch of accumulated ones, is not computed anew for
a native word. A word in mmclassification's names for a native config, the saved one of a run among them, is
an error that names our key.

**What is left out** has mmclassification's default, not ours, wherever numbers depend on it:

| left out | then |
|---|---|
| `momentum`, `nesterov` of an SGD | `policy.learn.momentum=0.0`, `policy.learn.nesterov=False` |
| `weight_decay` of an optimizer | `policy.learn.weight_decay=None`: the optimizer's own default |
| `lr` of an optimizer | `policy.learn.learning_rate=None`, an error unless a word sets it |
| `lr_config` | a constant learning rate, no warm-up |
| `evaluation` | an evaluation after each epoch; as always here, also before the first and at the end |
| `checkpoint_config.interval` | no checkpoints but the last; with `checkpoint_config=None` likewise |
| `checkpoint_config.max_keep_ckpts` | all are kept |
| `checkpoint_config` | our own default, a checkpoint every 1,000 updates: no number depends on it |
| `by_epoch` under an `IterBasedRunner` | `False`, in `lr_config` and `checkpoint_config` |
| `loss_scale` of `fp16` | mmcv's static 512 |

The rows on `lr_config` and `evaluation` hold where the config says how to train, with any of
{", ".join(f"`{name}`" for name in TRAINING)}; the others where their section is there.

**Accumulation.** mmcv counts batches; an update of `cumulative_iters=k` batches is *one* batch here, computed
in `k` pieces. So `policy.learn.batch_size` becomes `samples_per_gpu * k`, and what counts iterations is
divided by `k` and rounded up: `log_config.interval`, `runner.max_iters`, `checkpoint_config.interval` and, of
`lr_config` and `momentum_config`, `warmup_iters` and `total_steps`, unless they count epochs; `step` there is
rounded down, which is exact. The rate of a warm-up by iterations is that of the first of an update's batches,
where mmcv takes the last's. An epoch ends with an update of its own, which shares no images with the next.

**Groups.** Every group of parameters follows one schedule, times its `lr_mult`: with `min_lr` or `max_lr` it
ends at, or rises to, that times `lr_mult`, where mmcv takes the same number for all groups.

**An epoch's batches** are as many as mmclassification's and hold all images too, but differ in size by one at
most: mmclassification's last one is what is left, be it a single image.

**Variables of the file**, such as `img_norm_cfg`, are let go. One that nothing reads, as in the files that mmcv
writes into a `work_dir`, is told by `config lint`, a dry run and the run; so is one that a file sets after its
base has used its own, which changes nothing. One that is spelt almost like a key is an error, unless that key
stands beside it.

**`--data DIR`** takes the place of the config's own data, in wrappers too: `data_prefix`, `ann_file` and
`classes=FILE` of `train`, `val` and `test` give way to `DIR/train`, `DIR/val` and `DIR/test`. A list or a file of
classes that lies in `DIR` as it lies in the config's own data, such as `DIR/meta/val.txt`, is read; so are CUB,
Stanford Cars, VOC, CIFAR and MNIST in their published form. Where `DIR` has class folders, all but VOC read these.
With `--no-validate` a `val` may be missing. What was typed, such as `data.val.ann_file=FILE`, stays.

**`num_classes`** of head, backbone, losses and augmentations follows the data where a base file sets it, and with
`--data` in any file; ranks in `topk` beyond it are left out. A line tells it. A number that was typed, or that a
file has for its own data, must be the data's.

**How to read the table.** A key without a row of its own moves along with the dict it is in:
`optimizer.betas` becomes `policy.learn.optimizer.betas`. *Not supported yet* is an error with file and line,
except for the values named, which ask for what happens anyway.
"""


def page() -> str:
    """Return the text of ``docs/second-spelling.md``."""
    return "\n".join([HEAD, "| second spelling | here | notes |", "|---|---|---|", *map(_row, TABLE), ""])


def _row(row: Row) -> str:
    here = ", ".join(f"`{target}`" for target in row.targets) or f"*{row.new}*"
    return f"| `{row.old}` | {here} | {'; '.join(_notes(row))} |"


def _notes(row: Row) -> list[str]:
    notes = [f"where {row.when.words}"] if row.when else []
    notes += [row.help] if row.help else []
    if row.only:
        notes.append(f"only {_values(row.only)}")
    if row.nothing and row.new is not NO_EFFECT:
        notes.append(f"{'accepted' if row.new is LATER else 'nothing is set by'}: {_values(row.nothing)}")
    return notes


def _values(values: tuple[object, ...]) -> str:
    return ", ".join(f"`{value!r}`" for value in values)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
