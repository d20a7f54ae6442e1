"""A recognizer that sees a clip frame by frame."""

import torch

from mmkd_video.core.registry import build_model
from mmkd_video.recognizers.stream_layer import stream_step

PLAIN = dict(mean=[0.0] * 3, std=[1.0] * 3)
MOBILENET = dict(type='OnlineMobileNetV2TSM', pretrained=None, pretrained2d=False, widen_factor=0.25, num_segments=4)
RESNET = dict(type='OnlineResNetTSM', depth=18, pretrained=None, pretrained2d=False, num_segments=4)
SHIFTED = dict(
    type='TemporalShiftBackbone', net=dict(type='ResNet', depth=18, pretrained=None), num_segments=4, online=True
)
MOVINET = dict(type='MoViNet', widen_factor=0.5)


def recognizer(backbone, channels, classes=5, **head):
    """Return a recognizer on a backbone that can stream, in eval mode; its scores depend on its input."""
    flat = 'num_segments' in backbone
    kind = dict(type='OnlineTSMHead', num_segments=4) if flat else dict(type='MoViNetHead', hidden_channels=32)
    torch.manual_seed(0)
    model = build_model(
        dict(
            type='Recognizer2D' if flat else 'Recognizer3D',
            backbone=backbone,
            cls_head=dict(kind, num_classes=classes, in_channels=channels, average_clips='prob', **head),
            data_preprocessor=dict(type='ActionDataPreprocessor', **PLAIN, format_shape='NCHW' if flat else 'NCTHW'),
        )
    )
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=1.0)
        if isinstance(getattr(module, 'scale', None), torch.nn.Parameter):
            torch.nn.init.constant_(module.scale, 0.5)  # ReZero would hide the branches
    return settled(model)


def settled(model):
    """Give batch norms the statistics of noise, or the signal would die away."""
    norms = [module for module in model.modules() if isinstance(module, torch.nn.modules.batchnorm._BatchNorm)]
    for module in norms:
        module.momentum = 1.0
    with torch.no_grad():
        scores(model.train(), torch.randn(2, 4, 3, 48, 48).cumsum(1))
    for module in norms:
        module.momentum = 0.1
    return model.eval()


def scores(model, frames):
    """Return ``(N, K)`` scores of ``(N, T, C, H, W)`` frames, of the whole clip."""
    flat = type(model).__name__ == 'Recognizer2D'
    clips = frames if flat else frames.transpose(1, 2)[:, None]
    features, more = model.extract_feat(clips, test_mode=True)
    return model.cls_head(features, **more)


def streamed(model, frames, states=None):
    """Return the scores after each frame, and the states after the last."""
    found = []
    with torch.no_grad():
        for frame in frames.split(1, dim=1):
            with stream_step(model, states) as after:
                found.append(scores(model, frame))
            states = dict(after)
    return found, states
