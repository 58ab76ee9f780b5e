"""Code that loads a file of weights, written out for one network; each piece runs as it stands.

It must not know files, datasets or how a card looks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pprint import pformat
from shlex import quote
from textwrap import indent
from typing import Any

from ding_cls.config.merge import plain_copy
from ding_cls.config.tools.show import literal
from ding_cls.data import PipelinePreprocessing, Preprocessing
from ding_cls.inference.loading import library_preprocessing
from ding_cls.inference.predictor import Predictor
from ding_cls.inference.saved_run import GIVEN
from ding_cls.models.backbones.torchvision import TORCHVISION_DEFAULTS
from ding_cls.models.build import is_ours
from ding_cls.models.weights.timm import PREFIX
from ding_cls.report.markdown import escaped
from ding_cls.report.model_card import MAX_CLASSES, Snippet

_OF_WEIGHTS = ("pretrained", "init_cfg", "checkpoint_path")
_WIDTH = 100
_LONGEST_NAME = 300
_LONGEST_LITERAL = 1000
_CLASSES_FILE = "classes.txt"
_ABOUT_FILE = f"`{_CLASSES_FILE}` is a text with the names above, one a line."
_OTHER_PREPROCESSING = (
    "The preprocessing is the run's own. For a file of weights, `ding_cls.load(FILE, model=NAME)` and "
    "`ding-cls predict FILE --model NAME` take that of the network's library instead, and would give other "
    "scores."
)


def plain_description(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return how a network is built, without where its first weights came from and its number of classes."""
    found: dict[str, Any] = _without_weights(plain_copy(dict(description)))
    found.pop("num_classes", None)
    if found.get("type") is None:
        found.pop("type", None)
    elif "backbone" in found:
        found.pop("name", None)
    return found


def network_name(description: Mapping[str, Any]) -> str:
    """Return what a network is called: its name, or that of its backbone, or its type."""
    backbone = description.get("backbone")
    inner = backbone.get("type") if isinstance(backbone, Mapping) else None
    return str(inner or description.get("type") or description.get("name"))


def installation(file: str, description: Mapping[str, Any]) -> Snippet:
    """Return how to install what the code of `snippets` needs, torch and torchvision with it."""
    extras = ["timm"] if "timm" in str(description).lower() else []
    extras += ["export"] if file.endswith(".safetensors") else []
    package = f".[{','.join(extras)}]" if extras else "."
    return Snippet("What it needs", "bash", f"pip install {quote(package)}  # in a checkout of ding_cls")


def snippets(
    file: str, description: Mapping[str, Any], predictor: Predictor, *, own_modules: Sequence[str] = ()
) -> list[Snippet]:
    """Return how to load a file: in plain PyTorch, with ding_cls, and for training.

    Args:
        file: its name.
        description: of the network, as `plain_description` returns it.
        predictor: what the file must be loaded to.
        own_modules: modules of the user's with parts of the network or the preprocessing.
    """
    name, arguments = description.get("name"), {k: v for k, v in description.items() if k != "name"}
    if name is not None and str(name).endswith(GIVEN):
        return [_of_given(file, str(name).removesuffix(GIVEN))]
    class_names = predictor.classes
    imports, network = _network(name, arguments, len(class_names))
    pieces = [_plain(file, imports, network, predictor)]
    is_described = file.endswith(".safetensors")
    if _is_loadable(name, arguments, predictor, is_described=is_described):
        pieces += _by_load(file, str(name), class_names, is_described=is_described)
    else:
        pieces.append(_by_predictor(file, network, predictor, class_names))
    own = "".join(f"import {module}\n" for module in own_modules)
    pieces = [replace(each, code=own + each.code) if each.language == "python" else each for each in pieces]
    return [*pieces, _for_training(file, name, arguments)]


def _without_weights(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_weights(each) for k, each in value.items() if k not in _OF_WEIGHTS}
    return [_without_weights(each) for each in value] if isinstance(value, list | tuple) else value


