"""Leaving tokens out of a student's training step."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn

from mmkd_video.core.layouts import layout_of
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.token_subset import TokenSubset
from mmkd_video.functional import resample_map
from mmkd_video.masking.token_mask import TokenMask
from mmkd_video.recognizers.families import token_entry, token_grid
from mmkd_video.recognizers.input_form import Inputs, one_of


class TokenDropper:
    """Let a student see some of its tokens while a step runs: those behind its codes of positions are taken out.

    The student's code and its weights stay as they are. Outside :meth:`showing`, thus in validation and export, it sees
    all tokens.

    Args:
        student: The student, a recognizer.
        mask: Choice of the tokens; None shows all.
        teacher: Name of the teacher that the mask reads; None where it reads none.

    Raises:
        ValueError: The student's backbone needs all its tokens.
    """

    def __init__(self, student: nn.Module, mask: TokenMask | None, teacher: str | None = None) -> None:
        self.mask, self.teacher = mask, teacher
        self._shown: TokenSubset | None = None
        if mask is not None:
            self._backbone = student.backbone
            entry = token_entry(self._backbone)
            self._backbone.get_submodule(entry).register_forward_hook(self._drop)

    def reads(self, teacher: str) -> list[str]:
        """Return the places of a teacher that the mask reads.

        Args:
            teacher: The teacher's name.
        """
        return [self.mask.at] if self.mask is not None and self.teacher == teacher else []

    def draw(self, inputs: Inputs, taught: Mapping[str, Mapping[str, Tensor]]) -> TokenSubset | None:
        """Draw the tokens that are seen of a batch.

        Args:
            inputs: The student's clips, ``(N, M, C, T, H, W)``.
            taught: Features of the batch by teacher and tap.

        Returns:
            The tokens; None without a mask.

        Raises:
            ValueError: The teacher has no such map, or the mask draws what are no places.
        """
        if self.mask is None:
            return None
        clips = one_of(inputs)
        grid, number = token_grid(self._backbone, clips.shape[-3:]), clips.shape[0] * clips.shape[1]
        weights = None if self.teacher is None else self._weights(taught, grid)
        kept = self.mask.draw(number, grid, weights)
        if kept.ndim != 2 or len(kept) != number or not 0 < kept.shape[1] <= math.prod(grid):
            raise WrongValueError(
                f'masking: {type(self.mask).__name__} drew places of shape {tuple(kept.shape)}; expected ({number}, K) '
                f'with 1 to {math.prod(grid)} places of each clip'
            )
        return TokenSubset(kept.sort(dim=1).values.to(clips.device, non_blocking=True), grid)

    def draw_example(self, inputs: Inputs) -> TokenSubset | None:
        """Draw tokens of clips that no teacher has seen, as many as in a step.

        Args:
            inputs: The student's clips, ``(N, M, C, T, H, W)``.
        """
        if self.teacher is None:
            return self.draw(inputs, {})
        clips = one_of(inputs)
        anything = clips.new_ones(clips.shape[0] * clips.shape[1], 1, 1, 1, 1)
        return self.draw(inputs, {self.teacher: {self.mask.at: anything}})

    @contextmanager
    def showing(self, subset: TokenSubset | None) -> Iterator[None]:
        """Leave all other tokens out while the block runs.

        Args:
            subset: The tokens that are seen; None for all.
        """
        before, self._shown = self._shown, subset
        try:
            yield
        finally:
            self._shown = before

    def _weights(self, taught: Mapping[str, Mapping[str, Tensor]], grid: tuple[int, int, int]) -> Tensor:
        found = taught[self.teacher][self.mask.at]
        if layout_of(found.shape) != 'map':
            raise WrongValueError(
                f'masking.at: {self.mask.at!r} of {self.teacher} gives {tuple(found.shape)}; expected a map '
                "(N, C, T, H, W), such as 'attention_map' of a model of transformers"
            )
        weights = found.detach().float().mean(dim=1, keepdim=True).clamp(min=0)
        return resample_map(weights, grid).flatten(1)

    def _drop(self, _module: nn.Module, _inputs: tuple, tokens: Tensor) -> Tensor | None:
        shown = self._shown
        if shown is None:
            return None
        if tokens.shape[:2] != (len(shown.kept), shown.total):
            raise WrongValueError(
                f'masking: the student has tokens of shape {tuple(tokens.shape)}; expected those of {len(shown.kept)} '
                f'clips of {" x ".join(map(str, shown.grid))} places'
            )
        return shown.of(tokens)
