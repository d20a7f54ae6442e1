"""How motion clips look: the domain of the embedded data set, and another one to adapt to."""

from dataclasses import dataclass, field

import cv2
import numpy as np

from mmkd_video.datasets.motion_textures import FAMILIES, TARGET_FAMILIES, Families


@dataclass(frozen=True)
class MotionDomain:
    """What a set of motion clips has in common beside the motions.

    Args:
        number: Number that tells its randomness apart from that of other domains; None for the first one's.
        textures: Pattern families of each split.
        num_frames: Frames of a clip, in which the same motion goes as far.
        fps: Frames a second.
        noise: Standard deviation of the noise of the camera, grey levels.
        background: Range of the colours of the background, grey levels.
        contrast: Factor on the distance of the sprite's colours from mid-grey.
        shake: Standard deviation of the jumps of a camera held by hand from frame to frame, pixels; 0 for a tripod.
        tilt: Largest angle of the camera about its axis, radians.
    """

    number: int | None = None
    textures: Families = field(default_factory=dict)
    num_frames: int = 24
    fps: int = 12
    noise: float = 4.0
    background: tuple[float, float] = (10, 60)
    contrast: float = 1.0
    shake: float = 0.0
    tilt: float = 0.0

    def film(self, frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the frames as the domain's camera sees them.

        Args:
            frames: ``(T, H, W, 3)`` float32; as they are for a camera that neither shakes nor tilts.
            rng: Source of all randomness.
        """
        if not self.shake and not self.tilt:
            return frames
        size = frames.shape[1]
        angle = np.degrees(rng.uniform(-self.tilt, self.tilt))
        place = np.zeros(2)
        seen = []
        for frame in frames:
            place = 0.8 * place + rng.normal(0, self.shake, 2)  # drawn back to the middle
            matrix = cv2.getRotationMatrix2D((size / 2, size / 2), angle, 1.0)
            matrix[:, 2] += place
            seen.append(cv2.warpAffine(frame, matrix, (size, size), borderMode=cv2.BORDER_REFLECT))
        return np.stack(seen)


DOMAINS = {
    'source': MotionDomain(textures=FAMILIES),
    'target': MotionDomain(
        number=1,
        textures=TARGET_FAMILIES,
        num_frames=32,
        fps=16,
        noise=12.0,
        background=(60, 150),
        contrast=0.7,
        shake=0.4,
        tilt=0.12,
    ),
}
"""The embedded set's, and another one: its own textures, a camera held by hand and tilted, more noise, a lighter
background with less contrast, another frame rate."""