def _network(name: Any, arguments: Mapping[str, Any], num_classes: int) -> tuple[list[str], str]:
    """Return the imports of a network without weights, and the call that makes it."""
    if name is None:
        description = _indented(dict(arguments))
        call = f"new_network(\n{description},\n    num_classes={num_classes},\n)"
        return ["from ding_cls.models import new_network"], call
    if str(name).startswith(PREFIX) and not arguments:
        plain = str(name).removeprefix(PREFIX)
        return ["import timm"], f'timm.create_model("{plain}", num_classes={num_classes})'
    if is_ours(name) or arguments:
        more = "".join(f", {key}={value!r}" for key, value in arguments.items())
        return ["import ding_cls"], f'ding_cls.build_model("{name}", num_classes={num_classes}{more})'
    settings = {**TORCHVISION_DEFAULTS.get(name, {})}
    if "init_weights" in settings:
        settings["init_weights"] = False
    more = "".join(f", {key}={value!r}" for key, value in settings.items())
    return ["import torchvision"], f"torchvision.models.{name}(num_classes={num_classes}{more})"


def _plain(file: str, imports: Sequence[str], network: str, predictor: Predictor) -> Snippet:
    is_safe = file.endswith(".safetensors")
    read = f'load_file("{file}")' if is_safe else f'torch.load("{file}", weights_only=True)'
    prepare_imports, prepare = _prepare(predictor.preprocessing)
    scores = "logits.sigmoid()" if predictor.has_several_labels else "logits.softmax(-1)"
    plain_imports = {"import torch", *imports, *prepare_imports}
    if is_safe:
        plain_imports.add("from safetensors.torch import load_file")
    lines = [
        *sorted(plain_imports, key=lambda line: (line.startswith("from"), line)),
        "",
        f"network = {network}",
        f"network.load_state_dict({read})",
        "network.eval()",
        "",
        *prepare,
        "with torch.inference_mode():",
        "    logits = network(images)",
        f"print({scores})",
    ]
    remark = ""
    if isinstance(predictor.preprocessing, Preprocessing):
        remark = (
            "Not for images with transparency or 16 bits: ding_cls puts white behind them and scales them to "
            "8 bits, which this does not."
        )
    return Snippet("In plain PyTorch", "python", "\n".join(lines), remark)


def _prepare(preprocessing: PipelinePreprocessing) -> tuple[list[str], list[str]]:
    """Return the imports and lines that make ``images`` of an image's file."""
    if not isinstance(preprocessing, Preprocessing):
        return ["import ding_cls", "from ding_cls.data import preprocessing_from_state"], [
            f"preprocessing = {_code_of(preprocessing)}",
            'pixels = preprocessing(ding_cls.load_rgb("image.jpg"))',
            "images = preprocessing.normalize(preprocessing.to_tensor(pixels)[None])",
        ]
    numbers = preprocessing.state_dict()
    return ["from PIL import Image, ImageOps", "from torchvision import transforms"], [
        "prepare = transforms.Compose(",
        "    [",
        f"        transforms.Resize({numbers['resize_size']}, transforms.InterpolationMode"
        f".{numbers['interpolation'].upper()}),",
        f"        transforms.CenterCrop({numbers['image_size']}),",
        "        transforms.ToTensor(),",
        f"        transforms.Normalize({numbers['mean']}, {numbers['std']}),",
        "    ]",
        ")",
        'images = prepare(ImageOps.exif_transpose(Image.open("image.jpg")).convert("RGB"))[None]',
    ]


def _code_of(preprocessing: PipelinePreprocessing) -> str:
    """Return the code that makes the preprocessing."""
    if isinstance(preprocessing, Preprocessing):
        numbers = ", ".join(f"{name}={value!r}" for name, value in preprocessing.state_dict().items())
        return f"ding_cls.Preprocessing({numbers})"
    return f"preprocessing_from_state(\n{_indented(preprocessing.state_dict())}\n)"


def _indented(value: Any) -> str:
    return indent(pformat(value, width=_WIDTH, sort_dicts=False), "    ")


def _is_loadable(
    name: Any, arguments: Mapping[str, Any], predictor: Predictor, *, is_described: bool
) -> bool:
    """Return whether `load` makes of a network's name, and of what the file says, all that the run has."""
    if name is None or arguments or predictor.num_tasks is not None:
        return False
    is_as_library = predictor.preprocessing == library_preprocessing(str(name))
    return is_described or (is_as_library and not predictor.has_several_labels)


