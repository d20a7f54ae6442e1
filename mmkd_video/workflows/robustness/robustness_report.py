"""What is left of the accuracy of some models on corrupted clips, and how ImageNet-C sums it up."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from mmkd_video.core.text_table import aligned

MEAN = 'mean'


@dataclass(frozen=True)
class Cell:
    """A model on the clips of one corruption and severity.

    Attributes:
        accuracy: Share of the clips that are classified correctly, 0 to 1.
        agreement: Share of the clips whose class is that of the teacher for the clean clip; None without a teacher.
    """

    accuracy: float
    agreement: float | None = None


@dataclass(frozen=True)
class ModelOnCorruptions:
    """One model.

    Attributes:
        config: Path of its config.
        checkpoint: Path of its checkpoint or exported file.
        clean: Its result on clean clips.
        corrupted: Its results by corruption, one for each severity.
    """

    config: str
    checkpoint: str
    clean: Cell
    corrupted: Mapping[str, Sequence[Cell]]

    def accuracy(self, kind: str) -> float:
        """Return the mean accuracy over the severities of a corruption."""
        return fmean(cell.accuracy for cell in self.corrupted[kind])

    def agreement(self, kind: str) -> float | None:
        """Return the mean agreement over the severities of a corruption; None without a teacher."""
        found = [cell.agreement for cell in self.corrupted[kind]]
        return None if None in found else fmean(found)


@dataclass(frozen=True)
class RobustnessReport:
    """Some models on corrupted clips.

    Attributes:
        models: Models by name.
        severities: Severities that were measured.
        clips: Number of test clips.
        reference: Name of the model whose errors count as 100 %; None for none.
        teacher: Name of the teacher whose answers to clean clips are compared with; None for none.
        teacher_accuracy: Its accuracy on the clean clips.
        without_teacher: Reason why there is none.
    """

    models: Mapping[str, ModelOnCorruptions]
    severities: Sequence[int]
    clips: int
    reference: str | None = None
    teacher: str | None = None
    teacher_accuracy: float | None = None
    without_teacher: str = ''

    @property
    def kinds(self) -> list[str]:
        """The corruptions."""
        return list(next(iter(self.models.values())).corrupted)

    def corruption_error(self, name: str, kind: str) -> float | None:
        """Return the error of a model by that of the reference, both summed over the severities of a corruption.

        ImageNet-C, https://arxiv.org/abs/1903.12261, section 4.1, where the reference is AlexNet.

        Returns:
            1 is as bad as the reference; None without one, or where it makes no error.
        """
        if self.reference is None:
            return None
        whole = 1 - self.models[self.reference].accuracy(kind)
        return (1 - self.models[name].accuracy(kind)) / whole if whole > 0 else None

    def mean_corruption_error(self, name: str) -> float | None:
        """Return the mean of :meth:`corruption_error` over all corruptions; None where one of them is."""
        found = [self.corruption_error(name, kind) for kind in self.kinds]
        return None if None in found else fmean(found)

    def as_dict(self) -> dict[str, Any]:
        """Return all numbers, for a JSON file."""
        told = asdict(self)
        for name, model in self.models.items():
            told['models'][name] |= dict(
                mean_accuracy=fmean(map(model.accuracy, self.kinds)),
                mean_error=1 - fmean(map(model.accuracy, self.kinds)),
                corruption_error={kind: self.corruption_error(name, kind) for kind in self.kinds},
                mean_corruption_error=self.mean_corruption_error(name),
            )
        return told

    def as_text(self) -> str:
        """Return a table for each model, one of all where there are several, and what the numbers are."""
        lines = []
        for name in self.models:
            lines += [*self._table(name), '']
        if len(self.models) > 1:
            header = ['model', 'clean', 'corrupted', *self._last_columns()]
            lines += [*aligned([header, *map(self._summary, self.models)]), '']
        return '\n'.join([*lines, *self._notes()])

    def _last_columns(self) -> list[str]:
        agreement = ['agreement'] if self.teacher else []
        return agreement + (['corruption error'] if self.reference else [])

    def _table(self, name: str) -> list[str]:
        model = self.models[name]
        rows = [[f'{name}, %', *map(str, self.severities), MEAN, *self._last_columns()]]
        blank = [''] * len(self.severities)
        rows.append(['clean', *blank, _percent(model.clean.accuracy), *self._rest(model.clean.agreement, None)])
        for kind in self.kinds:
            shown = [_percent(cell.accuracy) for cell in model.corrupted[kind]]
            rest = self._rest(model.agreement(kind), self.corruption_error(name, kind))
            rows.append([kind, *shown, _percent(model.accuracy(kind)), *rest])
        rows_of_cells = ([cell.accuracy for cell in row] for row in model.corrupted.values())
        by_severity = [fmean(column) for column in zip(*rows_of_cells, strict=True)]
        rows.append([MEAN, *map(_percent, by_severity), *self._summary(name)[2:]])
        return aligned(rows)

    def _rest(self, agreement: float | None, error: float | None) -> list[str]:
        return ([_percent(agreement)] if self.teacher else []) + ([_percent(error)] if self.reference else [])

    def _summary(self, name: str) -> list[str]:
        model = self.models[name]
        agreement = fmean(map(model.agreement, self.kinds)) if self.teacher else None
        shown = [_percent(model.clean.accuracy), _percent(fmean(map(model.accuracy, self.kinds)))]
        return [name, *shown, *self._rest(agreement, self.mean_corruption_error(name))]

    def _notes(self) -> list[str]:
        notes = [f'accuracy on {self.clips} test clips, in columns of severities']
        if self.teacher:
            notes.append(
                f'agreement: share of the clips that get the class which {self.teacher} gives the clean clip; it is '
                f'right on {self.teacher_accuracy:.1%} of these'
            )
        else:
            notes.append(f'no agreement with a teacher: {self.without_teacher}')
        if self.reference:
            notes.append(
                f'corruption error: summed over severities, by that of {self.reference}; 100 is as bad. Its mean is '
                'the mCE of ImageNet-C'
            )
            if any(self.mean_corruption_error(name) is None for name in self.models):
                notes.append(f'where {self.reference} makes no error on a corruption, nothing can be divided by it')
        else:
            errors = [
                f'{name} {_percent(1 - fmean(map(each.accuracy, self.kinds)))} %' for name, each in self.models.items()
            ]
            notes.append(
                f'mean error: {", ".join(errors)}. This is no mCE of ImageNet-C, which divides by the errors of a '
                'reference: name one with --reference'
            )
        return notes


def _percent(share: float | None) -> str:
    return '-' if share is None else f'{100 * share:.1f}'
