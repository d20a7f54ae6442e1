"""A teacher that is the moving average of its student."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from mmkd_video.core.checked import Flag, Number, OneOf, checked
from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers.input_form import InputForm, Inputs, input_form, shallow
from mmkd_video.recognizers.size import explaining_view_errors
from mmkd_video.taps import TapSet
from mmkd_video.teachers.moving_average import MovingAverage, norms_of
from mmkd_video.teachers.teacher import Probe, Teacher, TeachingStep


@MODELS.register_module()
@checked(
    momentum=Number(0.5, 1, below=True),
    warmup=Flag(),
    buffers=OneOf('copy', 'average'),
    view=OneOf('own', 'student'),
)
class EMATeacher(Teacher):
    """The exponential moving average of the student: the mean teacher of Tarvainen and Valpola (2017).

    https://arxiv.org/abs/1703.01780. It begins as the student is when the training begins, and moves after each step of
    the optimizer; iterations that only accumulate gradients leave it as it is. It answers in ``eval()``, without
    dropout and with its own statistics of batch norms (the authors' answers in training mode). It lies in the training
    state: in checkpoints, in no optimizer.

    Args:
        momentum: Share of the average that a step leaves, from 0.5 to below 1. MMEngine's EMAHook names the other
            share: its 0.001 is 0.999 here.
        warmup: Whether the momentum grows from 0 as ``1 - 1 / (steps + 1)`` until it is reached.
        buffers: Treatment of batch norms' statistics: ``'copy'``, those of the student; ``'average'``, averaged as
            weights are.
        view: Its input where no ``DistillViews`` makes it a view of its own: ``'student'``, the student's clip;
            ``'own'`` makes that an error.
        name: Its name in terms and messages.

    Raises:
        ValueError: A setting is out of range.
    """

    learns = True

    def __init__(
        self,
        momentum: float = 0.999,
        warmup: bool = True,
        buffers: str = 'copy',
        view: str = 'student',
        name: str = 'teacher',
    ) -> None:
        super().__init__(name)
        self.momentum, self.warmup, self.buffers, self.view = momentum, warmup, buffers, view
        self._student: nn.Module | None = None
        self._taps: TapSet | None = None
        self._example: Inputs | None = None
        self._begun = False
        self._norms: Tensor | None = None

    @property
    def copies(self) -> Sequence[nn.Module]:
        """The average: it loses the channels that the student loses."""
        return [self.recognizer]

    @property
    def recognizer(self) -> nn.Module:
        """The average itself."""
        return self.state.model

    @property
    def module(self) -> nn.Module:
        """The average itself, which answers."""
        return self.recognizer

    @property
    def data_preprocessor(self) -> nn.Module:
        """The student's normalisation, of the average."""
        return self.recognizer.data_preprocessor

    @property
    def input_form(self) -> InputForm:
        """In which form it takes its view: as the student."""
        return input_form(self.recognizer)

    @property
    def num_classes(self) -> int | None:
        """Number of the student's classes."""
        return getattr(self.recognizer.cls_head, 'num_classes', None)

    def bind(self, taps: Sequence[str], probe: Probe) -> dict[str, Tensor]:
        """Copy the student and set the taps that will be read; after a pruning, the copy is what it was.

        Args:
            taps: The places, as the student's are named.
            probe: The student, and a clip of noise.

        Returns:
            One example of each feature.

        Raises:
            KeyError: A name points nowhere.
        """
        if self.state is None:
            self.state = MovingAverage(probe.student, self.momentum, self.warmup, self.buffers)
            self._taps = TapSet(self.recognizer, taps, self.name)
        self._student, self._norms, self._example = probe.student, None, probe.clip
        return self._features(probe.clip)

    def teach(self, step: TeachingStep) -> dict[str, Tensor]:
        """Return the features of its view of a batch.

        Args:
            step: The batch.

        Raises:
            ValueError: The view does not fit the model.
        """
        if not self._begun:  # weights may have been initialised or loaded since it was built
            self._begun = True
            if not int(self.state.updates):
                self.state.begin_as(self._student)
        if self._norms is None:
            self._norms = norms_of(self._student)
        with explaining_view_errors(self.name, step.view, self._example):
            return self._features(step.view)

    def report(self, step: TeachingStep, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the share of clips to which student and average give the same class, where a term reads both.

        Args:
            step: The step, with the student's features.
            features: Features that it has taught.
        """
        if 'logits' not in step.student:
            return {}
        same = step.student['logits'].argmax(dim=-1) == features['logits'].argmax(dim=-1)
        return {'agreement': same.float().mean()}

    def after_step(self, student: nn.Module) -> None:
        """Follow the student where the optimizer has moved it.

        Args:
            student: The student, as it is now.

        Raises:
            ValueError: It has become another model.
        """
        if self._norms is None:  # it has not taught yet
            return
        norms = norms_of(student)
        moved = torch.ones_like(norms).any() if norms.shape != self._norms.shape else norms.ne(self._norms).any()
        self._norms = norms
        self.state.follow(student, moved)

    @torch.no_grad()
    def _features(self, inputs: Inputs) -> dict[str, Tensor]:
        with self._taps.watch():
            self.recognizer.extract_feat(shallow(inputs), stage='head')
        return self._taps.read(inputs)
