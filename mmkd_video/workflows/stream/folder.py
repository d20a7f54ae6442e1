"""An exported model on a folder of videos: one file of lines for each video, resumed where it was left."""

import json
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import cv2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.digest import sha256_of
from mmkd_video.core.files.json_lines import JsonLines
from mmkd_video.core.files.lock import locked
from mmkd_video.core.interrupts import Interrupts
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.plain_data import Anything, Table, read_json
from mmkd_video.serving import InferenceEngine, OpenCVSource, Stream, StreamOptions
from mmkd_video.workflows.stream.run import TOPK, ModelSettings, expect_classes

SUFFIXES = {
    '.3gp', '.asf', '.avi', '.flv', '.m2ts', '.m4v', '.mjpeg', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.mts', '.ogv',
    '.ts', '.webm', '.wmv',
}  # fmt: skip
SETTINGS = 'settings.json'


@dataclass(frozen=True)
class FolderResult:
    """The end of the work on a folder of videos.

    Args:
        out: Folder of the results.
        videos: Number of videos.
        done: Number of videos that have results.
        failed: Number of videos that could not be read.
        signal: Number of the signal that ended it; None where none did.
    """

    out: Path
    videos: int
    done: int
    failed: int
    signal: int | None = None

    def __str__(self) -> str:
        return f'{self.done} of {self.videos} videos done, {self.failed} failed; in {self.out}'


def videos_in(folder: Path) -> list[Path]:
    """Return the videos in a folder and below, in order.

    Args:
        folder: The folder.

    Raises:
        ValueError: There is none.
    """
    found = (path for path in folder.rglob('*') if path.suffix.lower() in SUFFIXES and path.is_file())
    videos = sorted(path for path in found if not path.name.startswith('.'))
    if not videos:
        raise WrongValueError(f'{folder} holds no video; expected files that end in {", ".join(sorted(SUFFIXES))}')
    return videos


def stream_folder(
    folder: str | Path,
    model: ModelSettings,
    how: StreamOptions | None = None,
    *,
    out: str | Path | None = None,
    force: bool = False,
    topk: int = TOPK,
    decoder_threads: int = 1,
) -> FolderResult:
    """Classify every video of a folder that has no results yet, and write one line of JSON a window.

    Args:
        folder: Folder of the videos.
        model: Model and how it is run.
        how: Windows to take; nothing is dropped.
        out: Folder of the results; ``work_dirs/stream/<the folder's name>`` by default.
        force: Whether to begin again.
        topk: Number of classes in a line.
        decoder_threads: Number of the decoder's threads.

    Raises:
        ValueError: There is no video, a setting is not for folders, or the results there were made otherwise.
        FileNotFoundError: There is no such model.
        MissingExtraError: The runtime is not installed.
    """
    expect_classes(topk)
    with closing(model.open()) as engine:
        settings = dict(out=out, force=force, topk=topk, decoder_threads=decoder_threads)
        return FolderOfVideos(folder, engine, how or StreamOptions(), **settings).run()


class FolderOfVideos:
    """A folder of videos and the folder of their results.

    A video's results appear under ``<its path>.jsonl`` when it is finished; a video that has them is not read again.
    Those of a video that was not read to its end are under ``<its path>.partial.jsonl`` until it is read again.
    Results of another model or of other settings are not mixed with these.

    Args:
        folder: Folder of the videos.
        engine: Model that is run.
        how: Windows to take.
        out: Folder of the results; ``work_dirs/stream/<the folder's name>`` by default.
        force: Whether to begin again.
        topk: Number of classes in a line.
        decoder_threads: Number of the decoder's threads.

    Raises:
        ValueError: There is no video, a setting is not for folders, or the results there were made otherwise.
    """

    def __init__(
        self,
        folder: str | Path,
        engine: InferenceEngine,
        how: StreamOptions,
        *,
        out: str | Path | None = None,
        force: bool = False,
        topk: int = TOPK,
        decoder_threads: int = 1,
    ) -> None:
        if how.drop not in (None, 'none'):
            raise WrongValueError(f'--drop {how.drop}: of a folder nothing is dropped; leave it out')
        self.engine, self.how, self.topk, self.decoder_threads = engine, how, topk, decoder_threads
        self.force, self._warned = force, False
        self.folder = Path(folder)
        self.out = Path(out or Path('work_dirs', 'stream', self.folder.resolve().name))
        self.videos = videos_in(self.folder)

    def run(self) -> FolderResult:
        """Read every video that has no results yet, one process at a time."""
        with locked(self.out, 'streaming'):
            return self._run()

    def _run(self) -> FolderResult:
        self._record_settings()
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
        return FolderResult(self.out, len(self.videos), done, len(failed), interrupts.signal)

    def result(self, video: Path) -> Path:
        """Return where the lines of a video are."""
        relative = video.relative_to(self.folder)
        return self.out / relative.with_name(f'{relative.name}.jsonl')

    def settings(self) -> dict:
        """Return all that decides what is in the lines."""
        model = self.engine.model
        return {
            'model': model.path.name,
            'sha256': sha256_of(*model.files(model.path)),
            'backend': model.backend,
            'precision': model.precision,
            'hop': self.how.hop,
            'interval': self.how.interval,
            'smooth': self.how.smooth,
            'fit': self.how.fit,
            'topk': self.topk,
        }

    def _record_settings(self) -> None:
        """Compare the settings with those of the results that are there; record them."""
        path, settings = self.out / SETTINGS, self.settings()
        results = [self.result(video) for video in self.videos]
        if self.force:
            for result in results:
                result.unlink(missing_ok=True)
                JsonLines.partial(result).unlink(missing_ok=True)
        elif path.is_file():
            before = self._recorded(path)
            changed = [name for name in settings if before.get(name) != settings[name]]
            if changed:
                was = ', '.join(f'{name} {before.get(name)!r}, now {settings[name]!r}' for name in changed)
                raise WrongValueError(
                    f'{self.out} holds results of other settings ({was}); give another --out, or --force to begin again'
                )
        elif any(result.exists() for result in results):
            raise WrongValueError(f'{self.out} holds results of unknown settings; give another --out, or --force')
        write_atomically((json.dumps(settings, indent=1) + '\n').encode(), path)

    def _recorded(self, path: Path) -> dict:
        try:
            return read_json(path.read_bytes(), Table(Anything(100), most=50), str(path))
        except WrongValueError as error:
            raise WrongValueError(f'{error}; give another --out, or --force to begin again') from error

    def _read(self, path: Path, interrupts: Interrupts, show: Callable[[float], None]) -> bool:
        """Write the lines of one video; whether it was read to its end."""
        classes = self.engine.model.metadata.classes
        source = OpenCVSource(path, self.decoder_threads)
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
                    lines.write(prediction.as_dict(classes, self.topk))
                    if pictures:
                        show(min(prediction.last / pictures, 1))
                if stream.statistics.interrupted:
                    raise InterruptedError
        except InterruptedError:
            return False
        return True
