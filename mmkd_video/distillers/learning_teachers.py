"""What teachers that learn add to the losses of a step."""

import dataclasses
from collections.abc import Mapping

from torch import Tensor

from mmkd_video.teachers import Teacher, TeachingStep


def losses_of_teachers(
    teachers: Mapping[str, Teacher], steps: Mapping[str, TeachingStep], taught: Mapping[str, Mapping[str, Tensor]]
) -> dict[str, Tensor]:
    """Return teachers' own losses, which are summed up with the others, and what they log.

    Args:
        teachers: The teachers by name.
        steps: The step that each taught in, with the student's features.
        taught: Features that each has taught, by tap.
    """
    found = {}
    for name, teacher in teachers.items():
        step = dataclasses.replace(steps[name], taught=taught)
        own = teacher.losses(step, taught[name])
        found |= {f'loss_{name}_{key}': value for key, value in own.items()}
        found |= {f'{name}_{key}': value for key, value in teacher.report(step, taught[name]).items()}
    return found
