"""A recognizer that is shipped to see one frame at a time."""

import copy

import numpy as np
import torch
from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.export.deployable import DeployableRecognizer
from mmkd_video.recognizers.families import frames_in_the_batch
from mmkd_video.recognizers.stream_layer import stream_layers, stream_step

EQUAL = 1e-3  # of the largest score, frame by frame and of the whole clip
PAGE = 'docs/streaming.md'


class StreamingRecognizer(nn.Module):
    """A recognizer whose layers remember earlier frames, with what they remember as inputs and outputs.

    Averages over all frames so far become moving averages after the frames of a clip: what the model was trained on
    has no longer ones.

    Args:
        model: Model whose layers look back; it is copied.
        clip: ``(M, ...)``, one clip as the pipeline gives it.

    Attributes:
        states: Name and shape, without N, of each state.

    Raises:
        ValueError: The model has no such layers, or frame by frame it does not say what it says of whole clips.
    """

    def __init__(self, model: DeployableRecognizer, clip: np.ndarray) -> None:
        super().__init__()
        self.model = copy.deepcopy(model)
        if not stream_layers(self.model.recognizer):
            raise WrongValueError(
                f'--stream: {model.architecture} has no layer that remembers earlier frames; expected a student that '
                f'can see a stream, see {PAGE}; leave the option out for sliding windows'
            )
        frames = _frames_of(clip, model)
        for layer in stream_layers(self.model.recognizer).values():
            if hasattr(layer, 'horizon'):
                layer.horizon = len(frames)
        self.states: dict[str, tuple[int, ...]] = {}
        self._expect_equal(clip)

    def forward(self, frame: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
        """Classify what was seen so far.

        Args:
            frame: ``(N, C, H, W)``; uint8, or float32 with values of 0 to 255.
            *states: Each ``(N, ...)`` float32, in the order of ``states``.

        Returns:
            ``(N, K)`` probabilities, and the states for the next frame.
        """
        with torch.no_grad(), stream_step(self.model.recognizer, self._named(states)) as after:
            found = self.model(frame[:, None] if self.model.layout == 'NCHW' else frame[:, None, :, None])
        return found, *(after[name] for name in self.states)

    def _named(self, states: tuple[Tensor, ...]) -> dict[str, Tensor]:
        return dict(zip(self.states, states, strict=True))

    def zeros(self) -> tuple[Tensor, ...]:
        """Return the states before the first frame of one video."""
        return tuple(torch.zeros(1, *shape) for shape in self.states.values())

    def _expect_equal(self, clip: np.ndarray) -> None:
        """Compare scores, which show a difference where probabilities are all but 0 and 1; note the states."""
        scores: list[Tensor] = []
        handle = self.model.recognizer.cls_head.register_forward_hook(lambda *given: scores.append(given[-1]))
        noise = np.random.default_rng(0).integers(0, 256, clip.shape).astype(clip.dtype)
        try:
            for each in (clip, noise):
                self.model.predict([each])
                whole = scores[-1]
                states = self._run(_frames_of(each, self.model))
                difference = float((scores[-1] - whole).abs().max() / whole.abs().max().clamp(min=1e-9))
                if not difference <= EQUAL:
                    raise WrongValueError(
                        f'--stream: frame by frame, the scores of {self.model.architecture} differ by {difference:.2g} '
                        f'of the largest one from those of the whole clip; expected at most {EQUAL:g}: some layer '
                        f'looks at later frames; see {PAGE}'
                    )
        finally:
            handle.remove()
        self.states = {name: tuple(value.shape[1:]) for name, value in states.items()}

    def _run(self, frames: Tensor) -> dict[str, Tensor]:
        """See frames one by one, and return the states after the last."""
        states = None
        for frame in frames:
            try:
                with torch.no_grad(), stream_step(self.model.recognizer, states) as after:
                    self.model(frame[None, None] if self.model.layout == 'NCHW' else frame[None, None, :, None])
            except (RuntimeError, IndexError) as error:
                raise WrongValueError(
                    f'--stream: {self.model.architecture} takes no single frames ({str(error).splitlines()[0]}); '
                    f'expected a backbone and a head of {PAGE}, such as OnlineTSMHead in the place of TSMHead'
                ) from error
            states = dict(after)
        return states


def _frames_of(clip: np.ndarray, model: DeployableRecognizer) -> Tensor:
    """Return the frames ``(T, C, H, W)`` of a sample, which has to hold one clip."""
    sample = torch.from_numpy(np.ascontiguousarray(clip))
    segments = frames_in_the_batch(model.recognizer.backbone)
    clips = len(sample) / segments if model.layout == 'NCHW' and segments > 1 else len(sample)
    if clips != 1 and (model.layout == 'NCTHW' or segments > 1):
        raise WrongValueError(
            f'--stream: the test pipeline gives {clips:g} clips of a video; expected one: one clip and one crop'
        )
    return sample if model.layout == 'NCHW' else sample[0].transpose(0, 1)
