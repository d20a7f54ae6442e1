"""What a student is run on."""

from dataclasses import dataclass

from mmkd_video.core.token_subset import TokenSubset
from mmkd_video.recognizers.input_form import Inputs


@dataclass(frozen=True)
class StudentPass:
    """One pass of a student in a step.

    Attributes:
        inputs: The student's preprocessed clips.
        samples: The samples, with labels.
        rows: Indices of the clips that have a label; None for all.
        seen: The tokens that the student sees; None for all.
    """

    inputs: Inputs
    samples: list
    rows: list[int] | None
    seen: TokenSubset | None
