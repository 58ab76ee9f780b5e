"""What changes on the way: each update is that of a policy which always trained so."""

import re
from copy import deepcopy
from typing import Any

import pytest
import torch

from ding_cls.data import BatchMixing
from ding_cls.errors import ConfigError
from ding_cls.models import build_classifier
from ding_cls.policy import ImageClassificationPolicy
from ding_cls.policy.stages import Stage, stages_of
from tests.harness import TinyBackbone
from tests.policy.test_classification import Normless, assert_equal, build, network
from tests.policy.update.test_mixing import AUGMENTS, SEED, images_and_targets

SMOOTH = {"type": "LabelSmoothLoss", "label_smooth_val": 0.3}
FOCAL = {"type": "SoftmaxFocalLoss", "gamma": 1.0}


def policy_of(model: torch.nn.Module, augments: Any = (), **learn: Any) -> ImageClassificationPolicy:
    policy = build(model, batch_augments=list(augments), **learn)
    mixings = [
        BatchMixing(each.batch_augments, num_classes=4) if each.batch_augments else None
        for each in stages_of(policy._cfg.learn)
    ]
    for name, value in (("seed", SEED), ("mix_batch", mixings), ("updates_per_epoch", 2)):
        policy.learn_mode.set_attribute(name, value)
    return policy


def parts_network(**head: Any) -> torch.nn.Module:
    torch.manual_seed(1)
    return build_classifier(
        {
            "type": "ImageClassifier",
            "backbone": {"type": TinyBackbone},
            "neck": {"type": "GlobalAveragePooling"},
            "head": {"type": "LinearClsHead", "in_channels": 8, "num_classes": 4, **head},
        }
    )


def loss_at(policy: ImageClassificationPolicy, train_iter: int, after: ImageClassificationPolicy) -> Any:
    """Return the loss of update ``train_iter`` of a policy that goes on from ``after``'s state."""
    policy.learn_mode.load_state_dict(deepcopy(after.learn_mode.state_dict()))
    return policy.learn_mode.forward(images_and_targets(train_iter))["total_loss"]


@pytest.mark.parametrize("begin", [{"action_epoch": 2}, {"action_iter": 4}])
def test_each_update_is_that_of_its_recipe(begin: dict[str, int]) -> None:
    later = {**begin, "batch_augments": [], "loss": FOCAL}
    changing = policy_of(network(Normless), AUGMENTS, loss=SMOOTH, recipes=[later])
    for train_iter in range(8):
        settings = {"loss": SMOOTH} if train_iter < 4 else {"loss": FOCAL}
        alone = policy_of(network(Normless), AUGMENTS if train_iter < 4 else (), **settings)
        expected = loss_at(alone, train_iter, changing)
        found = changing.learn_mode.forward(images_and_targets(train_iter))["total_loss"]
        assert torch.equal(found, expected), train_iter
        assert_equal(changing._model, alone._model)


@pytest.mark.parametrize("average", [{}, {"ema": {"decay": 0.5}}])
def test_the_loss_in_a_head_changes_too(average: dict[str, Any]) -> None:
    recipes = [{"action_iter": 1, "loss": "Focalloss-1"}, {"action_iter": 3, "loss": "CE"}]
    changing = policy_of(parts_network(loss=SMOOTH), recipes=recipes, **average)
    kinds = (SMOOTH, FOCAL, FOCAL, {"type": "CrossEntropyLoss"}, {"type": "CrossEntropyLoss"})
    for train_iter, kind in enumerate(kinds):
        alone = policy_of(parts_network(loss=kind), **average)
        expected = loss_at(alone, train_iter, changing)
        assert torch.equal(
            changing.learn_mode.forward(images_and_targets(train_iter))["total_loss"], expected
        )
        judged = images_and_targets(20)
        losses = [each.eval_mode.get_attribute("eval_loss")(judged) for each in (changing, alone)]
        assert torch.equal(*losses)


def test_a_policy_that_goes_on_judges_by_the_loss_of_its_last_update() -> None:
    first, again = [
        policy_of(parts_network(), recipes=[{"action_epoch": 1, "loss": SMOOTH}]) for _ in range(2)
    ]
    judged = images_and_targets(20)
    for train_iter in range(3):
        first.learn_mode.forward(images_and_targets(train_iter))
        again.learn_mode.load_state_dict(deepcopy(first.learn_mode.state_dict()))
        values = [each.eval_mode.get_attribute("eval_loss")(judged) for each in (first, again)]
        assert torch.equal(*values), train_iter


def test_a_loss_alone_leaves_the_mixing_as_it_is() -> None:
    policy = build(network(Normless), batch_augments=AUGMENTS, recipes=[{"action_iter": 1, "loss": FOCAL}])
    policy.learn_mode.set_attribute("mix_batch", BatchMixing(AUGMENTS, num_classes=4))
    for train_iter in range(3):
        policy.learn_mode.forward(images_and_targets(train_iter))
    assert [stage.batch_augments for stage in stages_of(policy._cfg.learn)] == [AUGMENTS, AUGMENTS]


def test_one_mixing_for_several_recipes_is_refused() -> None:
    policy = build(
        network(Normless), batch_augments=AUGMENTS, recipes=[{"action_iter": 1, "batch_augments": None}]
    )
    policy.learn_mode.set_attribute("mix_batch", BatchMixing(AUGMENTS, num_classes=4))
    with pytest.raises(ConfigError, match="set the attribute 'mix_batch' to a list"):
        policy.learn_mode.forward(images_and_targets(0))


