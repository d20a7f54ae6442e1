"""A teacher that teaches each block of a pruned student by itself."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.dist import all_reduce
from torch import Tensor, nn

from mmkd_video.core.checked import ListOf, Optional, Text, checked
from mmkd_video.core.mistakes import WrongKeyError, WrongValueError
from mmkd_video.core.registry import MODELS
from mmkd_video.core.restoring import eval_mode, in_eval
from mmkd_video.functional import mean_square
from mmkd_video.pruning import history_of, kept_channels
from mmkd_video.recognizers.input_form import Inputs, positive, shallow, to_device
from mmkd_video.teachers.block_borders import BlockBorder, border_between
from mmkd_video.teachers.block_calls import BlockCall, BlockCalls, find_blocks, parts_that_run_alone
from mmkd_video.teachers.frozen import FrozenTeacher
from mmkd_video.teachers.teacher import Probe, TeachingStep


@MODELS.register_module()
@checked(further=FrozenTeacher, blocks=Optional(ListOf(Text('the path of a module'), least=1), 'found'))
class BlockTeacher(FrozenTeacher):
    """The student before it was pruned, which teaches what is left of it block by block, without labels.

    Each block of the student is fed what goes into the same block of this teacher, and learns to give what comes out of
    it there; the loss is the sum over all blocks of the squared error over the squared output. No error of one block
    reaches another, so that all are repaired at once. This is the blockwise local distillation of Puzzle
    (https://arxiv.org/abs/2411.19146), for channels that were pruned. Where the borders of blocks lost channels, too,
    those that are left are compared; which they are follows from the pruning history. Blocks compute in eval mode. With
    ``task_weight=0.0`` and no terms the student itself does not run, so that its batch norms keep their statistics.

    Args:
        blocks: Paths of modules of the recognizer, each called once with one tensor; by default the largest such parts
            of the backbone, the neck and the head.
        **frozen: Arguments of :class:`FrozenTeacher`: config and checkpoint of the student before it was pruned.

    Raises:
        FileNotFoundError: Config or checkpoint does not exist.
        ValueError: The checkpoint is of another architecture.
    """

    needs_term = False

    def __init__(self, blocks: Sequence[str] | None = None, **frozen: Any) -> None:
        super().__init__(**frozen)
        self._given = blocks
        self._student: nn.Module | None = None
        self._calls: BlockCalls | None = None
        self._borders: dict[str, tuple[BlockBorder, BlockBorder]] = {}
        self._steps: int | None = None  # of pruning, that the borders are of
        self._error: Tensor | None = None

    def bind(self, taps: Sequence[str], probe: Probe) -> dict[str, Tensor]:
        """Set the taps that will be read, and find the blocks.

        Args:
            taps: The places that terms read.
            probe: The student.

        Returns:
            One example of each feature.

        Raises:
            KeyError: A name points nowhere.
            ValueError: A module cannot be run by itself, or the student is another recognizer.
        """
        examples = super().bind(taps, probe)
        self._student = probe.student
        if self._calls is None:
            self.blocks = self._check_blocks() if self._given else find_blocks(self.module, self._run_example)
            self._calls = BlockCalls(self.module, self.blocks)
        self._fit()
        return examples

    def features(self, inputs: Inputs) -> dict[str, Tensor]:
        """Run the teacher on its view of a batch, and keep what its blocks read and give.

        Args:
            inputs: Normalised clips.

        Returns:
            Tap name to feature, as of :class:`FrozenTeacher`.
        """
        if self._calls is None:
            return super().features(inputs)
        with self._calls.watch():
            return super().features(inputs)

    def losses(self, step: TeachingStep, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the sum of the errors of all blocks of the student.

        Args:
            step: The step that it taught in.
            features: Features that it has taught.

        Raises:
            ValueError: The student was pruned in a way that does not begin with the teacher.
        """
        self._fit()
        with eval_mode(self._student):
            pairs = [self._compared(name, call) for name, call in self._calls.calls.items()]
        squares = torch.stack([theirs.square().mean() for _, theirs in pairs])
        all_reduce(squares, 'mean')  # one scale for all ranks
        differences = torch.stack([mean_square(ours, theirs) for ours, theirs in pairs])
        errors = differences / squares.clamp(min=torch.finfo(squares.dtype).tiny)
        self._calls.calls = {}
        self._error = errors.detach().mean()
        return {'blocks': errors.sum()}

    def report(self, step: TeachingStep, features: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the mean error of the blocks, 0 for a student that does what it did.

        Args:
            step: The step that it taught in.
            features: Features that it has taught.
        """
        return {'block_error': self._error}

    def _compared(self, name: str, call: BlockCall) -> tuple[Tensor, Tensor]:
        """Return what a block of the student gives, and what it is to give, in float32."""
        reads, gives = self._borders[name]
        output = self._student.get_submodule(name)(reads.take(call.given), **call.keywords)
        return output.float(), gives.take(call.output).float()

    def _fit(self) -> None:
        """Find out what the student still has at the borders, after each pruning step."""
        history, own = history_of(self._student), history_of(self.module)
        if self._steps == len(history):
            return
        if not history.begins_with(own):
            raise WrongValueError(
                f'{self.name}: the student was pruned in {len(history)} steps, which do not begin with the {len(own)} '
                'of this teacher; expected the config and checkpoint of the student before it was pruned'
            )
        steps = history.steps[len(own) :]
        whole, left = (self._tensors_of(model, self._example) for model in (self.module, self._student))
        above_zero = positive(self._example)
        kept = kept_channels(self.module, steps, lambda model: self._tensors_of(model, above_zero))
        borders = {
            key: border_between(f'{self.name}: {key}', tensor, left.get(key), kept.get(key))
            for key, tensor in whole.items()
        }
        self._borders = {name: (borders[f'{name}:in'], borders[f'{name}:out']) for name in self.blocks}
        self._steps = len(history)

    def _tensors_of(self, model: nn.Module, inputs: Inputs) -> dict[str, Tensor]:
        """Return what the blocks of a model read and give; nothing of a model that lacks one of them."""
        if not set(self.blocks) <= {name for name, _ in model.named_modules()}:
            return {}
        watched = BlockCalls(model, self.blocks)
        try:
            with watched.watch(), in_eval(model):
                _run(model, inputs)
        finally:
            watched.remove()
        found = {f'{name}:in': call.given for name, call in watched.calls.items()}
        return found | {f'{name}:out': call.output for name, call in watched.calls.items()}

    def _run_example(self) -> None:
        with in_eval(self.module):
            _run(self.module, self._example)

    def _check_blocks(self) -> list[str]:
        alone = parts_that_run_alone(self.module, self._run_example)
        known = dict(self.module.named_modules())
        for name in self._given:
            if name not in known:
                nearest = difflib.get_close_matches(name, alone, n=3, cutoff=0.3)
                raise WrongKeyError(
                    f'{self.name}.blocks: {name!r} names no module; nearest names: {", ".join(nearest)}'
                )
            if name not in alone:
                raise WrongValueError(
                    f'{self.name}.blocks: got {name!r}; expected a module with parameters that a forward pass calls '
                    'once, with one tensor and for one tensor'
                )
        return list(self._given)


def _run(model: nn.Module, inputs: Inputs) -> None:
    model.extract_feat(shallow(to_device(inputs, next(model.parameters()).device)), stage='head')
