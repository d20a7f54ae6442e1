"""Preparations that a distillation needs before it can be built: its embedded data, and a trained teacher."""

import io
import logging
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.logging import print_log

from mmkd_video.compat import safe_load
from mmkd_video.compat.file_address import without_scheme
from mmkd_video.core.checked import AnyOf, Flag, ListOf, Number, OneOf, Optional, Settings, Text, table_of
from mmkd_video.core.command_line import words_of
from mmkd_video.core.compression import compressions
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.lock import locked
from mmkd_video.core.mistakes import (
    MissingFileError,
    WaitedTooLongError,
    WorkFailedError,
    WrongKeyError,
    WrongValueError,
)
from mmkd_video.datasets.motion_set import read_manifest
from mmkd_video.hooks.run_record import deciding_settings, difference
from mmkd_video.recognizers.config import read_config, resolve_config, to_arguments
from mmkd_video.recognizers.plain_student import named_teachers, prepares_one_teacher
from mmkd_video.workflows.train.child_process import terminate_on_error, without_launcher
from mmkd_video.workflows.train.clips import MOTION_NAMES, prepare_motion_clips
from mmkd_video.workflows.train.prepared_cache import PreparedCache, caches_of

RANK_VARIABLES = {'pytorch': 'RANK', 'slurm': 'SLURM_PROCID', 'mpi': 'OMPI_COMM_WORLD_RANK'}  # that MMEngine reads
POLL_SECONDS = 1.0
TRAINER = 'mmkd_video.cli.train'  # the program that trains a teacher in a process of its own
SETTINGS = 'mmkd_settings'


PREPARE = table_of(
    'prepare',
    dict(
        data=Optional(Text('the folder of the embedded clips')),
        target=Optional(Text('the folder of the embedded clips of the other domain')),
        motions=OneOf(*MOTION_NAMES),
        teacher=Optional(AnyOf(Text("the path of the teacher's training config"), Settings('a dict of these by name'))),
        teacher_options=Optional(Settings('a dict that is merged into that config')),
        cache=Optional(Settings('dict(config=..., views=...), or a dict of these by name')),
        timeout=Number(0, above=True),
        check=Flag(),
        rates=Optional(ListOf(Number(0, above=True))),
    ),
)


@dataclass(frozen=True)
class Clips:
    """The embedded motion clips in a folder, of the first domain or another one."""

    root: Path
    domain: str = 'source'
    motions: str = 'single'

    def __str__(self) -> str:
        return f'the embedded clips in {self.root}'

    @property
    def command(self) -> str:
        """The command that makes them by hand."""
        more = [] if self.domain == 'source' else ['--domain', self.domain]
        more += [] if self.motions == 'single' else ['--motions', self.motions]
        return shlex.join([*words_of('render'), str(self.root), *more])

    def exists(self) -> bool:
        """Return whether rendering finished and no clip was removed since."""
        manifest = self.root / 'manifest.json'
        return manifest.is_file() and all((self.root / name).is_file() for name in read_manifest(self.root)['sha256'])

    def make(self) -> None:
        """Render them, or go on where an interrupted rendering stopped."""
        _say(f'preparing {self}')
        prepare_motion_clips(str(self.root), domain=self.domain, motions=self.motions)


@dataclass(frozen=True)
class TrainedTeacher:
    """A teacher's checkpoint, made by the teacher's own training config."""

    config: str
    checkpoint: Path
    options: Mapping = field(default_factory=dict)

    def __str__(self) -> str:
        return f'the teacher {self.checkpoint}'

    @property
    def work_dir(self) -> Path:
        """Folder of its training: beside the checkpoint, under its name."""
        return self.checkpoint.with_suffix('')

    @property
    def command(self) -> str:
        """The command that makes it by hand; the checkpoint is to be given the expected name then."""
        return shlex.join([*words_of('train'), *self._arguments, '--publish', str(self.checkpoint)])

    @property
    def _arguments(self) -> list[str]:
        options = to_arguments(self.options)
        return [
            self.config,
            '--work-dir',
            str(self.work_dir),
            '--resume',
            *(['--cfg-options', *options] if options else []),
        ]

    def exists(self) -> bool:
        """Return whether the checkpoint is there."""
        return self.checkpoint.is_file()

    def check(self) -> None:
        """Check that a checkpoint which ``tools/train.py`` published comes from these very settings.

        What others have made is taken as it is.

        Raises:
            ValueError: It was trained with other settings.
        """
        made_with = published_settings(self.checkpoint)
        if made_with is None:
            return
        config = read_config(self.config, self.options)
        merge_teacher_options(config)
        wanted = teacher_settings(config)
        if made_with != wanted:
            raise WrongValueError(
                f'{self} was trained with other settings than {self.config} and prepare.teacher_options have now:\n'
                f"{difference(made_with, wanted)}\nEither give the teacher's checkpoint another name, and it is "
                'trained anew; or take it as it is with prepare.teacher=None.'
            )

    def make(self) -> None:
        """Train it in a process of its own, resuming an interrupted training; then publish its last checkpoint.

        Raises:
            RuntimeError: The training failed.
        """
        with locked(self.work_dir) as lock:
            if self.exists():  # another process was faster
                return
            _say(f'training {self} from {self.config} in {self.work_dir} (resumed if interrupted)')
            # The lock goes to the child: it holds as long as anybody trains here, even when this process is killed.
            command = [
                sys.executable,
                '-m',
                TRAINER,
                *self._arguments,
                '--publish',
                str(self.checkpoint),
            ]
            with (
                subprocess.Popen(command, env=without_launcher(), pass_fds=[lock]) as training,
                terminate_on_error(training),
            ):
                code = training.wait()
        if code != 0 or not self.exists():
            raise WorkFailedError(
                f'{self} was not trained (exit code {code}); its messages are above. {resume_advice(self.work_dir)} By '
                f'hand: {self.command}'
            )
        _say(f'{self} is ready')


