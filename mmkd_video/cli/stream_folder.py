"""``tools/stream.py`` on a folder: one file of lines for each video, resumed where it was left."""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mmkd_video.cli.interrupts import Interrupts
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.json_lines import JsonLines
from mmkd_video.core.files.lock import locked
from mmkd_video.core.plain_data import Anything, Table, read_json
from mmkd_video.serving import InferenceEngine, OpenCVSource, Stream, StreamOptions

SUFFIXES = {
    '.3gp', '.asf', '.avi', '.flv', '.m2ts', '.m4v', '.mjpeg', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.mts', '.ogv',
    '.ts', '.webm', '.wmv',
}  # fmt: skip
SETTINGS = 'settings.json'


class FolderOfVideos:
    """A folder of videos and the folder of their results.

    A video's results appear under ``<its path>.jsonl`` when it is finished; a video that has them is not read again.
    Those of a video that was not read to its end are under ``<its path>.partial.jsonl`` until it is read again.
    Results of another model or of other settings are not mixed with these.

    Args:
        options: Of the command line.
        engine: The model.
        how: How windows are taken.

    Raises:
        ValueError: There is no video, an argument is not for folders, or the results there were made otherwise.
    """

    def __init__(self, options: argparse.Namespace, engine: InferenceEngine, how: StreamOptions) -> None:
        for name in ('annotate', 'realtime'):
            if getattr(options, name):
                raise ValueError(f'--{name} is for one video, but {options.source} is a folder')
        if how.drop not in (None, 'none'):
            raise ValueError(f'--drop {how.drop}: of a folder nothing is dropped; leave it out')
        self.options, self.engine, self.how, self._warned = options, engine, how, False
        self.folder = Path(options.source)
        self.out = Path(options.out or Path('work_dirs', 'stream', self.folder.resolve().name))
        found = (path for path in self.folder.rglob('*') if path.suffix.lower() in SUFFIXES and path.is_file())
        self.videos = sorted(path for path in found if not path.name.startswith('.'))
        if not self.videos:
            raise ValueError(f'{self.folder} holds no video; expected files that end in {", ".join(sorted(SUFFIXES))}')

    def run(self) -> int:
        """Read every video that has no results yet, one process at a time.

        Returns:
            The exit code.
        """
        with locked(self.out, 'streaming'):
            return self._run()

    def _run(self) -> int:
        self._settle()
        waiting = [path for path in self.videos if not self.result(path).exists()]
        done, failed = len(self.videos) - len(waiting), []
        columns = TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
        console = Console(stderr=True)
        with Interrupts() as interrupts, Progress(*columns, console=console, disable=not console.is_terminal) as bar:
            task = bar.add_task('', total=len(self.videos), completed=done)
            for path in waiting:
                bar.update(task, description=path.name)
                try:
                    finished = self._read(
                        path, interrupts, lambda part, done=done: bar.update(task, completed=done + part)
                    )
                except (OSError, ValueError, RuntimeError, cv2.error) as error:
                    failed.append(path)
                    print(f'error: {path}: {" ".join(str(error).split())}', file=sys.stderr)  # runtimes say it in lines
                    continue
                if not finished:
                    break
                done += 1
                bar.update(task, completed=done)
        print(f'{done} of {len(self.videos)} videos done, {len(failed)} failed; in {self.out}', file=sys.stderr)
        if interrupts.happened:
            return interrupts.exit_code
        return 1 if failed else 0

    def result(self, video: Path) -> Path:
        """Return where the lines of a video are."""
        relative = video.relative_to(self.folder)
        return self.out / relative.with_name(f'{relative.name}.jsonl')

    def settings(self) -> dict:
        """Return all that decides what is in the lines."""
        model = self.engine.model
        parts = [path for path in (model.path, model.path.with_suffix('.bin')) if path.is_file()]
        digest = hashlib.sha256(b''.join(path.read_bytes() for path in parts)).hexdigest()
        return {
            'model': model.path.name,
            'sha256': digest,
            'backend': model.backend,
            'precision': model.precision,
            'hop': self.how.hop,
            'interval': self.how.interval,
            'smooth': self.how.smooth,
            'fit': self.how.fit,
            'topk': self.options.topk,
        }

    def _settle(self) -> None:
        """Compare the settings with those of the results that are there; record them."""
        path, settings = self.out / SETTINGS, self.settings()
        results = [self.result(video) for video in self.videos]
        if self.options.force:
            for result in results:
                result.unlink(missing_ok=True)
                JsonLines.partial(result).unlink(missing_ok=True)
        elif path.is_file():
            before = read_json(path.read_bytes(), Table(Anything(100), most=50), str(path))
            changed = [name for name in settings if before.get(name) != settings[name]]
            if changed:
                was = ', '.join(f'{name} {before.get(name)!r}, now {settings[name]!r}' for name in changed)
                raise ValueError(
                    f'{self.out} holds results of other settings ({was}); give another --out, or --force to begin again'
                )
        elif any(result.exists() for result in results):
            raise ValueError(f'{self.out} holds results of unknown settings; give another --out, or --force')
        write_atomically((json.dumps(settings, indent=1) + '\n').encode(), path)

    def _read(self, path: Path, interrupts: Interrupts, show: Callable[[float], None]) -> bool:
        """Write the lines of one video; whether it was read to its end."""
        classes = self.engine.model.metadata.classes
        source = OpenCVSource(path, self.options.decoder_threads)
        stream = Stream(source, self.engine, self.how)
        pictures = source.frame_count
        interrupts.stop = stream.stop
        if interrupts.happened:
            stream.stop()
        try:
            with JsonLines(self.result(path), whole=True) as lines:
                for prediction in stream:
                    if stream.preparer.warning and not self._warned:
                        print(f'warning: {path}: {stream.preparer.warning}', file=sys.stderr)
                        self._warned = True
                    lines.write(prediction.as_dict(classes, self.options.topk))
                    if pictures:
                        show(min(prediction.last / pictures, 1))
                if stream.statistics.interrupted:
                    raise InterruptedError
        except InterruptedError:
            return False
        return True
