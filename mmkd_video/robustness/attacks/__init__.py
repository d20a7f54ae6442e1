"""Attacks: small changes of clips that make a loss large."""

from mmkd_video.robustness.attacks.attack import Attack, build_attack, gradient_at
from mmkd_video.robustness.attacks.fgsm import FGSM
from mmkd_video.robustness.attacks.pgd import PGD
from mmkd_video.robustness.attacks.pixel_scale import PixelScale

__all__ = ['FGSM', 'PGD', 'Attack', 'PixelScale', 'build_attack', 'gradient_at']
