"""A network looked at before it is trained: one image is sent through it, and each stage is measured."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from ding_cls.common.seed import torch_randomness
from ding_cls.data import pipeline_preprocessing
from ding_cls.errors import ConfigError, DataError
from ding_cls.models import num_channels
from ding_cls.pipeline.build import build_network, configured_num_classes
from ding_cls.pipeline.datasets.dataset_cfg import inner_of
from ding_cls.pipeline.datasets.input_checks import first_image
from ding_cls.pipeline.datasets.splits import described, evaluation_pipeline
from ding_cls.pipeline.looking.opening import OpenedConfig
from ding_cls.policy.freezing import build_freezing
from ding_cls.report.network import NetworkTable, StageRow

_NUM_CLASSES = 1000
_ANY_SIZES = ((640, 480), (500, 600))


def describe_model(opened: OpenedConfig, *, needs_data: bool = False) -> NetworkTable:
    """Return what the network of a run is, at the size of its images, before it is trained.

    Args:
        opened: a checked config.
        needs_data: the data that it names must be there; False: without them the classes are the config's
            number, or 1,000.

    Raises:
        DingError: as a run would before its first update.
    """
    cfg, remarks = opened.cfg, []
    shape: Sequence[int] | None = None
    try:
        train_set, eval_set = opened.datasets()
        num_classes = len(train_set.classes)
        shape = _shape_of(first_image(eval_set, skips_bad=cfg.policy.learn.learner.dataloader.max_bad > 0))
    except DataError as error:
        if needs_data:
            raise
        num_classes = next(iter(configured_num_classes(cfg).values()), _NUM_CLASSES)
        shape = _shape_by_pipelines(cfg)
        remarks.append(f"classes and image size are the config's: {str(error).partition('; ')[0]}")
    network, _ = build_network(cfg, num_classes, load_weights=False, check=lambda network: None)
    freezing = build_freezing(network, cfg.policy.learn)
    learn = cfg.policy.learn
    until = learn.freeze_nonlinear_epoch or (learn.freeze or {}).get("until_epoch")
    if freezing is not None and until:
        remarks.append(f"what is frozen at the begin is trained from epoch {until + 1} on")
    shape = (num_channels(network), *[cfg.policy.collect.image_size] * 2) if shape is None else shape
    return measured(network, shape, remarks=remarks)


def _shape_of(image: torch.Tensor) -> tuple[int, ...]:
    return tuple(image.shape) if image.is_floating_point() else (3, *image.shape[:2])


def _shape_by_pipelines(cfg: Any) -> tuple[int, ...] | None:
    """Return the shape that evaluation's pipeline, or else training's, makes of any image; None: neither."""
    collect = cfg.policy.collect
    own = inner_of(described(collect, "train") or {}).get("pipeline")
    for pipeline in (evaluation_pipeline(collect), own or ()):
        process = pipeline_preprocessing(pipeline, mean=collect.mean, std=collect.std)
        with torch_randomness(0):
            shapes = {_shape_of(process.to_tensor(process(Image.new("RGB", size)))) for size in _ANY_SIZES}
        if len(shapes) == 1:
            return shapes.pop()
    return None


def measured(network: nn.Module, shape: Sequence[int], *, remarks: Sequence[str] = ()) -> NetworkTable:
    """Send one black image through a network in evaluation and return what was counted on the way.

    Args:
        network: it is left as it is.
        shape: of the image, ``(C, H, W)``.
        remarks: lines for the table.

    Raises:
        ConfigError: the network cannot take such an image.
    """
    weight = next(network.parameters(), torch.zeros(()))
    image = torch.zeros(1, *shape, device=weight.device, dtype=weight.dtype)
    counter = FlopCounterMode(display=False)
    name, was_training = type(network).__name__, network.training
    network.eval()
    try:
        with _watched(network, counter) as nodes, _countable(), counter, torch.no_grad(), torch_randomness(0):
            output = network(image)
    except (RuntimeError, ValueError, AssertionError, IndexError, TypeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        size = " x ".join(map(str, shape))
        raise ConfigError(f"{name} cannot take an image of {size} ({reason})") from error
    finally:
        network.train(was_training)
    parameters = list(network.parameters())
    tensors = [*parameters, *network.buffers()]
    return NetworkTable(
        name=name,
        input=_shape_text(image),
        output=_shape_text(output),
        rows=tuple(_Rows(network, nodes, counter.get_total_flops()).rows()),
        num_parameters=sum(each.numel() for each in parameters),
        num_trainable=sum(each.numel() for each in parameters if each.requires_grad),
        num_macs=counter.get_total_flops() // 2,
        weight_bytes=sum(each.numel() * each.element_size() for each in tensors),
        remarks=tuple(remarks),
    )


@dataclass(slots=True)
class _Node:
    """What was seen of one module.

    Attributes:
        order: number of its first call.
        flops: of all its calls, with what it calls.
        own: of them those before it calls its first part.
        after: those of its caller behind it, up to the next part: functions between two modules.
        output: shape of the last output.
    """

    order: int
    flops: int = 0
    own: int = 0
    after: int = 0
    output: str = ""


@dataclass(slots=True)
class _Call:
    """A call that has not ended: when it began, and of its parts the last one and when that ended."""

    node: _Node
    began: int
    ended: int
    last: _Node | None = None

    def reach(self, now: int) -> None:
        """Give what was counted since the last part to that."""
        if self.last is None:
            self.node.own += now - self.ended
        else:
            self.last.after += now - self.ended
        self.ended = now


@contextmanager
def _watched(network: nn.Module, counter: FlopCounterMode) -> Iterator[dict[nn.Module, _Node]]:
    """Note of each module what its calls cost; torch's counter names modules, and two may share a name."""
    nodes: dict[nn.Module, _Node] = {}
    calls: list[_Call] = []

    def begin(module: nn.Module, inputs: Any) -> None:
        now = counter.get_total_flops()
        if calls:
            calls[-1].reach(now)
        node = nodes.setdefault(module, _Node(len(nodes)))
        calls.append(_Call(node, now, now))

    def end(module: nn.Module, inputs: Any, output: Any) -> None:
        now, call = counter.get_total_flops(), calls.pop()
        call.reach(now)
        call.node.flops += now - call.began
        call.node.output = _shape_text(output)
        if calls:
            calls[-1].last, calls[-1].ended = call.node, now

    handles = [
        handle
        for each in network.modules()
        for handle in (each.register_forward_pre_hook(begin), each.register_forward_hook(end))
    ]
    try:
        yield nodes
    finally:
        for each in handles:
            each.remove()


