"""Libraries that read videos: one setting says which, for every ``DecordInit`` of every pipeline."""

from mmkd_video.datasets.decoders.choice import DECODERS, chosen_decoder, expect_decoder, follow_choice, open_video

__all__ = ['DECODERS', 'chosen_decoder', 'expect_decoder', 'follow_choice', 'open_video']

follow_choice()
