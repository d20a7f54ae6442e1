"""The manifest of a teacher's cached answers: what they are, and what each file of them must be."""

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.mistakes import MissingFileError, WrongValueError
from mmkd_video.core.plain_data import Many, Maybe, OneOf, Record, Table, Text, Whole, read_json

MANIFEST = 'manifest.json'
FORMAT, VERSION = 'teacher answers of mmkd_video', 1
PRESENT, VALUES, CLASSES = 'present', 'topk.values', 'topk.classes'
LARGEST_ROW = 1 << 30  # bytes of all answers to one clip
LARGEST_MANIFEST = 1 << 24
LARGEST_HEADER = 1 << 20  # of a file, which names its tensors
SIZES = {'U8': 1, 'F16': 2, 'I32': 4}
_HASH = Text(16, '[0-9a-f]{16}')
_SHARD = Record(dict(sha256=Text(64, '[0-9a-f]{64}'), bytes=Whole(1, 1 << 41)))
RULE = Record(
    dict(
        format=OneOf((FORMAT,)),
        version=OneOf((VERSION,)),
        teacher=_HASH,
        student_pipeline=_HASH,
        teacher_pipeline=_HASH,
        names=_HASH,
        seed=Whole(0, (1 << 63) - 1),
        samples=Whole(1, (1 << 31) - 1),
        views=Whole(1, 100_000),
        same_frames=Whole(1, 100_000),
        classes=Maybe(Whole(1, 1_000_000)),
        topk=Maybe(Whole(1, 1_000_000)),
        taps=Table(Many(Whole(1, 1 << 30), most=6, fewest=1), most=100),
        rows=Whole(1, 1 << 20),
        shards=Many(Maybe(_SHARD), most=1_000_000, fewest=1),
    )
)


@dataclass(frozen=True)
class Shard:
    """What a file of answers must be.

    Attributes:
        sha256: Hash of its content.
        bytes: Its size.
    """

    sha256: str
    bytes: int


