"""What a teacher sees of attacked clips."""

from torch import Tensor, nn

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.robustness import PixelScale
from mmkd_video.views import lay_out

SAME_PIXEL = 0.5  # of 255; normalising and back rounds


def attacked_view(
    name: str, view: Tensor, clean: Tensor, attacked: Tensor, student: nn.Module, teacher: nn.Module
) -> Tensor:
    """Return a teacher's view of clips with the student's perturbation added to it.

    Args:
        name: The teacher's name, for messages.
        view: Its view of the clean clips, normalised for it.
        clean: The student's clean clips.
        attacked: The student's attacked clips.
        student: The student's data preprocessor.
        teacher: The teacher's.

    Raises:
        ValueError: The teacher does not see the student's clips.
    """
    ours, theirs = PixelScale.of(student), PixelScale.of(teacher, name)
    layout = 'NCHW' if view.ndim == 5 else 'NCTHW'
    pixels, away = (lay_out(each, layout, batched=True) for each in _in_pixels(ours, clean, attacked))
    if pixels.shape != view.shape or (theirs.to_pixels(view) - pixels).abs().max() > SAME_PIXEL:
        raise WrongValueError(
            f"{name}: a term reads it on attacked clips ('attacked.'), but its view {tuple(view.shape)} is not the "
            f"student's clip {tuple(clean.shape)}, to which the attack belongs; leave DistillViews out, so that it "
            'sees the same clip'
        )
    return view + theirs.differences(away)


def _in_pixels(scale: PixelScale, clean: Tensor, attacked: Tensor) -> tuple[Tensor, Tensor]:
    pixels = scale.to_pixels(clean)
    return pixels, scale.to_pixels(attacked) - pixels
