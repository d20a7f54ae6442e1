"""What a distillation's teacher says of the clean test clips."""

from dataclasses import dataclass

import numpy as np
import torch
from mmengine.device import get_device
from mmengine.registry import DefaultScope

from mmkd_video.core.mistakes import WrongKeyError
from mmkd_video.recognizers.pipelines import validation_pipeline
from mmkd_video.recognizers.plain_student import is_distillation
from mmkd_video.teachers.build import build_teachers
from mmkd_video.workflows.robustness.tested_model import TestedModel
from mmkd_video.workflows.train.prepare import merge_teacher_options
from mmkd_video.workflows.train.testing import is_here, teacher_checkpoints


@dataclass(frozen=True)
class TeacherAnswers:
    """The classes that a teacher finds most probable.

    Attributes:
        name: Name of the teacher.
        classes: ``(N,)`` indices among the student's classes; None where there are no answers.
        accuracy: Share of the clips of which it is right.
        reason: Reason why there are no answers.
    """

    name: str = ''
    classes: np.ndarray | None = None
    accuracy: float | None = None
    reason: str = ''

    @classmethod
    def of(cls, student: TestedModel, name: str | None = None) -> 'TeacherAnswers':
        """Ask a teacher about the clean test clips of its student, seen through its own validation pipeline.

        Args:
            student: The student, with the config of its distillation.
            name: Name of the teacher; the first by default.

        Raises:
            KeyError: There is no teacher of that name.
        """
        config = student.config
        if not is_distillation(config) or not config.model.get('teacher'):
            if name is not None:
                raise WrongKeyError(f'--teacher-name: got {name!r}, but the config has no teacher; leave it out')
            return cls(reason='the config has no teacher')
        missing = [each for each in teacher_checkpoints(config) if not is_here(each)]
        if missing:
            return cls(reason=f"the teacher's checkpoint {missing[0]} is not here")
        merge_teacher_options(config)
        with DefaultScope.overwrite_default_scope('mmaction'):
            teachers = build_teachers(config.model.teacher)
        if name is not None and name not in teachers:
            raise WrongKeyError(f'--teacher-name: got {name!r}; expected one of {", ".join(teachers)}')
        name = name or next(iter(teachers))
        teacher, found = teachers[name], {}
        for part_name, part in teacher.parts.items():
            pipeline = validation_pipeline(getattr(part, 'config', None))
            if pipeline is None or getattr(part, 'num_classes', None) is None:
                return cls(reason=f'{part_name} has no validation pipeline or no class scores')
            part.apply_to(lambda tensor: tensor.to(get_device()))
            with torch.no_grad():
                found[part_name] = torch.cat([part.predict(batch).float().cpu() for batch in student.load(pipeline)])
        classes = teacher.merge(found).argmax(1).numpy()
        return cls(name, classes, float((classes == student.labels).mean()))
