"""Whether a run's checkpoints fit onto the disk, asked before anything is trained."""

from contextlib import suppress
from typing import Any

import torch

from ding_cls.checkpoint.state import file_size
from ding_cls.common.disk import free_bytes, megabytes
from ding_cls.distributed.comm import broadcast_object
from ding_cls.errors import DiskError
from ding_cls.policy.modes import LearnMode
from ding_cls.worker.learner.engine import Engine
from ding_cls.worker.learner.hooks.builtin import SaveCkptHook
from ding_cls.worker.learner.learner_hook import Hooks
from ding_cls.worker.learner.state.checkpointing import Saving

_TWO_BUFFERS = (torch.optim.Adam, torch.optim.AdamW, torch.optim.NAdam, torch.optim.RAdam, torch.optim.Adamax)


def check_room(engine: Engine, saving: Saving, hooks: Hooks) -> None:
    """Refuse to train where not even the first checkpoint will fit, on all ranks alike.

    Args:
        engine: about to start.
        saving: will write its checkpoints.
        hooks: what it will call.

    Raises:
        DiskError: what is needed, at least, and what there is.
    """
    shortage = ""
    if engine.rank == 0 and _will_save(engine, hooks):
        shortage = _shortage(engine, saving)
    if shortage := broadcast_object(shortage):
        raise DiskError(shortage, is_on_all_ranks=True)


def _will_save(engine: Engine, hooks: Hooks) -> bool:
    is_over = engine.max_iter is not None and engine.train_iter >= engine.max_iter
    saves = any(isinstance(hook, SaveCkptHook) for line in hooks.values() for hook in line)
    return not is_over and (saves or engine.evaluator is not None)


def _shortage(engine: Engine, saving: Saving) -> str:
    folder = saving.keeper.folder.absolute()
    need, room = checkpoint_bytes(engine.policy, has_optimizer=saving.has_optimizer), free_bytes(folder)
    if need <= room:
        return ""
    return (
        f"a checkpoint needs {megabytes(need)}, has {megabytes(room)} at '{folder}'; free space, or name "
        "another folder: policy.learn.learner.checkpoint.out_dir"
    )


def checkpoint_bytes(policy: LearnMode, *, has_optimizer: bool = True) -> int:
    """Return how large a checkpoint of a policy will be at least, in bytes.

    An optimizer has its buffers from the first update on: until then those that its settings ask for count.

    Args:
        policy: what is saved.
        has_optimizer: the optimizer's state is part of the file.
    """
    state = policy.state_dict()
    if not has_optimizer:
        return file_size({name: value for name, value in state.items() if name != "optimizer"})
    optimizer = None
    with suppress(AttributeError, KeyError):
        optimizer = policy.get_attribute("optimizer")
    if not isinstance(optimizer, torch.optim.Optimizer) or optimizer.state:
        return file_size(state)
    return file_size(state) + sum(_buffer_bytes(optimizer, group) for group in optimizer.param_groups)


def _buffer_bytes(optimizer: torch.optim.Optimizer, group: dict[str, Any]) -> int:
    count = 2 if isinstance(optimizer, _TWO_BUFFERS) else int("betas" in group or bool(group.get("momentum")))
    trainable: list[torch.Tensor] = [each for each in group["params"] if each.requires_grad]
    return count * sum(each.numel() * each.element_size() for each in trainable)
