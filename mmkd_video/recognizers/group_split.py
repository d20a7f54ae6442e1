"""A split by class and group: clips that were cut from one video stay on one side."""

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

SIDES = ('train', 'val', 'test')
SHARES = {'train': 0.7, 'val': 0.15, 'test': 0.15}
DRAWS = 20  # the one that fits the shares best is taken
WORK = 200_000  # groups that are placed at most, all draws together
# How names tell what was cut from one video, the surest sign first: what matches is the name of the video.
SIGNS = (
    ('by _g01_c02 in their names', re.compile(r'(.*_g\d+)_c\d+')),
    ('by the two times at the end of their names', re.compile(r'(.*?)[_-]\d{4,}[_-]\d{4,}')),
    (
        'by clip, part, scene, ... with a number',
        re.compile(r'(.*?)[_. -]+(?:clip|part|seg|segment|scene|shot|cut)[_. -]?\d+', re.I),
    ),
    ('by the number at the end of their names', re.compile(r'(.*?[^\W\d_].*?)[_. -]\(?\d+\)?')),
)
ALONE = 'each for itself: neither folders nor names tell which were cut from one video'


def group_names(videos: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Find which videos were cut from the same one.

    A sign counts where it leaves every class as many groups as there are sides: a folder within the class's, else what
    the names say. Videos of one group may be of several classes.

    Args:
        videos: Class of each video by its path, ``<class>/.../<name>``.

    Returns:
        How that was told, and the group of each video.
    """
    candidates = [
        ('by the folders within those of the classes', {video: _folder(video, videos[video]) for video in videos})
    ]
    for rule, sign in SIGNS:
        stems = {video: video.rpartition('/')[2].rpartition('.')[0] for video in videos}
        matches = {video: sign.fullmatch(stem) for video, stem in stems.items()}
        if any(matches.values()):
            candidates.append((rule, {video: match[1] if match else stems[video] for video, match in matches.items()}))
    for rule, groups in candidates:
        by_class = defaultdict(set)
        for video, group in groups.items():
            by_class[videos[video]].add(group)
        several = len(set(groups.values())) < len(groups)
        if several and min(map(len, by_class.values())) >= len(SIDES):
            return f'clips of one video together, {rule}', groups
    return ALONE, {video: video for video in videos}


def _folder(video: str, name: str) -> str:
    """Return the folder of a video within that of its class; the video itself where there is none."""
    within = video.partition(f'{name}/')[2]
    return within.rpartition('/')[0] or video


def draw_split(
    videos: Mapping[str, str], groups: Mapping[str, str], seed: int, sides: Sequence[str] = SIDES
) -> dict[str, str]:
    """Put groups of videos on sides, so that every class is on each of them in about the right share.

    Args:
        videos: Class of each video.
        groups: Group of each video; a group stays whole.
        seed: Text that decides which; the same videos and seed give the same.
        sides: Names of the sides.

    Returns:
        The side of each video.
    """
    sizes: dict[str, Counter] = defaultdict(Counter)
    for video in sorted(videos):
        sizes[groups[video]][videos[video]] += 1
    total = Counter(videos.values())
    whole = sum(SHARES[side] for side in sides)
    wanted = {side: {name: SHARES[side] / whole * count for name, count in total.items()} for side in sides}
    best: tuple[float, dict[str, str]] | None = None
    for draw in range(max(1, min(DRAWS, WORK // len(sizes)))):
        placed, have = _place(sizes, wanted, np.random.default_rng((seed, draw)))
        off = sum(abs(have[side][name] - want) for side in sides for name, want in wanted[side].items())
        missing = sum(not have[side][name] for side in sides for name in total)
        score = missing * len(videos) + off
        if best is None or score < best[0]:
            best = score, placed
    return {video: best[1][groups[video]] for video in videos}


def _place(
    sizes: Mapping[str, Counter], wanted: Mapping[str, Mapping[str, float]], rng: np.random.Generator
) -> tuple[dict[str, str], dict[str, Counter]]:
    """Give each group, the large ones first, to the side that lacks most of its classes."""
    order = rng.permutation(len(sizes))
    known = list(sizes)
    names = [known[place] for place in order]
    names.sort(key=lambda name: -sum(sizes[name].values()))
    have: dict[str, Counter] = {side: Counter() for side in wanted}
    placed = {}
    for group in names:
        lacks = {
            side: sum(n * (want[name] - have[side][name]) / want[name] for name, n in sizes[group].items())
            for side, want in wanted.items()
        }
        placed[group] = max(lacks, key=lacks.get)
        have[placed[group]].update(sizes[group])
    return placed, have
