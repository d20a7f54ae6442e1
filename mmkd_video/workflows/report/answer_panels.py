"""What has changed in the answers on test: classes, confusions, calibration."""

from collections.abc import Mapping, Sequence

import numpy as np

from mmkd_video.workflows.report.answers import Answers, expected_error, reliability
from mmkd_video.workflows.report.chart import GUIDE, MEAN, SEED, Axis, Chart, Dots, Line
from mmkd_video.workflows.report.differences import Confusion, Paired, changed_confusions
from mmkd_video.workflows.report.looks import Arm
from mmkd_video.workflows.report.markup import Markup, element, joined, table
from mmkd_video.workflows.report.panel import Panel, counted, paragraph

CLASSES = 24  # as many have a line each; of more, those that changed most
CONFUSIONS = 8  # of each kind
MATRIX = 16  # classes of a table that is read as a whole
BINS, LEAST = 10, 10  # bins of calibration, and the least answers of one that is drawn


def classes(pairs: Mapping[Arm, Paired], alone: Arm, names: Sequence[str]) -> Panel:
    """Return the panel of what each class has gained.

    Args:
        pairs: Answers of the student alone and of each distilled arm.
        alone: The student alone.
        names: Names of the classes.
    """
    charts, tables = [], []
    for number, (arm, found) in enumerate(pairs.items(), 1):
        charts.append(_class_chart(found, alone, arm, names, f'classes-{number}'))
        tables.append(_class_table(arm, found, names))
    return Panel('Gain of each class', charts=charts, rest=joined(tables), is_beside=len(pairs) == 1)


def confusions(pairs: Mapping[Arm, Paired], names: Sequence[str]) -> Panel:
    """Return the panel of confusions that distillation mended or made.

    Args:
        pairs: Answers of the student alone and of each distilled arm.
        names: Names of the classes.
    """
    return Panel('Confusions mended and made', joined(_confusions(*each, names) for each in pairs.items()))


def calibration(answers: Mapping[Arm, Answers]) -> Panel:
    """Return the panel of calibration.

    Args:
        answers: Answers of teacher and students.
    """
    lines = [Line([(0.0, 0.0), (100.0, 100.0)], 'ink', GUIDE)]
    dots, cells = [], [['', 'runs', 'accuracy, %', 'mean confidence, %', 'ECE, points', 'NLL, nats']]
    for arm, found in answers.items():
        counts, confidence, accuracy = reliability(found.confidence, found.correct, BINS)
        points = [(100 * float(confidence[at]), 100 * float(accuracy[at])) for at in np.flatnonzero(counts >= LEAST)]
        lines.append(Line(points, arm.look, MEAN))
        dots.append(Dots(points, arm.look, arm.shape))
        cells.append([arm.name, str(len(found.seeds)), *_calibration_cells(found)])
    count = len(next(iter(answers.values())).labels)
    chart = Chart(
        'reliability',
        'Reliability',
        f'Test clips ({count}, all runs of an arm together) in {BINS} bins by the probability of the answer, %: how '
        'many of them are right, %. On the line a model is as often right as it says; below it, it is too sure. Bins '
        f'with fewer than {LEAST} answers are not drawn.',
        Axis('probability of the answer, %', low=0.0, high=104.0),
        Axis('right, %', low=0.0, high=104.0),
        lines,
        dots,
        [(arm.short, arm.look, arm.shape) for arm in answers],
    )
    text = (
        f'Mean over runs, of {count} test clips each. ECE: expected calibration error in {BINS} bins, the distance of '
        'confidence and accuracy. NLL: negative log-likelihood of the label. Lower is better in both.'
    )
    rest = joined([table(cells), paragraph(text, class_='muted')])
    return Panel('Calibration', charts=[] if chart.is_empty() else [chart], rest=rest, is_beside=True)


def _calibration_cells(found: Answers) -> list[str]:
    errors = [
        expected_error(confidence, correct, BINS)
        for confidence, correct in zip(found.confidence, found.correct, strict=True)
    ]
    shares = (100 * each for each in (found.correct.mean(), found.confidence.mean(), np.mean(errors)))
    return [*(f'{share:.2f}' for share in shares), f'{found.surprise.mean():.4f}']


