"""The teachers of distillations, each tested by itself."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from mmkd_video.compat.file_address import without_scheme
from mmkd_video.recognizers.class_matching import name_classes, selected_outputs
from mmkd_video.recognizers.config import resolve_config
from mmkd_video.recognizers.plain_student import named_teachers
from mmkd_video.workflows.compare.runs import TEACHER, Run, run_config
from mmkd_video.workflows.train.run_folder import RunFolder


@dataclass(frozen=True)
class TestedTeacher:
    """A teacher that can be tested.

    Args:
        name: Name in tables.
        run: Its test.
        classes: Indices of its outputs that are the student's classes; None for all.
    """

    name: str
    run: Run
    classes: Sequence[int] | None


def tested_teachers(
    configs: Mapping[str, Config], work_dir: Path
) -> tuple[dict[str, TestedTeacher], dict[str, list[str]]]:
    """Return every teacher that can be tested by itself, once, by its name; and the names of each config's teachers.

    Args:
        configs: Distillation configs by name.
        work_dir: Work dir of the comparison.
    """
    found: dict[tuple, TestedTeacher] = {}
    owned: dict[str, list[str]] = {}
    for config_name, config in configs.items():
        name_classes(config)
        owned[config_name] = []
        teachers = named_teachers(config.model.get('teacher'))
        for name, given in teachers.items():
            teacher = {**given, **(given.get('teacher') or {})}  # a cached one names the teacher itself there
            name = '' if list(teachers) == ['teacher'] else name
            whole = resolve_config(teacher.get('config'))[1] if teacher.get('config') is not None else None
            if whole is None or whole.get('test_dataloader') is None or not teacher.get('checkpoint'):
                title = f'{config_name}: teacher {name}'.rstrip()
                print(f'{title}: not tested, it has no test configuration or no checkpoint of its own')
                continue
            if teacher.get('covers') is not None:
                print(f'{config_name}: teacher {name}: not tested, it covers a part of the classes')
                continue
            checkpoint = Path(without_scheme(teacher['checkpoint']))
            classes = selected_outputs(teacher.get('classes'), whole, _outputs(whole), name or 'teacher')
            key = (checkpoint, None if classes is None else tuple(classes))
            if key not in found:
                taken = [each.name for each in found.values()]
                found[key] = _tested(_free(name or checkpoint.stem, taken), checkpoint, whole, classes, work_dir)
            owned[config_name].append(found[key].name)
    if len(found) == 1:
        (only,) = found.values()
        return {'teacher': TestedTeacher('teacher', _named(only.run, 'teacher'), only.classes)}, {
            name: ['teacher'] * len(each) for name, each in owned.items()
        }
    return {each.name: each for each in found.values()}, owned


def _outputs(config: Config) -> int:
    """Return how many classes a teacher scores; 0 where its config does not say."""
    model = config.model.get('student') or config.model
    return (model.get('cls_head') or {}).get('num_classes') or 0


def _free(name: str, taken: Sequence[str]) -> str:
    """Return a name whose teacher has no name of another one yet: several may call their file ``best.pth``."""
    names = itertools.chain([name], (f'{name}-{number}' for number in itertools.count(2)))
    return next(each for each in names if f'teacher {each}' not in taken)


def _tested(
    name: str, checkpoint: Path, config: Config, classes: Sequence[int] | None, work_dir: Path
) -> TestedTeacher:
    title = f'teacher {name}'
    run = run_config(config, seed=(config.get('randomness') or {}).get('seed') or 0)
    splits = (*(('val',) if config.get('val_dataloader') is not None else ()), 'test')
    folder = RunFolder(work_dir / 'teacher' / name, run, checkpoint, splits)
    return TestedTeacher(title, Run(title, '', {}, None, TEACHER, folder), classes)


def _named(run: Run, name: str) -> Run:
    return Run(name, run.label, run.settings, run.seed, run.purpose, run.folder)
