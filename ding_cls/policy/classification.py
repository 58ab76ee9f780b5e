"""Image classification: one update, from a batch to the optimizer's step."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import torch

from ding_cls.common.seed import Stream, derive_seed, torch_randomness
from ding_cls.common.timing import EasyTimer
from ding_cls.config.defaults import POLICY, defaults
from ding_cls.config.merge import plain_copy
from ding_cls.distributed.wrap import sync_buffers, wrap_ddp
from ding_cls.errors import ConfigError
from ding_cls.models import Outputs, load_pretrained, new_network, pretrained_file
from ding_cls.policy.base import Policy
from ding_cls.policy.losses import loss_of, total
from ding_cls.policy.optimization import lr_scheduler_of, optimizer_of
from ding_cls.types import Batch

_LOGGER = logging.getLogger(__name__)
_ALWAYS_LOGGED = ("cur_lr", "total_loss", "forward_time", "backward_time", "sync_time")
_PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class ImageClassificationPolicy(Policy):
    """Trains a network that turns images into logits, or one that brings its losses (``computes_loss``).

    It takes our loader's ``Batch`` and the ``[images, targets]`` of any torch DataLoader. Attributes that
    others may set through the modes: ``prepare_batch`` (a callable that turns uint8 images into normalised
    ones), ``updates_per_epoch`` (the learning rate then follows the updates, not the calls of
    ``lr_scheduler.step()``), ``seed`` (of dropout and the like), ``class_names``.
    """

    config: ClassVar[Mapping[str, Any]] = defaults(POLICY)
    _prepare_batch: Callable[[Batch], Batch] | None = None

    def default_model(self) -> torch.nn.Module:
        """Return the network that ``cfg.model`` describes; 1,000 classes when it names no number."""
        description = plain_copy(self._cfg.model)
        network = new_network(description, num_classes=description.get("num_classes") or 1000)
        weights = pretrained_file(network, description)
        if weights is not None:
            _LOGGER.info("%s: %s", type(network).__name__, load_pretrained(network, weights))
        return network

    def _init_learn(self) -> None:
        learn = self._cfg.learn
        if learn.channels_last:
            self._model = self._model.to(memory_format=torch.channels_last)
        self._optimizer = optimizer_of(self._model, learn)
        self._lr_scheduler = lr_scheduler_of(self._optimizer, learn)
        self._loss = loss_of(self._model, learn, self._device)
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=learn.precision == "fp16")
        self._learn_model = wrap_ddp(self._model, self._device) if self._world_size > 1 else self._model
        self._are_buckets_settled = self._world_size == 1
        self._forward_timer, self._backward_timer = EasyTimer(self._cuda), EasyTimer(self._cuda)
        self._seed = torch.initial_seed()
        self._train_iter = 0
        self._logged = [*_ALWAYS_LOGGED, "acc1"]

    def _forward_learn(self, data: Any) -> dict[str, Any]:
        """Do one update: forward and backward of each piece, then the optimizer's step.

        Nothing in it waits for the device: losses and accuracies are returned as 0-dim tensors. The one
        exception is fp16, where torch's GradScaler reads whether to skip the step.
        """
        learning_rate = self._lr_scheduler.apply(self._train_iter)
        batch = self._as_batch(data)
        # DDP's wrapper does not notice that evaluation switched the network inside it.
        if not self._model.training:
            self._learn_model.train()
        self._settle_buckets(batch)
        clock, sums = _Phases(), _Sums(self._device)
        with torch_randomness(
            derive_seed(Stream.STEP, self._seed, self._train_iter, self._rank), self._device
        ):
            batch = self._prepared(batch)
            self._optimizer.zero_grad(set_to_none=True)
            buffers = self._copied_buffers() if self._scaler.is_enabled() else []
            for piece, share, gradient_sync in self._pieces(batch):
                with gradient_sync:
                    with self._forward_timer, self._autocast():
                        outputs = self._outputs(piece)
                        loss = total(outputs.losses) * share
                    with self._backward_timer:
                        torch.autograd.backward(self._scaler.scale(loss))
                clock.add(self._forward_timer, self._backward_timer)
                sums.add(loss, outputs, piece.targets, share)
            if self._scaler.is_enabled():
                self._scaled_step(buffers)
            else:
                self._optimizer.step()
        self._train_iter += 1
        found = {
            "cur_lr": learning_rate,
            "total_loss": sums.loss,
            "forward_time": clock.forward,
            "backward_time": clock.backward,
            # DDP reduces gradients while the backward pass runs: what it costs beyond that is in
            # backward_time.
            "sync_time": 0.0,
            **sums.accuracy(len(batch)),
        }
        # A loss that bears the name of something else would hide it.
        found |= {name: value for name, value in sums.by_name.items() if name not in found}
        self._logged = list(found)
        return found

    def _monitor_vars_learn(self) -> list[str]:
        """Return the names of the last update: there is no accuracy where the head gives losses alone."""
        return list(self._logged)

    def _info_learn(self) -> str:
        processes = f", {self._world_size} processes" if self._world_size > 1 else ""
        return f"{super()._info_learn()}, {self._cfg.learn.precision}{processes}"

    def _state_dict_learn(self) -> dict[str, Any]:
        return {
            **super()._state_dict_learn(),
            "scaler": self._scaler.state_dict(),
            "lr_scheduler": self._lr_scheduler.state_dict(),
            "train_iter": self._train_iter,
        }

    def _load_state_dict_learn(self, state: Mapping[str, Any]) -> None:
        super()._load_state_dict_learn(state)
        if state.get("scaler"):
            self._scaler.load_state_dict(state["scaler"])
        if "lr_scheduler" in state:
            self._lr_scheduler.load_state_dict(state["lr_scheduler"])
        self._train_iter = state.get("train_iter", state.get("last_iter", 0))

    def _init_eval(self) -> None:
        self._eval_model = self._model

    def _reset_eval(self, **kwargs: Any) -> None:
        if self._world_size > 1:
            # Each rank's BatchNorm has seen its own samples; the checkpoint holds rank 0's statistics.
            sync_buffers(self._model)

    def _forward_eval(self, data: Any) -> torch.Tensor:
        """Return logits, float32 ``(N, C)``, of a batch or of normalised images ``(N, 3, H, W)``."""
        if self._eval_model.training:
            self._eval_model.eval()
        with torch.no_grad():
            batch = self._prepared(self._as_batch(data))
            with self._autocast():
                logits: torch.Tensor = self._eval_model(self._images(batch))
        return logits.float()

    def _as_batch(self, data: Any) -> Batch:
        """Return any of the accepted forms as a ``Batch`` on the policy's device."""
        if isinstance(data, Batch):
            return data.to(self._device)
        images, targets = (data[0], data[1]) if isinstance(data, list | tuple) else (data, None)
        if targets is None:
            targets = torch.zeros(len(images), dtype=torch.int64)
        return Batch(images, targets, torch.arange(len(images))).to(self._device)

    def _prepared(self, batch: Batch) -> Batch:
        return batch if self._prepare_batch is None else self._prepare_batch(batch)

    def _images(self, batch: Batch) -> torch.Tensor:
        if not batch.images.is_floating_point():
            raise ConfigError(
                f"the policy got {batch.images.dtype} images and nothing that normalises them; "
                "set the attribute 'prepare_batch', for example to Preprocessing(...).prepare"
            )
        if self._cfg.learn.channels_last:
            return batch.images.to(memory_format=torch.channels_last)
        return batch.images

    def _outputs(self, piece: Batch) -> Outputs:
        """Return logits and losses of a piece; it is their sum that is minimised."""
        if self._loss is None:
            weights = () if piece.weights is None else (piece.weights,)
            return Outputs(*self._learn_model(self._images(piece), piece.targets, *weights))
        logits = self._learn_model(self._images(piece)).float()
        return Outputs(logits, {"loss": self._loss(logits, piece.targets, piece.weights)})

    def _pieces(
        self, batch: Batch
    ) -> Iterator[tuple[Batch, float | torch.Tensor, AbstractContextManager[None]]]:
        """Yield each piece of the batch, its share of the loss, and whether its backward pass reduces
        gradients."""
        pieces = batch.split(self._cfg.learn.accumulation_steps)
        for number, piece in enumerate(pieces, 1):
            is_last = number == len(pieces)
            waits = nullcontext() if is_last or self._world_size == 1 else self._no_sync()
            if piece.weights is None or batch.weights is None:
                yield piece, len(piece) / len(batch), waits
            else:
                yield piece, piece.weights.sum() / batch.weights.sum(), waits

    def _no_sync(self) -> AbstractContextManager[None]:
        without_sync: AbstractContextManager[None] = self._learn_model.no_sync()  # type: ignore[operator]
        return without_sync

    def _autocast(self) -> AbstractContextManager[Any]:
        precision = self._cfg.learn.precision
        if precision == "fp32":
            return nullcontext()
        return torch.autocast(self._device.type, dtype=_PRECISIONS[precision])

    def _settle_buckets(self, batch: Batch) -> None:
        """Let DDP lay out its buckets before the first update, and leave no trace of it.

        DDP lays them out anew after its first backward pass; the order of summation then changes, and from
        three ranks on a resumed run would differ from an uninterrupted one in the last bits of its first
        update.
        """
        if self._are_buckets_settled:
            return
        buffers = self._copied_buffers()
        with torch_randomness(0, self._device):
            # A piece of the size that training uses: the whole batch may not fit in memory.
            prepared = self._prepared(batch).split(self._cfg.learn.accumulation_steps)[0]
            for _ in range(2):
                with self._autocast():
                    loss = total(self._outputs(prepared).losses)
                torch.autograd.backward(loss)
                self._optimizer.zero_grad(set_to_none=True)
        with torch.no_grad():
            for buffer, before in zip(self._model.buffers(), buffers, strict=True):
                buffer.copy_(before)
        self._are_buckets_settled = True

    def _scaled_step(self, buffers: list[torch.Tensor]) -> None:
        """Step unless a gradient overflowed; a skipped update leaves BatchNorm's buffers alone too."""
        self._scaler.step(self._optimizer)
        (found_inf,) = self._scaler._found_inf_per_device(self._optimizer).values()
        overflowed = found_inf > 0
        with torch.no_grad():
            for buffer, before in zip(self._model.buffers(), buffers, strict=True):
                buffer.copy_(torch.where(overflowed, before, buffer))
        self._scaler.update()

    def _copied_buffers(self) -> list[torch.Tensor]:
        return [buffer.clone() for buffer in self._model.buffers()]

    def _set_updates_per_epoch(self, count: int) -> None:
        self._lr_scheduler.updates_per_epoch = count

    def _set_class_names(self, names: Sequence[str]) -> None:
        self._class_names = tuple(names)
        if hasattr(self._model, "CLASSES"):
            setattr(self._model, "CLASSES", self._class_names)  # noqa: B010 (mypy knows no such attribute)


