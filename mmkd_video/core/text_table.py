"""Tables of plain text, for terminals and files."""

import io
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

WIDEST = 10_000  # columns of characters; no line is broken


def aligned(table: Sequence[Sequence[str]], left: int = 1, rule: bool = True) -> list[str]:
    """Return the lines of a table.

    Args:
        table: Cells of each row, the header first where there is one.
        left: Number of columns that are aligned to the left; the others, numbers, are aligned to the right.
        rule: Whether a rule lies under the first row.
    """
    grid = Table.grid(padding=(0, 2, 0, 0))
    for number in range(len(table[0])):
        grid.add_column(justify='left' if number < left else 'right', no_wrap=True)
    for cells in table:
        grid.add_row(*map(Text, cells))
    written = io.StringIO()
    Console(file=written, width=WIDEST, color_system=None, force_terminal=False).print(grid)
    lines = [line.rstrip() for line in written.getvalue().splitlines()]
    return [lines[0], '-' * max(map(len, lines)), *lines[1:]] if rule else lines
