"""Students that withstand attack and noise: small changes that mislead a model, and what spoils videos."""

from mmkd_video.robustness.attacks import FGSM, PGD, Attack, PixelScale, build_attack
from mmkd_video.robustness.corruptions import SEVERITIES, Corruption, RandomCorruption, corruptions

__all__ = [
    'FGSM',
    'PGD',
    'SEVERITIES',
    'Attack',
    'Corruption',
    'PixelScale',
    'RandomCorruption',
    'build_attack',
    'corruptions',
]
