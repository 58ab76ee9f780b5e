"""A config together with the lines that set its values."""

from ding_cls.config import resolve
from ding_cls.config.origins import FileNotes, NativeConfig


def test_a_native_config_with_its_origins_is_resolved_to_itself() -> None:
    native = NativeConfig({"policy": {"cuda": False}}, {"policy.cuda": "a.py:1"}, [])
    assert resolve(native.cfg, (), native.origins) == native
    changed = resolve(native.cfg, ["policy.cuda=True"], native.origins)
    assert changed == ({"policy": {"cuda": True}}, {"policy.cuda": "override policy.cuda=True"}, [])
    assert native.origins == {"policy.cuda": "a.py:1"}


def test_a_place_tells_whether_a_value_is_inherited() -> None:
    notes = FileNotes("mine.py")
    assert notes.is_inherited("../base.py:3")
    for place in ("mine.py:3", "override a=1", "argument seed", "", None):
        assert not notes.is_inherited(place)
    assert not FileNotes().is_inherited("base.py:3")
