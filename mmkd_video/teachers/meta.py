"""A teacher that learns to teach."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from mmkd_video.core.checked import AnyOf, ListOf, OneOf, Optional, Settings, Text, Whole, checked
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.recognizers.input_form import Inputs
from mmkd_video.teachers.frozen import FrozenTeacher
from mmkd_video.teachers.teacher import TeachingStep


@MODELS.register_module()
@checked(
    config=AnyOf(Text("a path, 'mmaction::recognition/...'"), Settings("dict(type='Recognizer3D', ...)")),
    checkpoint=Optional(Text('a path or URL'), 'untrained weights are meant'),
    classes=Optional(
        AnyOf(ListOf(Whole(0), least=1), ListOf(Text('a name'), least=1), Text("'by_name', or a file of names")), 'all'
    ),
    view=OneOf('own', 'student'),
)
class MetaTeacher(FrozenTeacher):
    """A trained recognizer that goes on learning from how well its student does: the teacher of MetaDistil.

    Source: Zhou, Xu and McAuley, BERT Learns to Teach, ACL 2022 (https://arxiv.org/abs/2106.04570). ``MetaDistilHook``
    moves it; in the student's step it is as a frozen teacher: in ``eval()``, with fixed statistics, without a gradient.
    It lies in the training state: in checkpoints, in no optimizer of the student. After the training it is written to
    ``<work_dir>/teachers/<name>.pth``, a checkpoint of MMAction2.

    Args:
        config: Path, ``'mmaction::recognition/...'``, or model dict.
        checkpoint: Path or URL of the weights that it begins with; None says that untrained weights are meant.
        classes: The same setting as of ``FrozenTeacher``, but for ``'episode'``.
        view: The same setting as of ``FrozenTeacher``.
        name: Its name in terms and messages.

    Raises:
        FileNotFoundError: Config or checkpoint does not exist.
        ValueError: The checkpoint is of another architecture, or ``classes`` malformed.
    """

    learns = True

    def __init__(
        self,
        config: str | Mapping,
        checkpoint: str | None,
        classes: str | Sequence[int | str] | None = None,
        view: str = 'student',
        name: str = 'teacher',
    ) -> None:
        super().__init__(config, checkpoint, classes, view, name=name)
        self.state = self.module
        self.attended = False
        self._learning = False

    @property
    def recognizer(self) -> nn.Module:
        """The teacher itself."""
        return self.module

    def parameters(self) -> list[nn.Parameter]:
        """Return what is trained: all of its parameters."""
        return list(self.module.parameters())

    @contextmanager
    def learning(self) -> Iterator[None]:
        """Let its features depend on its parameters while the block runs."""
        self._learning = True
        self.module.requires_grad_(True)
        try:
            yield
        finally:
            self._learning = False
            self.module.requires_grad_(False)

    def teach(self, step: TeachingStep) -> dict[str, Tensor]:
        """Return the features of its view of a batch.

        Args:
            step: The batch.

        Raises:
            ValueError: No hook moves it, or the view does not fit the model.
        """
        if not self.attended:
            raise WrongValueError(
                f"{self.name}: got a MetaTeacher, which nothing moves; add dict(type='MetaDistilHook', "
                "dataloader=<clips that are held back>) to custom_hooks, or take a teacher without type='MetaTeacher'"
            )
        return super().teach(step)

    def features(self, inputs: Inputs) -> dict[str, Tensor]:
        """Run the teacher on its view of a batch, with a gradient while it is :meth:`learning`.

        Args:
            inputs: Normalised clips, see :class:`FrozenTeacher`.
        """
        with torch.set_grad_enabled(self._learning and torch.is_grad_enabled()):
            return self._run(inputs)
