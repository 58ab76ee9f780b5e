"""Write ``docs/config.md`` from ``ding_cls/config/defaults.py``: ``python docs/draw_config.py``."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ding_cls.config.defaults import ROOT, Either, Free, Key, Tree

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
`round()`, arithmetic, `+` on lists, unpacking, subscripts and attributes of earlier names, comprehensions,
f-strings and `os.path.join`; importing `easydict` and `os.path` is recognised. Anything else is refused
with file and line. `_base_` is not supported yet. The config is the variable `main_config`, else the one
named like the file, else the only one whose name ends in `_config` or `_cfg` where it is the last, else the
file's own top-level names. For two whole examples see
[`imagenet_res18_config.py`](../dizoo/image_classification/entry/imagenet_res18_config.py) and
[`digits_res18_config.py`](../dizoo/image_classification/entry/digits_res18_config.py).

**On the command line** `key=value` sets any key by its dotted path (`policy.learn.batch_size=64`); the
value is read as a Python literal, and as a plain string where it is none. It wins over `--data`, `--model`,
`--epochs` and the like, and those win over the file.

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
    rows = [_row(name, entry) for name, entry in tree.items() if not isinstance(entry, dict)]
    if not rows:
        return ""
    title = f"## `{path}`" if path else "## Top level"
    return "\n".join([title, "", "| key | type | default | meaning |", "|---|---|---|---|", *rows, ""])


def _row(name: str, entry: Key | Free | Either) -> str:
    meaning = entry.help
    if isinstance(entry, Free):
        types = "dict, free keys"
    else:
        types = " or ".join(
            dict.fromkeys("None" if each is type(None) else each.__name__ for each in entry.types)
        )
    if isinstance(entry, Either):
        types = f"dict, free keys, or {types}"
    if isinstance(entry, Key) and entry.choices:
        meaning += "; one of " + ", ".join(_code(each) for each in entry.choices)
    if isinstance(entry, Key) and entry.minimum is not None:
        meaning += f"; at least {_code(entry.minimum)}"
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
