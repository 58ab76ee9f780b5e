"""Write ``docs/mmcls-configs.md``: each config of mmclassification 0.x, dry run on a few images.

``python docs/draw_mmcls_configs.py FOLDER [RESULTS]``: ``FOLDER`` is mmclassification's ``configs``. What has
been found is kept in the file ``RESULTS``, so that a second call goes on where the first was stopped: all of
them together take an hour on one core.
"""

import contextlib
import gc
import json
import os
import re
import sys
import tempfile
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from ding_cls.config.openmmlab.key_table import ROOTS
from ding_cls.config.reader.reader import read_config_with_origins
from ding_cls.errors import DingError
from ding_cls.pipeline.dry_run.run import dry_run

PAGE = Path(__file__).resolve().parent / "mmcls-configs.md"

HEAD = """\
# The configs of mmclassification 0.x

Written by `python docs/draw_mmcls_configs.py FOLDER`, which gives each file to

```
ding-cls train FILE --data DIR --dry-run data.samples_per_gpu=3 data.workers_per_gpu=0 policy.cuda=False
```

and keeps what comes of it: three classes of a few images, one update, one evaluation. `FOLDER` is `configs`
of [mmclassification](https://github.com/open-mmlab/mmpretrain/tree/mmcls-0.x), branch `mmcls-0.x`, under the
Apache License 2.0. The files are read as they are. Where a network takes images of any size they were made
{side} px, to save time (`data.train.pipeline.1.size=64` and the like). With timm installed (`pip install
timm`); without it what is timm's is refused with that command.

A name stands for one network: where this library has no such network, or another value of an argument, the
config is refused. [The networks](#networks) have as many parameters as mmclassification's own tables say; a
test compares 35 of them. Other numbers are there for DeiT's distilled networks, where the table has those of
the plain ones, and for EfficientFormer-L1 (12.19 million; here 12.29).
"""

CLASSES = ("cat", "dog", "fox")
# In a refusal it says that this page is not done: an error is to be a line that a user can act on.
TRACEBACK = "TRACEBACK:"
WORDS = ("data.samples_per_gpu=3", "data.workers_per_gpu=0", "policy.cuda=False")
SIDE = 64
# Networks here that are made for one size of images.
_ONE_SIZE = (
    *("DistilledVisionTransformer", "EfficientFormer", "MlpMixer", "MViT", "PCPVT", "SVT", "TNT"),
    *("SwinTransformer", "SwinTransformerV2", "VisionTransformer"),
)
_SIZED = {
    "RandomResizedCrop": ("size",),
    "RandomCrop": ("size",),
    "Resize": ("size",),
    "CenterCrop": ("crop_size",),
}


class Outcome(NamedTuple):
    """What came of one config.

    Attributes:
        file: its path in the folder.
        network: the type of its backbone; '' where it describes none.
        refusal: '' for one that ran; else the reason, less places of files.
        is_run: False: the config was compiled and its network built, without an update.
    """

    file: str
    network: str
    refusal: str
    is_run: bool = True


