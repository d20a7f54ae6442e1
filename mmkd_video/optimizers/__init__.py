"""Constructors of optimizers: which parameter learns how fast."""

from mmkd_video.optimizers.layer_decay import LayerDecayConstructor

__all__ = ['LayerDecayConstructor']
