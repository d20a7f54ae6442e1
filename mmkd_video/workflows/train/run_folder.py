"""One run of a comparison as a folder: its config, its checkpoints, and in the end its result."""

import json
import os
import re
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO

from mmengine.config import Config

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.digest import sha256_of
from mmkd_video.core.files.lock import locked
from mmkd_video.core.mistakes import WorkFailedError, WrongValueError
from mmkd_video.core.plain_data import Anything, Table, read_json
from mmkd_video.hooks.run_record import fingerprint, flatten
from mmkd_video.recognizers.libraries import local_weights
from mmkd_video.recognizers.plain_student import named_teachers
from mmkd_video.recognizers.stages import stages_of
from mmkd_video.workflows.train.prepare import publish, resume_advice

CONFIG = 'config.py'
RESULT = 'result.json'
SCORES = 'test_scores.npz'
LOG = 'console.log'
TRIAL = 'mmkd_video.cli.trial'  # the program that trains and scores in a folder
TAIL = 30  # lines of a log that an error shows
_RESULT = Table(Anything(100_000), most=50)
_SHOWN = re.compile(r'(Epoch|Iter)\((train|val|test)\)|WARNING|ERROR')
_NOISE = re.compile(r'"FileClient"|"HardDiskBackend"|save_param_scheduler')  # MMEngine's, about itself


class RunFolder:
    """A run that is started, resumed or, once finished, read.

    Args:
        path: Folder of the run.
        config: Config of the run.
        checkpoint: Checkpoint that is tested, instead of training anything.
        splits: Splits that the last checkpoint is scored on, ``'val'`` and ``'test'``; none for a training alone.
        teacher: Name of a teacher of the config that is scored, instead of training anything.
    """

    def __init__(
        self,
        path: Path,
        config: Config,
        checkpoint: Path | None = None,
        splits: Sequence[str] = ('test',),
        teacher: str | None = None,
    ) -> None:
        self.path = path
        self.splits = tuple(splits)
        self.config = config
        self._checkpoint = checkpoint
        self._teacher = teacher

    def result(self) -> dict:
        """Return the result; run what is missing for it.

        Raises:
            ValueError: The folder holds a run of another config.
            RuntimeError: The run failed.
        """
        with locked(self.path) as lock:
            self.claim()
            if self.read() is None:
                self._run(lock)
        found = self.read()
        if found is None:
            raise WorkFailedError(f'the run in {self.path} ended without a whole {RESULT}; see {self.path / LOG}')
        return found

    def publish(self, target: Path) -> dict:
        """Return the result, as :meth:`result` does, and give the last checkpoint its lasting name.

        What has the name is kept unless the checkpoint is newer: what begins from it knows it by its content.

        Args:
            target: Path of that name.

        Raises:
            ValueError: The folder holds a run of another config.
            RuntimeError: The run failed.
        """
        result = self.result()
        trained = Path(result['checkpoint'])
        if not target.is_file() or (trained.is_file() and target.stat().st_mtime < trained.stat().st_mtime):
            publish(self.path, target)
        return result

    def read(self) -> dict | None:
        """Return the result; None where there is none, or where it is damaged or lacks a score."""
        try:
            found = read_json((self.path / RESULT).read_bytes(), _RESULT, RESULT)
        except (FileNotFoundError, ValueError):
            return None
        keys = ['metrics' if split == 'test' else split for split in self.splits]
        return found if all(isinstance(found.get(key), dict) for key in keys) else None

    def is_finished(self) -> bool:
        """Return whether the folder holds the result of this very run."""
        known = self.path / 'run.json'
        return self.read() is not None and known.is_file() and known.read_text() == self._note()

    def claim(self) -> None:
        """Record the config and the weights it begins from, or check that they are the same as before.

        Raises:
            ValueError: They are not.
        """
        note = self._note()
        known = self.path / 'run.json'
        if known.is_file():
            if known.read_text() != note:
                raise WrongValueError(
                    f'{self.path} holds a run of another config or of another teacher, or one that began from other '
                    f'weights; choose another --work-dir, or delete {self.path}'
                )
            return
        write_atomically(self.config.pretty_text.encode(), self.path / CONFIG)
        write_atomically(note.encode(), known)

    def start(self, output: IO | int, threads: int | None = None, keep: Sequence[int] = ()) -> subprocess.Popen:
        """Start the run in a process, and a session, of its own.

        Args:
            output: File that takes the output of the run.
            threads: Number of its threads; ``OMP_NUM_THREADS`` counts before it, and all cores are taken by default.
            keep: File descriptors that it inherits.
        """
        command = [sys.executable, '-m', TRIAL, str(self.path), '--score', *self.splits]
        if self._checkpoint is not None:
            command += ['--checkpoint', str(self._checkpoint)]
        if self._teacher is not None:
            command += ['--teacher-name', self._teacher]
        return subprocess.Popen(
            command,
            env=environment_of(threads or cores()),
            pass_fds=list(keep),
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def tail(self) -> str:
        """Return the end of the log."""
        path = self.path / LOG
        return ''.join(deque(path.open(errors='replace'), maxlen=TAIL)) if path.is_file() else ''

    def _note(self) -> str:
        digests = [_digest(path, path.stat().st_mtime_ns) for path in self._weights()]
        return json.dumps(dict(config=fingerprint(flatten(self.config.to_dict())), weights=digests))

    def _weights(self) -> list[Path]:
        if self._checkpoint is not None:
            return [self._checkpoint]
        named = []
        for config in (self.config, *(stage.config for stage in stages_of(self.config))):
            for teacher in named_teachers(config.model.get('teacher')).values():
                named += [teacher.get('checkpoint'), *local_weights(teacher.get('config'))]
                probe = teacher.get('probe')  # where it is missing, the teacher says what to do
                named += [probe] if probe and Path(probe).is_file() else []
            named.append(config.get('load_from'))
        return [Path(checkpoint) for checkpoint in dict.fromkeys(named) if checkpoint and '://' not in checkpoint]

    def _run(self, lock: int) -> None:
        with (
            open(self.path / LOG, 'a') as log,
            self.start(subprocess.PIPE, keep=[lock]) as process,
        ):
            try:
                for line in process.stdout:
                    log.write(line)
                    if _SHOWN.search(line) and not _NOISE.search(line):
                        print(f'  {line.rstrip()}', flush=True)
            except BaseException:
                process.terminate()  # it has a session of its own, which a ctrl-C does not reach
                raise
        if process.returncode != 0:
            raise WorkFailedError(
                f'the run in {self.path} failed (exit code {process.returncode}); the end of {self.path / LOG}:\n'
                f'{self.tail()}{resume_advice(self.path)}'
            )


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1


def environment_of(threads: int) -> Mapping[str, str]:
    """Return the environment of a run.

    Args:
        threads: Number of threads where ``OMP_NUM_THREADS`` does not say it.
    """
    number = os.environ.get('OMP_NUM_THREADS', str(threads))
    # Both libraries get one number, and waiting threads sleep: spinning ones starve the loader's workers.
    given = {'OMP_WAIT_POLICY': 'PASSIVE', 'MKL_NUM_THREADS': number}
    return {**given, **os.environ, 'OMP_NUM_THREADS': number}


@cache
def _digest(path: Path, changed: int) -> str:
    return sha256_of(path)