def make_images(folder: Path) -> None:
    """Write a folder with ``train`` and ``val``, an image of each class in either."""
    generator = np.random.default_rng(0)
    for split in ("train", "val"):
        for name in CLASSES:
            (folder / split / name).mkdir(parents=True)
            pixels = generator.integers(0, 256, (40, 48, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / split / name / "1.png")


def outcome_of(folder: Path, file: str, data: Path) -> Outcome:
    """Return what a dry run of one config does.

    Args:
        folder: mmclassification's ``configs``.
        file: the config's path in it.
        data: what ``make_images`` made.
    """
    network, is_config, small = "", False, list[str]()
    try:
        with contextlib.suppress(DingError):
            values, _ = read_config_with_origins(folder / file)
            network, is_config = _backbone(values), any(key in ROOTS for key in values)
            small = list(_small(values)) if is_config and network not in _ONE_SIZE else []
        dry_run(folder / file, data=data, overrides=[*(WORDS if is_config else ()), *small])
    except DingError as error:
        return Outcome(file, network, _reason(str(error), folder, data))
    except Exception as error:
        return Outcome(file, network, f"{TRACEBACK} {type(error).__name__}: {error}")
    return Outcome(file, network, "")


def _backbone(values: Mapping[str, Any]) -> str:
    model = values.get("model")
    backbone = model.get("backbone") if isinstance(model, Mapping) else None
    return str(backbone.get("type", "")) if isinstance(backbone, Mapping) else ""


def _small(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the words that make the images smaller."""
    if "data" not in values:
        yield f"policy.collect.image_size={SIDE}"
        return
    for path, step in _steps("data", values["data"]):
        for key in _SIZED.get(str(step.get("type")), ()):
            sizes = step.get(key)
            if isinstance(sizes, int) and sizes > SIDE:
                yield f"{path}.{key}={SIDE}"
            elif isinstance(sizes, list | tuple) and max(sizes) > SIDE:
                yield f"{path}.{key}={[SIDE if each > SIDE else each for each in sizes]}"


def _steps(path: str, value: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _steps(f"{path}.{key}", each)
        if "type" in value:
            yield path, value
    elif isinstance(value, list | tuple):
        for place, each in enumerate(value):
            yield from _steps(f"{path}.{place}", each)


def _reason(text: str, folder: Path, data: Path) -> str:
    """Return an error's lines in one, without the places that differ from one config to the next."""
    text = text.replace(str(data), "DIR").replace(f"{folder}{os.sep}", "").replace(str(Path.home()), "~")
    text = re.sub(r" \([^()]*\.py:\d+\)", "", text)
    return "; ".join(line.strip() for line in text.splitlines()).replace("|", "\\|")


def outcomes(folder: Path, files: Iterable[str], results: Path | None = None) -> list[Outcome]:
    """Return what comes of configs, in order; tell each as it ends.

    Args:
        folder: as in ``outcome_of``.
        files: likewise.
        results: a file that keeps what was found, a line for each.
    """
    lines = results.read_text(encoding="utf-8").splitlines() if results and results.exists() else []
    found = {each.file: each for each in (Outcome(*json.loads(line)) for line in lines)}
    with tempfile.TemporaryDirectory(prefix="mmcls_configs_") as temporary:
        make_images(data := Path(temporary, "images"))
        for file in files:
            if file in found:
                continue
            found[file] = outcome_of(folder, file, data)
            # Networks lie in circles of references.
            gc.collect()
            print(f"{file}: {found[file].refusal or 'runs'}", file=sys.stderr, flush=True)
            if results is not None:
                with results.open("a", encoding="utf-8") as kept:
                    kept.write(json.dumps(found[file]) + "\n")
    return [found[file] for file in files]


def page(found: list[Outcome]) -> str:
    """Return the text of the page."""
    ran = [each for each in found if not each.refusal]
    parts = [each for each in ran if not each.network]
    lines = [
        HEAD.format(side=SIDE),
        "## Counts",
        "",
        f"{len(found)} files: **{len(ran)} run**, **{len(found) - len(ran)} are refused** for a reason that "
        "is on this page.",
        "",
        f"{len(parts)} of those that run are parts of configs (datasets, schedules) without a network of "
        "their own: they take the recipe's.",
        "",
        *_not_run(ran),
        "| folder | files | run | refused |",
        "|---|---|---|---|",
        *_folders(found),
        "",
        "## Refused",
        "",
        *_refusals(found),
        "## Networks",
        "",
        *networks(),
        "",
    ]
    return "\n".join(lines)


def _not_run(ran: list[Outcome]) -> list[str]:
    count = sum(not each.is_run for each in ran)
    if not count:
        return []
    text = (
        "were compiled on these data and their networks built and passed by an image's shape; the update is"
    )
    return [
        f"Of those that run, {count} {text} still to be done: call the script again with its RESULTS.",
        "",
    ]


def _folders(found: list[Outcome]) -> Iterator[str]:
    names = [str(Path(each.file).parent).replace("/deploy", "") for each in found]
    all_of, refused = Counter(names), Counter()
    for name, each in zip(names, found, strict=True):
        refused[name] += bool(each.refusal)
    for name, count in sorted(all_of.items()):
        yield f"| {name} | {count} | {count - refused[name]} | {refused[name] or ''} |"


def _refusals(found: list[Outcome]) -> Iterator[str]:
    by_reason: dict[str, list[str]] = defaultdict(list)
    for each in found:
        if each.refusal:
            by_reason[each.refusal].append(each.file)
    for reason, files in sorted(by_reason.items(), key=lambda pair: (-len(pair[1]), pair[0])):
        yield f"**{len(files)}**: {reason}\n"
        yield from (f"- `{file}`" for file in files)
        yield ""


def networks() -> Iterator[str]:
    """Yield the table of mmclassification's names and the networks here."""
    from ding_cls.models.backbones.openmmlab_families import ABSENT, FAMILIES

    yield "| backbone | chosen by | networks |"
    yield "|---|---|---|"
    for name, family in FAMILIES.items():
        members = ", ".join(f"`{each}`" for each in dict.fromkeys(family.members.values()))
        yield f"| `{name}` | {', '.join(family.choice) or 'nothing'} | {members} |"
    for name, nearest in sorted(ABSENT.items()):
        yield f"| `{name}` | | in neither library; nearest: `{nearest}` |"


def files_in(folder: Path) -> list[str]:
    """Return the paths of all configs in a folder, sorted."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.py"))


def main(arguments: list[str]) -> None:
    """Write the page."""
    folder = Path(arguments[0]).resolve()
    results = Path(arguments[1]).resolve() if len(arguments) > 1 else None
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as temporary, contextlib.chdir(temporary):
        found = outcomes(folder, files_in(folder), results)
    PAGE.write_text(page(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
