"""From work dirs to the page: read everything, draw it, write it."""

from collections.abc import Sequence
from pathlib import Path

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.new import expect_new
from mmkd_video.workflows.compare.arms import ALONE, DISTILLED
from mmkd_video.workflows.report.answer_panels import calibration, classes, confusions
from mmkd_video.workflows.report.answers import Answers, read_answers, read_teacher
from mmkd_video.workflows.report.class_labels import labels_of
from mmkd_video.workflows.report.clip_panel import ROOM, clips
from mmkd_video.workflows.report.deployment_panel import deployment
from mmkd_video.workflows.report.differences import paired
from mmkd_video.workflows.report.folder import WorkDir, read_folders
from mmkd_video.workflows.report.looks import TEACHER, Arm, arms_of
from mmkd_video.workflows.report.page import SIGNATURE, Part, page
from mmkd_video.workflows.report.panel import Panel
from mmkd_video.workflows.report.picture import draw_png
from mmkd_video.workflows.report.summary_panel import summary
from mmkd_video.workflows.report.training_panels import agreement, terms, training

NAME = 'report.html'
CLIPS = 8
_SIGNED = 1000  # bytes in which the signature stands
NO_SCORES = 'no run has its scores of each test clip beside it (test_scores.npz, which compare and compress write).'
_NO_ALONE = 'there are no scores of a student alone to compare with.'
_NO_LATENCY = 'no deploy.json here; compress measures models in runtimes and writes it.'
_ABOUT_PAIRS = ('Gain of each class', 'Confusions mended and made')
_TEACHER = Arm(TEACHER, TEACHER, TEACHER)


def write_report(
    folders: Sequence[str | Path],
    *,
    out: str | Path | None = None,
    pictures: str | Path | None = None,
    data_root: str | Path | None = None,
    num_clips: int = CLIPS,
    force: bool = False,
) -> tuple[Path, list[Part]]:
    """Write a page about work dirs, and its charts as pictures if asked to.

    Args:
        folders: Folders that ``compare``, ``train`` or ``compress`` wrote.
        out: Path of the page; ``report.html`` in the first folder by default. A page of this tool is replaced.
        pictures: Folder for the charts as PNG; None: none.
        data_root: Folder that the paths of clips and data begin from; the working directory by default.
        num_clips: Number of clips that play, at most.
        force: Whether a file that this tool did not write may be replaced.

    Returns:
        Path of the page, and what is in it.

    Raises:
        FileNotFoundError: There is no such folder.
        FileExistsError: There is another file already.
        ValueError: A folder holds nothing of these tools.
        OSError: A file cannot be written.
    """
    target = Path(out) if out is not None else Path(folders[0], NAME)
    works = read_folders(folders)
    if not _is_ours(target):
        expect_new('--out', target, force)
    root = Path(data_root or '')
    parts = [_part(work, root, num_clips, ROOM // len(works)) for work in works]
    drawn = {}
    if pictures is not None:
        for at, part in enumerate(parts):
            prefix = f'{at + 1}-' if len(parts) > 1 else ''
            drawn |= {Path(pictures, f'{prefix}{chart.name}.png'): chart for chart in part.charts}
        for path in drawn:
            expect_new('--pictures', path, force)
    content = page(parts)
    for path, chart in drawn.items():
        write_atomically(draw_png(chart), path)
    write_atomically(content, target)
    return target, parts


def _part(work: WorkDir, root: Path, num_clips: int, room: int) -> Part:
    arms = arms_of(work.arms)
    panels = [summary(work.comparison, arms)] if work.comparison else []
    if work.runs or work.comparison:
        panels += [training(work, arms), terms(work, arms), agreement(work, arms)]
        panels += _answer_panels(work, arms, root, num_clips, room)
    panels.append(deployment(work.deployments, arms) if work.deployments else Panel('Latency', missing=_NO_LATENCY))
    return Part(work.title, panels, work.comparison.command if work.comparison else '', work.problems)


def _answer_panels(work: WorkDir, arms: Sequence[Arm], root: Path, num_clips: int, room: int) -> list[Panel]:
    """Return the panels that are about single clips of test."""
    found = {arm: answers for arm in arms if (answers := read_answers(work, arm.name)) is not None}
    teacher = read_teacher(work)
    alone = next((arm for arm in arms if arm.kind == ALONE), None)
    taught = [arm for arm in found if arm.kind == DISTILLED]
    pairs = {arm: pair for arm in taught if (pair := paired(found.get(alone), found[arm])) is not None}
    models = {**({_TEACHER: teacher} if teacher is not None else {}), **found}
    if not models:
        return [Panel(title, missing=NO_SCORES) for title in (*_ABOUT_PAIRS, 'Calibration', 'Clips')]
    base = found.get(alone) or next(iter(models.values()))
    names = labels_of([run.path for run in work.runs], base.mean.shape[1], root, work.problems)
    missing = 'there are no two students to compare on one set of clips.' if alone in found else _NO_ALONE
    if not pairs:
        nothing = [Panel(title, missing=missing) for title in (*_ABOUT_PAIRS, 'Clips')]
        return [*nothing[:2], calibration(models), *nothing[2:]]
    first = next(iter(pairs))
    shown: dict[Arm, Answers] = {arm: models[arm] for arm in (_TEACHER, alone, first) if arm in models}
    shown = {arm: each for arm, each in shown.items() if each.is_like(found[first])}
    return [
        classes(pairs, alone, names),
        confusions(pairs, names),
        calibration(models),
        clips((first, pairs[first]), shown, names, root, num_clips, room),
    ]


def _is_ours(path: Path) -> bool:
    """Return whether a file is a page that this tool wrote."""
    if not path.is_file():
        return False
    with open(path, 'rb') as file:
        return SIGNATURE in file.read(_SIGNED)
