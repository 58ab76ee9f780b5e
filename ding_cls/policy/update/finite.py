"""An update whose loss or gradients are not finite is not applied: it leaves no trace in what is learned.

Who decides, and where:

- A CPU's flag is read at once: nothing waits for it.
- On CUDA the flag stays there. torch's SGD, Adam and AdamW step in their fused form, whose kernels leave
  weights, moments and step counters alone where the flag is set; BatchNorm's and the loss's buffers are
  chosen on the device; the host reads the flag an update later (``Verdict``). For an optimizer without such
  kernels, and for Adam's first step, which makes its state, the host reads the flag at once, as torch's
  GradScaler does.
- Under DDP the flag follows from the reduced gradients alone, so all ranks have the same one: what is not
  finite on one rank makes its gradients so before they are reduced.
"""

from collections.abc import Iterable, Sequence
from operator import is_

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

from ding_cls.policy.modes import APPLIED, Verdict
from ding_cls.policy.update.loss_scaler import LossScaler

_WITH_A_FLAG = (SGD, Adam, AdamW)
_FORMS = ("foreach", "fused", "capturable", "differentiable")


class FiniteUpdates:
    """Sees an update through: ``begin``, ``backward`` of each piece, ``inspect``, ``allows``, the optimizer's
    step where that says so, ``end``.

    Args:
        optimizer: steps.
        scaler: scales the loss in fp16.
        modules: the network, and the loss where it is a module: their buffers are what a pass changes
            without the optimizer.
        device: where all of it lies.
        world_size: number of processes.
        on_device: the device decides; None: on CUDA.

    Attributes:
        buffers: those of the modules.
        before: their values before the update.
        verdict: what became of the last update; None before the first.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        scaler: LossScaler,
        modules: Iterable[nn.Module],
        device: torch.device,
        *,
        world_size: int = 1,
        on_device: bool | None = None,
    ) -> None:
        self._optimizer, self._scaler, self._is_scaled = optimizer, scaler, scaler.is_enabled()
        self._is_alone = world_size == 1
        self._owners = [each._buffers for module in modules for each in module.modules() if each._buffers]
        self.buffers: list[Tensor] = []
        self.before: list[Tensor] = []
        # A mask may be of infinities all along: it is left out where numbers have to be finite.
        self._masks = [each for each in self._found() if each.is_floating_point() and not _are_finite(each)]
        self._checked: list[Tensor] = []
        self._groups: list[tuple[list[Tensor], list[Tensor]]] = []
        self._one = torch.ones((), device=device)
        self._bad = torch.zeros((), device=device)
        # The memory itself, which costs a tenth of a microsecond to read.
        self._memory = self._bad.numpy() if device.type == "cpu" else None
        # A rate may be too high for finite gradients: no later update finds such weights finite.
        self._weights = [each.detach() for group in optimizer.param_groups for each in group["params"]]
        self._scratch: list[Tensor] = []
        self.verdict: Verdict | None = None
        self._verdict: Verdict | None = None
        self._is_deciding, self._is_bad = True, False
        wanted = device.type == "cuda" if on_device is None else on_device
        self._is_on_device = wanted and _use_fused(optimizer)

    def begin(self) -> None:
        """Remember what the passes will change."""
        if not self._owners:
            return
        found = self._found()
        if len(found) != len(self.buffers) or not all(map(is_, found, self.buffers)):
            self._regroup(found)
        for before, now in self._groups:
            torch._foreach_copy_(before, now)

    def backward(self, loss: Tensor) -> None:
        """Add the gradients of a piece's loss."""
        scaled = self._scaler.scale(loss) if self._is_scaled else loss
        if self._is_alone:
            torch.autograd.backward(scaled)
            return
        # 1, or NaN where this rank's loss or a buffer is not finite: every rank's gradients are NaN then.
        seed = torch.add(self._one, scaled.detach(), alpha=0)
        if self._checked:
            # Copies: the backward pass minds if what it has saved is written, even as it is.
            torch._foreach_copy_(self._scratch, self._checked)
            flag = torch.zeros_like(self._one)
            torch._amp_foreach_non_finite_check_and_unscale_(self._scratch, flag, self._one)
            seed = seed / torch.rsub(flag, 1)
        torch.autograd.backward(scaled, seed.to(scaled.dtype))

    def inspect(self, *losses: Tensor) -> None:
        """Divide out fp16's scale, and look at the whole gradients of the update and at the weights that
        they were computed at.

        Args:
            losses: what was minimised.
        """
        values = [
            grad
            for group in self._optimizer.param_groups
            for each in group["params"]
            if (grad := each.grad) is not None
        ]
        if self._is_scaled:
            self._scaler.unscale_(self._optimizer)
            for found in self._scaler._found_inf_per_device(self._optimizer).values():
                self._bad.copy_(found)
            values = []
        values += self._weights
        if self._is_alone:
            values += [*self._checked, *losses]
        torch._amp_foreach_non_finite_check_and_unscale_(values, self._bad, self._one)

    def allows(self, grad_norm: Tensor | None = None) -> bool:
        """Return whether the optimizer is to step; where the device decides it always is.

        Args:
            grad_norm: of the whole gradient, where that was clipped.
        """
        if grad_norm is not None:
            # Finite gradients whose norm is not were clipped to zeros.
            self._bad.logical_or_(torch.isfinite(grad_norm).logical_not())
        self._is_deciding = not (self._is_on_device and _has_state(self._optimizer))
        if self._is_deciding:
            self._is_bad = bool(self._bad if self._memory is None else self._memory)
            return not self._is_bad
        self._optimizer.found_inf = self._bad  # type: ignore[attr-defined]
        self._is_bad = False
        return True

    def end(self) -> None:
        """Take back what the passes of a skipped update have changed, and say what became of it."""
        counts = self._scaler.is_at_floor() if self._is_scaled else True
        if not self._is_deciding:
            del self._optimizer.found_inf  # type: ignore[attr-defined]
            self._choose_buffers()
            counted = self._bad if counts is True else self._bad * counts
            self.verdict = Verdict.later(torch.stack([self._bad, counted]))
        elif self._is_bad:
            self.restore()
            self.verdict = Verdict(is_skipped=True, counts=bool(counts))
        else:
            self.verdict = APPLIED
        self._verdict = self.verdict
        if self._is_scaled:
            for found in self._scaler._found_inf_per_device(self._optimizer).values():
                found.copy_(self._bad)
            self._scaler.update()
        if self._is_bad or not self._is_deciding:
            self._bad.zero_()

    def restore(self) -> None:
        """Set the buffers to their values at ``begin``."""
        if self.before:
            torch._foreach_copy_(self._found(), self.before)

    def take_verdict(self) -> Verdict | None:
        """Return what became of the last update, once."""
        verdict, self._verdict = self._verdict, None
        return verdict

    def after_loading(self) -> None:
        """Bring an optimizer's loaded step counters to where its kernels want them."""
        if self._is_on_device:
            for weight, state in self._optimizer.state.items():
                if isinstance(state.get("step"), Tensor):
                    state["step"] = state["step"].to(weight.device, torch.float32)

    def _found(self) -> list[Tensor]:
        return [each for owner in self._owners for each in owner.values() if each is not None]

    def _regroup(self, found: Sequence[Tensor]) -> None:
        self.buffers, self.before = [*found], [each.detach().clone() for each in found]
        by_type: dict[torch.dtype | None, tuple[list[Tensor], list[Tensor]]] = {}
        for now, before in zip(self.buffers, self.before, strict=True):
            # Kernels for many tensors take those of one type; a CPU has none, and one call is cheaper there.
            ours = by_type.setdefault(now.dtype if self._memory is None else None, ([], []))
            ours[0].append(before)
            ours[1].append(now)
        self._groups = list(by_type.values())
        self._checked = [
            each
            for each in self.buffers
            if each.is_floating_point() and not any(each is mask for mask in self._masks)
        ]
        self._scratch = [] if self._is_alone else [each.detach().clone() for each in self._checked]

    def _choose_buffers(self) -> None:
        """Set each buffer to its value before, where the flag is set: a few kernels for all of them."""
        found = self._found()
        for dtype in {each.dtype for each in found}:
            targets, earlier = zip(
                *[pair for pair in zip(found, self.before, strict=True) if pair[0].dtype == dtype],
                strict=True,
            )
            now, before = (torch.cat([each.reshape(-1) for each in side]) for side in (targets, earlier))
            chosen = torch.where(self._bad > 0, before, now)
            parts = chosen.split_with_sizes([each.numel() for each in targets])
            torch._foreach_copy_(
                targets, [part.view_as(each) for part, each in zip(parts, targets, strict=True)]
            )


