"""Heads in mmclassification's form: which of their methods gives the logits."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from ding_cls.errors import ModelError
from ding_cls.models import ClsHead, ImageClassifier, LinearClsHead, MultiLabelClsHead
from ding_cls.models.heads.openmmlab import logits_of

FEATURES = (torch.randn(3, 5, generator=torch.Generator().manual_seed(0)),)


class _Own(ClsHead):
    def __init__(self, num_classes: int = 4, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fc = nn.Linear(5, num_classes)

    def forward_train(self, x: Any, gt_label: Tensor) -> dict[str, Tensor]:
        return self.loss(self.fc(x[-1]), gt_label)


class TrainAlone(_Own):
    """The document's own example: a loss, and no word about a test."""


class ByParent(_Own):
    def forward_train(self, x: Any, gt_label: Tensor, **kwargs: Any) -> dict[str, Tensor]:
        return super(_Own, self).forward_train(self.fc(x[-1]), gt_label, **kwargs)


class Honest(_Own):
    def simple_test(self, x: Any, softmax: bool = True, post_process: bool = True) -> Any:
        scores = self.fc(self.pre_logits(x))
        scores = functional.softmax(scores, dim=1) if softmax else scores
        return self.post_process(scores) if post_process else scores


class ThroughParent(_Own):
    def simple_test(self, x: Any, **kwargs: Any) -> Any:
        return super().simple_test(self.fc(self.pre_logits(x)), **kwargs)


class Probabilities(_Own):
    def simple_test(self, x: Any) -> Any:
        return self.post_process(functional.softmax(self.fc(x[-1]), dim=1))


class Deaf(_Own):
    def simple_test(self, x: Any, softmax: bool = True, post_process: bool = True) -> Tensor:
        return functional.softmax(self.fc(x[-1]), dim=1)


class Forward(_Own):
    def forward(self, x: Any) -> Tensor:
        return self.fc(x[-1])


class Both(Forward):
    def simple_test(self, x: Any, softmax: bool = True, post_process: bool = True) -> Any:
        return super().simple_test(x, softmax, post_process)


@pytest.mark.parametrize(
    "kind", [TrainAlone, ByParent, Honest, ThroughParent, Probabilities, Deaf, Forward, Both]
)
def test_the_logits_are_those_of_the_heads_own_layer(kind: type[_Own]) -> None:
    head = kind(topk=(1,))
    found = logits_of(head, FEATURES)
    wanted = head.fc(FEATURES[0])
    assert found.softmax(1).detach().numpy() == pytest.approx(wanted.softmax(1).detach().numpy(), abs=1e-6)
    exact = kind not in (Probabilities, Deaf, ThroughParent)
    assert torch.equal(found, wanted) is exact


class _Vectors(nn.Module):
    def forward(self, images: Tensor) -> tuple[Tensor]:
        return (images,)


@pytest.mark.parametrize("kind", [TrainAlone, Honest, Probabilities, Forward])
def test_a_test_of_the_whole_network_gives_probabilities(kind: type[_Own]) -> None:
    head = kind()
    network = ImageClassifier(_Vectors(), head=head).eval()
    found = network(return_loss=False, img=FEATURES[0])
    wanted = head.fc(FEATURES[0]).softmax(1).detach().numpy()
    assert isinstance(found, list)
    assert np.stack(found) == pytest.approx(wanted, abs=1e-6)


class Several(MultiLabelClsHead):
    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(5, 4)

    def forward_train(self, x: Any, gt_label: Tensor) -> dict[str, Tensor]:
        return self.loss(self.fc(x[-1]), gt_label)


class SeveralTested(Several):
    def simple_test(self, x: Any) -> Tensor:
        return torch.sigmoid(self.fc(x[-1]))


@pytest.mark.parametrize("kind", [Several, SeveralTested])
def test_several_labels_have_a_sigmoid_each(kind: type[Several]) -> None:
    head = kind()
    wanted = head.fc(FEATURES[0]).detach().numpy()
    assert logits_of(head, FEATURES).detach().numpy() == pytest.approx(wanted, abs=1e-4)


def test_a_loss_of_ones_own_leaves_no_way_to_the_logits() -> None:
    class Closed(_Own):
        def forward_train(self, x: Any, gt_label: Tensor) -> dict[str, Tensor]:
            return {"loss": functional.cross_entropy(self.fc(x[-1]), gt_label)}

    with pytest.raises(ModelError, match=r"Closed has a forward_train .* needs simple_test\(x\) or"):
        logits_of(Closed(), FEATURES)


