"""A counter that is handed around."""


class CountVar:
    """A counter that several objects share.

    Args:
        init_val: where it begins.
    """

    def __init__(self, init_val: int = 0) -> None:
        self._val = init_val

    @property
    def val(self) -> int:
        """The count."""
        return self._val

    def update(self, val: int) -> None:
        """Set the count."""
        self._val = val

    def add(self, add_num: int) -> None:
        """Raise the count."""
        self._val += add_num
