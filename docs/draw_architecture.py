"""Draw ``docs/architecture.svg`` and the folder tree of ``docs/architecture.md``.

``python docs/draw_architecture.py``. The layers come from the import-linter contract in
``pyproject.toml``, the dots from the imports of the source files, the lines of the tree from `FOLDERS` below.
"""

import ast
import tomllib
from collections.abc import Iterator
from html import escape
from pathlib import Path

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
PICTURE = DOCS / "architecture.svg"
PAGE = DOCS / "architecture.md"
BEGIN, END = "<!-- tree, written by draw_architecture.py -->", "<!-- end of the tree -->"

# Every folder that holds source, and what belongs in it. A new folder needs a line here.
FOLDERS = {
    "ding_cls": "the library; `__init__.py` lists the public names and imports them on first use",
    "ding_cls/cli": "the command line: parsing only, one file per verb",
    "ding_cls/cli/checkpoints": "verbs that judge a trained network or put it to use",
    "ding_cls/cli/shipping": "verbs that take a trained network elsewhere: export, publish, serve",
    "ding_cls/cli/looking": "verbs that show what a config will do, or what runs have done",
    "ding_cls/pipeline": "the only place where rooms meet: builds the parts of a run, then starts them",
    "ding_cls/pipeline/datasets": "from config sections to datasets: splits, descriptions, input statistics",
    "ding_cls/pipeline/checks": "do data, labels, loss and processes fit together, asked before training",
    "ding_cls/pipeline/evaluation": "evaluating a checkpoint: what comes from where, records, summary",
    "ding_cls/pipeline/comparison": "results on the same images: read, matched, compared image by image",
    "ding_cls/pipeline/confidence": "calibrating a checkpoint: temperature, coverage and risk, thresholds",
    "ding_cls/pipeline/kfold": "cross-validation: one ordinary run per fold, and their summary",
    "ding_cls/pipeline/exporting": "a run made ready to leave: its images for the comparison, its card",
    "ding_cls/pipeline/looking": "what a config will do, looked at before anything is trained",
    "ding_cls/pipeline/reporting": "the report of an evaluation: what its page shows, gathered",
    "ding_cls/pipeline/doctor": "the doctor: data gathered and looked at, findings shown and written",
    "ding_cls/pipeline/dry_run": "build everything, do a few updates, report, keep nothing",
    "ding_cls/worker": "what runs over batches: the learner and the evaluator",
    "ding_cls/worker/evaluation": "when to evaluate, each sample once, totals, which result is best",
    "ding_cls/worker/learner": "the training loop (`base_learner.py`) and the interface that hooks see",
    "ding_cls/worker/learner/loop": "parts of the loop: progress, evaluations, interruption, disk room",
    "ding_cls/worker/learner/hooks": "hooks: built in, implied by options, trackers, known names",
    "ding_cls/worker/learner/saving": "what a run's checkpoint holds; restoring it, and what is checked then",
    "ding_cls/worker/learner/state": "what a run remembers: history, running averages, bad updates, its logs",
    "ding_cls/inference": "a trained network put to use; never imports policy or worker",
    "ding_cls/inference/outputs": "what predict leaves: lines, tables, drawn and sorted images, heat maps",
    "ding_cls/policy": "one update: network, optimizer, loss, and what is done around a step",
    "ding_cls/policy/update": "parts of one update: finite checks, clipping, loss scale, SAM, running sums",
    "ding_cls/checkpoint": "checkpoint files: their form, writing, verifying, how many stay",
    "ding_cls/data": "from samples to batches; `loader.py` makes batches",
    "ding_cls/data/datasets": "datasets: which samples there are, and their labels",
    "ding_cls/images/tables": "tables: their text read, their columns told apart, their files found",
    "ding_cls/data/transforms": "what happens to one image, in training and in evaluation",
    "ding_cls/data/transforms/auto_augment": "AutoAugment and RandAugment: operations, magnitudes, policies",
    "ding_cls/data/sampling": "the order of an epoch, and how data are divided",
    "ding_cls/data/tools": "folders of images made ready for training; what a quarantine list leaves out",
    "ding_cls/data/tools/doctor": "what is wrong with data: looks at images, duplicates, names, findings",
    "ding_cls/data/assets": "the embedded digits",
    "ding_cls/export": "networks as ONNX and other files, checked before they are published",
    "ding_cls/export/checking": "whether a file says what its checkpoint says; if not, from which node on",
    "ding_cls/serve": "predictions over HTTP, and the page to try it on",
    "ding_cls/serve/requests": "from a request to images and back: limits, refusals, answers, counts",
    "ding_cls/serve/assets": "the page of a server: its style and scripts",
    "ding_cls/inference/onnx": "a predictor of an ONNX file, without torch",
    "ding_cls/images": "files and folders of images, without torch; `image_io.py` decodes",
    "ding_cls/images/decoding": "which images are read, what decoders say, what is wrong with a file",
    "ding_cls/images/assets": "the names of ImageNet's classes",
    "ding_cls/answers": "from logits to predictions, means, calibrated scores; without torch",
    "ding_cls/answers/evaluation": "an evaluation's samples, numbers, text and files; without torch",
    "ding_cls/models": "classifiers and how they are built; necks",
    "ding_cls/models/backbones": "backbones: ours, torchvision's, timm's",
    "ding_cls/models/heads": "heads: from features to logits",
    "ding_cls/models/losses": "losses: from logits and targets to one number",
    "ding_cls/models/layers": "layers, norms, initial values, activation checkpointing",
    "ding_cls/models/weights": "files of weights: found, read, adapted, loaded",
    "ding_cls/optim": "optimizers, parameter groups, the scheduler that sets the rate",
    "ding_cls/optim/schedules": "schedules: pure functions of the position in a run",
    "ding_cls/metrics": "metrics: sums and counts over evaluation data, then results",
    "ding_cls/metrics/analysis": "from the predictions for all samples: intervals, comparisons, confidence",
    "ding_cls/report": "pictures and pages about a run, from plain records",
    "ding_cls/report/assets": "style and scripts of pages",
    "ding_cls/report/templates": "pages of jinja2; `base.html` is what they share",
    "ding_cls/distributed": "joining processes, collectives, DDP",
    "ding_cls/config": "configs: read, merged, checked, compiled; never imports torch",
    "ding_cls/config/reader": "config files as data: Python's syntax, YAML, JSON, `_base_`",
    "ding_cls/config/openmmlab": "configs of mmclassification 0.x, translated once",
    "ding_cls/config/tools": "`config show`, `diff` and `lint`, with the lint rules",
    "ding_cls/common": "files, seeds, clocks, logs, signals: nothing that knows of learning",
    "ding_cls/common/logs": "where lines, rows and events go; none of them can end a run",
    "ding_cls/common/stops": "the signals that stop a run, and the mark they leave",
    "ding_cls/recipes": "the two config files behind `--data DIR --model NAME`",
    "ding_cls/model": "an import path kept for known programs; only re-exports",
    "ding_cls/torch_utils": "an import path kept for known programs; only re-exports",
    "ding_cls/utils": "an import path kept for known programs; only re-exports",
    "dizoo": "the zoo: recipes and mains, under names that known programs use",
    "dizoo/image_classification": "image classification",
    "dizoo/image_classification/data": "an import path kept for known programs; only re-exports",
    "dizoo/image_classification/policy": "an import path kept for known programs; only re-exports",
    "dizoo/image_classification/entry": "configs and the main program of the ImageNet and digits recipes",
    "dizoo/image_classification/mnist": "recipes on MNIST: one digit, several, strings",
    "entry": "scripts of a checkout: demo, tests, launchers for torchrun and SLURM",
    "tests": "mirrors `ding_cls` folder by folder; also `contract`, `faults`, `golden`, `options`, `docs`",
    "docs": "pages, the scripts that write some of them, and pictures",
    "docs/adr": "decisions: context, decision, consequence",
    "docs/coming-from": "one page for each system that users come from",
    "examples": "programs to start from",
    "benchmarks": "scripts behind the measured tables",
    "docker": "a container of the server",
}
# Rooms that are one file.
FILES = {
    "ding_cls/registry.py": "parts by name: `dict(type='Name', ...)` becomes an object",
    "ding_cls/types.py": "records and protocols that several rooms share",
    "ding_cls/errors.py": "the errors that a user can cause",
}

