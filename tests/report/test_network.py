"""The table of a network: its width, its sums, what is frozen."""

from ding_cls.report.network import NetworkTable, StageRow, network_lines


def table(*rows: StageRow, trainable: int) -> NetworkTable:
    count = sum(row.num_parameters for row in rows)
    macs = sum(row.num_macs for row in rows)
    return NetworkTable("Net", "3 x 8 x 8", "10", rows, count, trainable, macs, 4 * count, ("a remark",))


def test_the_lines_of_a_network() -> None:
    rows = StageRow("stem to relu", "4 x 8 x 8", 1_200, 1_200, 2_500_000), StageRow("head", "10", 34, 34, 170)
    assert network_lines(table(*rows, trainable=1_234)) == [
        "Net: an image of 3 x 8 x 8 becomes 10",
        "stage         output     parameters    MACs",
        "stem to relu  4 x 8 x 8       1,200  2.50 M",
        "head          10                 34     170",
        "1,234 parameters (1.23 k), all trained; with buffers 0.0 MB",
        "2.50 MMACs for one image, which are 5.00 MFLOPs:",
        "a MAC is a multiplication with its addition. Counted by torch.utils.flop_counter:",
        "convolutions, matrix products and attention; not norms, activations, pooling.",
        "a remark",
    ]


def test_what_is_frozen_is_named_and_long_names_stay_in_eighty_columns() -> None:
    name = "backbone." + "deep." * 30 + "last"
    rows = [
        StageRow(name, "2048 x 1024 x 1024, 512 x 7 x 7", 632_000_000, 0, 9 * 10**12),
        StageRow("mixed", "", 10, 5, 0),
        StageRow("free", "10", 10, 10, 10),
    ]
    lines = network_lines(table(*rows, trainable=15))
    assert max(map(len, lines[1:5])) <= 80
    assert [word in line for word, line in zip(("none", "part", "all"), lines[2:5], strict=True)] == [
        True
    ] * 3
    assert lines[2].startswith("...deep.deep.")
    assert "deep.last  2048 x 1024 x 1...  632" in lines[2]
    assert "not called" in lines[3]
    assert "15 of them trained" in lines[5]