@contextmanager
def _countable() -> Iterator[None]:
    """Let attention run as matrix products, which are counted; the fused kernels of a CPU are not."""
    is_fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(is_fast)


class _Rows:
    """A network as rows, one for each stage: a module that most of the work is done in is opened up.

    Neighbours whose outputs have one shape make one row, so that a thousand layers stay a few rows.
    """

    def __init__(self, network: nn.Module, nodes: Mapping[nn.Module, _Node], total: int) -> None:
        self._network, self._nodes, self._total = network, nodes, total
        self._counted: set[int] = set()

    def rows(self) -> list[StageRow]:
        """Return the rows; parameters that two of them share are counted in the first."""
        rows = self._opened("", self._network)
        return rows or [self._row("", type(self._network).__name__, [self._network])]

    def _opened(self, path: str, module: nn.Module) -> list[StageRow]:
        """Return the rows of what a module holds, those of parameters that are its own first."""
        own = list(module.named_parameters(recurse=False))
        macs = self._nodes[module].own // 2 if module in self._nodes else 0
        rows = []
        if (own or macs) and _has_parts(module):
            count, trained = self._parameters(each for _, each in own)
            name = f"{path}({', '.join(name for name, _ in own)})"
            rows.append(StageRow(name, "", count, trained, macs))
        children = sorted(module.named_children(), key=lambda each: self._order(each[1]))
        folded: list[tuple[str, nn.Module]] = []
        for name, child in children:
            if folded and (self._is_opened(child) or not self._is_like(child, folded[0][1])):
                rows.append(self._folded(path, folded))
                folded = []
            if self._is_opened(child):
                rows.extend(self._opened(f"{path}{name}.", child))
            elif self._is_used(child) or any(True for _ in child.parameters()):
                folded.append((name, child))
        return [*rows, self._folded(path, folded)] if folded else rows

    def _folded(self, path: str, members: Sequence[tuple[str, nn.Module]]) -> StageRow:
        (first, module), last = members[0], members[-1][0]
        if len(members) > 1:
            return self._row(path, f"{first} to {last}", [each for _, each in members])
        count = len(module) if isinstance(module, nn.Sequential | nn.ModuleList) else 1
        return self._row(path, f"{first} ({count})" if count > 1 else first, [module])

    def _row(self, path: str, name: str, modules: Sequence[nn.Module]) -> StageRow:
        count, trained = self._parameters(
            itertools.chain.from_iterable(each.parameters() for each in modules)
        )
        flops = sum(self._flops(each) for each in modules)
        return StageRow(f"{path}{name}", self._shape(modules[-1]), count, trained, flops // 2)

    def _parameters(self, parameters: Iterator[nn.Parameter]) -> tuple[int, int]:
        """Return how many numbers these hold that no row has counted, and how many of them are trained."""
        found = {id(each): each for each in parameters if id(each) not in self._counted}
        self._counted |= found.keys()
        trained = (each.numel() for each in found.values() if each.requires_grad)
        return sum(each.numel() for each in found.values()), sum(trained)

    def _is_opened(self, module: nn.Module) -> bool:
        children = [each for each in module.children() if self._is_used(each)]
        if not children or 2 * self._flops(module) <= self._total:
            return False
        is_one_stage = all(self._is_like(each, children[0]) for each in children)
        return not is_one_stage or any(map(self._is_opened, children))

    def _is_like(self, module: nn.Module, other: nn.Module) -> bool:
        """Return whether two modules are of one stage: layers, or blocks, with the same shape of output."""
        kinds = ((self._shape(each), _has_parts(each)) for each in (module, other))
        return self._is_used(module) and self._is_used(other) and len(set(kinds)) == 1

    def _is_used(self, module: nn.Module) -> bool:
        return any(each in self._nodes for each in module.modules())

    def _order(self, module: nn.Module) -> int:
        orders = [self._nodes[each].order for each in module.modules() if each in self._nodes]
        return min(orders, default=len(self._nodes))

    def _flops(self, module: nn.Module) -> int:
        if module in self._nodes:
            return self._nodes[module].flops + self._nodes[module].after
        return sum(self._flops(each) for each in module.children())

    def _shape(self, module: nn.Module) -> str:
        """Return the shape of what comes out; of a list, which is never called, that of its last part."""
        if module in self._nodes:
            return self._nodes[module].output
        called = [self._nodes[each] for each in module.modules() if each in self._nodes]
        return max(called, key=lambda each: each.order).output if called else ""


def _has_parts(module: nn.Module) -> bool:
    return next(module.children(), None) is not None


def _shape_text(value: Any) -> str:
    """Return the shape of one image's tensor, and of several all of them; the first dimension is left out."""
    if isinstance(value, torch.Tensor):
        shape = value.shape[1:] if value.shape[:1] == (1,) else value.shape
        return " x ".join(map(str, shape)) or "1"
    members = list(value.values()) if isinstance(value, Mapping) else value
    if isinstance(members, list | tuple):
        return ", ".join(each for each in map(_shape_text, members) if each)
    return ""