class _Sums:
    """Loss and hits of the pieces of one update, on the device.

    Attributes:
        loss: the sum of all losses.
        by_name: each loss, where there are several.
    """

    def __init__(self, device: torch.device) -> None:
        self.loss = torch.zeros((), device=device)
        self.by_name: dict[str, torch.Tensor] = {}
        self._hits: torch.Tensor | None = torch.zeros((), device=device)

    def add(
        self, loss: torch.Tensor, outputs: Outputs, targets: torch.Tensor, share: float | torch.Tensor
    ) -> None:
        """Add a piece, of which ``loss`` is the total, its share applied."""
        self.loss = self.loss + loss.detach()
        if len(outputs.losses) > 1:
            for name, value in outputs.losses.items():
                self.by_name[name] = self.by_name.get(name, 0.0) + value.detach() * share
        if outputs.logits is None or self._hits is None:
            self._hits = None
        else:
            self._hits = self._hits + (outputs.logits.detach().argmax(1) == targets).sum()

    def accuracy(self, count: int) -> dict[str, torch.Tensor]:
        """Return ``acc1`` in percent of ``count`` samples; nothing where there were no logits."""
        return {} if self._hits is None else {"acc1": self._hits * (100.0 / count)}


class _Phases:
    """Seconds of the forward and backward passes of one update, added up only when somebody reads them."""

    def __init__(self) -> None:
        self.forward: Any = 0.0
        self.backward: Any = 0.0

    def add(self, forward: EasyTimer, backward: EasyTimer) -> None:
        self.forward = forward.lazy() + self.forward
        self.backward = backward.lazy() + self.backward