def prepare(config: Config, allowed: bool = True) -> None:
    """Make what the config's ``prepare`` names and what is missing: on rank 0, while the other ranks wait.

    ``prepare = dict(data=<folder of the embedded clips, or None>, motions=<what the sprites do, 'single'>,
    teacher=<the teacher's training config, or None>, teacher_options=<dict merged into that config>, cache=<how a
    CachedTeacher's cache is made>, timeout=<hours that other ranks wait, 24>, check=<whether to compare teachers with a
    simple reference, False>, rates=<factors on the learning rate>)``. With
    several teachers, ``teacher`` and ``teacher_options`` are dicts by name. Where a teacher has options, its config in
    the model becomes the merged one, so that it is built as it was trained.

    Args:
        config: The distillation config, with the command line merged.
        allowed: Whether parts may be made; False to say which command to run.

    Raises:
        FileNotFoundError: Something is missing and ``allowed`` is False; the message holds the commands.
        KeyError: ``prepare`` holds an unknown key or teacher.
        RuntimeError: A teacher's training failed.
        TimeoutError: Rank 0 took too long.
        ValueError: A teacher's checkpoint was trained with other settings, or a cache made with other ones.
    """
    parts = needed_parts(config)
    for part in parts:
        if isinstance(part, TrainedTeacher | PreparedCache):
            part.check()
    merge_teacher_options(config)
    missing = [part for part in parts if not part.exists()]
    if missing:
        make_parts(config, missing, allowed)
    checked = (config.get('prepare') or {}).get('check')
    if checked and allowed and own_rank(config.get('launcher') or 'none') == 0:
        from mmkd_video.workflows.train.teacher_check import (
            check_teachers,  # it runs teachers, with what this module makes
        )

        check_teachers(part for part in parts if isinstance(part, TrainedTeacher))


def make_parts(config: Config, missing: Sequence[Any], allowed: bool) -> None:
    """Make what is missing on rank 0, or wait for it.

    Args:
        config: Config of the training.
        missing: Parts to make.
        allowed: Whether they may be made; False to say which command to run.

    Raises:
        FileNotFoundError: ``allowed`` is False; the message holds the commands.
        RuntimeError: A training failed.
        TimeoutError: Rank 0 took too long.
    """
    if not allowed:
        commands = '\n'.join(f'  {part.command}' for part in missing)
        raise MissingFileError(f'missing: {", ".join(map(str, missing))}. Run first:\n{commands}')
    rank = own_rank(config.get('launcher') or 'none')
    if rank == 0:
        for place, part in enumerate(missing, 1):
            start = time.monotonic()
            _say(f'before the training, {place} of {len(missing)}: {part}')
            part.make()
            _say(f'{part}: done in {(time.monotonic() - start) / 60:.1f} minutes')
    else:
        _wait_for(missing, rank, hours=(config.get('prepare') or {}).get('timeout', 24))


def needed_parts(config: Config) -> list[Clips | TrainedTeacher | PreparedCache]:
    """Return what the config's ``prepare`` names, present or not, in the order in which it is made.

    Raises:
        KeyError: ``prepare`` holds an unknown key, or a teacher that the model does not have.
    """
    given = config.get('prepare')
    Optional(Settings('dict(data=..., teacher=...)')).check('prepare', given)
    wanted = dict(given or {})
    PREPARE.check('prepare', wanted)
    domains, motions = {'data': 'source', 'target': 'target'}, wanted.get('motions', 'single')
    clips = [Clips(Path(wanted[key]), domain, motions) for key, domain in domains.items() if wanted.get(key)]
    return clips + _trained_teachers(config, wanted) + caches_of(config, wanted.get('cache'))


