"""A model on test clips that were changed to mislead it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.device import get_device
from torch import Tensor

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.restoring import random_state_restored
from mmkd_video.core.text_table import aligned
from mmkd_video.robustness import FGSM, PGD, Attack, PixelScale
from mmkd_video.views import lay_out
from mmkd_video.workflows.robustness.tested_model import TestedModel

Progress = Callable[[int, int], None]
Scores = Callable[[Tensor], Tensor]
PIXELS = PixelScale(torch.zeros(1), torch.ones(1))  # what is attacked are pixels already
CLEAN, FIRST, ALL = 'clean', 'FGSM', 'all of them'


@dataclass(frozen=True)
class Budget:
    """How much an attack may change, and how much it may try.

    Attributes:
        epsilon: Radius in pixels of 0 to 255.
        norm: ``'linf'`` or ``'l2'``.
        frames: Number of frames of a clip that may change; None for all.
        steps: Numbers of steps of PGD, an attack each.
        restarts: Number of walks of PGD.
    """

    epsilon: float = 2.0
    norm: str = 'linf'
    frames: int | None = None
    steps: Sequence[int] = (10, 50)
    restarts: int = 2

    @property
    def attacks(self) -> dict[str, Attack]:
        """The attacks by name, the weakest first."""
        same = dict(epsilon=self.epsilon, norm=self.norm, frames=self.frames)
        walks = {f'PGD-{each}': PGD(steps=each, restarts=self.restarts, **same) for each in sorted({*self.steps})}
        return {FIRST: FGSM(**same), **walks}


@dataclass(frozen=True)
class AttackReport:
    """What is left of a model's accuracy.

    Attributes:
        config: Path of its config.
        checkpoint: Path of its checkpoint or exported file.
        clips: Number of clips.
        budget: Limits of the attacks.
        accuracy: Share of the clips that are classified correctly, 0 to 1, by attack: clean clips, attacks with the
            model's own gradients, those with another model's, and the share that withstands all of them.
        source: Accuracy on clean clips of the model that the transferred attacks are made with; None without.
        transferred: Name of the attack that was transferred; None without.
    """

    config: str
    checkpoint: str
    clips: int
    budget: Budget
    accuracy: Mapping[str, float]
    source: float | None = None
    transferred: str | None = None

    @property
    def warnings(self) -> list[str]:
        """Signs of masked gradients: attacks that should be weaker and are stronger.

        Athalye et al., Obfuscated Gradients Give a False Sense of Security, https://arxiv.org/abs/1802.00420.
        """
        found, own = [], {k: v for k, v in self.accuracy.items() if k not in (CLEAN, ALL, self.transferred)}
        if not own:
            return []
        name, best = list(own.items())[-1]
        if best > own[FIRST]:
            found.append(_masked(f'{name} leaves {best:.1%} and {FIRST} {own[FIRST]:.1%}'))
        if self.transferred and self.accuracy[self.transferred] < min(own.values()):
            left = self.accuracy[self.transferred]
            found.append(_masked(f'{self.transferred} leaves {left:.1%} and its own gradients {min(own.values()):.1%}'))
        return found

    def as_dict(self) -> dict:
        """Return all numbers, for a JSON file."""
        return {**vars(self), 'budget': vars(self.budget), 'accuracy': dict(self.accuracy), 'warnings': self.warnings}

    def as_text(self) -> str:
        """Return the table, and what the numbers are."""
        budget = self.budget
        rows = [['clips', 'classified correctly, %']]
        rows += [[name, f'{100 * each:.1f}'] for name, each in self.accuracy.items()]
        norm = 'each value of a pixel' if budget.norm == 'linf' else 'the Euclidean length over a clip'
        frames = '' if budget.frames is None else f', in {budget.frames} frames of each clip'
        notes = [
            f'{self.clips} test clips; changes of at most {budget.epsilon:g} of 255 in {norm}{frames}; PGD walks '
            f'{budget.restarts} times'
        ]
        if self.source is not None:
            notes.append(f'the other model classifies {self.source:.1%} of the clean clips correctly')
        if FIRST not in self.accuracy:
            notes.append(
                'an exported file has no gradients: it is attacked by transfer alone, which says less than an attack '
                'on its checkpoint; pixels are rounded to what it takes'
            )
        return '\n'.join([*aligned(rows), '', *notes, *self.warnings])


def measure_attacks(
    model: TestedModel,
    budget: Budget | None = None,
    *,
    source: TestedModel | None = None,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> AttackReport:
    """Attack the test clips of a model, with its own gradients and with those of another one.

    Args:
        model: Model that is attacked.
        budget: Limits of the attacks.
        source: Model that is attacked in its place with the same clips, to transfer what is found; a guard against
            gradients that lead nowhere, and all there is for exported files.
        seed: Number that random starts follow from, anew in each batch.
        progress: Function that is called with (done, in all), in clips.

    Raises:
        ValueError: There are no gradients, or the other model does not go with the clips.
    """
    budget = budget or Budget()
    _expect_gradients(model, source)
    attacks = budget.attacks
    strongest = list(attacks)[-1]
    transferred = None if source is None else f'{strongest} from {source.name}'
    right: dict[str, list[np.ndarray]] = {}
    for number, (clips, labels) in enumerate(model.batches()):
        clean = clips.to(get_device(), torch.float32)
        found = _changed(model, source, attacks, clean, labels.to(clean.device), [seed, number])
        for name, made in ((CLEAN, clean), *found):
            key = transferred if name is None else name
            right.setdefault(key, []).append(model.classify(made).argmax(1) == labels.numpy())
        if source is not None:
            classes = _source_scores(source, clean)(clean).argmax(1).cpu().numpy()
            right.setdefault('source', []).append(classes == labels.numpy())
        progress(sum(map(len, right[CLEAN])), len(model.labels))
    flags = {name: np.concatenate(each) for name, each in right.items()}
    known = flags.pop('source', None)
    flags[ALL] = np.logical_and.reduce(list(flags.values()))
    return AttackReport(
        str(model.config.filename),
        model.checkpoint,
        len(model.labels),
        budget,
        {name: float(each.mean()) for name, each in flags.items()},
        None if known is None else float(known.mean()),
        transferred,
    )


def _changed(
    model: TestedModel,
    source: TestedModel | None,
    attacks: Mapping[str, Attack],
    clean: Tensor,
    labels: Tensor,
    seeds: Sequence[int],
) -> Iterator[tuple[str | None, Tensor]]:
    """Yield the clips that each attack makes of a batch, by its name; None for the transferred one."""

    def criterion(scores: Tensor) -> Tensor:
        return F.cross_entropy(scores, labels, reduction='none')

    def attacked(attack: Attack, scores: Scores) -> Tensor:
        with random_state_restored(clean.device):
            torch.manual_seed(seeds[0] * 1_000_003 + seeds[1])
            return attack(scores, criterion, clean, PIXELS, labels).detach()

    if not model.exported:
        yield from ((name, attacked(attack, model.model.log_probabilities)) for name, attack in attacks.items())
    if source is not None:
        yield None, attacked(list(attacks.values())[-1], _source_scores(source, clean))


def _source_scores(source: TestedModel, clips: Tensor) -> Scores:
    """Return the scores that the other model gives the attacked model's clips, laid out for it."""

    def scores(pixels: Tensor) -> Tensor:
        return source.model.log_probabilities(lay_out(pixels, source.layout, batched=True))

    try:
        with torch.no_grad():
            scores(clips[:1])
    except (RuntimeError, ValueError, TypeError) as error:  # whatever a network raises on another number of frames
        raise WrongValueError(
            f'--transfer: {source.name} cannot take the clips {tuple(clips.shape[1:])} of the attacked model '
            f'({str(error).splitlines()[0][:120]}); expected a model of as many frames of that size'
        ) from error
    return scores


def _expect_gradients(model: TestedModel, source: TestedModel | None) -> None:
    if source is None:
        if model.exported:
            raise WrongValueError(
                f'{model.checkpoint}: got an exported file, which has no gradients; expected --transfer CONFIG '
                'CHECKPOINT too, such as the checkpoint that it was exported from'
            )
        return
    if source.exported:
        raise WrongValueError(
            f'--transfer: got the exported file {source.checkpoint}, which has no gradients; expected a checkpoint'
        )
    if source.num_classes != model.num_classes:
        raise WrongValueError(
            f'--transfer: got a model of {source.num_classes} classes; expected the {model.num_classes} of the '
            'attacked one'
        )


def _masked(what: str) -> str:
    return (
        f'warning: {what} of the clips, so its gradients may be masked, and it withstands less than the attacks with '
        'them tell'
    )
