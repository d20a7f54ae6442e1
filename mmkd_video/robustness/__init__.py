"""Students that withstand attack: small changes of clips that mislead a model."""

from mmkd_video.robustness.attacks import FGSM, PGD, Attack, PixelScale, build_attack

__all__ = ['FGSM', 'PGD', 'Attack', 'PixelScale', 'build_attack']
