"""The interface of teachers, for the distiller, its hooks and its data preprocessor."""

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.replay import Replay
from mmkd_video.recognizers.input_form import InputForm, Inputs


@dataclass(frozen=True)
class TeachingStep:
    """The inputs of a teacher in one training step.

    Attributes:
        view: Its own normalised view of the batch; None for a teacher that asks for none.
        clips: The student's normalised clips, ``(N, T, C, H, W)`` (2D) or ``(N, M, C, T, H, W)`` (3D).
        data_samples: The samples of the batch.
        labels: ``(N,)`` class indices or ``(N, K)`` soft labels; None where there are none.
        indices: ``(N,)`` places of the samples in their training set, on the host; None where they are not known.
        student: The student's features at all places that terms or teachers read, in canonical layout and with their
            gradient; None as long as the student has not run, thus in ``teach`` of a teacher without ``student_taps``.
        labelled: Rows of the samples that have a label; None for all.
        taught: Features of the batch by teacher and tap, without gradients of learning teachers; None as long as not
            all have taught, thus in ``teach``.
        views: The normalised views of all of its ``parts`` that see clips, by name.
    """

    view: Tensor | None
    clips: Tensor
    data_samples: Sequence
    labels: Tensor | None
    indices: Tensor | None
    student: Mapping[str, Tensor] | None
    labelled: Sequence[int] | None = None
    taught: Mapping[str, Mapping[str, Tensor]] | None = None
    views: Mapping[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True)
class Probe:
    """The inputs of a teacher when a distiller is built, to answer with one example of each feature.

    Attributes:
        student: The student itself.
        features: One example of each of the student's features that terms or the teacher read, ``(1, ...)``.
        input_size: ``(frames, height, width)`` from the distiller's ``input_size``; None where it is to be inferred.
        clip: One clip of noise, as the student takes it.
        teachers: All teachers of the distiller by name, this one among them.
    """

    student: nn.Module
    features: Mapping[str, Tensor]
    input_size: Sequence[int] | Mapping | None
    clip: Inputs | None = None
    teachers: Mapping[str, 'Teacher'] = field(default_factory=dict)


