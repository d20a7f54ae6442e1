"""Models on corrupted clips: every corruption, every severity."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from mmkd_video.core.checked import did_you_mean
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.digest import sha256_of_settings
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.plain_data import Many, Maybe, Number, Record, Table, Text, read_json
from mmkd_video.core.version import __version__
from mmkd_video.robustness import SEVERITIES, corruptions
from mmkd_video.workflows.robustness.robustness_report import Cell, ModelOnCorruptions, RobustnessReport
from mmkd_video.workflows.robustness.teacher_answers import TeacherAnswers
from mmkd_video.workflows.robustness.tested_model import TestedModel

Progress = Callable[[int, int, str], None]
CLEAN = 'clean'
PART = Record(dict(told=Text(64), cells=Table(Many(Maybe(Number(0, 1)), 2, 2), 100_000)))


def measure_robustness(
    models: Sequence[TestedModel],
    *,
    kinds: Sequence[str] | None = None,
    severities: Sequence[int] = SEVERITIES,
    seed: int = 0,
    reference: str | None = None,
    teacher: str | None = None,
    part: str | Path | None = None,
    progress: Progress = lambda done, total, what: None,
) -> RobustnessReport:
    """Classify the test clips of models, clean and under each corruption and severity.

    Args:
        models: Models of the same test clips. The teacher is that of the first.
        kinds: Names of corruptions; all that are registered by default.
        severities: Severities of 1 to 5.
        seed: Number that all that is random in corruptions follows from.
        reference: Name of the model whose errors the others are divided by; None for none.
        teacher: Name of the teacher, where there are several.
        part: File that takes what is measured as it comes, so that the same call goes on from there; None for none. It
            is removed at the end.
        progress: Function that is called with (done, in all, what), in passes over the clips.

    Raises:
        KeyError: There is no such corruption, reference or teacher.
        ValueError: Two models have one name or other test clips, or the part is of another measurement.
    """
    names = [model.name for model in models]
    kinds, severities = _known_kinds(kinds), sorted({*severities})
    if reference is not None and reference not in names:
        raise WrongKeyError(f'--reference: got {reference!r}; expected one of {", ".join(names)}')
    for model in models:
        _expect_same_clips(model, models[0])
        if names.count(model.name) > 1:
            raise WrongValueError(f'--beside: got two models with the name {model.name!r}; expected another one')
    answers = TeacherAnswers.of(models[0], teacher)
    asked = [] if answers.classes is None else answers.classes.tolist()
    cells = _Cells(part, [__version__, seed, asked, [[model.name, *model.told] for model in models]])
    passes = [(CLEAN, 0), *((kind, severity) for kind in kinds for severity in severities)]
    for done, (model, (kind, severity)) in enumerate((m, each) for m in models for each in passes):
        key = f'{kind}/{severity}/{model.name}'
        if key not in cells.found:
            corruption = None if kind == CLEAN else dict(type=kind, severity=severity, seed=seed)
            cells.add(key, _measure(model, corruption, answers.classes))
        progress(done + 1, len(models) * len(passes), model.name)
    found = {
        model.name: ModelOnCorruptions(
            str(model.config.filename),
            model.checkpoint,
            cells.found[f'{CLEAN}/0/{model.name}'],
            {kind: [cells.found[f'{kind}/{each}/{model.name}'] for each in severities] for kind in kinds},
        )
        for model in models
    }
    cells.remove()
    known = (answers.name or None, answers.accuracy, answers.reason)
    return RobustnessReport(found, severities, len(models[0].labels), reference, *known)


class _Cells:
    """What is measured so far, in a file."""

    def __init__(self, path: str | Path | None, told: list) -> None:
        self._path, self._told = None if path is None else Path(path), sha256_of_settings(told)
        self.found: dict[str, Cell] = {}
        if self._path is None or not self._path.is_file():
            return
        read = read_json(self._path.read_bytes(), PART, str(self._path))
        if read['told'] != self._told:
            raise WrongValueError(
                f'{self._path} was left by a measurement of other models, clips or settings; expected the same; give '
                '--out another name, or remove this file'
            )
        for key, (accuracy, agreement) in read['cells'].items():
            if accuracy is None:
                raise WrongValueError(
                    f'{self._path}: cells.{key[:60]}: got no accuracy; expected one; remove this file'
                )
            self.found[key] = Cell(accuracy, agreement)

    def add(self, key: str, cell: Cell) -> None:
        self.found[key] = cell
        if self._path is not None:
            content = dict(
                told=self._told, cells={name: list(asdict(each).values()) for name, each in self.found.items()}
            )
            write_atomically(json.dumps(content).encode(), self._path)

    def remove(self) -> None:
        if self._path is not None:
            self._path.unlink(missing_ok=True)


def _measure(model: TestedModel, corruption: dict | None, teacher: np.ndarray | None) -> Cell:
    classes = np.concatenate([model.classify(clips).argmax(1) for clips, _ in model.batches(corruption)])
    agreement = None if teacher is None else float((classes == teacher).mean())
    return Cell(float((classes == model.labels).mean()), agreement)


def _known_kinds(kinds: Sequence[str] | None) -> list[str]:
    known = sorted(corruptions())
    for name in kinds or ():
        if name not in known:
            raise WrongKeyError(
                f'--corruptions: got {name!r}; expected some of {", ".join(known)}; {did_you_mean(name, known)}'
            )
    return known if kinds is None else list(dict.fromkeys(kinds))


def _expect_same_clips(model: TestedModel, first: TestedModel) -> None:
    if model.names != first.names or model.labels.tolist() != first.labels.tolist():
        raise WrongValueError(
            f'{model.name}: got {len(model.names)} test clips with labels that are not the {len(first.names)} of '
            f'{first.name}; expected the same list in test_dataloader'
        )