def test_a_subclass_of_a_head_with_a_layer_is_evaluated_by_that_layer() -> None:
    class More(LinearClsHead):
        def forward_train(self, x: Any, gt_label: Tensor, **kwargs: Any) -> dict[str, Tensor]:
            losses = super().forward_train(x, gt_label, **kwargs)
            return {**losses, "size_loss": self(x).square().mean()}

    head = More(4, 5)
    assert torch.equal(logits_of(head, FEATURES), head.fc(FEATURES[0]))


class _Given(_Own):
    """Its scores are the features."""

    def __init__(self) -> None:
        super().__init__(4)

    def simple_test(self, x: Any) -> Tensor:
        return x[-1]


@pytest.mark.parametrize(
    "logits", [torch.tensor([[0.2, 0.3, 0.4]]), torch.tensor([[-3.0, 2.0]]), torch.tensor([[0.0, 60.0]])]
)
def test_what_are_no_probabilities_stays(logits: Tensor) -> None:
    assert torch.equal(logits_of(_Given(), (logits,)), logits)


def test_a_certain_probability_gives_finite_logits() -> None:
    found = logits_of(_Given(), (torch.tensor([[1.0, 0.0]]),))
    assert torch.isfinite(found).all()
    assert found.softmax(1).tolist() == [[1.0, pytest.approx(0.0, abs=1e-20)]]


class _Asked(_Given):
    def simple_test(self, x: Any, softmax: bool = True) -> Tensor:
        return x[-1].softmax(1) if softmax else x[-1]


class _SeveralAsked(Several):
    def simple_test(self, x: Any, sigmoid: bool = True) -> Tensor:
        return x[-1].sigmoid() if sigmoid else x[-1]


class _SeveralGiven(Several):
    def simple_test(self, x: Any) -> Tensor:
        return x[-1]


@pytest.mark.parametrize("kind", [_Asked, _SeveralAsked])
def test_logits_that_look_like_probabilities_stay_logits(kind: Any) -> None:
    logits = torch.tensor([[0.3, 0.7]])
    assert torch.equal(logits_of(kind(), (logits,)), logits)


def test_scores_of_several_labels_are_not_guessed_batch_by_batch() -> None:
    with pytest.raises(
        ModelError, match=r"_SeveralGiven.simple_test has .* no probabilities; .* sigmoid=True"
    ):
        logits_of(_SeveralGiven(), (torch.tensor([[0.3, 1.7]]),))


class _Vectorial(_Own):
    """Its forward gives vectors, of which its test makes scores."""

    def forward(self, x: Any) -> Tensor:
        return functional.normalize(self.fc(x[-1]))

    def simple_test(self, x: Any, softmax: bool = True, post_process: bool = True) -> Any:
        scores = -8 * self(x)
        scores = scores.softmax(1) if softmax else scores
        return self.post_process(scores) if post_process else scores


def test_a_class_with_both_methods_is_judged_by_its_test() -> None:
    head = _Vectorial()
    assert torch.equal(logits_of(head, FEATURES), -8 * head(FEATURES))


class _Margin(_Own):
    def forward_train(self, x: Any, gt_label: Tensor) -> dict[str, Tensor]:
        return self.loss(self.fc(x[-1]) - 3 * functional.one_hot(gt_label, 4), gt_label)


def test_logits_that_need_the_label_are_refused() -> None:
    with pytest.raises(ModelError, match="forward_train of the head _Margin change with gt_label"):
        logits_of(_Margin(), FEATURES)


class _Hidden(_Own):
    """Its layers before the last are in ``pre_logits``, where the parent's methods would call them again."""

    def __init__(self) -> None:
        super().__init__(5)
        self.hidden = nn.Linear(5, 5)

    def pre_logits(self, features: Any) -> Tensor:
        return self.hidden(features[-1] if isinstance(features, tuple) else features).relu()

    def forward_train(self, x: Any, gt_label: Tensor) -> dict[str, Tensor]:
        return super(_Own, self).forward_train(self.fc(self.pre_logits(x)), gt_label)


class _HiddenTested(_Hidden):
    def simple_test(self, x: Any, softmax: bool = True, post_process: bool = True) -> Any:
        return super().simple_test(self.fc(self.pre_logits(x)), softmax, post_process)


@pytest.mark.parametrize("kind", [_Hidden, _HiddenTested])
def test_the_parents_methods_take_logits_from_a_head_with_layers(kind: type[_Hidden]) -> None:
    head = kind()
    wanted = head.fc(head.pre_logits(FEATURES))
    assert torch.equal(logits_of(head, FEATURES), wanted)
    network = ImageClassifier(_Vectors(), head=head).eval()
    assert np.stack(network(return_loss=False, img=FEATURES[0])) == pytest.approx(
        wanted.softmax(1).detach().numpy(), abs=1e-6
    )
    targets = torch.tensor([0, 4, 1])
    found = head.forward_train(FEATURES, targets)["loss"]
    assert torch.equal(found, functional.cross_entropy(wanted, targets))