class Teacher(abc.ABC):
    """A teacher: the source of the features that a student learns from.

    A subclass is registered in ``MODELS`` and named by ``teacher=dict(type=...)``. It has to answer :meth:`bind` and
    :meth:`teach`; the rest has an answer that suits a teacher which is read and nothing else. A teacher is no
    ``nn.Module``: it stays out of the student's ``state_dict``, of DDP and of the optimizer. What shall be trained,
    kept in checkpoints and synchronised it puts into :attr:`state`.

    Args:
        name: Its name in terms, views and messages.
    """

    view: str | None = 'student'
    """Which clips it sees where no ``DistillViews`` makes it a view: ``'student'``, the student's clip laid out and
    normalised for it; ``'own'``, none, which makes a missing view an error; None for a teacher that sees no clips."""

    student_taps: Sequence[str] = ()
    """Places of the student that it reads; a teacher with any runs after the student, others before it."""

    state: nn.Module | None = None
    """What is trained or kept: a part of the training state, thus in the optimizer, in DDP and in checkpoints."""

    copies: Sequence[nn.Module] = ()
    """Copies of the student that it keeps: pruning cuts them as it cuts the student."""

    is_student: bool = False
    """Whether the places that terms read of it are the student's own, which it then finds in a step's features."""

    recognizer: nn.Module | None = None
    """A recognizer that comes out of the training beside the student; it is written to the work dir at the end."""

    module: nn.Module | None = None
    """The recognizer that answers, where one runs: its features can be read at any place."""

    needs_term: bool = True
    """Whether it is of no use without a term: not for one whose own losses teach the student."""

    learns: bool = False
    """Whether it changes while it teaches: its accuracy on the first batches is not reported then."""

    replay: Replay | None = None
    """The augmentations that it has answers about, which ReproducibleHook then draws; None for any."""

    config: Any = None
    """The whole config that it comes from, if there is one: its pipelines tell what it sees in validation."""

    def __init__(self, name: str = 'teacher') -> None:
        self.name = name

    @abc.abstractmethod
    def bind(self, taps: Sequence[str], probe: Probe) -> dict[str, Tensor]:
        """Set the taps that will be read; for one that reads or copies the student again after every pruning of it.

        Args:
            taps: Taps that terms read, and ``'logits'``, which is wanted for reports: a teacher without class scores
                leaves it out of its answer where no term reads it.
            probe: The student, and examples of its features.

        Returns:
            One example ``(1, ...)`` of each feature, in canonical layout.

        Raises:
            KeyError: A tap that it does not have.
        """

    @abc.abstractmethod
    def teach(self, step: TeachingStep) -> dict[str, Tensor]:
        """Return the features of a batch by tap, in canonical layout.

        Args:
            step: The batch, and what the student made of it where ``student_taps`` asks for that.
        """

    def losses(self, step: TeachingStep, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return a learning teacher's own losses, which are added to the sum that is minimised.

        Args:
            step: The step that it taught in, with the student's features.
            features: Features that it has taught.

        Returns:
            0-d losses by name; they are logged as ``loss_<teacher>_<name>``.
        """
        return {}

    def report(self, step: TeachingStep, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what is logged of a step.

        Args:
            step: The step that it taught in, with the student's features.
            features: Features that it has taught.

        Returns:
            0-d values by name, logged as ``<teacher>_<name>``; a name does not hold ``loss``.
        """
        return {}

    def after_step(self, student: nn.Module) -> None:  # noqa: B027  most have nothing to do
        """Update after an iteration; with accumulated gradients not every one moves the student.

        Args:
            student: The student, as it is now.
        """

    def apply_to(self, function: Callable[[Tensor], Tensor]) -> None:  # noqa: B027  most have nothing to move
        """Move along with the student (``.to()``, ``.cuda()``, ``.half()``); :attr:`state` moves by itself.

        Args:
            function: Function that ``nn.Module._apply`` applies to every tensor.
        """

    @property
    def parts(self) -> Mapping[str, 'Teacher']:
        """Those that answer, by name: itself, or the members of a teacher that is made of several.

        Views, sizes, caches and validation pipelines are theirs.
        """
        return {self.name: self}

    def merge(self, predictions: Mapping[str, Tensor]) -> Tensor:
        """Return the class probabilities ``(N, K)`` that follow from those of its parts.

        Args:
            predictions: Class probabilities of all ``parts``, by name.
        """
        return predictions[self.name]

    @property
    def several_labels(self) -> bool:
        """Whether it scores each class by itself, as for clips of several labels."""
        return False

    def one_label_use(self, read: Sequence[str]) -> str:
        """Return what of it takes class scores as one distribution over all classes, as "its exits learn by".

        Args:
            read: Places that terms read of it.

        Returns:
            The beginning of a sentence, for messages; '' for nothing.
        """
        return ''

    @property
    def data_preprocessor(self) -> nn.Module | None:
        """Data preprocessor of its view; None for a teacher that sees no clips."""
        return None

    @property
    def input_form(self) -> InputForm | None:
        """In which form it takes its view; None where that is not known, and nothing is checked."""
        return None

    @property
    def num_classes(self) -> int | None:
        """Number of classes that it teaches; None for one without class scores."""
        return None

    @property
    def fingerprint(self) -> str:
        """Hash of all that determines its answers, kept in files with its answers."""
        self._cannot('fingerprint', 'leave out TeacherPredictionsHook')

    def predict(self, data: dict) -> Tensor:
        """Return class probabilities ``(N, K)`` for a batch of its own validation pipeline.

        Args:
            data: Collated batch with ``inputs`` and ``data_samples``.
        """
        self._cannot('predictions', 'leave out TeacherPredictionsHook')

    def classifier(self) -> tuple[Tensor, Tensor]:
        """Return weight ``(K, C)`` and bias ``(K,)`` of its last linear layer, on the student's classes."""
        self._cannot('linear classifier', 'use another head than SimKDHead')

    def classify(self, pooled: Tensor) -> Tensor:
        """Return the scores ``(N, K)`` that its last linear layer gives a vector.

        Args:
            pooled: ``(N, C)``, what the layer reads; the gradient reaches it.
        """
        self._cannot('linear classifier', 'use a loss that does not ask for teacher_head')

    def norm_before(self, tap: str) -> tuple[Tensor, Tensor]:
        """Return scale and shift ``(C,)`` of the batch norm whose output a tap reads.

        Args:
            tap: A tap before an activation, such as ``backbone.layer4:pre``.
        """
        self._cannot(f'batch norm before {tap!r}', 'use a loss that does not ask for teacher_norm')

    def _cannot(self, what: str, remedy: str) -> NoReturn:
        raise WrongValueError(f'{self.name}: got a {type(self).__name__}, which has no {what}; {remedy}')