def _use_fused(optimizer: Optimizer) -> bool:
    """Have an optimizer step in the form that takes a flag; return whether it does."""
    if type(optimizer) not in _WITH_A_FLAG:
        return False
    for group in optimizer.param_groups:
        chosen = any(group.get(name) for name in _FORMS) and not group["fused"]
        # The kernels begin a momentum at zero, which is its first gradient only where nothing dampens that.
        if chosen or group.get("dampening") or not all(map(torch.is_floating_point, group["params"])):
            return False
    for group in [*optimizer.param_groups, optimizer.defaults]:
        group["fused"], group["foreach"] = True, None
    return True


def _has_state(optimizer: Optimizer) -> bool:
    """Return whether a step makes no part of the optimizer's state; SGD's is made here."""
    for group in optimizer.param_groups:
        trained = [each for each in group["params"] if each.grad is not None]
        if not isinstance(optimizer, SGD):
            if any(each not in optimizer.state for each in trained):
                return False
        elif group["momentum"] != 0:
            for each in trained:
                if optimizer.state[each].get("momentum_buffer") is None:
                    optimizer.state[each]["momentum_buffer"] = torch.zeros_like(each)
    return True


def _are_finite(tensor: Tensor) -> bool:
    return bool(torch.isfinite(tensor).all())
