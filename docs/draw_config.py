"""Write ``docs/config.md`` from ``ding_cls/config/defaults.py``: ``python docs/draw_config.py``."""

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ding_cls.config.defaults import ROOT, Either, Free, Key, Tree
from ding_cls.config.messages import for_example
from ding_cls.config.recipe import SCHEDULE_KEYS

PAGE = Path(__file__).resolve().parent / "config.md"

HEAD = """\
# The config

Written by `python docs/draw_config.py` from
[`ding_cls/config/defaults.py`](../ding_cls/config/defaults.py); edit that file, not this page.

A config is nested dicts. `compile_config` lays yours over the defaults below, adds the keys that your own
policy, learner or evaluator class declares in its `config`, and checks the whole: an unknown key, a wrong
type or a value out of range is an error that names the file and line, and the nearest known key. All errors
are reported together. What a run really used is saved in its `total_config.py`, which can be trained from
again.

**A config file** uses Python's syntax and is read as data; it is never executed. It may hold assignments,
literals, `dict()` `EasyDict()` `list()` `tuple()` `range()` `int()` `float()` `str()` `bool()` `len()`
`round()`, arithmetic, `+` on lists, unpacking, subscripts and attributes of earlier names (assigning to them
too), comprehensions, f-strings, `os.path.join`, and `format` `join` `split` `replace` `strip` `lower` `upper`
`startswith` `endswith` of a string; importing `easydict` and `os.path` is recognised. Anything else is
refused with file and line, and so is what computes or holds too much (200,000 bytes, 50,000 words, 50
levels). Environment variables are not read. The config is the variable `main_config`, else the one named like
the file, else the only one whose name ends in `_config` or `_cfg` where it is the last, else the file's own
top-level names, of which those that start with `_` are the file's own. For two whole examples see
[`imagenet_res18_config.py`](../dizoo/image_classification/entry/imagenet_res18_config.py) and
[`digits_res18_config.py`](../dizoo/image_classification/entry/digits_res18_config.py).

YAML and JSON are read too: the file's keys are the config. `1e-4` is a number in YAML; tags are refused. A
value from a JSON file has the file alone as its place, without a line.

**Inheritance.** `_base_` names the file, or the list of files, that a config is laid over, relative to its
own folder; bases may have bases, and be Python, YAML or JSON:

```python
_base_ = ["../_base_/models/resnet50.py", "../_base_/schedules/imagenet_bs256.py"]

model = dict(head=dict(num_classes=10))  # laid over the base's, key by key
lr_config = dict(_delete_=True, policy="CosineAnnealing", min_lr=0)  # instead of the base's
optimizer = dict(lr=_base_.optimizer.lr / 8)  # or {{ _base_.optimizer.lr }}, in quotes or not
work_dir = "runs/{{ fileBasenameNoExtension }}"  # also fileBasename, fileDirname, fileExtname
```

- The result is mmengine's: dicts are merged at every depth, anything else is replaced. A dict over a plain
  value needs `_delete_=True`; two files of one list must not set the same key.
- A base is a config file in the same tree of folders, or one of the recipes that ship, by its name alone:
  `"ding_cls::fine_tune.py"` or `"ding_cls::from_scratch.py"`. Absolute paths, `~`, URLs, any other
  `package::file`, hidden files and folders, links to other files, and climbing to the root folder with `../`
  are refused.
- In a file that inherits or is inherited from, the config is `main_config`, else the variable that is named
  like the file and ends in `_config` or `_cfg`, else the top-level names; over bases of top-level names only
  `main_config` is special. Names like `model`, `data` or `lr_config` are never the whole config.
- A key named like a dict's method (`items`, `keys`, `copy`, `update` ...) is refused, but for the arguments
  of a part, a dict with a `type`.
- Every problem of all files is reported at once, with file and line.

**The recipe.** A config that says nothing of how to train is laid over a recipe that ships: `train --data DIR
--model NAME` without any, and a file or dict that names the network, the data, a loss, hooks or a batch size
alone, in either spelling. Which recipe: [`fine_tune.py`](../ding_cls/recipes/fine_tune.py) where the network
begins with weights (`--pretrained`, `policy.model.pretrained`, `load_from`, an `init_cfg` of type
`Pretrained`), else [`from_scratch.py`](../ding_cls/recipes/from_scratch.py). A config that sets one of the
keys
{KEYS}
takes none, and has the defaults below for all the others; so does whatever calls `compile_config` itself,
such as the zoo's mains. Words and arguments on the command line never decide it: they come on top of either.
The run's first lines name the recipe, `ding-cls config show --data DIR --model NAME [--pretrained]`
prints it, and [defaults.md](defaults.md) says what it does and how good it is.

**On the command line** `key=value`, or `--cfg-options key=value`, sets any key by its dotted path
(`policy.learn.batch_size=64`), elements of lists by index (`train_pipeline.1.size=192`). It wins over
`--data`, `--model`, `--epochs` and the like, and those win over the file. There are no spaces round `=`, and
a shell wants quotes round a word with spaces or brackets: `'policy.learn.ema={decay: 0.9, interval: 2}'`.

| text of the value | value |
|---|---|
| `64` `1e-4` `true` `none` | a number, `True`, `None`; `007` is a string |
| `resnet50` `data/my photos` | the string as it stands |
| `a,b,c` `[a, b]` | a list: `['a', 'b', 'c']`, `['a', 'b']` |
| `'a,b'` | the string `a,b` |
| `(224, -1)` `[(train,1),(val,1)]` | `(224, -1)`, `[('train', 1), ('val', 1)]` |
| `{acc1: 75}` `dict(type=SGD, lr=0.1)` | a dict, laid over the old one (`_delete_: true`: replaces it) |

**Hooks** have a short form, `TYPE_POSITION: value`, and a long one:

```python
hook = dict(
    save_ckpt_after_iter=1000,  # every 1,000 updates; False or 0 switches a hook off
    save_ckpt_after_epoch=1,
    load_ckpt_before_run="runs/old/ckpt/ckpt_best.pth.tar",
    my_log=dict(type="log_show", priority=30, position="after_iter", ext_args=dict(freq=50)),
)
```

Types are `load_ckpt`, `save_ckpt`, `log_show`, `log_reduce` and those you add with `register_learner_hook`;
positions are `before_run`, `after_run`, `before_iter`, `after_iter`, `before_epoch`, `after_epoch`,
`after_eval`.
"""