def _trained_teachers(config: Config, wanted: Mapping) -> list[TrainedTeacher]:
    parts: list[TrainedTeacher] = []
    trainings, options = wanted.get('teacher'), wanted.get('teacher_options') or {}
    if not trainings:
        return parts
    teachers = named_teachers(config.model.get('teacher'))
    if not teachers:
        return parts
    if prepares_one_teacher(config):
        trainings = {'teacher': trainings} if isinstance(trainings, str) else trainings
        options = {'teacher': options}
    for name, training in trainings.items():
        if name not in teachers:
            raise WrongKeyError(f'prepare.teacher: got {name!r}; the teachers of the model are {sorted(teachers)}')
        checkpoint = without_scheme(teachers[name].get('checkpoint') or '')
        if checkpoint and '://' not in checkpoint:
            parts.append(TrainedTeacher(training, Path(checkpoint), options.get(name) or {}))
    return parts


def merge_teacher_options(config: Config) -> None:
    """Replace the config of a teacher that has ``prepare.teacher_options`` by the merged one.

    Args:
        config: The distillation config; it is changed.
    """
    wanted = config.get('prepare') or {}
    options, teachers = wanted.get('teacher_options') or {}, named_teachers(config.model.get('teacher'))
    if prepares_one_teacher(config):
        options = {'teacher': options}
    for name, given in options.items():
        if given and name in teachers and isinstance(teachers[name].get('config'), str):
            whole = resolve_config(teachers[name]['config'])[1]
            whole.merge_from_dict(dict(given))
            teachers[name]['config'] = whole.to_dict()


def teacher_settings(config: Config) -> dict[str, Any]:
    """Return the settings of a teacher's training config that determine what it has learnt; the seed is left out.

    Args:
        config: Whole config of the training.
    """
    settings = deciding_settings({key: value for key, value in config.items() if key != 'randomness'})
    loop = config.get('train_cfg') or {}
    lengths = {f'train_cfg.{key}': loop[key] for key in ('max_epochs', 'max_iters') if key in loop}
    return {**settings, **lengths}


def published_settings(checkpoint: Path) -> dict[str, Any] | None:
    """Return the settings that :func:`publish` wrote into a checkpoint; None where there are none.

    Args:
        checkpoint: Path of any file; whether it serves as a teacher is seen when the teacher is built.
    """
    try:
        return safe_load.load(checkpoint, mmap=True)['meta'][SETTINGS]
    except Exception:  # torch raises as many types as there are ways not to be such a file
        return None


def publish(work_dir: Path, target: Path, settings: Mapping[str, Any] | None = None) -> None:
    """Give the last checkpoint of a finished training its lasting name, without optimizer and logs.

    What each registered compression wrote, from which the model is rebuilt, goes along.

    Args:
        work_dir: Folder of the training.
        target: File to write; it appears complete or not at all.
        settings: Settings that it was trained with, kept in its ``meta``.

    Raises:
        FileNotFoundError: The training wrote no checkpoint.
    """
    last = find_last(work_dir)
    loaded = safe_load.load(last)
    published = {key: loaded[key] for key in ('meta', 'state_dict', *compressions()) if key in loaded}
    if settings is not None:
        published['meta'] = {**published.get('meta', {}), SETTINGS: dict(settings)}
    content = io.BytesIO()
    torch.save(published, content)
    write_atomically(content.getvalue(), target)
    _say(f'{last} is published as {target}')


def resume_advice(work_dir: Path) -> str:
    """Return the sentence that says from where a failed training is resumed.

    Args:
        work_dir: Folder of the training.
    """
    if Path(work_dir, 'last_checkpoint').is_file():
        return 'Once that is mended, the same command goes on from its last checkpoint.'
    return 'It has no checkpoint yet: once that is mended, the same command begins anew.'


def find_last(work_dir: Path) -> Path:
    """Return the last checkpoint of a training, also when its folder was moved.

    Raises:
        FileNotFoundError: There is none.
    """
    note = work_dir / 'last_checkpoint'
    named = Path(note.read_text().strip()) if note.is_file() else None
    for path in (named, named and work_dir / named.name):
        if path is not None and path.is_file():
            return path
    raise MissingFileError(f'{work_dir} holds no checkpoint that its last_checkpoint names; train there first')


def own_rank(launcher: str) -> int:
    """Return this process's rank in the launch, before any process group exists.

    Args:
        launcher: Name of what started the ranks; ``none`` is always rank 0, whatever a host's environment says.
    """
    return int(os.environ.get(RANK_VARIABLES.get(launcher, '')) or 0)


def _wait_for(parts: Sequence[Any], rank: int, hours: float) -> None:
    start, said = time.monotonic(), -60.0
    for part in parts:
        while not part.exists():
            waited = time.monotonic() - start
            if waited > hours * 3600:
                raise WaitedTooLongError(
                    f'rank {rank} waited {hours} hours for rank 0 to make {part}; see what rank 0 says. On '
                    'several nodes the folder must be shared. A longer training needs prepare.timeout=<hours>, or by '
                    f'hand first: {part.command}'
                )
            if waited - said >= 60:
                said = waited
                _say(f'rank {rank} waits for rank 0 to make {part}')
            time.sleep(POLL_SECONDS)


def _say(message: str) -> None:
    print_log(message, logger=None, level=logging.INFO)
    sys.stdout.flush()
