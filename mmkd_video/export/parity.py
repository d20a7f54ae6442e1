"""Does an exported file say what the model says?"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.text_table import aligned
from mmkd_video.export.deployable import DeployableRecognizer
from mmkd_video.export.exported_model import ExportedModel

CONSTANT = 1e-5  # a probability that moves less than this between clips does not depend on them
TIE = 1e-4  # two classes closer than this are one answer


@dataclass(frozen=True)
class ParityBound:
    """What is still called equal.

    Args:
        difference: Largest difference of a probability, 0 to 1.
        agreement: Least fraction of clips with the same most probable class, 0 to 1.
        tie: Difference below which two of the model's probabilities count as one answer, 0 to 1; at most a fifth of
            how far probabilities differ between clips.
        share: Largest difference of a probability as a part of how far probabilities differ between clips, 0 to 1.
    """

    difference: float
    agreement: float
    tie: float = TIE
    share: float = 1.0


PARITY_BOUNDS = {
    'f32': ParityBound(1e-4, 1.0, share=0.2),
    'bf16': ParityBound(0.1, 0.93, tie=0.02),
    'int8': ParityBound(0.35, 0.9, tie=0.1),
}
"""By the precision that the file runs in.

The f32 bound leaves room for another order of summation only. What that changes shrinks with what clips change: it was
at most a thousandth of that in TSM, I3D and X3D whose probabilities differed by 4e-5 to 0.96. So a fifth of it is room
enough for a model that is barely trained. The others are several times what a trained MobileNet and a trained I3D
showed on hundreds of clips (bf16 0.024, int8 0.17, top-1 the same on 99.7 % and more). One clip of 16 may fall to
another class, and any that lies between two classes to either. They catch a broken file; accuracy is what
``tools/test.py`` is for.
"""


@dataclass(frozen=True)
class ParityReport:
    """What a comparison found.

    Args:
        path: Path of the exported file.
        backend: Name of the runtime that ran it.
        precision: Precision that it ran in.
        clips: Number of clips that were compared.
        spread: Largest difference of a probability of the model between clips: what there is to see.
        exported_spread: The same of the file.
        largest_difference: Largest difference between model and file, of any probability of any clip.
        mean_difference: Mean of the largest difference of each clip.
        agreement: Fraction of clips with the same most probable class, or one in a tie with it.
        tie: Difference below which two classes were one answer.
        worst: Name of the clip with the largest difference; among those of another class, if there are such.
        bound: The bound that was asked for.
        problems: Problems that were found; empty when the file passed.
        reference: Name of the model that the file was compared with.
    """

    path: str
    backend: str
    precision: str
    clips: int
    spread: float
    exported_spread: float
    largest_difference: float
    mean_difference: float
    agreement: float
    tie: float
    worst: str
    bound: ParityBound
    problems: tuple[str, ...]
    reference: str = 'PyTorch'

    @property
    def passed(self) -> bool:
        """Whether the file may be trusted."""
        return not self.problems

    @property
    def failure(self) -> str:
        """What is told of a file that did not pass."""
        return f'{self.path} does not say what the model says, worst on {self.worst}; it is kept as it is'

    @property
    def largest_allowed(self) -> float:
        """The largest difference that passes."""
        return min(self.bound.difference, self.bound.share * self.spread)

    def __str__(self) -> str:
        rows = [
            ('file', self.path),
            ('run by', f'{self.backend}, {self.precision}'),
            ('clips', str(self.clips)),
            ('probabilities differ between clips by', f'{self.spread:.2g} (file {self.exported_spread:.2g})'),
            (
                f'largest difference from {self.reference}',
                f'{self.largest_difference:.2g} (bound {self.largest_allowed:.2g})',
            ),
            (f'mean difference from {self.reference}', f'{self.mean_difference:.2g}'),
            (
                'same top-1',
                f'{self.agreement:.1%} (bound {self.bound.agreement:.0%}; ties within {self.tie:.2g} count)',
            ),
            ('worst clip', self.worst),
            ('parity', 'passed' if self.passed else 'FAILED: ' + '; '.join(self.problems)),
        ]
        return '\n'.join(aligned(rows, left=2, rule=False))


def check_parity(
    model: nn.Module,
    exported: ExportedModel,
    clips: Sequence[np.ndarray],
    names: Sequence[str] | None = None,
    bound: ParityBound | None = None,
) -> ParityReport:
    """Compare an exported file with the model in eager PyTorch.

    Equal outputs prove nothing where outputs do not depend on inputs, as in an untrained TSM; so that is looked at
    first. A file with a dynamic clip count is run a second time, each sample with the clips of the one before beside
    its own; they count as clips of their own in the report.

    Args:
        model: The recognizer, or a :class:`DeployableRecognizer`.
        exported: The file in its runtime.
        clips: Real clips, each ``(M, ...)``, at least two that differ.
        names: Names of the clips, for the report; ``clip 0`` and so on by default.
        bound: The bound of what counts as equal; by default that of the precision in which ``exported`` runs.

    Raises:
        ValueError: There are fewer than two clips, or the file scores another number of classes.
    """
    if len(clips) < 2:
        raise WrongValueError(
            f'parity: got {len(clips)} clips, expected at least 2, to see whether outputs depend on inputs'
        )
    model = model if isinstance(model, DeployableRecognizer) else DeployableRecognizer(model)
    exported.metadata.expect_model(model.architecture, model.num_classes, exported.path)
    expected, found = model.predict(clips), exported.predict(clips)
    if exported.metadata.dynamic_clips:
        longer = [np.concatenate([clip, clips[index - 1]]) for index, clip in enumerate(clips)]
        expected = np.concatenate([expected, model.predict(longer)])
        found = np.concatenate([found, exported.predict(longer)])
        names = names or [f'clip {index}' for index in range(len(clips))]
        names = [*names, *(f'{name} with {names[index - 1]}' for index, name in enumerate(names))]
    return compare(expected, found, exported, names, bound or PARITY_BOUNDS[exported.precision])


def compare(
    expected: np.ndarray,
    found: np.ndarray,
    exported: ExportedModel,
    names: Sequence[str] | None,
    bound: ParityBound,
    reference: str = 'PyTorch',
) -> ParityReport:
    """Compare probabilities that are there already.

    Args:
        expected: ``(N, K)`` of the model.
        found: ``(N, K)`` of the file.
        exported: The file.
        names: Names of the clips.
        bound: The bound of what counts as equal.
        reference: Name of the model that gave ``expected``.
    """
    difference = np.abs(expected - found).max(axis=1)
    rows, choice = np.arange(len(expected)), found.argmax(axis=1)
    spread, exported_spread = _spread(expected), _spread(found)
    tie = min(bound.tie, spread / 5)
    same = expected.max(axis=1) - expected[rows, choice] <= tie
    suspects = rows if same.all() or not same.any() else rows[~same]
    worst = int(suspects[difference[suspects].argmax()])
    largest, agreement = float(difference.max()), float(same.mean())
    problems = []
    for owner, value in (('the model', spread), ('the file', exported_spread)):
        if not value > CONSTANT:  # NaN too
            problems.append(f'the output of {owner} does not depend on its input, so nothing is shown; train it first')
    if not largest <= bound.difference:
        problems.append(f'a probability differs by {largest:.2g}, more than {bound.difference:g}')
    elif not problems and largest >= bound.share * spread:
        problems.append(
            f'file and model differ by {largest:.2g}, {largest / spread:.0%} of what clips do (bound '
            f'{bound.share:.0%}); train the model first'
        )
    if agreement < bound.agreement:
        problems.append(f'top-1 agrees on {agreement:.1%} of the clips, less than {bound.agreement:.0%}')
    return ParityReport(
        path=str(exported.path),
        backend=exported.backend,
        precision=exported.precision,
        clips=len(expected),
        spread=spread,
        exported_spread=exported_spread,
        largest_difference=largest,
        mean_difference=float(difference.mean()),
        agreement=agreement,
        tie=tie,
        worst=names[worst] if names else f'clip {worst}',
        bound=bound,
        problems=tuple(problems),
        reference=reference,
    )


def _spread(probabilities: np.ndarray) -> float:
    return float((probabilities.max(axis=0) - probabilities.min(axis=0)).max())
