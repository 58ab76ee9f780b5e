"""Pages of served predictors, and a small network with gradients."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from ding_cls.inference.base import BasePredictor
from tests.serve.tab import Tab
from tests.serve.test_explain import Convolutions, predictor_of
from tests.serve.toy import app_of, served


@pytest.fixture
def open_tab(browser: Any) -> Iterator[Any]:
    with contextlib.ExitStack() as servers:

        def opened(
            predictor: BasePredictor, *, width: int = 1000, scheme: str = "light", **limits: Any
        ) -> Tab:
            address = servers.enter_context(served(app_of(predictor, **limits)))
            return Tab(browser, address, width=width, scheme=scheme)

        yield opened


@pytest.fixture(scope="module")
def network() -> BasePredictor:
    predictor = predictor_of(Convolutions(), size=32)
    for parameter in predictor.model.parameters():
        parameter.data *= 6
    return predictor
