"""Image classification: one update, from a batch to the optimizer's step."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any, ClassVar

import torch

from ding_cls.common.seed import StepRandomness, Stream, derive_seed, torch_randomness
from ding_cls.common.timing import clock
from ding_cls.config.defaults import POLICY, defaults
from ding_cls.config.merge import plain_copy
from ding_cls.distributed.comm import allreduce
from ding_cls.distributed.wrap import sync_buffers, wrap_ddp
from ding_cls.errors import ConfigError
from ding_cls.models import Outputs, load_initial_weights, new_network
from ding_cls.policy.base import Policy
from ding_cls.policy.batches import as_batch
from ding_cls.policy.distillation import Distillation
from ding_cls.policy.freezing import build_freezing
from ding_cls.policy.learn_state import check_learn_state
from ding_cls.policy.losses import build_batch_loss, set_class_counts, total
from ding_cls.policy.optimizer import build_lr_scheduler, build_optimizer, clear_gradients
from ding_cls.policy.precise_bn import recompute_statistics
from ding_cls.policy.settings import build_optional
from ding_cls.policy.stages import StageSwitcher, minimises_cross_entropy
from ding_cls.policy.unused_parameters import UnusedParameterReporter
from ding_cls.policy.update.finite import FiniteUpdates
from ding_cls.policy.update.grad_clip import Clipping
from ding_cls.policy.update.loss_scaler import LossScaler, autocast, check_precision
from ding_cls.policy.update.sam import Sharpness
from ding_cls.policy.update.step_stats import StepStats
from ding_cls.policy.weight_averaging import (
    EvaluatedWeights,
    ExtraEvaluations,
    LastWeights,
    average_in,
    evaluated_weights,
    with_average,
)
from ding_cls.types import Batch

_LOGGER = logging.getLogger(__name__)
_ALWAYS_LOGGED = ("cur_lr", "total_loss", "forward_time", "backward_time", "sync_time")
_NOTHING = nullcontext()
# A piece of a batch, its share of the loss (None: all of it), whether its backward pass reduces gradients.
_Piece = tuple[Batch, float | torch.Tensor | None, AbstractContextManager[None]]


class ImageClassificationPolicy(Policy):
    """Trains a network that turns images into logits, or one that brings its losses (``computes_loss``).

    It takes our loader's ``Batch`` and the ``[images, targets]`` of any torch DataLoader. Attributes that
    others may set through the modes: ``prepare_batch`` (a callable that turns uint8 images into normalised
    ones), ``mix_batch`` (a callable of a prepared batch and the epoch, for ``learn.batch_augments``; with
    ``learn.recipes`` a list, the first and one for each recipe),
    ``updates_per_epoch`` (the learning rate then follows the updates, not the calls of
    ``lr_scheduler.step()``), ``seed`` (of dropout and the like), ``class_names``, ``class_counts`` (a
    callable that returns the training samples of each class, int64 ``(C,)``).
    """

    config: ClassVar[Mapping[str, Any]] = defaults(POLICY)
    _prepare_batch: Callable[[Batch], Batch] | None = None
    _mix_batch: Any = None

    def default_model(self) -> torch.nn.Module:
        """Return the network that ``cfg.model`` describes; 1,000 classes when it names no number."""
        description = plain_copy(self._cfg.model)
        network = new_network(description, num_classes=description.get("num_classes") or 1000)
        for report in load_initial_weights(network, description):
            _LOGGER.info("%s: %s", type(network).__name__, report)
        return network

    def _init_learn(self) -> None:
        learn = self._cfg.learn
        check_precision(learn.precision, self._device, is_forced=self._cfg.cuda is False)
        if learn.channels_last:
            self._model = self._model.to(memory_format=torch.channels_last)
        self._optimizer = build_optimizer(self._model, learn)
        self._lr_scheduler = build_lr_scheduler(self._optimizer, learn)
        # The optimizer knows all parameters: one without a gradient is left alone.
        self._freezing = build_freezing(self._model, learn)
        self._clipping = build_optional(Clipping, learn, "grad_clip")
        self._sam = build_optional(Sharpness, learn, "sam")
        self._unused = UnusedParameterReporter() if learn.detect_anomalous_params else None
        self._evaluated: EvaluatedWeights = evaluated_weights(self._model, self._optimizer, learn)
        self._loss = build_batch_loss(self._model, learn, self._device)
        self._distillation = build_optional(Distillation, learn, "distill")
        if self._distillation is not None:
            self._distillation.begin(self._model, self._device, self._cfg.collect)
        self._stages = StageSwitcher(learn, self._get_networks(), self._loss, self._device)
        self._scaler = LossScaler(self._device.type, learn)
        modules = [self._model, *([] if self._loss is None else self._loss.modules())]
        self._finite = FiniteUpdates(
            self._optimizer, self._scaler, modules, self._device, world_size=self._world_size
        )
        self._wrap()
        self._now = clock(self._cuda)
        self._randomness = StepRandomness(self._device)
        self._is_whole = learn.accumulation_steps == 1
        self._seed = torch.initial_seed()
        self._train_iter = 0
        self._logged = [*_ALWAYS_LOGGED, "acc1"]

    def _forward_learn(self, data: Any) -> dict[str, Any]:
        """Do one update: forward and backward of each piece, then the optimizer's step.

        Nothing in it waits for the device: losses and accuracy are returned as 0-dim tensors, a GPU's seconds
        as records that ``float()`` reads. An update whose loss or gradients are not finite is not applied;
        ``FiniteUpdates`` says how that is decided.
        """
        learning_rate = self._lr_scheduler.apply(self._train_iter)
        batch = as_batch(data).to(self._device)
        # DDP's wrapper does not notice that evaluation switched the network inside it.
        if not self._model.training:
            self._learn_model.train()
        if self._freezing is not None and self._freezing.update(self._finished_epochs()):
            # DDP reduces the gradients that there were when it was made.
            self._wrap()
        if self._stages.has_several:
            self._stages.set_stage(self._train_iter, self._finished_epochs())
        if not self._has_final_buckets:
            self._finish_buckets(batch)
        stats = StepStats(copies=self._loss is None)
        with self._randomness(self._seed, self._train_iter, self._rank):
            batch = self._mixed(self._prepared(batch))
            clear_gradients(self._optimizer)
            self._finite.begin()
            self._propagate(batch, stats)
            losses = [stats.loss]
            if self._sam is not None:
                second = StepStats(copies=self._loss is None)
                with self._sam.perturbed_weights(self._model, self._finite.buffers, self._finite.before):
                    self._propagate(batch, second)
                stats.add_seconds(second)
                losses.append(second.loss)
            if self._unused is not None:
                self._unused(self._model)
            self._finite.inspect(*losses)
            norm = {} if self._clipping is None else {"grad_norm": self._clipping(self._model.parameters())}
            if self._finite.allows(**norm):
                self._optimizer.step()
            self._finite.end()
        self._train_iter += 1
        self._evaluated.update(self._train_iter, self._lr_scheduler.updates_per_epoch, self._finite.verdict)
        found = {
            "cur_lr": learning_rate,
            "total_loss": stats.loss,
            "forward_time": stats.forward,
            "backward_time": stats.backward,
            # DDP reduces gradients while the backward pass runs: that is in backward_time.
            "sync_time": 0.0,
            **stats.accuracy(batch, is_late=self._is_accuracy_late),
            **norm,
        }
        # A loss that bears the name of something else would hide it.
        if stats.by_name:
            found |= {name: value for name, value in stats.by_name.items() if name not in found}
        self._logged = list(found)
        return found

    def _propagate(self, batch: Batch, stats: StepStats) -> None:
        """Add the gradients of each piece of the batch, forward and backward."""
        for piece, share, gradient_sync in self._pieces(batch):
            with gradient_sync:
                began = self._now()
                with self._autocast():
                    outputs = self._outputs(piece)
                    loss = total(outputs.losses)
                    loss = loss if share is None else loss * share
                turned = self._now()
                self._finite.backward(loss)
                ended = self._now()
            stats.add(loss, outputs, piece.targets, share, turned - began, ended - turned)

    def _scheduled_settings(self) -> Collection[str]:
        return self._lr_scheduler.scheduled

    def _monitor_vars_learn(self) -> list[str]:
        """Return the names of the last update: there is no accuracy where the head gives losses alone."""
        return list(self._logged)

    def _info_learn(self) -> str:
        processes = f", {self._world_size} processes" if self._world_size > 1 else ""
        return f"{super()._info_learn()}, {self._cfg.learn.precision}{processes}"

    def _state_dict_learn(self) -> dict[str, Any]:
        state = {
            **super()._state_dict_learn(),
            "scaler": self._scaler.state_dict(),
            "lr_scheduler": self._lr_scheduler.state_dict(),
            "train_iter": self._train_iter,
            "loss": {} if self._loss is None else self._loss.state_dict(),
            "distill": {} if self._distillation is None else self._distillation.state_dict(),
        }
        return with_average(state, self._evaluated.state_dict())

    def _load_state_dict_learn(self, state: Mapping[str, Any]) -> None:
        super()._load_state_dict_learn(state)
        self._finite.after_loading()
        if state.get("scaler"):
            self._scaler.load_state_dict(state["scaler"])
        if "lr_scheduler" in state:
            self._lr_scheduler.load_state_dict(state["lr_scheduler"])
        self._evaluated.load_state_dict(average_in(state))
        if self._loss is not None:
            self._loss.load_state_dict(state.get("loss", {}))
        self._train_iter = state.get("train_iter", state.get("last_iter", 0))

    def _check_state_learn(self, state: Mapping[str, Any]) -> None:
        super()._check_state_learn(state)
        check_learn_state(state, self._model, self._lr_scheduler, self._loss, self._distillation)

    def _init_eval(self) -> None:
        # The learn mode, where there is one, may evaluate an average.
        self._evaluated = getattr(self, "_evaluated", LastWeights(self._model))

    def _state_dict_eval(self) -> dict[str, Any]:
        return {"model": self._get_eval_model().state_dict()}

    def _load_state_dict_eval(self, state: Mapping[str, Any]) -> None:
        super()._load_state_dict_eval(state)
        self._evaluated.load_state_dict({})

    def _get_eval_model(self) -> torch.nn.Module:
        """Return the network that is evaluated: the one in training, or an average of it."""
        return self._evaluated.network()

    def _get_also_evaluated(self) -> ExtraEvaluations:
        return self._evaluated.others()

    def _get_minimises_cross_entropy(self) -> bool:
        return minimises_cross_entropy(self._model, self._cfg.learn)

    def _get_networks(self) -> list[torch.nn.Module]:
        """Return the network in training, and the average where there is one."""
        return [self._model, *self._evaluated.copies()]

    def _recompute_statistics(self, batches: Iterable[Any]) -> None:
        """Compute BatchNorm's statistics anew from training batches, in the network that is evaluated."""
        network = self._get_eval_model()

        def forward(data: Any) -> None:
            with self._autocast():
                network(self._images(self._prepared(as_batch(data).to(self._device))))

        seed = derive_seed(Stream.STEP, self._seed, self._train_iter, self._rank, 1)
        with torch_randomness(seed, self._device):
            frozen = () if self._freezing is None else self._freezing.frozen_modules
            recompute_statistics(network, forward, batches, frozen=frozen)

    def _reset_eval(self, **kwargs: Any) -> None:
        if self._world_size > 1:
            # Each rank's BatchNorm has seen its own samples; the checkpoint holds rank 0's statistics.
            sync_buffers(self._model)
            if self._get_eval_model() is not self._model:
                sync_buffers(self._get_eval_model())

    def _forward_eval(self, data: Any) -> torch.Tensor:
        """Return logits, float32 ``(N, C)``, of a batch or of normalised images ``(N, 3, H, W)``."""
        network = self._get_eval_model()
        if network.training:
            network.eval()
        with torch.no_grad():
            batch = self._prepared(as_batch(data).to(self._device))
            with self._autocast():
                logits: torch.Tensor = network(self._images(batch))
        return logits.float()

    def _get_eval_loss(self) -> Callable[[Any], torch.Tensor]:
        return self._eval_loss

    def _eval_loss(self, data: Any) -> torch.Tensor:
        """Return the loss that the last update minimised, a mean over the batch, with nothing updated."""
        last = max(self._train_iter - 1, 0)
        self._stages.set_stage(last, self._finished_epochs(last))
        network = self._get_eval_model()
        if network.training:
            network.eval()
        with torch.no_grad():
            batch = self._prepared(as_batch(data).to(self._device))
            with self._autocast():
                return total(self._outputs(batch, network).losses)

    def _prepared(self, batch: Batch) -> Batch:
        return batch if self._prepare_batch is None else self._prepare_batch(batch)

    def _mixed(self, batch: Batch) -> Batch:
        """Return a batch of normalised images after ``learn.batch_augments``: its targets are shares then."""
        if not self._stages.batch_augments or not batch.images.is_floating_point():
            return batch
        mix_batch = self._stages.picked(self._mix_batch)
        if mix_batch is None:
            raise ConfigError(
                "policy.learn.batch_augments is set and the policy got nothing that mixes batches; set the "
                "attribute 'mix_batch', for example to ding_cls.data.BatchMixing(augments, num_classes=10)"
            )
        mixed: Batch = mix_batch(batch, self._finished_epochs())
        return mixed

    def _finished_epochs(self, train_iter: int | None = None) -> int:
        count = self._train_iter if train_iter is None else train_iter
        updates_per_epoch = self._lr_scheduler.updates_per_epoch
        return count // updates_per_epoch if updates_per_epoch else self._lr_scheduler.epoch

    def _wrap(self) -> None:
        self._learn_model = self._model
        if self._world_size > 1:
            are_some_unused = self._cfg.learn.find_unused_parameters
            self._learn_model = wrap_ddp(self._model, self._device, find_unused_parameters=are_some_unused)
        self._has_final_buckets = self._world_size == 1

    def _images(self, batch: Batch) -> torch.Tensor:
        if not batch.images.is_floating_point():
            raise ConfigError(
                f"the policy got {batch.images.dtype} images and nothing that normalises them; "
                "set the attribute 'prepare_batch', for example to Preprocessing(...).prepare"
            )
        if self._cfg.learn.channels_last:
            return batch.images.to(memory_format=torch.channels_last)
        return batch.images

    def _outputs(self, piece: Batch, network: torch.nn.Module | None = None) -> Outputs:
        """Return logits and losses of a piece; it is their sum that is minimised."""
        network = self._learn_model if network is None else network
        images = self._images(piece)
        if self._loss is None:
            weights = () if piece.weights is None else (piece.weights,)
            outputs = Outputs(*network(images, piece.targets, *weights))
        else:
            logits = network(images).float()
            outputs = Outputs(logits, {"loss": self._loss(logits, piece.targets, piece.weights)})
        if self._distillation is None:
            return outputs
        return self._distillation(outputs, images, piece.weights)

    def _pieces(self, batch: Batch) -> Iterable[_Piece]:
        """Return the pieces that a batch is propagated in: most often one."""
        if self._is_whole and batch.weights is None and batch.share is None:
            return ((batch, None, _NOTHING),)
        return self._split(batch)

    def _split(self, batch: Batch) -> Iterator[_Piece]:
        pieces = batch.split(self._cfg.learn.accumulation_steps)
        # A sample that stands in for none has no weight.
        whole = None if batch.weights is None else batch.weights.sum() * bool(batch.scale)
        if whole is not None and self._world_size > 1:
            # The mean over the ranks: DDP divides by their number, and the weights' sum is that of all.
            allreduce(whole)
        for number, piece in enumerate(pieces, 1):
            is_synced = number == len(pieces) or self._world_size == 1
            waits = _NOTHING if is_synced else self._learn_model.no_sync()  # type: ignore[operator]
            if piece.weights is None or whole is None:
                yield piece, batch.scale * len(piece) / len(batch), waits
            else:
                yield piece, bool(batch.scale) * piece.weights.sum() / whole, waits

    @cached_property
    def _autocast(self) -> Callable[[], AbstractContextManager[Any]]:
        return autocast(self._cfg.learn.precision, self._device)

    def _finish_buckets(self, batch: Batch) -> None:
        """Let DDP lay out its buckets before the first update, and leave no trace of it.

        DDP lays them out anew after its first backward pass; the order of summation then changes, and from
        three ranks on a resumed run would differ from an uninterrupted one in the last bits of its first
        update.
        """
        self._finite.begin()
        with torch_randomness(0, self._device):
            # A piece of the size that training uses: the whole batch may not fit in memory.
            prepared = self._mixed(self._prepared(batch)).split(self._cfg.learn.accumulation_steps)[0]
            for _ in range(2):
                with self._autocast():
                    loss = total(self._outputs(prepared).losses)
                torch.autograd.backward(loss)
                clear_gradients(self._optimizer)
        self._finite.restore()
        self._has_final_buckets = True

    def _set_updates_per_epoch(self, count: int) -> None:
        self._lr_scheduler.updates_per_epoch = count

    def _set_class_names(self, names: Sequence[str]) -> None:
        self._class_names = tuple(names)
        if hasattr(self._model, "CLASSES"):
            setattr(self._model, "CLASSES", self._class_names)  # noqa: B010 (mypy knows no such attribute)
        if distillation := getattr(self, "_distillation", None):
            distillation.check_classes(self._class_names)

    def _set_class_counts(self, count: Callable[[], torch.Tensor]) -> None:
        self._class_counts = count
        loss = getattr(self, "_loss", None)
        losses = getattr(getattr(self, "_stages", None), "losses", ())
        parts = (*self._get_networks(), None if loss is None else loss.module, *losses)
        set_class_counts(parts, count, self._device)
