"""What a server is told: the loopback or a token; numbers in their ranges."""

import pytest

from ding_cls.errors import ConfigError
from ding_cls.serve.settings import LOOPBACK_NAMES, ServeSettings


def test_this_machine_alone_is_the_default() -> None:
    settings = ServeSettings()
    assert settings.host == "127.0.0.1"
    assert settings.is_loopback
    assert settings.host_names == LOOPBACK_NAMES


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.168.1.5", "10.0.0.1", "example.org", "localhost.evil.com"]
)
def test_any_other_host_needs_a_token(host: str) -> None:
    with pytest.raises(ConfigError, match=r"--token TEXT, or the environment variable DING_CLS_TOKEN"):
        ServeSettings(host=host)
    assert not ServeSettings(host=host, token="secret").is_loopback


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.8.8", "::1", "LOCALHOST"])
def test_the_loopback_needs_none(host: str) -> None:
    assert ServeSettings(host=host).is_loopback


def test_the_names_that_a_request_may_use_follow_from_the_host() -> None:
    assert ServeSettings(host="127.8.8.8").host_names == {*LOOPBACK_NAMES, "127.8.8.8"}
    assert ServeSettings(host="Box.lan", token="t").host_names == {"box.lan"}
    assert ServeSettings(host="0.0.0.0", token="t").host_names is None
    assert ServeSettings(host="::", token="t").host_names is None


@pytest.mark.parametrize(
    "changes",
    [{"port": -1}, {"port": 65536}, {"topk": 0}, {"workers": 0}, {"max_batch": 0}, {"token": ""}]
    + [{"token": token} for token in ("a\nb", "größe", " x", "\x00")],
)
def test_what_cannot_be_used_is_refused(changes: dict) -> None:
    with pytest.raises(ConfigError):
        ServeSettings(**changes)


def test_nothing_prints_the_token() -> None:
    assert "'t'" not in repr(ServeSettings(token="t"))
