"""The teachers of distillations, each tested by itself."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.config import Config

from mmkd_video.compat.file_address import without_scheme
from mmkd_video.recognizers.class_matching import name_classes, selected_outputs
from mmkd_video.recognizers.config import resolve_config
from mmkd_video.recognizers.libraries import is_library_model
from mmkd_video.recognizers.plain_student import given_teachers, named_teachers
from mmkd_video.workflows.compare.runs import TEACHER, Run, run_config
from mmkd_video.workflows.train.run_folder import RunFolder

PROBED = 'ProbedTeacher'


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
        for key, given in teachers.items():
            teacher = {**given, **(given.get('teacher') or {})}  # a cached one names the teacher itself there
            name = '' if list(teachers) == ['teacher'] else key
            whole = resolve_config(teacher.get('config'))[1] if teacher.get('config') is not None else None
            if key in given_teachers(config.model.teacher) and _scores_as_built(given, whole):
                settings = (repr(given),)
                if settings not in found:
                    taken = [each.name for each in found.values()]
                    found[settings] = _built(_free(name or config_name, taken), config, key, work_dir)
                owned[config_name].append(found[settings].name)
                continue
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


def _scores_as_built(teacher: Mapping, whole: Config | None) -> bool:
    """Return whether a teacher is tested as its distillation builds it: a model of a library that has class scores."""
    config = teacher.get('config')
    if whole is None or not is_library_model(config):
        return False
    by_names = isinstance(config, Mapping) and bool(config.get('zero_shot'))
    return by_names or teacher.get('type') == PROBED or _outputs(whole) > 0


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


def _built(name: str, config: Config, key: str, work_dir: Path) -> TestedTeacher:
    title = f'teacher {name}'
    run = run_config(config, seed=0)
    splits = (*(('val',) if config.get('val_dataloader') is not None else ()), 'test')
    folder = RunFolder(work_dir / 'teacher' / name, run, splits=splits, teacher=key)
    return TestedTeacher(title, Run(title, '', {}, None, TEACHER, folder), None)


def _named(run: Run, name: str) -> Run:
    return Run(name, run.label, run.settings, run.seed, run.purpose, run.folder)
