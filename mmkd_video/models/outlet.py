"""A place where a tensor leaves a model that is not the output of one of its modules."""

from typing import Any

from torch import nn


class Outlet(nn.Module):
    """Hand on what it is given, so that a tap can stand here.

    What leaves here may cost something to compute: ``wanted`` is False as long as no tap stands here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.wanted = False

    def expect_reading(self) -> None:
        """Note that a tap stands here; taps say so."""
        self.wanted = True

    def forward(self, value: Any) -> Any:
        """Return the value.

        Args:
            value: A tensor, or a tuple of them.
        """
        return value
