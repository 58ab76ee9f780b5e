"""A network as a table of its stages, at most 80 columns wide where its lines are not folded."""

from dataclasses import dataclass

from ding_cls.common.columns import in_columns

_MAX_NAME, _MAX_SHAPE = 27, 18


@dataclass(frozen=True, slots=True)
class StageRow:
    """A part of a network.

    Attributes:
        name: of its module, or of the first and the last of several in a row.
        output: shape of what comes out for one image; empty where it is not called.
        num_parameters: numbers in it, without those that a row before has counted.
        num_trainable: those of them that are trained.
        num_macs: multiplications, each with an addition.
    """

    name: str
    output: str
    num_parameters: int
    num_trainable: int
    num_macs: int


@dataclass(frozen=True, slots=True)
class NetworkTable:
    """What a network is, for one image.

    Attributes:
        name: of its class.
        input: shape of the image.
        output: shape of what comes out.
        rows: its stages; their numbers sum to those of the network.
        num_parameters: numbers in all.
        num_trainable: those of them that are trained at the begin.
        num_macs: multiplications, each with an addition.
        weight_bytes: parameters and buffers.
        remarks: what deserves a word.
    """

    name: str
    input: str
    output: str
    rows: tuple[StageRow, ...]
    num_parameters: int
    num_trainable: int
    num_macs: int
    weight_bytes: int
    remarks: tuple[str, ...]


def network_lines(table: NetworkTable) -> list[str]:
    """Return the table and what it sums to, line by line."""
    has_frozen = table.num_trainable < table.num_parameters
    heads = ["stage", "output", "parameters", *(["trained"] if has_frozen else []), "MACs"]
    rows = [heads]
    for row in table.rows:
        shape = row.output or "not called"
        trained = [_share(row)] if has_frozen else []
        rows.append(
            [
                # Names differ at their ends.
                row.name if len(row.name) <= _MAX_NAME else f"...{row.name[3 - _MAX_NAME :]}",
                shape if len(shape) <= _MAX_SHAPE else f"{shape[: _MAX_SHAPE - 3]}...",
                f"{row.num_parameters:,}",
                *trained,
                _rounded(row.num_macs).strip(),
            ]
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(heads))]
    aligned = [
        [cell if column < 2 else cell.rjust(widths[column]) for column, cell in enumerate(row)]
        for row in rows
    ]
    trained_text = f", {table.num_trainable:,} of them trained" if has_frozen else ", all trained"
    return [
        f"{table.name}: an image of {table.input} becomes {table.output}",
        *in_columns(aligned).splitlines(),
        f"{table.num_parameters:,} parameters ({_rounded(table.num_parameters).strip()}){trained_text}; "
        f"with buffers {table.weight_bytes / 1e6:,.1f} MB",
        f"{_rounded(table.num_macs)}MACs for one image, which are {_rounded(2 * table.num_macs)}FLOPs:",
        "a MAC is a multiplication with its addition. Counted by torch.utils.flop_counter:",
        "convolutions, matrix products and attention; not norms, activations, pooling.",
        *table.remarks,
    ]


def _share(row: StageRow) -> str:
    if row.num_parameters == 0:
        return ""
    return {0: "none", row.num_parameters: "all"}.get(row.num_trainable, "part")


def _rounded(number: int) -> str:
    """Return a number in three or four digits and its unit."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= size:
            return f"{number / size:.2f} {unit}"
    return f"{number} "
