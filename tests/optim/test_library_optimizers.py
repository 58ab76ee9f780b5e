"""Optimizers of the two libraries: found by name, trained as there, resumed; a missing library is told."""

import io
import sys
from typing import Any

import pytest
import torch
from torch import nn

from ding_cls.checkpoint.state import write_checkpoint
from ding_cls.errors import ConfigError
from ding_cls.optim import OPTIMIZERS, build_optimizer
from ding_cls.policy.base import load_optimizer
from tests.optim.test_optimizers import OF_TORCH, assert_same_weights, build_network, train

KNOWN = ("AdaBelief", "Adan", "LARS", "Lamb", "Lion", "Ranger", "ScheduleFreeAdamW", "ScheduleFreeSGD")
MUONS = ("AdaGO", "AdaMuon", "DistributedMuon", "MuonClip", "NorMuon")
# They need more than parameters and a rate, or second derivatives, or keep in their state what no file takes.
UNUSABLE = {
    *("A2Grad", "AdaGO", "AdaHessian", "AdaLOMO", "AdaMuon", "AdaShift", "AdamMini", "AliG", "BSAM", "Conda"),
    *("DeMo", "DistributedMuon", "FriendlySAM", "GSAM", "LOMO", "LookSAM", "Lookahead", "Magma", "MuonClip"),
    *(
        "NorMuon",
        "OrthoGrad",
        "PCGrad",
        "Ranger21",
        "SAM",
        "SCION",
        "SCIONLight",
        "SaRA",
        "SafeFP16Optimizer",
    ),
    *("ScalableShampoo", "ScheduleFreeWrapper", "SophiaH", "SpectralSphere", "TRAC", "WSAM"),
    *("timm/Adahessian", "timm/Lookahead"),
    # They draw random numbers, which in a run are those of the position.
    *("Gravity", "Kron"),
}


def library() -> Any:
    return pytest.importorskip("pytorch_optimizer")


@pytest.mark.parametrize("name", KNOWN)
def test_steps_are_the_librarys_to_the_last_bit(name: str) -> None:
    model, plain = build_network(), build_network()
    optimizer = build_optimizer(model, {"type": name, "lr": 0.01, "weight_decay": 0.1})
    train(model, optimizer, range(4))
    train(plain, getattr(library(), name)(plain.parameters(), lr=0.01, weight_decay=0.1), range(4))
    assert type(optimizer) is getattr(library(), name)
    assert_same_weights(model, plain)
    assert not torch.equal(model[0].weight, build_network()[0].weight)


def test_timms_have_a_prefix() -> None:
    timm = pytest.importorskip("timm.optim")
    library()
    assert OPTIMIZERS.get("timm/Lamb") is timm.Lamb
    assert OPTIMIZERS.get("Lamb") is library().Lamb
    assert OPTIMIZERS.get("Muon") is torch.optim.Muon
    assert OPTIMIZERS.get("Adam") is torch.optim.Adam
    with pytest.raises(ConfigError, match="there is no optimizer named 'timm/Lam'; did you mean timm/Lamb"):
        OPTIMIZERS.get("timm/Lam")


@pytest.mark.slow
def test_nearly_all_of_them_resume_exactly_through_a_file(tmp_path: Any) -> None:
    library()
    pytest.importorskip("timm")
    names = {*OPTIMIZERS.names()} - OF_TORCH
    assert names >= {*KNOWN, "timm/Lamb"}
    usable = sorted(names - UNUSABLE)
    for name in usable:
        whole, stopped, resumed = [build_network() for _ in range(3)]
        optimizers = [
            build_optimizer(model, {"type": name, "lr": 0.01}) for model in (whole, stopped, resumed)
        ]
        train(whole, optimizers[0], range(4))
        train(stopped, optimizers[1], range(2))
        write_checkpoint(tmp_path / "state", optimizers[1].state_dict())
        resumed.load_state_dict(stopped.state_dict())
        load_optimizer(optimizers[2], torch.load(tmp_path / "state", weights_only=True))
        train(resumed, optimizers[2], range(2, 4))
        assert_same_weights(resumed, whole)
    assert len(usable) >= 115


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, "is for matrices alone, and 4 of 6 parameters are none; 'timm/Muon'") for name in MUONS),
        ("AdaHessian", "needs second derivatives, which no update here computes: choose another"),
        ("SophiaH", "needs second derivatives"),
        ("timm/Adahessian", "needs second derivatives"),
        ("SpectralSphere", "is for matrices alone"),
    ],
)
def test_what_no_update_here_can_use_is_refused(name: str, expected: str) -> None:
    pytest.importorskip("timm" if name.startswith("timm/") else "pytorch_optimizer")
    with pytest.raises(ConfigError, match=f"optimizer '{name.removeprefix('timm/')}' {expected}"):
        build_optimizer(build_network(), {"type": name, "lr": 0.01})


def test_an_argument_that_the_library_would_swallow_is_refused() -> None:
    library()
    for given, expected in (
        ({"betaz": (0.9, 0.99)}, "optimizer 'Lion' has no argument 'betaz'; did you mean 'betas'"),
        ({"zzz": 1}, "has no argument 'zzz'; it takes: params, lr, betas"),
    ):
        with pytest.raises(ConfigError, match=expected):
            build_optimizer(build_network(), {"type": "Lion", "lr": 0.01, **given})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Lamb", r"optimizer 'Lamb' is one of pytorch_optimizer, .*: pip install 'ding_cls\[optim\]'"),
        ("timm/Lamb", r"optimizer 'timm/Lamb' is one of timm, .*: pip install 'ding_cls\[timm\]'"),
        ("Lambb", "there is no optimizer named 'Lambb'; did you mean .*Lamb"),
        ("zzz", "those of torch.optim, and those of pytorch_optimizer"),
    ],
)
def test_a_missing_library_is_named(name: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pytorch_optimizer", None)
    monkeypatch.setitem(sys.modules, "timm.optim", None)
    with pytest.raises(ConfigError, match=expected):
        build_optimizer(nn.Linear(2, 2), {"type": name, "lr": 0.1, "weight_decay": 0.1})
    assert "Ranger" in OPTIMIZERS


def test_a_state_is_plain_enough_for_weights_only() -> None:
    library()
    model = build_network()
    optimizer = build_optimizer(model, {"type": "ScheduleFreeAdamW", "lr": 0.01})
    train(model, optimizer, range(2))
    file = io.BytesIO()
    torch.save(optimizer.state_dict(), file)
    file.seek(0)
    state = torch.load(file, weights_only=True)
    assert state["param_groups"][0]["train_mode"] is True
