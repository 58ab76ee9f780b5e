"""A checkpoint's judged weights alone, under a name with their digest, and a model card beside them.

The file is loaded into a new network and must give the same logits before it gets its name.
"""

from __future__ import annotations

import copy
import hashlib
import json
import logging
import os
import re
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
from torch import nn

from ding_cls.checkpoint import read_checkpoint
from ding_cls.checkpoint.keeper import checkpoint_file
from ding_cls.common.files import atomic_write, fsync_folder
from ding_cls.common.process import launched_rank
from ding_cls.common.tables import not_written
from ding_cls.config.merge import plain_copy
from ding_cls.data import build_eval_loader
from ding_cls.errors import CheckpointError, DataError, ExportError
from ding_cls.export.checking.stated import stated_preprocessing
from ding_cls.export.checking.tally import has_answers
from ding_cls.export.description import check_weights, described
from ding_cls.export.weights import weights_metadata
from ding_cls.inference import load
from ding_cls.inference.described_weights import NETWORK
from ding_cls.inference.images import pixels_of
from ding_cls.inference.members import refuse_image
from ding_cls.inference.saved_run import GIVEN, check_buildable, config_for_here, describes_run
from ding_cls.models import new_network
from ding_cls.models.weights.writing import check_writable, read_back, write_weights
from ding_cls.pipeline.evaluate import evaluate_checkpoint
from ding_cls.pipeline.evaluation.report import EvaluationReport
from ding_cls.pipeline.exporting.card import CardSource, gather_card
from ding_cls.pipeline.exporting.card_facts import example_images, run_title
from ding_cls.pipeline.exporting.snippets import plain_description
from ding_cls.report.model_card import model_card

_LOGGER = logging.getLogger(__name__)

Format = Literal["pth", "safetensors"]
# torch.hub takes the first "-0123abcd." in a name for its digest, so nothing before may look like one.
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_-]+")
_LONGEST_NAME = 80
_NUM_DIGITS = 8
_NUM_TRIED = 8
_EXPORTED = (".onnx", ".pt2", ".safetensors")


@dataclass(frozen=True, slots=True)
class Published:
    """What was written: the weights, the card, and the weights' SHA-256."""

    weights: Path
    card: Path
    sha256: str


def publish(
    checkpoint: str | os.PathLike[str],
    *,
    out: str | os.PathLike[str] = ".",
    format: Format = "pth",
    data: str | os.PathLike[str] | None = None,
    split: str | None = None,
    batch_size: int | None = None,
    model: nn.Module | None = None,
    allow_code: bool = False,
    max_bad: int | None = None,
) -> Published | None:
    """Write a checkpoint's judged weights as ``CONFIG_DATE-HASH.pth``, and ``CONFIG_DATE-HASH.md`` beside it.

    CONFIG is the name of the run, DATE the day on which the checkpoint's file was last written (UTC), HASH
    begins the SHA-256 of the published one: the same checkpoint gives the same bytes. The network is
    evaluated for the card; where the run's data are not there, the card has what the run recorded.

    Args:
        checkpoint: a run's folder (its best one), or a file in its ckpt/.
        out: the folder to write into.
        format: 'pth', a state dict of torch, or 'safetensors'.
        data: as ``evaluate`` takes it, like the rest.
        split: likewise.
        batch_size: likewise.
        model: the network, for a run that was given a network instead of a name.
        allow_code: as in ``evaluate``.
        max_bad: likewise.

    Returns:
        what was written; None on other ranks than the first.

    Raises:
        CheckpointError: the file is missing, damaged, or no checkpoint of a run.
        DataError: ``data`` or ``split`` cannot be evaluated, a card with other content is there, or nothing
            can be written.
        ExportError: the file does not give the checkpoint's logits; nothing is published.
    """
    check_writable(Path(out, f"NAME.{format}"))
    refuse_image(checkpoint)
    file = checkpoint_file(checkpoint)
    state = _read(file)
    cfg = config_for_here(state["run"]["config"], file)
    if model is None:
        check_buildable(cfg, file, function="pipeline.exporting.publish.publish")
    settings: dict[str, Any] = {"batch_size": batch_size, "model": model, "max_bad": max_bad}
    found, note = _evaluated(file, data, split, allow_code=allow_code, **settings)
    if launched_rank() > 0:
        return None
    # Behind the evaluation, which takes a network that was handed in to its own device.
    predictor = load(file, model=model, device="cpu", allow_code=allow_code)
    # What was read, what was evaluated and what was loaded are one file's, or the first and the last differ.
    check_weights(predictor, state)
    source = CardSource(file, state, cfg, predictor, plain_description(cfg.policy.model), found, note)
    return _published(source, Path(out), format)


