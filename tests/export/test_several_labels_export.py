"""An exported file gives the probability of each class where the head scores each by itself."""

import numpy as np
import pytest
import torch
from exportable import lively, noise, tiny_config
from torch import nn

from mmkd_video.core.registry import build_model
from mmkd_video.export import DeployableRecognizer, ExportMetadata, check_parity, export_onnx, load_exported

HEAD = dict(multi_class=True, loss_cls=dict(type='BCELossWithLogits'))


def model(average='score'):
    config = tiny_config(average_clips=average)
    config['cls_head'].update(HEAD)
    return lively(build_model(config))


def prepared(recognizer, clips):
    return recognizer.data_preprocessor(
        dict(inputs=[torch.from_numpy(clip) for clip in clips], data_samples=None), False
    )


@pytest.mark.parametrize('average', ['score', None])
def test_each_class_by_itself(average):
    recognizer, clips = model(average), noise(3)
    deployable = DeployableRecognizer(recognizer)
    with torch.no_grad():
        batch = recognizer.data_preprocessor(
            dict(inputs=[torch.from_numpy(clip) for clip in clips], data_samples=None), False
        )
        scores = recognizer(batch['inputs'], stage='head', mode='tensor')
    assert deployable.several_labels
    assert deployable.predict(clips) == pytest.approx(scores.sigmoid().numpy(), abs=1e-6)
    metadata = ExportMetadata.describe(deployable, np.stack(clips))
    assert metadata.several_labels and ExportMetadata.from_strings(metadata.to_strings(), 'file').several_labels


def test_several_clips_are_averaged_as_scores_or_as_probabilities():
    for average in ('score', None):
        recognizer = model(average)
        recognizer.cls_head.consensus = nn.Identity()
        recognizer.cls_head.forward = lambda x, num_segs, head=recognizer.cls_head, **_: head.fc_cls(x.mean((2, 3)))
        clips = noise(2)
        with torch.no_grad():
            batch = recognizer.data_preprocessor(
                dict(inputs=[torch.from_numpy(clip) for clip in clips], data_samples=None), False
            )
            features, extra = recognizer.extract_feat(batch['inputs'], test_mode=True)
            scores = recognizer.cls_head(features, **extra).unflatten(0, (2, -1))
        expected = scores.mean(1).sigmoid() if average == 'score' else scores.sigmoid().mean(1)
        assert DeployableRecognizer(recognizer).predict(clips) == pytest.approx(expected.numpy(), abs=1e-6)


def test_clips_averaged_by_a_softmax_are_refused():
    with pytest.raises(ValueError, match=r"export: model.cls_head.average_clips: got 'prob', a softmax over all"):
        DeployableRecognizer(model('prob'))


def test_the_file_says_what_the_model_says(tmp_path):
    pytest.importorskip('onnx')
    pytest.importorskip('onnxruntime')
    recognizer, clips = model(), noise(4)
    export_onnx(recognizer, tmp_path / 'several.onnx', np.stack(clips[:1]))
    exported = load_exported(tmp_path / 'several.onnx', 'onnxruntime', 1)
    assert exported.metadata.several_labels and check_parity(recognizer, exported, clips).passed
    assert np.abs(exported.predict(clips).sum(1) - 1).min() > 0.05
