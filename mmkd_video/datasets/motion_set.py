"""The embedded data set as a folder: clips, annotation files, and a manifest that marks it as complete."""

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from filelock import lock_descriptor

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.digest import sha256_of
from mmkd_video.core.files.temporary import TemporaryFile
from mmkd_video.core.mistakes import ExistingFileError, WrongValueError
from mmkd_video.core.plain_data import Record, Rule, Table, Text, Whole, read_json
from mmkd_video.datasets import motion_clips, motion_pairs, motion_sequences, motion_together
from mmkd_video.datasets.motion_clips import clip_rng, encode_clip
from mmkd_video.datasets.motion_domain import DOMAINS

NUM_CLIPS = {'train': 640, 'val': 240, 'test': 800}
"""Clips of each split; the classes take turns."""
PAIR_CLIPS = {'train': 1280, 'val': 640, 'test': 640}
"""The same of ``motions='pairs'``."""
TOGETHER_CLIPS = {'train': 896, 'val': 224, 'test': 560}
"""The same of ``motions='together'``."""
SEQUENCES = {'train': 240, 'val': 60, 'test': 120}
"""The same of ``motions='sequences'``."""


@dataclass(frozen=True)
class Motions:
    """What the sprites do in a set of clips.

    Args:
        kinds: Names of the kinds of clips, which take turns.
        labels: Classes of each kind; none where every frame has its own.
        render: Function of split, kind, generator and domain that returns the frames of a clip; where every frame has a
            class of its own, frames and classes.
    """

    kinds: Sequence[str]
    labels: Sequence[Sequence[int]]
    render: Callable


MOTIONS = {
    'single': Motions(motion_clips.CLASSES, [[k] for k in range(8)], motion_clips.render_clip),
    'pairs': Motions(motion_pairs.CLASSES, [[k] for k in range(32)], motion_pairs.render_clip),
    'together': Motions(motion_together.KINDS, motion_together.PAIRS, motion_together.render_clip),
    'sequences': Motions(('sequence',), [[]], motion_sequences.render_clip),
}
"""What the sprites do, by name: eight motions; 32 of one or two at once; two sprites in a motion each; one motion after
another."""
CLASS_NAMES = {name: motion_pairs.CLASSES if name == 'pairs' else motion_clips.CLASSES for name in MOTIONS}

_VERSION = 1  # of the pictures: a folder rendered by another version is refused
_MANIFEST = 'manifest.json'
_STARTED = 'rendering.json'
_SETTINGS: dict[str, Rule] = dict(
    version=Whole(0, 1000), seed=Whole(0, 2**64), num_clips=Table(Whole(0, 10_000_000), most=20)
)
# Of the first domain and the eight motions nothing is said, as in folders that were rendered before there were others.
_MORE_SETTINGS: dict[str, Rule] = dict(domain=Text(20, r'[a-z]+'), motions=Text(20, r'\w+'))
_NAME = r'\w{1,50}/\d{1,8}_\w{1,50}\.(mp4|txt)'  # within the folder, whatever a manifest says
_DIGESTS = dict(sha256=Table(Text(64, '[0-9a-f]{64}'), 30_000_000, key_pattern=_NAME))
_MANIFEST_RULES = Record({**_SETTINGS, **_DIGESTS}, _MORE_SETTINGS)

Progress = Callable[[int, int], None]


def render_motion_clips(
    root: str | Path,
    seed: int = 0,
    num_clips: dict[str, int] | None = None,
    workers: int = 2,
    progress: Progress | None = None,
    domain: str = 'source',
    motions: str = 'single',
) -> bool:
    """Make sure that a folder holds the data set: render it, finish an interrupted rendering, or check a finished one.

    The pictures follow from ``seed`` alone. Each clip is written under a temporary name, synced and renamed, and the
    manifest comes last, so a killed rendering leaves whole clips only and the next call goes on with the others.
    A second process that asks for the same folder waits for the first.

    Args:
        root: Folder of the data set; created when missing.
        seed: Seed of the pictures.
        num_clips: Numbers of clips of 'train', 'val' and 'test'; ``NUM_CLIPS``, ``PAIR_CLIPS``, ``TOGETHER_CLIPS`` or
            ``SEQUENCES`` by default.
        workers: Number of threads that render.
        progress: Function that is called with (clips done, clips in all).
        domain: ``'source'``, the embedded set; or ``'target'``, the same motions filmed in another way.
        motions: ``'single'``: eight motions, as everywhere else; ``'pairs'``: 32 classes, in which up to two of a
            sprite's degrees of freedom move, for few-shot learning; ``'together'``: two sprites, each in one of the
            eight motions, so that a clip has two labels; ``'sequences'``: one motion after another, with a text file
            beside each clip that holds the class of every frame on a line of its own.

    Returns:
        True when clips were rendered, False when the folder was complete already.

    Raises:
        FileExistsError: the folder holds something else, or was rendered with other settings.
        ValueError: the manifest names clips that are missing or changed, or there is no such domain or motions.
    """
    if motions not in MOTIONS:
        raise WrongValueError(f'motions: got {motions!r}; expected {" or ".join(map(repr, MOTIONS))}')
    root = Path(root)
    if domain not in DOMAINS:
        raise WrongValueError(f'domain: got {domain!r}; expected one of {", ".join(DOMAINS)}')
    usual = dict(single=NUM_CLIPS, pairs=PAIR_CLIPS, together=TOGETHER_CLIPS, sequences=SEQUENCES)
    settings = dict(version=_VERSION, seed=seed, num_clips=dict(num_clips or usual[motions]))
    settings |= {} if domain == 'source' else dict(domain=domain)
    settings |= {} if motions == 'single' else dict(motions=motions)
    if (root / _MANIFEST).exists():
        _verify(root, settings)
        return False
    if root.exists() and _is_foreign(root):
        raise ExistingFileError(f'{root} holds other data: name an empty or a new folder')
    root.mkdir(parents=True, exist_ok=True)
    with _locked_for_rendering(root, settings):
        if (root / _MANIFEST).exists():  # another process was faster
            _verify(root, settings)
            return False
        _render(root, settings, workers, progress or (lambda done, total: None))
    with contextlib.suppress(PermissionError):  # on Windows, while another process has it open
        (root / _STARTED).unlink(missing_ok=True)
    return True


