"""The links of a chain: its configs in order, and whether each can be taught by the one before."""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.hooks.run_record import difference, flatten
from mmkd_video.recognizers.config import read_config, resolve_config
from mmkd_video.recognizers.plain_student import is_distillation, named_teachers, plain_student, prepares_one_teacher

LIVE = (None, 'FrozenTeacher')


@dataclass
class Link:
    """One training of a chain.

    Attributes:
        number: Its place, from 1.
        path: Path of its config.
        config: Its config; the checkpoint of its teacher is filled in when the link before is trained.
        teacher: Name of the teacher that the link before becomes; None for the first link.
    """

    number: int
    path: str
    config: Config
    teacher: str | None

    @property
    def name(self) -> str:
        """Name of its folder and of its checkpoint."""
        return f'{self.number}_{Path(self.path).stem}'

    def learn_from(self, checkpoint: str) -> None:
        """Let the link before teach.

        Args:
            checkpoint: Path of its published checkpoint.
        """
        named_teachers(self.config.model.teacher)[self.teacher]['checkpoint'] = checkpoint


def read_links(
    paths: Sequence[str],
    *,
    generations: int = 1,
    teacher: str | None = None,
    cfg_options: Mapping[str, Any] | None = None,
) -> list[Link]:
    """Read the configs of a chain, and see that each can be taught by the one before.

    Args:
        paths: Paths of the configs, in order.
        generations: Number of times that the last one is trained, each time by the one before.
        teacher: Name of the teacher that the link before becomes, where a config has several; the only one by default.
        cfg_options: Settings that replace those of every config, by dotted key.

    Raises:
        FileNotFoundError: A config does not exist.
        KeyError: A config has no such teacher.
        ValueError: There is one link only, or a link cannot be taught by the one before.
    """
    paths = [*paths, *[paths[-1]] * (generations - 1)]
    if len(paths) < 2:
        raise WrongValueError(
            f'chain: got one config, {paths[0]}; expected several, or --generations of one that teaches itself; one '
            'alone is what tools/train.py trains'
        )
    read = {path: read_config(path, cfg_options) for path in dict.fromkeys(paths)}
    links: list[Link] = []
    for number, path in enumerate(paths, 1):
        config = copy.deepcopy(read[path])
        name = None if number == 1 else _teacher_of(path, number, config, teacher)
        link = Link(number, path, config, name)
        if links:
            _expect_student_of(links[-1], link)
            _leave_out_training(link)
        links.append(link)
    return links


def _teacher_of(path: str, number: int, config: Config, wanted: str | None) -> str:
    """Return the name of the teacher that the link before becomes."""
    teachers = named_teachers(config.model.get('teacher')) if is_distillation(config) else {}
    if not teachers:
        raise WrongValueError(
            f'link {number}, {path}: got a config without a teacher; expected a distillation, which the link before '
            'teaches; only the first one may be a plain recognizer'
        )
    if wanted is not None and wanted not in teachers and len(teachers) > 1:
        raise WrongKeyError(f'link {number}, {path}: --teacher-name: got {wanted!r}; expected one of {list(teachers)}')
    if wanted is None and len(teachers) > 1:
        raise WrongValueError(
            f'link {number}, {path}: got several teachers, {list(teachers)}; say with --teacher-name which of them the '
            'link before becomes'
        )
    name = wanted if wanted in teachers else next(iter(teachers))
    kind = teachers[name].get('type')
    if kind not in LIVE:
        raise WrongValueError(
            f'link {number}, {path}: {name}: got a {kind}; expected a teacher with config and checkpoint, which the '
            'link before becomes'
        )
    return name


def _expect_student_of(before: Link, link: Link) -> None:
    """Check before anything is trained that a link's teacher is the recognizer that the link before trains."""
    given = named_teachers(link.config.model.teacher)[link.teacher].get('config')
    wanted, trained = (
        flatten(model) for model in (resolve_config(given)[0], dict(plain_student(before.config).model.to_dict()))
    )
    if wanted != trained:
        where = given if isinstance(given, str) else 'a model'
        raise WrongValueError(
            f'link {link.number}, {link.path}: its teacher is {where}, which is not what link {before.number}, '
            f'{before.path}, trains; expected teacher=dict(config={before.path!r}, checkpoint=...). The first '
            f'difference: {difference(trained, wanted).splitlines()[0].strip()}'
        )


def _leave_out_training(link: Link) -> None:
    """Take the training of the teacher out of ``prepare``: the link before is it."""
    given = dict(link.config.get('prepare') or {})
    for key in ('teacher', 'teacher_options'):
        if given.get(key) is None:
            continue
        if prepares_one_teacher(link.config):
            given[key] = None
        else:
            given[key] = {name: value for name, value in given[key].items() if name != link.teacher} or None
    link.config.prepare = given or None
