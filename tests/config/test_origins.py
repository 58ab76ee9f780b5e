"""A config together with the lines that set its values."""

from ding_cls.config import resolve
from ding_cls.config.origins import NativeConfig


def test_a_native_config_with_its_origins_is_resolved_to_itself() -> None:
    native = NativeConfig({"policy": {"cuda": False}}, {"policy.cuda": "a.py:1"}, [])
    assert resolve(native.cfg, (), native.origins) == native
    changed = resolve(native.cfg, ["policy.cuda=True"], native.origins)
    assert changed == ({"policy": {"cuda": True}}, {"policy.cuda": "override policy.cuda=True"}, [])
    assert native.origins == {"policy.cuda": "a.py:1"}
