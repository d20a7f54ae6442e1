"""Clips that play, with what teacher and students say about them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from mmkd_video.core.progress_bar import ProgressBar
from mmkd_video.workflows.report.answers import Answers
from mmkd_video.workflows.report.differences import Paired, telling_clips
from mmkd_video.workflows.report.looks import Arm
from mmkd_video.workflows.report.markup import Markup, element
from mmkd_video.workflows.report.moving_clip import MovingClip, moving_clip
from mmkd_video.workflows.report.panel import Panel, counted, paragraph

SHOWN = {
    'mended': 'mended by distillation',
    'made': 'lost by distillation',
    'hard': 'hard for both',
    'easy': 'right with both',
}
ROOM = 5_000_000  # bytes of all clips in a page
CLASSES, LEAST = 4, 0.02  # classes beside a clip, and the least probability of those that are not true
Progress = Callable[[int, int], None]


def clips(
    pair: tuple[Arm, Paired],
    answers: Mapping[Arm, Answers],
    names: Sequence[str],
    root: Path,
    count: int,
    room: int = ROOM,
) -> Panel:
    """Return the panel of clips that play.

    Args:
        pair: The distilled arm and its answers beside those of the student alone
        answers: Answers of the models that are shown: teacher, alone and distilled.
        names: Names of the classes.
        root: Folder that the names of clips begin from.
        count: Number of clips.
        room: Bytes that the clips may take.
    """
    arm, found = pair
    chosen, cards, unread = telling_clips(found, count), [], []
    with ProgressBar('reading clips', 'clips') as bar:
        for done, (what, index) in enumerate(chosen, 1):
            path = root / str(found.alone.names[index])
            clip = moving_clip(path)
            if clip is not None and clip.size > room:
                clip = None
            elif clip is not None:
                room -= clip.size
            if clip is None:
                unread.append(path)
            cards.append(_card(SHOWN[what], index, clip, answers, names))
            bar(done, len(chosen))
    if not cards:
        return Panel('Clips', missing='no clip was asked for, or there are none.')
    lead = (
        f'{counted(len(cards), "clip")} of {len(found.alone.labels)} of test, chosen for what they show of '
        f'{arm.short}, not at random. Bars: probability, mean over {counted(found.count, "seed")}; the true class '
        'is marked.'
    )
    rest = Markup()
    if unread:
        rest = paragraph(
            f'{counted(len(unread), "clip")} without a picture, such as {unread[0]}: no video that can be read; '
            '--data-root names the folder that these paths begin from.',
            class_='muted',
        )
    return Panel('Clips', paragraph(lead), rest=Markup(element('div', *cards, class_='cards') + rest))


def _card(
    what: str, index: int, clip: MovingClip | None, answers: Mapping[Arm, Answers], names: Sequence[str]
) -> Markup:
    label = int(next(iter(answers.values())).labels[index])
    name = str(next(iter(answers.values())).names[index])
    shown = _classes(index, label, answers)
    bars = [_bars(each, each == label, names[each], index, answers) for each in shown]
    seeds = [
        f'{arm.short} {int(found.correct[:, index].sum())} of {len(found.seeds)}'
        for arm, found in answers.items()
        if len(found.seeds) > 1
    ]
    right = element('p', f'right: {", ".join(seeds)} seeds', class_='muted') if seeds else None
    heading = element('p', element('b', names[label]), f' – {what}')
    return element(
        'article', _picture(clip, names[label]), heading, element('p', name, class_='path'), *bars, right, class_='card'
    )


def _picture(clip: MovingClip | None, label: str) -> Markup:
    if clip is None:
        return element('div', 'no picture', class_='screen empty')
    still = element('source', srcset=clip.still_address, media='(prefers-reduced-motion: reduce)')
    image = element('img', src=clip.moving_address, width=clip.width, height=clip.height, alt=f'clip of {label}')
    return element('picture', still, image, class_='screen')


def _classes(index: int, label: int, answers: Mapping[Arm, Answers]) -> list[int]:
    """Return the classes whose scores tell most: the true one, then the first answers of each model."""
    found = [label]
    for rank in range(2):
        for each in answers.values():
            found.append(int(np.argsort(-each.mean[index], kind='stable')[min(rank, each.mean.shape[1] - 1)]))
    seen = [
        each for each in dict.fromkeys(found) if max(model.mean[index, each] for model in answers.values()) >= LEAST
    ]
    return list(dict.fromkeys([label, *seen]))[:CLASSES]


def _bars(each: int, is_true: bool, name: str, index: int, answers: Mapping[Arm, Answers]) -> Markup:
    rows = []
    for arm, found in answers.items():
        share = 100 * float(found.mean[index, each])
        bar = element('span', class_=f'bar b-{arm.look}', style=f'width:{share:.1f}%')
        lane = element('span', bar, class_='lane')
        rows.append(element('div', element('span', arm.short, class_='who'), lane, f'{share:.0f} %', class_='score'))
    title = element('p', name, ' ✓' if is_true else None, class_='class true' if is_true else 'class')
    return element('div', title, *rows)
