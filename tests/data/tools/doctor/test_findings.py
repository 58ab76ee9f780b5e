"""Records of what is found: their order, and all samples of a finding."""

from ding_cls.data.tools.doctor.findings import Finding, Sample, in_order, single


def test_the_most_severe_first_and_else_as_given() -> None:
    given = [Finding("a", "note", ""), Finding("b", "serious", ""), Finding("c", "note", "")]
    assert [each.kind for each in in_order(given)] == ["b", "a", "c"]


def test_samples_of_all_groups() -> None:
    samples = [Sample("train", f"{number}.jpg", ("x",), number) for number in range(3)]
    finding = Finding("a", "note", "", groups=single([(each, "why") for each in samples]))
    assert [(shown.sample, shown.note) for shown in finding.shown] == [(each, "why") for each in samples]