BOX, ROW, GAP, LEFT, TOP, CELL = 640, 42, 9, 20, 145, 25
BLUE, PALE, GREY, INK = "#2f6db5", "#eaf1fa", "#667085", "#1d2939"


def layers() -> list[list[str]]:
    """Return the rooms by layer, high to low, as paths such as ``ding_cls/data``."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    contract = next(each for each in contracts if "ding_cls.pipeline" in each.get("layers", ()))
    named = [[room.strip() for room in line.split("|")] for line in contract["layers"]]
    paths = [[each.replace(".", "/") for each in layer if each != "ding_cls.__main__"] for layer in named]
    return [
        [each if (ROOT / each).is_dir() else f"{each}.py" for each in layer]
        for layer in paths
        if layer and all(_exists(each) for each in layer)
    ]


def imports() -> set[tuple[str, str]]:
    """Return who imports whom, as pairs of rooms; imports inside functions and for types count."""
    rooms = [room for layer in layers() for room in layer]
    found = set()
    for room in rooms:
        files = (ROOT / room).rglob("*.py") if (ROOT / room).is_dir() else [ROOT / room]
        for file in files:
            for module in _modules(ast.parse(file.read_text(encoding="utf-8"))):
                path = module.replace(".", "/")
                other = next((each for each in rooms if _holds(each, path)), None)
                if other not in (None, room):
                    found.add((room, str(other)))
    return found


def picture() -> str:
    """Return the picture as SVG."""
    rooms = [room for layer in layers() for room in layer]
    column = {room: LEFT + BOX + 45 + CELL * number for number, room in enumerate(rooms)}
    lines, middles, y = [], {}, TOP
    for layer in layers():
        height = len(layer) * ROW
        if len(layer) > 1:
            lines.append(
                f'<rect x="{LEFT - 7}" y="{y - 5}" width="{BOX + 14}" height="{height + 6}" rx="8" '
                f'fill="none" stroke="{BLUE}" stroke-dasharray="5 4"/>'
            )
        for number, room in enumerate(layer):
            middles[room] = y + number * ROW + (ROW - 6) / 2
            lines.extend(_box(room, y + number * ROW))
        y += height + GAP
    width = max(column.values()) + 2 * CELL
    lines.extend(_matrix(column, middles, right=width - CELL - 5, bottom=y))
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{y + 10}" '
        f'viewBox="0 0 {width} {y + 10}" font-family="DejaVu Sans, Verdana, Arial, sans-serif">',
        f'<rect width="{width}" height="{y + 10}" fill="#ffffff"/>',
        _text(LEFT, 34, "Rooms of ding_cls, by layer", size=19, weight="bold"),
        _text(
            LEFT, 58, "A room imports rooms below it, never one above. Rooms in the dashed frame", fill=GREY
        ),
        _text(LEFT, 76, "do not import each other.", fill=GREY),
        _text(
            LEFT,
            100,
            "Right: a dot says that the room of this row imports the room of that column.",
            fill=GREY,
        ),
        _text(LEFT, 118, "All dots lie right of the diagonal: there is no circle.", fill=GREY),
    ]
    return "\n".join([*head, *lines, "</svg>", ""])


def tree() -> str:
    """Return every folder with its line, as a Markdown list."""
    rows = []
    for path, line in [*FOLDERS.items(), *FILES.items()]:
        rows.append(
            (path.split("/"), f"{'  ' * path.count('/')}- `{path}{'' if path in FILES else '/'}`: {line}")
        )
    # The files of the library come after its folders, before the next top folder.
    order = {name: number for number, name in enumerate(dict.fromkeys(path[0] for path, _ in rows))}
    return "\n".join(line for _, line in sorted(rows, key=lambda row: order[row[0][0]]))


def page(text: str) -> str:
    """Return the page with the tree put between its two marks."""
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    return f"{before}{BEGIN}\n\n{tree()}\n\n{END}{after}"


def _box(room: str, y: float) -> list[str]:
    line = (FOLDERS | FILES)[room].replace("`", "")
    below = [each.removeprefix(f"{room}/") for each in FOLDERS if each.startswith(f"{room}/")]
    inner = [each for each in below if "assets" not in each and room != "dizoo"]
    top = y + (15 if inner else 22)
    parts = [
        f'<rect x="{LEFT}" y="{y}" width="{BOX}" height="{ROW - 6}" rx="5" fill="{PALE}" stroke="{BLUE}"/>',
        _text(LEFT + 10, y + 22, room.removeprefix("ding_cls/"), size=13, weight="bold"),
        _text(LEFT + 105, top, line, size=11),
    ]
    if inner:
        parts.append(_text(LEFT + 105, y + 29, "  ".join(f"{each}/" for each in inner), size=10, fill=GREY))
    return parts


def _matrix(
    column: dict[str, int], middles: dict[str, float], *, right: float, bottom: float
) -> Iterator[str]:
    for room, x in column.items():
        name = room.removeprefix("ding_cls/").removesuffix(".py")
        yield f'<line x1="{x}" y1="{TOP}" x2="{x}" y2="{bottom - GAP}" stroke="#eceff3"/>'
        yield (
            f'<text transform="translate({x + 4},{TOP - 12}) rotate(-60)" font-size="12" fill="{INK}">'
            f"{escape(name)}</text>"
        )
    for room, y in middles.items():
        yield f'<line x1="{LEFT + BOX}" y1="{y}" x2="{right}" y2="{y}" stroke="#eceff3"/>'
        yield f'<rect x="{column[room] - 7}" y="{y - 7}" width="14" height="14" fill="#d0d5dd"/>'
    for room, other in sorted(imports()):
        yield f'<circle cx="{column[other]}" cy="{middles[room]}" r="5.5" fill="{BLUE}"/>'


def _text(x: float, y: float, text: str, *, size: int = 12, fill: str = INK, weight: str = "normal") -> str:
    return (
        f'<text x="{x}" y="{y}" font-size="{size}" font-weight="{weight}" fill="{fill}" xml:space="preserve">'
        f"{escape(text)}</text>"
    )


def _exists(path: str) -> bool:
    return (ROOT / path).is_dir() or (ROOT / f"{path}.py").is_file()


def _holds(room: str, path: str) -> bool:
    start = room.removesuffix(".py")
    return path == start or path.startswith(f"{start}/")


def _modules(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            # "from ding_cls import data" names a room, too.
            yield from (f"{node.module}.{each.name}" for each in node.names)


if __name__ == "__main__":
    PICTURE.write_text(picture(), encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
