"""A comparison over folds: each has its own teacher and students, and every clip is tested once."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config

from mmkd_video.core.mistakes import WorkFailedError, WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers.plain_student import named_teachers, prepares_one_teacher
from mmkd_video.workflows.compare.grid import Axis
from mmkd_video.workflows.compare.progress import Progress
from mmkd_video.workflows.compare.protocol import compare
from mmkd_video.workflows.compare.result import Comparison, Row, Section, Teacher, mean_of

LOADERS = ('train_dataloader', 'val_dataloader', 'test_dataloader')
POOLED = 'acc/top'  # metrics that are means over clips


def fold_config(config: Config, templates: Mapping[str, str], fold: int) -> Config:
    """Return the distillation of one fold, with a teacher of its own.

    What the templates set in data loaders is set in the training of teachers that ``prepare`` names too. Where they
    give no validation clips of the fold, students are not validated: those of the config may be test clips here.

    Args:
        config: The distillation; it is not changed.
        templates: Values by dotted key, with ``{}`` in the place of the fold's number.
        fold: Its number.

    Raises:
        ValueError: The config has no such key, or a teacher that would be one for all folds.
    """
    settings = settings_of(templates, fold)
    for key in settings:
        if not Axis(key, ()).exists_in(config):
            raise WrongValueError(f'--folds: got {key!r}, which the config does not have')
    changed = Config(config.to_dict(), filename=config.filename)
    changed.merge_from_dict(settings)
    if not any(key.startswith('val_dataloader.') for key in settings):
        changed.val_dataloader = changed.val_cfg = changed.val_evaluator = None
    wanted, teachers = changed.get('prepare') or {}, named_teachers(changed.model.get('teacher'))
    trained, single = wanted.get('teacher'), prepares_one_teacher(changed)
    for name, teacher in teachers.items():
        if _learns(teacher):
            continue
        if not trained or (not single and name not in trained) or not teacher.get('checkpoint'):
            raise WrongValueError(
                '--folds: each fold needs a teacher that has not seen its test clips; name the training of '
                f'{"the teacher" if single else name} in prepare.teacher, so that one is trained for each fold'
            )
        path = Path(teacher['checkpoint'])
        teacher['checkpoint'] = str(path.with_name(f'{path.stem}_fold{fold}{path.suffix}'))
    loaders = {key: value for key, value in settings.items() if key.startswith(LOADERS)}
    options = dict(wanted.get('teacher_options') or {})
    if not trained:
        return changed
    if single:
        wanted['teacher_options'] = _merged(options, loaders)
    else:
        wanted['teacher_options'] = {name: _merged(options.get(name) or {}, loaders) for name in trained}
    return changed


def _learns(teacher: Mapping) -> bool:
    """Return whether a teacher learns in the fold alone, so that it has seen none of its test clips."""
    kind = teacher.get('type')
    found = MODELS.get(kind) if isinstance(kind, str) else kind
    return getattr(found, 'learns', False) and not teacher.get('checkpoint')


def settings_of(templates: Mapping[str, str], fold: int) -> dict[str, str]:
    """Return the settings that templates give for a fold, by dotted key."""
    return {key: text.replace('{}', str(fold)) for key, text in templates.items()}


def pooled(comparisons: Sequence[Comparison], clips: Sequence[int]) -> Comparison:
    """Return one comparison of all folds.

    The score of a seed is the accuracy over the test clips of all folds. A pair is a fold: its seeds share teacher and
    clips, and are no independent measurements.

    Args:
        comparisons: Comparisons of each fold, with rows that know their clips.
        clips: Test clips of each fold.

    Raises:
        ValueError: The metric is no mean over clips.
    """
    first = comparisons[0]
    if not first.metric.startswith(POOLED):
        raise WrongValueError(
            f'--folds: got the metric {first.metric!r}, which is no mean over clips; expected acc/top1'
        )
    titles = list(dict.fromkeys((each.title, each.in_grid) for one in comparisons for each in one.sections))
    sections = [
        Section(title, _pooled_rows([_section(one, title, in_grid) for one in comparisons], clips), in_grid)
        for title, in_grid in titles
    ]
    teachers = [
        _pooled_teacher([one.teacher(teacher.name) for one in comparisons], clips) for teacher in first.teachers
    ]
    notes = list(dict.fromkeys(note for one in comparisons for note in one.notes))
    notes.append(
        f'Accuracy over the {sum(clips)} test clips of {len(clips)} folds, each with a teacher of its own. A pair is a '
        'fold, with the mean over its seeds: seeds of one fold share teacher and clips. "by clip": the mean over seeds '
        'of each clip, paired by clip.'
    )
    chances = [one.chance for one in comparisons]
    return dataclasses.replace(
        first,
        teachers=teachers,
        sections=sections,
        tuning=[
            dataclasses.replace(each, label=f'{each.label}, fold {fold}')
            for fold, one in enumerate(comparisons)
            for each in one.tuning
        ],
        chance=None if None in chances else _weighted(chances, clips),
        missing=[f'fold {fold}: {each}' for fold, one in enumerate(comparisons) for each in one.missing],
        trials=[dict(each, fold=fold) for fold, one in enumerate(comparisons) for each in one.trials],
        notes=notes,
    )


def compare_folds(
    configs: Mapping[str, Config],
    seeds: Sequence[int],
    work_dir: Path,
    *,
    templates: Sequence[str],
    num_folds: int,
    prepare: Callable[[Config], None],
    read: Callable[[Config, Mapping[str, str]], Config] | None = None,
    jobs: int = 1,
    say: Callable[[str], None] = print,
    **given: Any,
) -> Comparison:
    """Compare in every fold, and pool.

    Args:
        configs: Distillation configs by name.
        seeds: Seeds of the evaluation, in each fold.
        work_dir: Folder that holds one for each fold.
        templates: ``KEY=VALUE`` each, with ``{}`` in the place of the fold's number.
        num_folds: Folds are counted from 0.
        prepare: Function that makes what a config needs, such as the teacher of the fold.
        read: Function that reads a config again with further settings, so that what it derives from its clips is the
            fold's.
        jobs: Number of runs side by side.
        say: Function that prints a line.
        **given: Further settings of :func:`~mmkd_video.workflows.compare.protocol.compare`.

    Raises:
        ValueError: A template is wrong, or what :func:`~mmkd_video.workflows.compare.protocol.compare` raises.
        RuntimeError: In a fold nothing could be measured.
    """
    values = parse_templates(templates)
    folds = []
    for fold in range(num_folds):
        made = {name: fold_config(config, values, fold) for name, config in configs.items()}
        if read is not None:
            settings = settings_of(values, fold)
            made = {name: fold_config(read(config, settings), values, fold) for name, config in configs.items()}
        folds.append(made)
    progress, found, clips = Progress(0, jobs), [], []
    for fold, members in enumerate(folds):
        progress.later = round(progress.total / fold * (num_folds - fold - 1)) if fold else 0
        for config in members.values():
            prepare(config)
        say(f'fold {fold} of 0 to {num_folds - 1}')
        one = compare(
            members, seeds, work_dir / f'fold{fold}', jobs=jobs, say=say, keep_clips=True, progress=progress, **given
        )
        known = [len(row.clips) for section in one.sections for row in section.rows if row.clips]
        if not known:
            raise WorkFailedError(f'fold {fold}: no arm has all its runs; the same command tries again what failed')
        found.append(one)
        clips.append(known[0])
    return pooled(found, clips)


def parse_templates(texts: Sequence[str]) -> dict[str, str]:
    """Read ``KEY=VALUE`` with ``{}`` in the value.

    Raises:
        ValueError: It is written in another way, or test is the same in every fold.
    """
    found = {}
    for text in texts:
        key, _, value = text.partition('=')
        if not key or '{}' not in value:
            raise WrongValueError(
                f"--folds: got {text!r}; expected KEY=VALUE with {{}} for the fold's number, such as "
                'test_dataloader.dataset.ann_file=folds/fold{}_test.txt'
            )
        found[key] = value
    for loader in ('train_dataloader', 'test_dataloader'):
        if not any(key.startswith(f'{loader}.') for key in found):
            raise WrongValueError(f'--folds: got no key of {loader}; expected clips of their own in every fold')
    return found


def _merged(options: Mapping[str, Any], loaders: Mapping[str, Any]) -> dict[str, Any]:
    config = Config(dict(options))
    config.merge_from_dict(dict(loaders))
    return config.to_dict()


def _section(comparison: Comparison, title: str, in_grid: bool) -> Section:
    """Return a section; of a fold in which every arm is best as shipped, the one as shipped."""
    same = [each for each in comparison.sections if (each.title, each.in_grid) == (title, in_grid)]
    return same[0] if same else comparison.sections[0]


def _pooled_rows(sections: Sequence[Section], clips: Sequence[int]) -> list[Row]:
    found = []
    places = list(dict.fromkeys((row.arm, row.kind, row.of) for section in sections for row in section.rows))
    for place in places:
        matching = [[row for row in each.rows if (row.arm, row.kind, row.of) == place] for each in sections]
        first = next(rows[0] for rows in matching if rows)
        rows = [rows[0] if rows else _without_results(first) for rows in matching]
        by_clip = [row.clips for row in rows]
        settings = first.settings if all(row.settings == first.settings for row in rows) else {'by fold': True}
        lengths = list(dict.fromkeys(row.length for row in rows if row.length))
        found.append(
            dataclasses.replace(
                first,
                label=' / '.join(dict.fromkeys(row.label for row in rows)),
                settings=settings,
                scores=_by_seed([row.scores for row in rows], clips),
                val=_by_seed([row.val for row in rows], clips),
                agreement=_by_seed([row.agreement for row in rows], clips),
                seconds=[mean_of(row.seconds) for row in rows],
                cpu_seconds=[mean_of(row.cpu_seconds) for row in rows],
                length=' / '.join(lengths) or None,
                pairs=_by_fold([row.scores for row in rows], clips),
                clips=None if None in by_clip else [each for row in by_clip for each in row],
            )
        )
    return found


def _by_seed(folds: Sequence[Sequence[float | None]], clips: Sequence[int]) -> list[float | None]:
    """Return the score of each seed over the clips of all folds; None where a fold is missing."""
    return [None if None in scores else _weighted(scores, clips) for scores in zip(*folds, strict=True)]


def _by_fold(folds: Sequence[Sequence[float | None]], clips: Sequence[int]) -> list[float | None]:
    """Return one number for each fold, whose mean is that of all clips; None where a seed is missing."""
    usual = sum(clips) / len(clips)
    pairs = zip(folds, clips, strict=True)
    return [None if None in scores else mean_of(scores) * count / usual for scores, count in pairs]


def _without_results(row: Row) -> Row:
    nothing = [None] * len(row.scores)
    lists = dict.fromkeys(('scores', 'val', 'agreement', 'seconds', 'cpu_seconds'), nothing)
    return dataclasses.replace(row, **lists, clips=None)


def _pooled_teacher(teachers: Sequence[Teacher | None], clips: Sequence[int]) -> Teacher:
    known = [(each, count) for each, count in zip(teachers, clips, strict=True) if each is not None]
    tested, counts = zip(*known, strict=True)
    return dataclasses.replace(
        tested[0],
        score=_weighted([each.score for each in tested], counts),
        seconds=mean_of([each.seconds for each in tested]),
        cpu_seconds=mean_of([each.cpu_seconds for each in tested]),
    )


def _weighted(values: Sequence[float], counts: Sequence[int]) -> float:
    return float(np.average(values, weights=counts))
