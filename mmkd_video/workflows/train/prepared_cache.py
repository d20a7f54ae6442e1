"""A teacher's cached answers that a training makes before it begins."""

import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.config import Config

from mmkd_video.core.checked import ListOf, Optional, Settings, Text, Whole, table_of
from mmkd_video.core.command_line import words_of
from mmkd_video.core.files.lock import locked
from mmkd_video.core.mistakes import WorkFailedError, WrongKeyError, WrongValueError
from mmkd_video.recognizers.config import to_arguments
from mmkd_video.recognizers.plain_student import named_teachers
from mmkd_video.teachers.cache import Manifest, read_manifest
from mmkd_video.workflows.train.child_process import terminate_on_error, without_launcher

MAKER = 'mmkd_video.cli.cache'  # the program that makes a cache in a process of its own
USUAL = dict(views=1, same_frames=1, topk=None, seed=None)  # seed: the config's
CACHE = table_of(
    'prepare.cache',
    dict(
        config=Text('the path of the distillation config with the teacher that answers'),
        views=Whole(1),
        same_frames=Whole(1),
        topk=Optional(Whole(1)),
        taps=Optional(ListOf(Text('a tap'), least=1)),
        seed=Optional(Whole(0)),
        options=Optional(Settings('a dict that is merged into that config')),
    ),
)


@dataclass(frozen=True)
class PreparedCache:
    """A cache, made from the distillation with the teacher that answers."""

    folder: Path
    config: str
    settings: Mapping = field(default_factory=dict)

    def __str__(self) -> str:
        return f'the cache {self.folder}'

    @property
    def command(self) -> str:
        """The command that makes it by hand."""
        return shlex.join([*words_of('cache'), *self._arguments])

    @property
    def _arguments(self) -> list[str]:
        words = [self.config, '--out', str(self.folder)]
        for key, value in self.settings.items():
            if key != 'options' and value is not None:
                values = value if isinstance(value, list | tuple) else [value]
                words += [f'--{key.replace("_", "-")}', *map(str, values)]
        options = to_arguments(self.settings.get('options') or {})
        return [*words, *(['--cfg-options', *options] if options else [])]

    def exists(self) -> bool:
        """Return whether it was made to the end."""
        found = self._manifest()
        return found is not None and None not in found.shards

    def check(self) -> None:
        """Check that a cache that is there has the augmentations that are asked for.

        Raises:
            ValueError: It has others, or it is damaged.
        """
        found = self._manifest()
        wanted = {key: self.settings.get(key, usual) for key, usual in USUAL.items()}
        for key, value in wanted.items():
            if found is not None and getattr(found, key) != value and (key, value) != ('seed', None):
                raise WrongValueError(
                    f'{self} was made with {key}={getattr(found, key)}; prepare.cache has {value} now: give the cache '
                    'another name, and it is made anew, or set what it was made with'
                )

    def make(self) -> None:
        """Make it in a process of its own, or go on where that was stopped.

        Raises:
            RuntimeError: It was not made.
        """
        with locked(self.folder, 'preparing') as lock:
            if self.exists():  # another process was faster
                return
            command = [sys.executable, '-m', MAKER, *self._arguments]
            with (
                subprocess.Popen(command, env=without_launcher(), pass_fds=[lock]) as making,
                terminate_on_error(making),
            ):
                code = making.wait()
        if code != 0 or not self.exists():
            raise WorkFailedError(
                f'{self} was not made (exit code {code}); its messages are above. Once that is mended, the same '
                f'command goes on after the last file that is whole. By hand: {self.command}'
            )

    def _manifest(self) -> Manifest | None:
        try:
            return read_manifest(self.folder)
        except FileNotFoundError:
            return None


def caches_of(config: Config, given: Any) -> list[PreparedCache]:
    """Return the caches that ``prepare.cache`` says how to make.

    Args:
        config: The distillation config.
        given: ``dict(config=..., views=...)``, or a dict of these by name of the teacher; None for none.

    Raises:
        KeyError: An unknown key, or a teacher that the model does not have.
        ValueError: An invalid value.
    """
    teachers = {name: each for name, each in named_teachers(config.model.get('teacher')).items() if each.get('cache')}
    if not given or not named_teachers(config.model.get('teacher')):
        return []
    named = dict(given)
    if 'config' in named:
        named = dict.fromkeys(teachers, named)
    for name, settings in named.items():
        if name not in teachers:
            raise WrongKeyError(f'prepare.cache: got {name!r}; the cached teachers of the model are {sorted(teachers)}')
        CACHE.check('prepare.cache', dict(settings))
        if 'config' not in settings:
            raise WrongKeyError(f"prepare.cache: got {sorted(settings)}; expected 'config', the distillation it is of")
    return [
        PreparedCache(
            Path(teachers[name]['cache']),
            settings['config'],
            {key: value for key, value in settings.items() if key != 'config'},
        )
        for name, settings in named.items()
    ]