def _is_foreign(root: Path) -> bool:
    """Return whether a folder holds other data, from one listing: another process may be about to begin or to end."""
    names = {path.name for path in root.iterdir()} if root.is_dir() else {root.name}
    return bool(names) and not names & {_STARTED, _MANIFEST}


def read_manifest(root: Path) -> dict:
    """Return the manifest of a finished rendering: its settings, and ``sha256`` by clip.

    Args:
        root: Folder of the data set.

    Raises:
        FileNotFoundError: It is not finished.
        ValueError: The manifest is damaged, or names what is no clip in this folder.
    """
    path = root / _MANIFEST
    return read_json(path.read_bytes(), _MANIFEST_RULES, str(path), longest=1 << 32)


def _render(root: Path, settings: dict, workers: int, progress: Progress) -> None:
    motions, domain = settings.get('motions', 'single'), DOMAINS[settings.get('domain', 'source')]
    source, classes = MOTIONS[motions], CLASS_NAMES[motions]
    jobs = list(_clips(settings['num_clips'], len(source.kinds)))
    for split in settings['num_clips']:
        (root / split).mkdir(exist_ok=True)

    def render(job: tuple[str, int, int]) -> dict[str, str]:
        split, kind, index = job
        name = _name(*job, source.kinds)
        names = [name] if source.labels[kind] else [name.replace('.mp4', '.txt'), name]  # the clip comes last
        if not all((root / each).exists() for each in names):
            rng = clip_rng(settings['seed'], split, index, domain)
            rendered = source.render(split, kind, rng, domain)
            if len(names) > 1:
                rendered, steps = rendered
                write_atomically(''.join(f'{classes[step]}\n' for step in steps).encode(), root / names[0])
            _encode(rendered, root / name, domain.fps)
        return {each: sha256_of(root / each) for each in names}

    digests: dict[str, str] = {}
    pool = ThreadPoolExecutor(workers)
    try:
        for done, found in enumerate(pool.map(render, jobs), 1):
            digests |= found
            progress(done, len(jobs))
    finally:
        pool.shutdown(cancel_futures=True)
    write_atomically('\n'.join((*classes, '')).encode(), root / 'classes.txt')
    for split in settings['num_clips']:
        lines = [
            ' '.join([_name(*job, source.kinds), *map(str, source.labels[job[1]])]) + '\n'
            for job in jobs
            if job[0] == split
        ]
        write_atomically(''.join(lines).encode(), root / f'{split}.txt')
    manifest = json.dumps(dict(settings, sha256=digests), indent=1) + '\n'
    write_atomically(manifest.encode(), root / _MANIFEST)


def _verify(root: Path, settings: dict) -> None:
    manifest = read_manifest(root)
    digests = manifest.pop('sha256')
    _expect_same(root, manifest, settings)
    bad = [name for name, digest in digests.items() if not (root / name).is_file() or sha256_of(root / name) != digest]
    if bad:
        shown = ', '.join(bad[:3]) + (', ...' if len(bad) > 3 else '')
        raise WrongValueError(
            f'{root}: {len(bad)} clips are missing or changed ({shown}); delete {root} and render it again'
        )


def _expect_same(root: Path, found: dict, wanted: dict) -> None:
    if found != wanted:
        keys = [*wanted, *(key for key in found if key not in wanted)]
        pairs = {key: (found.get(key), wanted.get(key)) for key in keys}
        differing = {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
        text = ', '.join(f'{key} is {was}, asked for {now}' for key, (was, now) in differing.items())
        raise ExistingFileError(
            f'{root} was rendered with other settings ({text}): name another folder or delete this one'
        )


@contextlib.contextmanager
def _locked_for_rendering(root: Path, settings: dict) -> Iterator[None]:
    """Lock the folder for this process; the locked file also holds the settings of the rendering."""
    with open(root / _STARTED, 'a+') as file:
        lock_descriptor(file.fileno())
        file.seek(0)
        text = file.read()
        if text:
            _expect_same(root, read_json(text, Record(_SETTINGS, _MORE_SETTINGS), str(root / _STARTED)), settings)
        else:
            file.write(json.dumps(settings))
            file.flush()
        yield


def _clips(num_clips: dict[str, int], kinds: int) -> Iterator[tuple[str, int, int]]:
    """Yield split, kind and index of every clip."""
    for split, count in num_clips.items():
        yield from ((split, index % kinds, index) for index in range(count))


def _name(split: str, kind: int, index: int, kinds: Sequence[str]) -> str:
    return f'{split}/{index:04d}_{kinds[kind]}.mp4'


def _encode(frames: np.ndarray, path: Path, fps: int) -> None:
    """Write a clip as a whole or not at all."""
    part = TemporaryFile(path, path.suffix)
    try:
        encode_clip(frames, part.path, fps)
        part.commit()
    finally:
        part.discard()
