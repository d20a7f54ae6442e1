"""A teacher that is trained together with the student."""

import copy
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from mmkd_video.core.checked import (
    AnyOf,
    ListOf,
    Number,
    OneOf,
    Optional,
    Settings,
    Text,
    checked,
    did_you_mean,
    keys_of,
    table_of,
)
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.registry import MODELS, build_model
from mmkd_video.core.restoring import in_eval
from mmkd_video.recognizers.config import expect_recognizer, resolve_config
from mmkd_video.recognizers.input_form import InputForm, Inputs, input_form, noise_clip, shallow, to_device
from mmkd_video.recognizers.labelled_only import labelled_only
from mmkd_video.recognizers.recomputing import recomputing
from mmkd_video.recognizers.size import explaining_size_errors, explaining_view_errors, find_size
from mmkd_video.recognizers.weights import load_weights
from mmkd_video.taps import TapSet
from mmkd_video.teachers.teacher import Probe, Teacher, TeachingStep

STUDENT = 'student'
MUTUAL = table_of('mutual', dict(type=Text("the name of a loss, such as 'KDLoss'"), weight=Number(0)), more=True)


@MODELS.register_module()
@checked(
    config=AnyOf(Text("a path, 'mmaction::recognition/...'"), Settings("dict(type='Recognizer3D', ...)")),
    checkpoint=Optional(Text('a path or URL'), 'untrained weights'),
    mutual=Optional(Settings("dict(type='KDLoss', temperature=1.0, weight=1.0)", needs=('type',)), 'labels alone'),
    partners=Optional(ListOf(Text('the name of a teacher'), least=1), 'the student and all other peers'),
    task_weight=Number(0),
    view=OneOf('own', 'student'),
)
class PeerTeacher(Teacher):
    """A recognizer that learns with the student, and from it: deep mutual learning of Zhang et al. (CVPR 2018).

    https://arxiv.org/abs/1706.00384. In each step it computes its own losses on its view and ``mutual``, which draws
    its class scores towards those of its partners; what terms read of it is the same forward pass, in training mode and
    without a gradient. All models make one step together (the authors' take turns). It lies in the training state: in
    checkpoints, in DDP and in the optimizer, at the base learning rate and decay. After the training it is written to
    ``<work_dir>/teachers/<name>.pth``, a checkpoint of MMAction2.

    Args:
        config: Path, ``'mmaction::recognition/...'``, or model dict.
        checkpoint: Path or URL of weights to begin from; None: as its config initialises it.
        mutual: Loss of two class scores ``(N, K)`` with its ``weight``, averaged over the partners; None: it learns
            from labels alone.
        partners: Names of the models that it learns from, ``'student'`` or other teachers; None: the student and all
            other peers.
        task_weight: Factor of its own losses.
        view: Its input where no ``DistillViews`` makes it a view of its own: ``'student'``, the student's clip laid out
            and normalised for it; ``'own'`` makes that an error.
        name: Its name in terms and messages.

    Raises:
        FileNotFoundError: Config or checkpoint does not exist.
        KeyError: A partner or a loss that there is none of.
        ValueError: The checkpoint is of another architecture, or the number of classes is not the partners'.
    """

    student_taps = ('logits',)
    learns = True

    def __init__(
        self,
        config: str | Mapping,
        checkpoint: str | None = None,
        mutual: Mapping | None = {'type': 'KDLoss', 'temperature': 1.0},
        partners: Sequence[str] | None = None,
        task_weight: float = 1.0,
        view: str = 'student',
        name: str = 'teacher',
    ) -> None:
        super().__init__(name)
        self.view, self.task_weight = view, task_weight
        self._model_config, self._whole_config = resolve_config(config)
        expect_recognizer(self._model_config, name)
        self.mutual, self.mutual_weight = _build_mutual(f'{name}.mutual', mutual)
        self.partners = partners
        self.state = build_model(copy.deepcopy(self._model_config))
        if checkpoint is None:
            self.state.init_weights()
        else:
            load_weights(self.state, checkpoint)
        self._taps: TapSet | None = None
        self._example: Inputs | None = None
        self._found: dict[str, Any] = {}

    @property
    def recognizer(self) -> nn.Module:
        """The peer itself."""
        return self.state

    @property
    def data_preprocessor(self) -> nn.Module:
        """The peer's own normalisation."""
        return self.state.data_preprocessor

    @property
    def input_form(self) -> InputForm:
        """In which form it takes its view."""
        return input_form(self.state)

    @property
    def num_classes(self) -> int | None:
        """Number of its classes."""
        return getattr(self.state.cls_head, 'num_classes', None)

    def bind(self, taps: Sequence[str], probe: Probe) -> dict[str, Tensor]:
        """Set the taps that will be read; the examples come from one forward pass on noise.

        Args:
            taps: The places.
            probe: The student's features, the other teachers, and ``input_size``.

        Returns:
            One example of each feature.

        Raises:
            KeyError: A tap points nowhere, or a partner does not exist.
            ValueError: The pass fails, or a partner has other classes.
        """
        self.partners = self._find_partners(probe)
        size = find_size(self._model_config, self._whole_config, probe.input_size, self.name)
        if self._taps is None:
            self._taps = TapSet(self.state, taps, self.name)
        self._example = to_device(noise_clip(self.state, size), 'cpu')
        inputs = to_device(self._example, next(self.state.parameters()).device)
        with in_eval(self.state), torch.no_grad(), self._taps.watch(), explaining_size_errors(self.name, size):
            self.state.extract_feat(shallow(inputs), stage='head')
        found = self._taps.read(inputs)
        theirs = probe.features['logits'].shape[-1]
        if self.mutual is not None and found['logits'].shape[-1] != theirs:
            raise WrongValueError(
                f'{self.name}: got a peer with {found["logits"].shape[-1]} classes beside a student with {theirs}; '
                'expected one number: set num_classes of its cls_head, or mutual=None'
            )
        return found

    def teach(self, step: TeachingStep) -> dict[str, Tensor]:
        """Run the peer in training mode on its view of a batch; its features have no gradient.

        Args:
            step: The batch.

        Raises:
            ValueError: The view does not fit the model.
        """
        model = self.state
        with explaining_view_errors(self.name, step.view, self._example):
            with self._taps.watch(), labelled_only(model, step.labelled), recomputing(model):
                own = model.loss(shallow(step.view), step.data_samples)
            found = self._taps.read(step.view)
        self._found = {'own': own, 'logits': found['logits']}
        return {tap: feature.detach() for tap, feature in found.items()}

    def one_label_use(self, read: Sequence[str]) -> str:
        """Return that its mutual loss takes class scores as one distribution, where it does."""
        own = self.mutual is None or getattr(self.mutual, 'several_labels', False)
        return '' if own else f'its mutual {type(self.mutual).__name__} compares'

    def losses(self, step: TeachingStep, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return its own losses as one, and the mutual one.

        Args:
            step: The step that it taught in, with the features of all models.
            features: Features that it has taught.
        """
        own, logits = self._found['own'], self._found.pop('logits')
        parts = [value for key, value in own.items() if 'loss' in key]
        flat = [part.mean() for value in parts for part in (value if isinstance(value, list | tuple) else [value])]
        losses = {'task': torch.stack(flat).sum() * self.task_weight}
        self._found['own'] = {key: value.detach() for key, value in own.items() if 'loss' not in key}
        if self.mutual is not None:
            scores = [self._scores_of(partner, step).detach() for partner in self.partners]
            each = [self.mutual(logits, target) for target in scores]
            losses['mutual'] = torch.stack(each).mean() * self.mutual_weight
        return losses

    def report(self, step: TeachingStep, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return its accuracy, and the share of clips to which student and peer give the same class.

        Args:
            step: The step, with the student's features.
            features: Features that it has taught.
        """
        same = step.student['logits'].argmax(dim=-1) == features['logits'].argmax(dim=-1)
        return {**self._found.pop('own', {}), 'agreement': same.float().mean()}

    def _scores_of(self, partner: str, step: TeachingStep) -> Tensor:
        features = step.student if partner == STUDENT else step.taught[partner]
        if 'logits' not in features:
            raise WrongValueError(
                f'{self.name}.partners: got {partner!r}, which has no class scores; expected a model that has some'
            )
        return features['logits']

    def _find_partners(self, probe: Probe) -> list[str]:
        others = [name for name in probe.teachers if name != self.name]
        if self.partners is None:
            return [STUDENT, *(name for name in others if isinstance(probe.teachers[name], PeerTeacher))]
        for partner in self.partners:
            if partner not in (STUDENT, *others):
                raise WrongKeyError(
                    f'{self.name}.partners: got {partner!r}; expected {STUDENT!r} or another teacher, one of '
                    f'{[STUDENT, *others]}; {did_you_mean(partner, [STUDENT, *others])}'
                )
        return list(self.partners)


def _needs_more(loss: type) -> bool:
    """Return whether a loss needs more than two features."""
    parameters = list(inspect.signature(loss.forward).parameters.values())[3:]
    return any(each.default is inspect.Parameter.empty for each in parameters)


def _build_mutual(where: str, given: Mapping | None) -> tuple[nn.Module | None, float]:
    """Build the loss that draws a peer towards its partners, and read its weight."""
    if given is None:
        return None, 0.0
    MUTUAL.check(where, given)
    kind = MODELS.get(given['type'])
    if 'logits' not in getattr(kind, 'layouts', ()) or _needs_more(kind):
        raise WrongKeyError(
            f"{where}.type: got {given['type']!r}; expected a loss of two class scores, such as 'KDLoss' or 'DISTLoss'"
        )
    settings = {key: value for key, value in given.items() if key not in ('type', 'weight')}
    keys_of(kind).check(where, settings)
    try:
        return MODELS.build({'type': kind, **settings}), given.get('weight', 1.0)
    except ValueError as error:  # its constructor names the argument
        raise WrongValueError(f'{where}.{error}') from None
