"""Image classification: SGD with momentum on cross-entropy."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import torch
from torch.nn import functional

from ding_cls.common.seed import Stream, derive_seed, torch_randomness
from ding_cls.common.timing import EasyTimer
from ding_cls.config.defaults import POLICY, defaults
from ding_cls.distributed.wrap import sync_buffers, wrap_ddp
from ding_cls.errors import ConfigError
from ding_cls.models import build_model
from ding_cls.optim import LearningRate, LrScheduler, build_sgd
from ding_cls.policy.base import Policy
from ding_cls.types import Batch

_PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class ImageClassificationPolicy(Policy):
    """Trains a network that turns images into logits.

    It takes our loader's ``Batch`` and the ``[images, targets]`` of any torch DataLoader. Attributes that
    others may set through the modes: ``prepare_batch`` (a callable that turns uint8 images into normalised
    ones), ``updates_per_epoch`` (the learning rate then follows the updates, not the calls of
    ``lr_scheduler.step()``), ``seed`` (of dropout and the like), ``class_names``.
    """

    config: ClassVar[Mapping[str, Any]] = defaults(POLICY)
    _prepare_batch: Callable[[Batch], Batch] | None = None

    def default_model(self) -> torch.nn.Module:
        """Return the network that ``cfg.model`` names; 1,000 classes when it names no number."""
        arguments = dict(self._cfg.model)
        arguments["num_classes"] = arguments.get("num_classes") or 1000
        return build_model(arguments.pop("name"), **arguments)

    def _init_learn(self) -> None:
        learn = self._cfg.learn
        if learn.channels_last:
            self._model = self._model.to(memory_format=torch.channels_last)
        self._optimizer = build_sgd(
            self._model,
            lr=learn.learning_rate,
            momentum=learn.momentum,
            weight_decay=learn.weight_decay,
            nesterov=learn.nesterov,
        )
        schedule = LearningRate(
            learn.learning_rate,
            schedule=learn.lr_schedule,
            total_epochs=learn.train_epoch,
            decay_epoch=learn.decay_epoch,
            decay_rate=learn.decay_rate,
            min_lr=learn.min_lr,
            warmup_lr=learn.warmup_lr,
            warmup_epochs=learn.warmup_epoch,
        )
        self._lr_scheduler = LrScheduler(schedule, self._optimizer)
        self._scaler = torch.amp.GradScaler(self._device.type, enabled=learn.precision == "fp16")
        self._learn_model = wrap_ddp(self._model, self._device) if self._world_size > 1 else self._model
        self._are_buckets_settled = self._world_size == 1
        self._forward_timer, self._backward_timer = EasyTimer(self._cuda), EasyTimer(self._cuda)
        self._seed = torch.initial_seed()
        self._train_iter = 0

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
        clock = _Phases()
        loss_sum = hits = torch.zeros((), device=self._device)
        with torch_randomness(
            derive_seed(Stream.STEP, self._seed, self._train_iter, self._rank), self._device
        ):
            batch = self._prepared(batch)
            self._optimizer.zero_grad(set_to_none=True)
            buffers = self._copied_buffers() if self._scaler.is_enabled() else []
            for piece, share, gradient_sync in self._pieces(batch):
                with gradient_sync:
                    with self._forward_timer, self._autocast():
                        logits = self._learn_model(self._images(piece))
                        loss = self._loss(logits.float(), piece) * share
                    with self._backward_timer:
                        torch.autograd.backward(self._scaler.scale(loss))
                clock.add(self._forward_timer, self._backward_timer)
                loss_sum = loss_sum + loss.detach()
                hits = hits + (logits.detach().argmax(1) == piece.targets).sum()
            if self._scaler.is_enabled():
                self._scaled_step(buffers)
            else:
                self._optimizer.step()
        self._train_iter += 1
        return {
            "cur_lr": learning_rate,
            "total_loss": loss_sum,
            "forward_time": clock.forward,
            "backward_time": clock.backward,
            # DDP reduces gradients while the backward pass runs: what it costs beyond that is in
            # backward_time.
            "sync_time": 0.0,
            "acc1": hits * (100.0 / len(batch)),
        }

    def _monitor_vars_learn(self) -> list[str]:
        return ["cur_lr", "total_loss", "forward_time", "backward_time", "sync_time", "acc1"]

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

    def _loss(self, logits: torch.Tensor, batch: Batch) -> torch.Tensor:
        smoothing = self._cfg.learn.label_smoothing
        if batch.weights is None:
            return functional.cross_entropy(logits, batch.targets, label_smoothing=smoothing)
        losses = functional.cross_entropy(logits, batch.targets, label_smoothing=smoothing, reduction="none")
        return (losses * batch.weights).sum() / batch.weights.sum()

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
                    logits = self._learn_model(self._images(prepared))
                torch.autograd.backward(self._loss(logits.float(), prepared))
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


class _Phases:
    """Seconds of the forward and backward passes of one update, added up only when somebody reads them."""

    def __init__(self) -> None:
        self.forward: Any = 0.0
        self.backward: Any = 0.0

    def add(self, forward: EasyTimer, backward: EasyTimer) -> None:
        self.forward = forward.lazy() + self.forward
        self.backward = backward.lazy() + self.backward