_KEYS = " ".join(f"`{key.removeprefix('policy.learn.')}`" for key in SCHEDULE_KEYS)
HEAD = HEAD.replace("{KEYS}", textwrap.fill(f"{_KEYS} of `policy.learn`", 110))


def page() -> str:
    """Return the text of ``docs/config.md``."""
    sections = [_section(path, tree) for path, tree in _trees("", ROOT)]
    return "\n".join([HEAD, *sections])


def _trees(path: str, tree: Tree) -> Iterator[tuple[str, Tree]]:
    """Yield (dotted path, tree) of a tree and of all trees in it, outer ones first."""
    yield path, tree
    for name, entry in tree.items():
        if isinstance(entry, dict):
            yield from _trees(f"{path}.{name}".lstrip("."), entry)


def _section(path: str, tree: Tree) -> str:
    rows = [_row(path, name, entry) for name, entry in tree.items() if not isinstance(entry, dict)]
    if not rows:
        return ""
    title = f"## `{path}`" if path else "## Top level"
    return "\n".join([title, "", "| key | type | default | meaning |", "|---|---|---|---|", *rows, ""])


def _row(path: str, name: str, entry: Key | Free | Either) -> str:
    meaning = entry.help
    if isinstance(entry, Free):
        types = "dict, free keys"
    else:
        types = " or ".join(
            dict.fromkeys("None" if each is type(None) else each.__name__ for each in entry.types)
        )
    if isinstance(entry, Either):
        types = f"dict, free keys, or {types}"
    if isinstance(entry, (Key, Either)) and entry.choices:
        meaning += "; one of " + ", ".join(_code(each) for each in entry.choices)
    if isinstance(entry, Key) and entry.minimum is not None:
        meaning += f"; at least {_code(entry.minimum)}"
    if entry.example:
        meaning += f"; for example `{for_example(f'{path}.{name}'.lstrip('.'), entry.example)[14:]}`"
    return f"| `{name}` | {types} | {_default(entry.default)} | {meaning} |"


def _default(value: Any) -> str:
    if isinstance(value, dict) and value:
        return "<br>".join(f"`{name}`: {_code(each)}" for name, each in value.items())
    return _code(value)


def _code(value: Any) -> str:
    if isinstance(value, float):
        return f"`{value:.6g}`"
    if isinstance(value, list):
        return "`[" + ", ".join(f"{each:.4g}" for each in value) + "]`"
    return f"`{value!r}`".replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
