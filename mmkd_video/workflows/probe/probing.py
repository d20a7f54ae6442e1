"""Probes of a teacher's encoder, trained on the labelled clips of a distillation."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.device import get_device
from mmengine.registry import DefaultScope
from torch import Tensor, nn

from mmkd_video.compat.safe_load import load
from mmkd_video.core.files.digest import sha256_of_settings
from mmkd_video.core.files.lock import locked
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.recognizers.class_names import class_names
from mmkd_video.recognizers.input_form import noise_clip, to_device
from mmkd_video.recognizers.plain_student import is_distillation, named_teachers
from mmkd_video.recognizers.size import find_size
from mmkd_video.teachers import FrozenTeacher
from mmkd_video.teachers.build import build_teacher
from mmkd_video.teachers.probe_file import KINDS, ProbeFile, save
from mmkd_video.teachers.probed import encoder_hashes
from mmkd_video.workflows.probe.clips import ProbeClips
from mmkd_video.workflows.probe.grid import Point, ProbeGrid
from mmkd_video.workflows.train.prepare import prepare

Progress = Callable[[int, int], None]
HEADS = tuple(KINDS)
LEARNING_RATES = (5e-3, 1e-3, 3e-4, 1e-4)
WEIGHT_DECAYS = (0.01, 0.1, 0.4)
TOKENS = 'last_hidden_state'


@dataclass(frozen=True)
class Tried:
    """What came of a place in the grid.

    Attributes:
        point: Learning rate and weight decay.
        accuracy: Share of the validation clips that are classified correctly.
        loss: Mean cross-entropy on them.
        training_loss: Mean cross-entropy on the training clips in the last epoch.
    """

    point: Point
    accuracy: float
    loss: float
    training_loss: float


@dataclass(frozen=True)
class Probed:
    """What was trained.

    Attributes:
        tried: Results of all places in the grid.
        best: Result of the probe that was written.
        clips: Number of training clips.
        validated: Number of validation clips.
        classes: Names of the classes.
    """

    tried: list[Tried]
    best: Tried
    clips: int
    validated: int
    classes: list[str]


def probe_of(config: Config, teacher: str | None = None) -> tuple[str, Mapping]:
    """Return name and settings of the teacher whose encoder is probed.

    Args:
        config: Config of a distillation.
        teacher: Its name; the only one, or the only ``ProbedTeacher``, by default.

    Raises:
        KeyError: There is no such teacher.
        ValueError: The config does not distil, or the teacher is of a kind without an encoder.
    """
    if not is_distillation(config):
        raise WrongValueError(
            f"model.type: got {config.model.get('type')!r}; expected 'Distiller', which has a teacher"
        )
    named = named_teachers(config.model.get('teacher'))
    probed = [name for name, each in named.items() if each.get('type') == 'ProbedTeacher']
    name = teacher or next(iter(probed if len(probed) == 1 else named if len(named) == 1 else ()), None)
    if name not in named:
        raise WrongKeyError(f'teacher: got {name!r}; expected the name of one of {", ".join(named) or "no teacher"}')
    if named[name].get('type', 'FrozenTeacher') not in ('FrozenTeacher', 'ProbedTeacher'):
        raise WrongValueError(f'{name}.type: got {named[name]["type"]!r}; expected ProbedTeacher or FrozenTeacher')
    return name, named[name]


def train_probe(
    config: Config,
    path: str | Path,
    *,
    teacher: str | None = None,
    head: str = 'attentive',
    tap: str | None = None,
    epochs: int = 20,
    learning_rates: Sequence[float] = LEARNING_RATES,
    weight_decays: Sequence[float] = WEIGHT_DECAYS,
    seed: int | None = None,
    batch_size: int | None = None,
    workers: int | None = None,
    save_every: int = 200,
    may_prepare: bool = True,
    progress: Progress = lambda done, total: None,
) -> Probed:
    """Train probes of all learning rates and weight decays at once, and write the best; go on where that was stopped.

    The encoder runs once over each batch, for all of them. The best has most validation clips right; of equal ones,
    that with the smaller loss. It runs in one process.

    Args:
        config: Config of the distillation, with the encoder as its teacher.
        path: File of the probe; what an interrupted training has reached lies beside it, in ``<path>.part``.
        teacher: Name of the teacher; see :func:`probe_of`.
        head: ``'attentive'`` or ``'linear'``.
        tap: Place in the encoder that is read; by default its tokens, or the output of its backbone.
        epochs: Number of passes over the training clips.
        learning_rates: Learning rates of the grid.
        weight_decays: Weight decays of the grid.
        seed: Number that all that is random follows from; the config's by default.
        batch_size: Number of clips at once; the training's by default.
        workers: Number of processes that load clips; the training's by default.
        save_every: Number of batches after which the state is saved; it is saved after each epoch, too.
        may_prepare: Whether what the config's ``prepare`` names and is missing may be made first.
        progress: Function that is called with (done, in all), in batches.

    Raises:
        KeyError: There is no such teacher or tap.
        ValueError: The config does not distil, or no probe learned anything finite.
    """
    prepare(config, allowed=may_prepare)
    name, settings = probe_of(config, teacher)
    path, loader = Path(path), config.train_dataloader
    seed = ((config.get('randomness') or {}).get('seed') or 0) if seed is None else seed
    number = loader.get('num_workers', 0) if workers is None else workers
    with (
        DefaultScope.overwrite_default_scope(config.get('default_scope') or 'mmaction'),
        locked(path.parent, f'probing_{path.stem}'),
    ):
        given = {key: value for key, value in settings.items() if key not in ('type', 'probe', 'classes', 'compile')}
        encoder = build_teacher(name, name, given)
        encoder.apply_to(lambda tensor: tensor.to(get_device()))
        read = tap or _default_tap(encoder, name)
        clips = ProbeClips(
            config, name, encoder, read, seed=seed, epochs=epochs,
            batch_size=batch_size or loader.get('batch_size') or 1, workers=number,
        )  # fmt: skip
        classes = _classes(config)
        points = [Point(rate, decay) for rate in learning_rates for decay in weight_decays]
        channels = _channels(config, encoder, name, read)
        grid = ProbeGrid(KINDS[head], channels, len(classes), points, seed)
        grid.probes.to(get_device())
        hashes = encoder_hashes(encoder)
        told = [*hashes, head, read, classes, epochs, clips.batch_size, seed, clips.samples, list(map(asdict, points))]
        training = _Training(grid, clips, epochs, path.with_name(f'{path.name}.part'), sha256_of_settings(told))
        losses = training.run(save_every, progress)
        tried, validated = _validate(grid, clips, losses)
        best = max(tried, key=lambda each: (each.accuracy, -each.loss))
        file = ProbeFile(
            head, read, channels, classes, *hashes, best.point.learning_rate, best.point.weight_decay, best.accuracy
        )
        file.write(path, grid.probes[tried.index(best)])
        training.part.unlink(missing_ok=True)
    return Probed(tried, best, clips.samples, validated, classes)


class _Training:
    """A training that can be stopped anywhere; what it has reached lies in a file."""

    def __init__(self, grid: ProbeGrid, clips: ProbeClips, epochs: int, part: Path, told: str) -> None:
        self.grid, self.clips, self.epochs, self.part, self.told = grid, clips, epochs, part, told

    def run(self, save_every: int, progress: Progress) -> Tensor:
        """Train to the end, and return the mean loss of each probe in the last epoch."""
        done, losses = self._resume()
        per_epoch = self.clips.batches
        total = self.epochs * per_epoch
        while done < total:
            epoch, begin = divmod(done, per_epoch)
            losses = losses if begin else torch.zeros(len(self.grid.points))
            for tokens, labels in self.clips.training(epoch, begin):
                known = labels >= 0
                if known.any():
                    _expect_classes(labels, self.grid.probes[0].linear.out_features, 'train_dataloader')
                    losses += self.grid.step(tokens[known], labels[known], done / total).cpu() / per_epoch
                done += 1
                if done % save_every == 0 or done % per_epoch == 0:
                    save(dict(told=self.told, done=done, losses=losses, **self.grid.state_dict()), self.part)
                progress(done, total)
        return losses

    def _resume(self) -> tuple[int, Tensor]:
        if not self.part.is_file():
            return 0, torch.zeros(len(self.grid.points))
        state = load(self.part)
        if not isinstance(state, dict) or state.get('told') != self.told:
            raise WrongValueError(
                f'{self.part} was left by a training with other settings; expected the same; give --out another name, '
                'or remove this file'
            )
        done, losses = state.get('done'), state.get('losses')
        try:
            if type(done) is not int or not 0 <= done <= self.epochs * self.clips.batches:
                raise WrongValueError(f'done is {done!r}')
            if not isinstance(losses, Tensor) or losses.shape != (len(self.grid.points),):
                raise WrongValueError('losses are not those of these probes')
            self.grid.load_state_dict(state)
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
            reason = ' '.join(str(error).split())[:200]
            raise WrongValueError(
                f'{self.part} does not hold the state of such a training ({reason}); remove this file to begin anew'
            ) from None
        return done, losses


@torch.no_grad()
def _validate(grid: ProbeGrid, clips: ProbeClips, losses: Tensor) -> tuple[list[Tried], int]:
    right, wrong, count = torch.zeros(len(grid.points)), torch.zeros(len(grid.points)), 0
    for tokens, labels in clips.validation():
        views = len(tokens) // len(labels)
        scores = grid.scores(tokens).softmax(dim=-1).unflatten(1, (len(labels), views)).mean(dim=2)
        known = labels >= 0
        _expect_classes(labels, scores.shape[-1], 'val_dataloader')
        scores, labels = scores[:, known], labels[known]
        right += (scores.argmax(dim=-1) == labels).sum(dim=1).cpu()
        wrong -= scores.gather(2, labels.expand(len(scores), -1).unsqueeze(-1)).clamp_min(1e-12).log().sum((1, 2)).cpu()
        count += len(labels)
    if not count:
        raise WrongValueError(
            'val_dataloader: got no clips with a label; expected some that the best probe is chosen on'
        )
    tried = [
        Tried(point, *values)
        for point, *values in zip(
            grid.points, (right / count).tolist(), (wrong / count).tolist(), losses.tolist(), strict=True
        )
    ]
    finite = [_is_finite(probe) for probe in grid.probes]
    if not any(finite):
        raise WrongValueError('no probe has finite weights; expected one; give smaller learning rates')
    lost = float('inf')
    kept = [each if fine else Tried(each.point, 0.0, lost, lost) for each, fine in zip(tried, finite, strict=True)]
    return kept, count


def _is_finite(probe: nn.Module) -> bool:
    return all(bool(each.isfinite().all()) for each in probe.state_dict().values())


def _expect_classes(labels: Tensor, classes: int, where: str) -> None:
    if labels.max() >= classes:
        raise WrongValueError(
            f'{where}: got the label {int(labels.max())}; expected 0 to {classes - 1}, as the student has '
            f'{classes} classes'
        )


def _classes(config: Config) -> list[str]:
    """Return the names of the student's classes, or their numbers where nothing tells them."""
    student = config.model['student']
    while 'recognizer' in student:  # a PrunedRecognizer
        student = student['recognizer']
    count = student['cls_head']['num_classes']
    return list(class_names(config, count) or map(str, range(count)))


def _default_tap(encoder: FrozenTeacher, name: str) -> str:
    """Return where the tokens of an encoder leave it."""
    module = encoder.module
    if hasattr(module.backbone, TOKENS):
        return TOKENS
    if type(module.cls_head).__name__ == 'ScoresHead':
        raise WrongValueError(
            f'{name}: got a model whose own scores come out of its backbone; expected the place that the probe reads: '
            "--tap 'intermediates[3]', or any module in backbone.net"
        )
    return 'backbone'


def _channels(config: Config, encoder: FrozenTeacher, name: str, tap: str) -> int:
    """Return the number of channels at the tap, from one pass over noise."""
    size = find_size(encoder.model_config, encoder.config, config.model.get('input_size'), name)
    found = encoder.features(to_device(noise_clip(encoder.module, size), get_device()))[tap]
    return found.shape[1] if found.ndim != 3 else found.shape[2]
