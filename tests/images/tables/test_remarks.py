"""What is told of a table."""

from pathlib import Path

from ding_cls.images.tables.label_table import LabelTable
from ding_cls.images.tables.remarks import named_columns, remarks_on


def test_columns_and_readings_are_told(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("path,label,weight,more\na.png,yew|fir,2,x\n")
    (tmp_path / "a.png").touch()
    table = LabelTable(str(tmp_path / "t.csv"), labels="several", separator="|")
    assert named_columns(table) == ("path from 'path'", "label from 'label'")
    training = [*remarks_on(table, is_training=True)]
    assert training[:2] == [
        "several labels, with '|' between them",
        "weights in the loss from 'weight' (weight=None leaves them out)",
    ]
    assert "not used: more" in training
    assert not any("weights" in each for each in remarks_on(table, is_training=False))