SILENT: dict[str, Any] = {"batch_augments": [], "train_epoch": 9, "max_iters": None}
MIXUP, CUTMIX = {"type": "Mixup", "alpha": 0.8}, {"type": "CutMix", "alpha": 1.0}


@pytest.mark.parametrize(
    ("augments", "expected"),
    [
        (None, []),
        ([MIXUP], [MIXUP]),
        (MIXUP, MIXUP),
        ({"augments": MIXUP}, [MIXUP]),
        ({"augments": [MIXUP, CUTMIX]}, [MIXUP, CUTMIX]),
        (
            {"augments": [MIXUP, CUTMIX], "probs": [0.3, 0.6]},
            [{**MIXUP, "prob": 0.3}, {**CUTMIX, "prob": 0.6}],
        ),
    ],
)
@pytest.mark.parametrize("name", ["batch_augments", "train_augments"])
def test_augmentations_in_mmpretrains_forms(name: str, augments: Any, expected: Any) -> None:
    learn = {**SILENT, "batch_augments": [CUTMIX], "recipes": [{"action_epoch": 3, name: augments}]}
    assert stages_of(learn) == [Stage(0, True, [CUTMIX], None), Stage(3, True, expected, None)]


@pytest.mark.parametrize(
    ("recipes", "message"),
    [
        ([3], r"recipes\.0 is 3; the form is dict\(action_epoch="),
        ([{"action_epoch": 1}], "it takes action_epoch or action_iter, and batch_augments, loss, or both"),
        ([{"action_epoch": 1, "loss": "CE", "lr": 1}], "has action_epoch, loss, lr; it takes"),
        ([{"action_epoch": 1, "batch_augments": [], "train_augments": []}], "it takes action_epoch"),
        ([{"loss": "CE"}], "begins at one of action_epoch and action_iter"),
        ([{"action_epoch": 1, "action_iter": 1, "loss": "CE"}], "begins at one of"),
        ([{"action_epoch": 0, "loss": "CE"}], "a whole number from 1 on"),
        ([{"action_epoch": 1, "loss": None}], r"recipes\.0\.loss is None; it is dict\(type=, \.\.\.\)"),
        ([{"action_epoch": 1, "train_pipeline": []}, 1], "action_epoch or action_iter, and|train_pipeline"),
        (
            [{"action_epoch": 2, "loss": "CE"}, {"action_epoch": 2, "loss": "CE"}],
            r"recipes\.1 must begin after the recipe before it",
        ),
        (
            [{"action_epoch": 2, "loss": "CE"}, {"action_iter": 9, "loss": "CE"}],
            "and count the same: epochs or updates",
        ),
    ],
)
def test_recipes_that_cannot_be_used_are_refused(recipes: list[Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        stages_of({**SILENT, "recipes": recipes})


@pytest.mark.parametrize(
    ("begin", "end", "unit"),
    [({"action_epoch": 3}, {"train_epoch": 3}, "epoch"), ({"action_iter": 3}, {"max_iters": 3}, "iter")],
)
def test_a_recipe_that_never_begins_is_refused(begin: dict[str, int], end: dict[str, int], unit: str) -> None:
    recipes = {"recipes": [{**begin, "loss": "CE"}]}
    with pytest.raises(
        ConfigError, match=rf"^policy.learn.recipes.0.action_{unit} is 3, and the run's are numbered 0 to 2: "
    ):
        stages_of({**SILENT, **end, **recipes})
    (name,) = end
    assert len(stages_of({**SILENT, name: 4, **recipes})) == 2
    # How many updates an epoch has is not known here.
    other = {"max_iters": 2} if unit == "epoch" else {"train_epoch": 2}
    assert len(stages_of({**SILENT, **other, **recipes})) == 2


def test_another_pipeline_is_refused_with_the_way_to_do_it() -> None:
    with pytest.raises(ConfigError, match=re.escape("policy.model.pretrained=CHECKPOINT")):
        stages_of({**SILENT, "recipes": [{"action_epoch": 1, "train_pipeline": [{"type": "A"}]}]})


def test_losses_with_a_state_are_refused() -> None:
    seesaw = {"type": "SeesawLoss", "num_classes": 4}
    for first, later in ((None, seesaw), (seesaw, FOCAL)):
        with pytest.raises(ConfigError, match=r"SeesawLoss has a state \(\w+"):
            policy_of(network(Normless), loss=first, recipes=[{"action_iter": 1, "loss": later}])
    with pytest.raises(ConfigError, match=r"recipes\.0\.loss.*no loss named|there is no loss"):
        policy_of(network(Normless), recipes=[{"action_iter": 1, "loss": {"type": "NoSuchLoss"}}])


def test_class_counts_reach_the_losses_of_later_recipes_and_of_averages() -> None:
    weighted = {"type": "CrossEntropyLoss", "class_weight": "auto"}
    policy = policy_of(
        parts_network(loss=weighted), ema={"decay": 0.5}, recipes=[{"action_iter": 1, "loss": weighted}]
    )
    policy.learn_mode.set_attribute("class_counts", lambda: torch.tensor([1, 2, 3, 4]))
    for train_iter in range(3):
        policy.learn_mode.forward(images_and_targets(train_iter))
        assert torch.isfinite(policy.eval_mode.get_attribute("eval_loss")(images_and_targets(20)))