def _published(source: CardSource, out: Path, format: Format) -> Published:
    """Write weights and card by way of a folder of a moment in ``out``."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".publish-", dir=out) as folder:
            return _written(source, Path(folder), out, format)
    except OSError as error:
        # It may name a file in that folder, or none.
        error.filename = os.fspath(out)
        raise not_written(out, error) from error


def _written(source: CardSource, folder: Path, out: Path, format: Format) -> Published:
    """Write the weights into a folder, try them, and give them and their card their names in ``out``."""
    written = folder / f"weights.{format}"
    write_weights(written, source.predictor.model.state_dict(), _metadata(source))
    check_loads(written, source.predictor.model, _new_network(source), _trial_images(source))
    with open(written, "rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    stem = f"{published_name(source.cfg.exp_name)}_{_date(source.checkpoint)}-{sha256[:_NUM_DIGITS]}"
    weights, card = out / f"{stem}.{format}", out / f"{stem}.md"
    record = gather_card(source, file=weights.name, num_bytes=written.stat().st_size, sha256=sha256)
    _write_card(card, model_card(record))
    os.replace(written, weights)
    fsync_folder(out)
    return Published(weights, card, sha256)


def published_name(exp_name: str) -> str:
    """Return a run's name as a file has it: letters, digits, - and _."""
    name = _NOT_IN_NAMES.sub("_", run_title(exp_name)).strip("_-")
    return name[:_LONGEST_NAME] or "model"


def check_loads(file: Path, wanted: nn.Module, fresh: nn.Module, images: Sequence[torch.Tensor]) -> None:
    """Load a file as plain PyTorch does, strictly, and compare logits bit by bit.

    Args:
        file: the weights.
        wanted: the network of the checkpoint.
        fresh: the same with other values.
        images: normalised batches.

    Raises:
        ExportError: it cannot be loaded, or gives other logits, or the network's are not finite.
    """
    try:
        fresh.load_state_dict(read_back(file), strict=True)
    except Exception as error:  # what a module does while it loads is its own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1].strip()
        raise ExportError(
            f"the weights as {file.suffix} do not load into a new {type(fresh).__name__}: {reason}; nothing "
            "is published"
        ) from error
    fresh.eval()
    for each in images:
        try:
            with torch.inference_mode():
                ours, theirs = wanted(each), fresh(each)
        except RuntimeError as error:
            raise ExportError(
                f"{type(wanted).__name__} cannot take images {tuple(each.shape)}, and the run's pipeline "
                "leaves them as they are; name some that it can: --data PATH"
            ) from error
        if not has_answers(ours.float().numpy()).all():
            raise ExportError("the network's logits are not finite; nothing is published")
        if not torch.equal(ours, theirs):
            apart = float((ours - theirs).abs().max())
            raise ExportError(
                f"the weights that were written give other logits than the checkpoint, by up to {apart:.3g}; "
                "nothing is published"
            )


def _trial_images(source: CardSource) -> list[torch.Tensor]:
    """Return a few images that were evaluated, normalised, one in a batch; noise where there are none."""
    preprocessing = source.predictor.preprocessing
    if source.found is None:
        return [source.predictor.preprocess(each)[None] for each in example_images()]
    with closing(build_eval_loader(source.found.dataset, 1)) as loader:
        return [preprocessing.normalize(each.images) for each in islice(loader, _NUM_TRIED)]


def _read(file: Path) -> dict[str, Any]:
    takes = "publish takes a run's folder, or a file in its ckpt/"
    if file.suffix.lower() in _EXPORTED:
        raise CheckpointError(f"'{file}' has left its run already; {takes}")
    state = read_checkpoint(file)
    if not describes_run(state.get("run")):
        raise CheckpointError(
            f"'{file}' is no checkpoint of a run: it does not say its network, classes and preprocessing, "
            f"which a card must; {takes}"
        )
    return state


def _evaluated(
    file: Path, data: Any, split: str | None, **settings: Any
) -> tuple[EvaluationReport | None, str]:
    """Return the evaluation; where the run's own data cannot be read None, and why."""
    try:
        return evaluate_checkpoint(file, data=data, split=split, **settings), ""
    except DataError as error:
        if data is not None or split is not None:
            raise
        _LOGGER.warning("not evaluated, the card has what the run recorded: %s", error)
        return None, "the data of the run could not be read"


def _new_network(source: CardSource) -> nn.Module:
    """Return the network with other values; of one that was handed in a copy with none."""
    if not str(source.cfg.policy.model.get("name", "")).endswith(GIVEN):
        description = plain_copy(source.cfg.policy.model)
        num_classes = len(source.predictor.classes)
        return new_network(description, num_classes=num_classes, draws_values=False)
    network = copy.deepcopy(source.predictor.model)
    for tensor in network.state_dict().values():
        tensor.zero_()
    return network


def _metadata(source: CardSource) -> dict[str, str]:
    """Return what a file of safetensors says of itself: no path, no time and no machine is in it."""
    predictor = source.predictor
    example = pixels_of(next(iter(example_images())), predictor.preprocessing)
    about = described(predictor, example, "float", stated_preprocessing(predictor, None)[0])
    # The same run in another folder makes the same bytes.
    run = {name: each for name, each in about.run.items() if name not in ("name", "checkpoint")}
    return {
        **weights_metadata(predictor, replace(about, run=run)),
        NETWORK: json.dumps(source.description),
    }


def _date(file: Path) -> str:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC).strftime("%Y%m%d")


def _write_card(path: Path, text: str) -> None:
    content = text.encode("utf-8")
    if path.exists() and path.read_bytes() != content:
        raise DataError(
            f"'{path}' is there with other content, perhaps filled in by hand; move it, or take another "
            "--out DIR"
        )
    with atomic_write(path) as file:
        file.write(content)
