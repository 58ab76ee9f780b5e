"""Several networks: their mean against plain PyTorch, classes by name, and what they must have in common."""

from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch
from torch import nn

import ding_cls
from ding_cls.data import Preprocessing
from ding_cls.errors import ConfigError
from ding_cls.inference import Predictor, sources
from ding_cls.inference.ensemble import Ensemble
from tests.conftest import write_pictures

SOURCES = ("a", "b")


def network(num_classes: int, seed: int, *, size_px: int = 4) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(3 * size_px**2, num_classes))


def member(classes: str, seed: int, *, size_px: int = 4, **arguments: object) -> Predictor:
    preprocessing = Preprocessing(image_size=size_px, resize_size=size_px)
    model = network(len(classes), seed, size_px=size_px)
    return Predictor(model, preprocessing, classes, device="cpu", **arguments)


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (count, 9, 7, 3), dtype=np.uint8)


@pytest.mark.parametrize("tta", [False, True])
@pytest.mark.parametrize("batch_size", [1, 4, 32])
def test_the_mean_equals_plain_pytorch_with_classes_by_name(tta: bool, batch_size: int) -> None:
    members = [member("abcd", 0, tta=tta), member("dbac", 1, size_px=6, tta=tta), member("abcd", 2, tta=tta)]
    predictor = Ensemble(members, ("a", "b", "c"))
    records = predictor(pictures(5), batch_size=batch_size)
    for record, image in zip(records, pictures(5), strict=True):
        shares = []
        for each in members:
            batch = each.preprocess(image)[None]
            for view in (batch, batch.flip(3)) if tta else (batch,):
                row = each.model(view)[0].softmax(0)
                shares.append(torch.stack([row[each.classes.index(name)] for name in "abcd"]))
        expected = torch.stack(shares).mean(0).detach()
        assert np.allclose(record.probabilities, expected, rtol=0, atol=1e-6)
        assert record.name == "abcd"[int(expected.argmax())]
    assert len(records) == 5
    assert (predictor.classes, predictor.members) == (tuple("abcd"), tuple(members))


def test_each_image_is_decoded_once_and_prepared_once_for_members_that_agree(workdir: Path) -> None:
    write_pictures(Path("in"), classes=("ash",), per_class=3)
    members = [member("ab", 0), member("ab", 1, size_px=6), member("ab", 2)]
    predictor = Ensemble(members, ("a", "b", "c"))
    assert [each.image_size for each in predictor.preprocessings] == [4, 6]
    with patch.object(sources, "load_rgb", side_effect=sources.load_rgb) as read:
        assert [each.error for each in predictor("in")] == ["", "", ""]
    assert read.call_count == 3


def test_several_labels_take_the_mean_of_sigmoids() -> None:
    members = [member("abc", seed, has_several_labels=True, threshold=0.4, tta=True) for seed in (0, 1)]
    (record,) = Ensemble(members, SOURCES)(pictures(1))
    batch = members[0].preprocess(pictures(1)[0])[None]
    rows = [each.model(view).sigmoid() for each in members for view in (batch, batch.flip(3))]
    expected = torch.stack(rows).mean(0)[0].detach().numpy()
    assert np.allclose(record.probabilities, expected, rtol=0, atol=1e-6)
    assert record.label == tuple(np.flatnonzero(expected >= 0.4))


def test_each_task_by_itself(tasks: Path) -> None:
    one = ding_cls.load(tasks, tta=True)
    other = ding_cls.load(tasks, tta=True)
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for weight in other.model.parameters():
            weight += 0.1 * torch.randn(weight.shape, generator=generator)
    predictor = Ensemble([one, other], SOURCES)
    assert predictor.num_tasks == 3
    (record,) = predictor(pictures(1))
    views = [batch for batch in [one.preprocess(pictures(1)[0])[None]] for batch in (batch, batch.flip(3))]
    with torch.no_grad():
        rows = [each.model(view).softmax(-1) for each in (one, other) for view in views]
    assert np.allclose(record.probabilities, torch.stack(rows).mean(0)[0], rtol=0, atol=1e-6)


def test_one_that_gives_nan_or_an_unreadable_image_is_an_error(workdir: Path) -> None:
    Path("torn.png").write_bytes(b"\x89PNG")
    broken = member("ab", 0)
    with torch.no_grad():
        broken.model[1].bias[0] = float("nan")
    found = Ensemble([member("ab", 1), broken], SOURCES)(["torn.png", pictures(1)[0]])
    assert ["truncated" in found[0].error, "holds NaN" in found[1].error] == [True, True]


def test_the_halves_are_the_members() -> None:
    predictor = Ensemble([member("ab", 0), member("ab", 1)], SOURCES)
    for name in ("model", "preprocessing"):
        with pytest.raises(ConfigError, match=rf"a mean of 2 networks has no {name} of its own; each of pre"):
            getattr(predictor, name)
    with pytest.raises(ConfigError, match="no preprocess of its own"):
        predictor.preprocess("a.png")
    alone = member("ab", 0)
    assert alone.members == (alone,)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (
            {"classes": "abx"},
            "other classes: 'a' alone has 'c'; 'b' alone has 'x'; name networks for the same classes",
        ),
        ({"classes": "abcd"}, "other classes: 'b' alone has 'd'; name"),
        ({"has_several_labels": True}, "the images of 'b' have several labels, those of 'a' have one"),
        ({"tta": True}, "'b' alone sees mirror images"),
    ],
)
def test_networks_that_answer_other_questions_are_refused(other: dict, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Ensemble([member("abc", 0), member(**{"classes": "abc", "seed": 1, **other})], SOURCES)
    assert str(caught.value).startswith(message)


def test_other_thresholds_are_refused() -> None:
    members = [member("ab", 0, has_several_labels=True, threshold=each) for each in (0.4, 0.5)]
    with pytest.raises(ConfigError, match=r"'a' names labels from 0\.4 on, 'b' from 0\.5; say from where on"):
        Ensemble(members, SOURCES)
