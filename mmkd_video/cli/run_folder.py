"""One run of a comparison as a folder: its config, its checkpoints, and in the end its result."""

import hashlib
import json
import os
import re
import subprocess
import sys
from collections import deque
from pathlib import Path

from mmengine.config import Config

from mmkd_video.cli.folder_lock import locked
from mmkd_video.cli.trial import CONFIG, RESULT
from mmkd_video.hooks.atomic_file import write_atomically

LOG = 'console.log'
_SHOWN = re.compile(r'(Epoch|Iter)\((train|val|test)\)|WARNING|ERROR')
_NOISE = re.compile(r'"FileClient"|"HardDiskBackend"|save_param_scheduler')  # MMEngine's, about itself


class RunFolder:
    """A run that is started, resumed or, once finished, read.

    Args:
        path: The folder.
        config: Of the run.
        checkpoint: Tested instead of training anything.
    """

    def __init__(self, path: Path, config: Config, checkpoint: Path | None = None) -> None:
        self.path = path
        self._config = config
        self._checkpoint = checkpoint

    def result(self) -> dict:
        """Return the result; run what is missing for it.

        Raises:
            ValueError: The folder holds a run of another config.
            RuntimeError: The run failed.
        """
        with locked(self.path) as lock:
            self._claim()
            if not (self.path / RESULT).is_file():
                self._run(lock)
        return json.loads((self.path / RESULT).read_text())

    def is_finished(self) -> bool:
        """Return whether the folder holds the result of this very run."""
        known = self.path / 'run.json'
        return (self.path / RESULT).is_file() and known.is_file() and known.read_text() == self._note()

    def _note(self) -> str:
        digests = [_digest(path) for path in self._weights()]
        text = self._config.pretty_text
        return json.dumps(dict(config=hashlib.sha256(text.encode()).hexdigest(), weights=digests))

    def _claim(self) -> None:
        """Note the config and the weights it begins from, or see that they are the same as before."""
        text, note = self._config.pretty_text, self._note()
        known = self.path / 'run.json'
        if known.is_file():
            if known.read_text() != note:
                raise ValueError(
                    f'{self.path} holds a run of another config or of another teacher; choose another --work-dir, or '
                    f'delete {self.path}'
                )
            return
        write_atomically(text.encode(), self.path / CONFIG)
        write_atomically(note.encode(), known)

    def _weights(self) -> list[Path]:
        if self._checkpoint is not None:
            return [self._checkpoint]
        teacher = self._config.model.get('teacher') or {}
        named = [each.get('checkpoint') for each in ([teacher] if 'config' in teacher else teacher.values())]
        named.append(self._config.get('load_from'))
        return [Path(checkpoint) for checkpoint in named if checkpoint and '://' not in checkpoint]

    def _run(self, lock: int) -> None:
        command = [sys.executable, '-m', 'mmkd_video.cli.trial', str(self.path)]
        if self._checkpoint is not None:
            command += ['--checkpoint', str(self._checkpoint)]
        cores = str(len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count())
        threads = os.environ.get('OMP_NUM_THREADS', cores)
        # Both libraries get one number, and waiting threads sleep: spinning ones starve the loader's workers.
        given = {'OMP_WAIT_POLICY': 'PASSIVE', 'MKL_NUM_THREADS': threads}
        environment = {**given, **os.environ, 'OMP_NUM_THREADS': threads}
        last: deque[str] = deque(maxlen=30)
        with (
            open(self.path / LOG, 'a') as log,
            subprocess.Popen(
                command, env=environment, pass_fds=[lock], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            ) as process,
        ):
            for line in process.stdout:
                log.write(line)
                last.append(line)
                if _SHOWN.search(line) and not _NOISE.search(line):
                    print(f'  {line.rstrip()}', flush=True)
        if process.returncode != 0:
            raise RuntimeError(
                f'the run in {self.path} failed (exit code {process.returncode}); the end of {self.path / LOG}:\n'
                f'{"".join(last)}The same command goes on from its last checkpoint.'
            )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
