"""Hooks: what changes between steps; one class per file."""

from mmkd_video.hooks.distill_hook import DistillHook

__all__ = ['DistillHook']