@dataclass(frozen=True)
class Manifest:
    """What a cache holds.

    Attributes:
        teacher: Fingerprint of the teacher.
        student_pipeline: Hash of the student's training pipeline.
        teacher_pipeline: Hash of what makes the teacher's view of a sample.
        names: Hash of the samples' names, in order.
        seed: Number that the augmentations follow from.
        samples: Number of samples.
        views: Number of augmentations of each.
        same_frames: Number of augmentations, one after the other, that show the same frames.
        classes: Number of classes that the teacher teaches; None for none.
        topk: Number of classes whose scores are kept of each clip; None for all.
        taps: Shape of the answer to one clip, by tap.
        rows: Number of samples in a file, which the last one of a view may have fewer of.
        shards: The files of all views, one view after the other; None where one has not been written.
    """

    teacher: str
    student_pipeline: str
    teacher_pipeline: str
    names: str
    seed: int
    samples: int
    views: int
    same_frames: int
    classes: int | None
    topk: int | None
    taps: Mapping[str, tuple[int, ...]]
    rows: int
    shards: tuple[Shard | None, ...] = ()

    @property
    def parts(self) -> int:
        """Number of files of one view."""
        return -(-self.samples // self.rows)

    def place(self, sample: int, view: int) -> tuple[int, int]:
        """Return the number of the file that holds an answer, and its row there."""
        part, row = divmod(sample, self.rows)
        return view * self.parts + part, row

    def covers(self, shard: int) -> tuple[int, range]:
        """Return the view and the samples of a file."""
        view, part = divmod(shard, self.parts)
        return view, range(part * self.rows, min((part + 1) * self.rows, self.samples))

    def file(self, shard: int) -> str:
        """Return the name of a file; it follows from its number alone."""
        view, part = divmod(shard, self.parts)
        return f'view{view:05d}_part{part:06d}.safetensors'

    def tensors(self, rows: int, taps: Collection[str] | None = None) -> dict[str, tuple[str, tuple[int, ...]]]:
        """Return dtype (as safetensors calls it) and shape of each tensor in a file of so many rows, of all taps."""
        found = {PRESENT: ('U8', (rows,))}
        for tap, shape in self.taps.items():
            if taps is not None and tap not in taps:
                continue
            if tap == 'logits' and self.topk is not None:
                found[VALUES] = ('F16', (rows, self.topk + 1))
                found[CLASSES] = ('I32', (rows, self.topk))
            else:
                found[f'tap.{tap}'] = ('F16', (rows, *shape))
        return found

    def payload(self, rows: int) -> int:
        """Return the bytes of all tensors in a file of so many rows."""
        return sum(SIZES[dtype] * math.prod(shape) for dtype, shape in self.tensors(rows).values())

    def with_shard(self, number: int, shard: Shard | None) -> 'Manifest':
        """Return it with another entry for one file."""
        shards = list(self.shards)
        shards[number] = shard
        return replace(self, shards=tuple(shards))

    def differences(self, other: 'Manifest') -> list[str]:
        """Return the names of what two caches differ in, their files left out."""
        mine, others = vars(self), vars(other)
        return [key for key in mine if key != 'shards' and mine[key] != others[key]]

    def check(self, where: str) -> None:
        """Check what concerns several of its values.

        Args:
            where: Beginning of the error.

        Raises:
            ValueError: Its values contradict each other.
        """
        if self.topk is not None and (self.classes is None or self.topk >= self.classes or 'logits' not in self.taps):
            raise WrongValueError(f'{where}: got topk={self.topk}; expected less than its {self.classes} classes')
        if 'logits' in self.taps and self.taps['logits'] != (self.classes,):
            raise WrongValueError(f'{where}: got logits {self.taps["logits"]}; expected ({self.classes},)')
        size = row_bytes(self.taps)
        if size > LARGEST_ROW:
            raise WrongValueError(f'{where}: got answers of {size} bytes a clip; expected at most {LARGEST_ROW}')
        if len(self.shards) != self.views * self.parts:
            raise WrongValueError(
                f'{where}: got {len(self.shards)} files; expected {self.views * self.parts}, which {self.views} views '
                f'of {self.samples} samples make at {self.rows} a file'
            )
        for number, shard in enumerate(self.shards):
            held = self.payload(len(self.covers(number)[1]))
            if shard is not None and not held < shard.bytes <= held + LARGEST_HEADER:
                raise WrongValueError(
                    f'{where}: got {shard.bytes} bytes for {self.file(number)}; expected a little more than the {held} '
                    'of its tensors'
                )

    def save(self, folder: Path) -> None:
        """Write it, atomically.

        Raises:
            OSError: The disk is full, for example.
        """
        content = dict(format=FORMAT, version=VERSION, **asdict(self))
        write_atomically(json.dumps(content, indent=1).encode(), folder / MANIFEST)


def row_bytes(taps: Mapping[str, tuple[int, ...]]) -> int:
    """Return the bytes of all answers to one clip, in half precision."""
    return sum(2 * math.prod(shape) for shape in taps.values())


def read_manifest(folder: Path) -> Manifest:
    """Read and check the manifest of a cache.

    Args:
        folder: Folder of the cache.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It is damaged, or of another format.
    """
    path = folder / MANIFEST
    if not path.is_file():
        missing = f'{path} does not exist' if folder.is_dir() else f'{folder} does not exist'
        raise MissingFileError(f'{missing}; expected the folder of a cache that was made to the end')
    size = path.stat().st_size
    if size > LARGEST_MANIFEST:
        raise WrongValueError(f'{path}: got {size} bytes; expected at most {LARGEST_MANIFEST}')
    held: dict[str, Any] = read_json(path.read_bytes(), RULE, str(path), LARGEST_MANIFEST)
    for key in ('format', 'version'):
        held.pop(key)
    held['taps'] = {tap: tuple(shape) for tap, shape in held['taps'].items()}
    held['shards'] = tuple(None if each is None else Shard(**each) for each in held['shards'])
    manifest = Manifest(**held)
    manifest.check(str(path))
    return manifest