def _class_chart(found: Paired, alone: Arm, arm: Arm, names: Sequence[str], name: str) -> Chart:
    before, after = (100 * np.nanmean(each, axis=0) for each in _known_recalls(found))
    order = _class_order(found)
    shown = order if len(order) <= CLASSES else [*order[: CLASSES // 2], *order[-(CLASSES - CLASSES // 2) :]]
    lines = [Line([(before[each], place), (after[each], place)], arm.look, SEED) for place, each in enumerate(shown)]
    dots = [
        Dots([(float(values[each]), float(place)) for place, each in enumerate(shown)], look.look, look.shape)
        for values, look in ((before, alone), (after, arm))
    ]
    support = found.support()[shown]
    clips = str(support.min()) if support.min() == support.max() else f'{support.min()} to {support.max()}'
    part = (
        '' if len(shown) == len(order) else f' Of {len(order)} classes, those with the largest and the smallest gain.'
    )
    return Chart(
        name,
        f'{arm.short} against {alone.short}',
        f'Test clips of each class that are answered right (recall), %, mean over {counted(found.count, "seed")}; '
        f'{clips} clips a class. The class that gained most is on top.{part}',
        Axis('right, %'),
        Axis('', names=tuple(names[each] for each in shown)),
        lines,
        dots,
        [(each.short, each.look, each.shape) for each in (alone, arm)],
    )


def _class_table(arm: Arm, found: Paired, names: Sequence[str]) -> Markup:
    before, after = (100 * each for each in _known_recalls(found))
    cells = [['class', 'clips', 'alone, %', f'{arm.short}, %', 'gain, points', 'seeds that gained']]
    support = found.support()
    for each in _class_order(found):
        gains = after[:, each] - before[:, each]
        spread = f' ± {gains.std(ddof=1):.1f}' if found.count > 1 else ''
        cells.append(
            [
                names[each],
                str(support[each]),
                f'{before[:, each].mean():.1f}',
                f'{after[:, each].mean():.1f}',
                f'{gains.mean():+.1f}{spread}',
                f'{int((gains > 0).sum())} of {found.count}',
            ]
        )
    return table(cells) if len(cells) <= MATRIX else _folded(f'All classes: {arm.short}', table(cells))


def _known_recalls(found: Paired) -> tuple[np.ndarray, np.ndarray]:
    """Return the recalls; a class without clips has 0, and is not shown."""
    before, after = found.recalls()
    return np.nan_to_num(before), np.nan_to_num(after)


def _class_order(found: Paired) -> list[int]:
    """Return the classes that have clips, the largest gain first."""
    before, after = _known_recalls(found)
    gain = (after - before).mean(axis=0)
    return [int(each) for each in np.argsort(-gain, kind='stable') if found.support()[each]]


def _confusions(arm: Arm, found: Paired, names: Sequence[str]) -> Markup:
    flips, clips = found.flips(), len(found.alone.labels)
    text = (
        f'Of {clips} test clips (mean over {counted(found.count, "seed")}), {flips["both"]:.1f} are right both alone '
        f'and {arm.short}, {flips["mended"]:.1f} only {arm.short}, {flips["made"]:.1f} only alone, '
        f'{flips["neither"]:.1f} in neither way.'
    )
    mended, made = changed_confusions(found, CONFUSIONS)
    sides = []
    for title, chosen in (('Mended', mended), ('Made', made)):
        shown = _confusion_table(arm, chosen, names) if chosen else paragraph('None.', class_='muted')
        sides.append(element('div', element('h4', f'{title} ({arm.short})'), shown))
    parts = [paragraph(text), element('div', *sides, class_='sides')]
    parts.append(paragraph(f'Clips a seed, mean over {counted(found.count, "seed")}.', class_='muted'))
    if found.classes <= MATRIX:
        parts.append(_folded(f'All confusions: {arm.short} minus alone', _matrix(found, names)))
    return joined(parts)


def _confusion_table(arm: Arm, chosen: Sequence[Confusion], names: Sequence[str]) -> Markup:
    cells = [['true class', 'taken for', 'alone', arm.short, 'change']]
    for each in chosen:
        numbers = [f'{each.alone:.1f}', f'{each.taught:.1f}', f'{each.change:+.1f}']
        cells.append([names[each.label], names[each.answer], *numbers])
    return table(cells, left=2)


def _matrix(found: Paired, names: Sequence[str]) -> Markup:
    """Return the change of the confusion matrix; colour says the same as the sign."""
    before, after = found.confusions()
    change = after - before
    most = max(np.abs(change).max(), 1e-9)
    head = [element('th', 'true \\ answered'), *(element('th', name, class_='number', scope='col') for name in names)]
    rows = []
    for label, name in enumerate(names):
        cells = [_matrix_cell(change[label, answer], label == answer, most) for answer in range(found.classes)]
        rows.append(element('tr', element('th', name, scope='row'), *cells))
    grid = element('table', element('thead', element('tr', *head)), element('tbody', *rows), class_='matrix')
    text = (
        'Change in clips a seed. On the diagonal more is better, elsewhere fewer: what is better is blue, what is '
        'worse is orange.'
    )
    return joined([element('div', grid, class_='box', tabindex=0), paragraph(text, class_='muted')])


def _matrix_cell(value: float, is_right: bool, most: float) -> Markup:
    shown = '' if abs(value) < 0.05 else f'{value:+.1f}'
    is_better = (value > 0) == is_right
    strength = round(70 * abs(value) / most)
    name = None if not shown else 'better' if is_better else 'worse'
    return element('td', shown, class_=f'number {name or ""}'.strip(), style=f'--strength:{strength}%')


def _folded(title: str, content: Markup) -> Markup:
    return element('details', element('summary', title), content)
