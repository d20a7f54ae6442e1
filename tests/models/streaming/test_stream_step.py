"""Frame by frame equals the whole clip."""

import mmkd_video  # noqa: F401  isort: skip  mends the imports below
import pytest
import torch
from mmaction.models.backbones import MobileNetV2TSM, ResNetTSM
from streamed import MOBILENET, MOVINET, RESNET, SHIFTED, recognizer, scores, streamed

from mmkd_video.models.streaming.running_mean import RunningMean
from mmkd_video.pruning import Pruner, apply_step
from mmkd_video.recognizers.stream_layer import stream_layers, stream_step

MODELS = {
    'mobilenet': (MOBILENET, 1280),
    'differences': (dict(MOBILENET, difference_gain=2.0), 1280),
    'resnet': (RESNET, 512),
    'any backbone': (SHIFTED, 512),
    'movinet': (MOVINET, 240),
}


def moving(count, frames, size=48, seed=0):
    torch.manual_seed(seed)
    return torch.randn(count, frames, 3, size, size).cumsum(1)


@pytest.mark.parametrize('name', MODELS)
def test_frame_by_frame_equals_the_whole_clip(name):
    model, frames = recognizer(*MODELS[name]), moving(2, 4)
    with torch.no_grad():
        whole = scores(model, frames)
    found, states = streamed(model, frames)
    scale = whole.abs().max()
    assert (found[-1] - whole).abs().max() < 1e-4 * scale
    assert (found[0] - whole).abs().max() > 1e-2 * scale  # the frames before the last count
    assert all(value.shape[0] == 2 for value in states.values())
    backwards, _ = streamed(model, frames.flip(1))
    assert (backwards[-1] - whole).abs().max() > 1e-3 * scale  # and so does their order


@pytest.mark.parametrize('name', MODELS)
def test_no_frame_looks_ahead(name):
    model, frames = recognizer(*MODELS[name]), moving(1, 4)
    changed = torch.cat([frames[:, :3], moving(1, 1, seed=1)], dim=1)
    kept = {}
    with torch.no_grad():
        for clip in (frames, changed):
            flat = type(model).__name__ == 'Recognizer2D'
            found = model.extract_feat(clip if flat else clip.transpose(1, 2)[:, None], test_mode=True)[0]
            kept[len(kept)] = found if flat else found.transpose(1, 2)[0]
    assert torch.allclose(kept[0][:3], kept[1][:3], atol=1e-5) and not torch.allclose(kept[0][3], kept[1][3])


def test_a_whole_clip_is_seen_as_before_after_a_stream():
    model, frames = recognizer(*MODELS['mobilenet']), moving(1, 4)
    with torch.no_grad():
        before = scores(model, frames)
    streamed(model, frames)
    with pytest.raises(ZeroDivisionError), stream_step(model):
        raise ZeroDivisionError
    with torch.no_grad():
        assert torch.equal(scores(model, frames), before)
    assert not any(layer.streams for layer in stream_layers(model).values())


def test_an_endless_stream_forgets():
    mean, values = RunningMean(), torch.arange(1.0, 9).reshape(1, 1, 8)
    mean.horizon = 4
    states, found = None, []
    for value in values.split(1, dim=2):
        with stream_step(mean, states) as after:
            found.append(mean(value).item())
        states = dict(after)
    assert found[:4] == [1.0, 1.5, 2.0, 2.5] == mean(values[:, :, :4]).flatten().tolist()
    assert found[4] == 2.5 + (5 - 2.5) / 4 and states['.count'].item() == 4


@pytest.mark.parametrize(
    'backbone, theirs',
    [
        (MOBILENET, lambda: MobileNetV2TSM(widen_factor=0.25, num_segments=4, pretrained=None, pretrained2d=False)),
        (
            RESNET,
            lambda: ResNetTSM(depth=18, num_segments=4, pretrained=None, pretrained2d=False),
        ),
    ],
    ids=['mobilenet', 'resnet'],
)
def test_weights_of_the_two_way_backbone_fit(backbone, theirs):
    theirs, channels = theirs(), 512 if backbone is RESNET else 1280
    assert recognizer(backbone, channels).backbone.state_dict().keys() == theirs.state_dict().keys()


def test_the_head_scores_whole_clips_as_mmaction2s_does():
    ours = recognizer(*MODELS['mobilenet'])
    theirs = recognizer(*MODELS['mobilenet'], type='TSMHead')
    theirs.load_state_dict(ours.state_dict())
    frames = moving(2, 4)
    with torch.no_grad():
        assert torch.equal(scores(ours, frames), scores(theirs, frames))


@pytest.mark.parametrize('wrong', [dict(temporal_pool=True), dict(non_local_cfg=dict(sub_sample=True))])
def test_what_looks_ahead_is_refused(wrong):
    (name,) = wrong
    with pytest.raises(ValueError, match=f'OnlineResNetTSM.{name}: got .* looks at later frames'):
        recognizer(dict(RESNET, **wrong), 512)


@pytest.mark.parametrize('name', ['mobilenet', 'movinet'])
def test_a_pruned_one_streams_as_it_sees_clips(name):
    model, frames = recognizer(*MODELS[name]), moving(1, 4)
    before = sum(each.numel() for each in model.parameters())
    clips = frames if name == 'mobilenet' else frames.transpose(1, 2)[:, None]
    apply_step(model, Pruner(dict(params=0.6), seed=0).find(model, clips))
    assert sum(each.numel() for each in model.parameters()) <= 0.6 * before
    shifts = [layer for name, layer in stream_layers(model).items() if hasattr(layer, 'shift_parts')]
    assert (name == 'movinet' or shifts) and all(layer.shift_parts[0] == 0 for layer in shifts)
    with torch.no_grad():
        whole = scores(model, frames)
    assert (streamed(model, frames)[0][-1] - whole).abs().max() < 1e-4 * whole.abs().max()