def _by_load(file: str, name: str, classes: Sequence[str], *, is_described: bool) -> list[Snippet]:
    names = "" if is_described else _literal_names(classes)
    given = "" if is_described else ", classes=classes" if names else f', classes="{_CLASSES_FILE}"'
    python = [
        "import ding_cls",
        "",
        *([f"classes = {names}"] if names else []),
        f'predictor = ding_cls.load("{file}", model="{name}"{given})',
        'print(predictor("image.jpg")[0])',
    ]
    about = (
        "The file knows its classes and its preprocessing." if is_described else _about_file(classes).strip()
    )
    found = [Snippet("With ding_cls", "python", "\n".join(python), about)]
    if is_described or _is_listable(classes):
        words = "" if is_described else f" --classes {_CLASSES_FILE}"
        command = f"ding-cls predict {file} image.jpg --model {quote(name)}{words}"
        found.append(Snippet("On the command line", "bash", command, "" if is_described else _ABOUT_FILE))
    return found


def _by_predictor(file: str, network: str, predictor: Predictor, classes: Sequence[str]) -> Snippet:
    names = _literal_names(classes) or f'Path("{_CLASSES_FILE}").read_text("utf-8").splitlines()'
    several = f", has_several_labels=True, threshold={predictor.threshold}"
    more = several if predictor.has_several_labels else ""
    made = _code_of(predictor.preprocessing)
    models = "load_pretrained, new_network" if network.startswith("new_network") else "load_pretrained"
    libraries = [each for each in ("ding_cls", "timm", "torchvision") if f"{each}." in f"{network} {made}"]
    lines = [
        *(["from pathlib import Path", ""] if "Path(" in names else []),
        *(f"import {each}" for each in libraries),
        *(["from ding_cls.data import preprocessing_from_state"] if "from_state" in made else []),
        "from ding_cls.inference import Predictor",
        f"from ding_cls.models import {models}",
        "",
        f"classes = {names}",
        f"network = {network}",
        f'load_pretrained(network, "{file}")',
        f"preprocessing = {made}",
        f"predictor = Predictor(network, preprocessing, classes{more})",
        'print(predictor("image.jpg")[0])',
    ]
    # What is known by a name can be loaded by it too, which is another thing.
    about = "" if network.startswith("new_network") else _OTHER_PREPROCESSING
    remark = f"{about}{_about_file(classes)}".strip()
    return Snippet("With ding_cls", "python", "\n".join(lines), remark)


def _literal_names(classes: Sequence[str]) -> str:
    """Return a list of names as Python spells it; empty where it is long and can be a file."""
    literal = repr(list(classes))
    return "" if _is_listable(classes) and len(literal) > _LONGEST_LITERAL else literal


def _is_listable(classes: Sequence[str]) -> bool:
    """Return whether the names, one a line, make a file of them again."""
    return len(classes) <= MAX_CLASSES and all(
        each.isprintable() and each.strip() == each != "" and len(each) <= _LONGEST_NAME for each in classes
    )


def _about_file(classes: Sequence[str]) -> str:
    return "" if _literal_names(classes) else f" {_ABOUT_FILE}"


def _for_training(file: str, name: Any, arguments: Mapping[str, Any]) -> Snippet:
    if name is None:
        command = f"ding-cls train CONFIG policy.model.pretrained={file}"
        remark = "`CONFIG` describes the same network; a head for other classes starts anew."
        return Snippet("To train on from it", "bash", command, remark)
    words = "".join(f" {quote(f'policy.model.{key}={literal(value)}')}" for key, value in arguments.items())
    return Snippet(
        "To train on from it",
        "bash",
        f"ding-cls train --data DIR --model {quote(str(name))} --pretrained {file}{words}",
        "`DIR` has folders `train` and `val` with a folder for each class; the last layer starts anew where "
        "there are other classes.",
    )


def _of_given(file: str, name: str) -> Snippet:
    code = f'from ding_cls.models import load_pretrained\n\nload_pretrained(network, "{file}")'
    return Snippet(
        "With the program that has the network",
        "python",
        code,
        f"`network` is the {escaped(name)} of that program.",
    )
