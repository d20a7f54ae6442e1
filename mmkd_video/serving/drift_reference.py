"""What a stream is compared with, in a file."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.digest import sha256_of
from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.core.plain_data import Many, Maybe, Number, OneOf, Record, Text, Whole, read_json
from mmkd_video.export import ExportedModel
from mmkd_video.serving.drift import STATISTICS, DriftWatch, Expected, limits_of
from mmkd_video.serving.stream_options import StreamOptions

_CLASSES = 100_000
_SETTINGS = dict(
    hop=Maybe(Whole(1, 1 << 31)),
    interval=Maybe(Whole(1, 1 << 31)),
    smooth=Number(0, 1),
    fit=OneOf((True, False)),
)
_EXPECTED = dict(
    confidence=Number(0, 1),
    entropy=Number(0, 100),
    classes=Many(Number(0, 1), most=_CLASSES, fewest=1),
    logits=Many(Number(-100, 100), most=_CLASSES, fewest=1),
    spread=Many(Number(0, 100), most=_CLASSES, fewest=1),
)
RULE = Record(
    dict(
        model=Text(64, '[0-9a-f]{64}'),
        settings=Record(_SETTINGS),
        videos=Whole(1, 1 << 31),
        windows=Whole(1, 1 << 31),
        false_alarms=Number(0, 1),
        expected=Record(_EXPECTED),
        limits=Record(dict.fromkeys(STATISTICS, Number(0, 1e9))),
    )
)


@dataclass(frozen=True)
class DriftReference:
    """What a model's scores are like on ordinary videos, and how far a block of windows may be from that.

    Attributes:
        model: SHA-256 of the exported model's files.
        settings: Settings of the stream that decide what is in the windows.
        videos: Number of videos that it was made of.
        windows: Number of windows of a block.
        false_alarms: Share of the blocks of ordinary videos that may be taken for drift.
        expected: Statistics of all windows.
        limits: Largest deviation, by statistic.
    """

    model: str
    settings: Mapping[str, Any]
    videos: int
    windows: int
    false_alarms: float
    expected: Expected
    limits: Mapping[str, float]

    @classmethod
    def calibrated(
        cls,
        videos: Sequence[np.ndarray],
        model: ExportedModel,
        how: StreamOptions,
        windows: int,
        false_alarms: float,
    ) -> 'DriftReference':
        """Make it of the scores of ordinary videos.

        Args:
            videos: Scores ``(W, K)`` of each video; those without a window do not count.
            model: Model that gave them.
            how: Settings of the stream.
            windows: Number of windows of a block.
            false_alarms: Share of the blocks that may be taken for drift.

        Raises:
            ValueError: There are too few.
        """
        kept = [np.asarray(video, dtype=np.float64) for video in videos if len(video)]
        limits = limits_of(kept, windows, false_alarms)
        expected = Expected.of(np.concatenate(kept))
        return cls(hash_of(model), settings_of(how), len(kept), windows, false_alarms, expected, limits)

    @classmethod
    def read(cls, path: str | Path) -> 'DriftReference':
        """Read a file; nothing in it is executed.

        Args:
            path: File that :meth:`write` wrote.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no such file.
        """
        if not Path(path).is_file():
            raise MissingFileError(
                f'--watch: got {str(path)!r}; expected the file that --calibrate wrote; there is no such file'
            )
        held = read_json(Path(path).read_bytes(), RULE, str(path))
        given = held['expected']
        if not len(given['classes']) == len(given['logits']) == len(given['spread']):
            raise WrongValueError(f'{path}: got statistics of different numbers of classes; expected as many for each')
        rows = {key: np.array(given[key], dtype=np.float64) for key in ('classes', 'logits', 'spread')}
        return cls(**{**held, 'expected': Expected(given['confidence'], given['entropy'], **rows)})

    def write(self, path: str | Path) -> None:
        """Write the file.

        Args:
            path: Its place.
        """
        expected = {key: np.asarray(value).tolist() for key, value in vars(self.expected).items()}
        content = {**vars(self), 'expected': expected}
        write_atomically((json.dumps(content, indent=1) + '\n').encode(), path)

    def watch(self, model: ExportedModel, how: StreamOptions) -> DriftWatch:
        """Return what looks at a stream.

        Args:
            model: Model of the stream.
            how: Settings of the stream.

        Raises:
            ValueError: The model or the settings are others than those of the calibration.
        """
        if self.model != hash_of(model) or len(self.expected.classes) != len(model.metadata.classes):
            raise WrongValueError(
                f'--watch: the file was calibrated for another model than {model.path}; expected one of this model; '
                'make it with --calibrate'
            )
        changed = {key: value for key, value in settings_of(how).items() if value != self.settings[key]}
        if changed:
            told = ', '.join(f'--{key} {self.settings[key]}, here {value}' for key, value in changed.items())
            raise WrongValueError(
                f'--watch: the file was calibrated with other windows ({told}); expected the same; stream with these, '
                'or calibrate anew'
            )
        return DriftWatch(self.expected, self.limits, self.windows)


def hash_of(model: ExportedModel) -> str:
    """Return the SHA-256 of an exported model's files.

    Args:
        model: The model.
    """
    return sha256_of(*model.files(model.path))


def settings_of(how: StreamOptions) -> dict[str, Any]:
    """Return the settings of a stream that decide what is in the windows.

    Args:
        how: All settings.
    """
    return dict(hop=how.hop, interval=how.interval, smooth=float(how.smooth), fit=bool(how.fit))
