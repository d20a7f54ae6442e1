"""Exported files on corrupted and attacked clips, beside the checkpoint that they were exported from."""

import pytest
import untrained
from tiny_experiment import TinyExperiment

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.export import ExportMetadata, backend_of_file
from mmkd_video.workflows.robustness.attacking import Budget, measure_attacks
from mmkd_video.workflows.robustness.measuring import measure_robustness
from mmkd_video.workflows.robustness.tested_model import TestedModel

BUDGET = Budget(epsilon=4.0, steps=(4,), restarts=1)


@pytest.mark.parametrize('name', ['i3d.onnx', 'i3d.xml'])
def test_a_file_is_spoilt_and_attacked_as_its_checkpoint(name, tmp_path, tiny_clips):
    made = TinyExperiment(tmp_path, tiny_clips)
    untrained.write(made)
    model = TestedModel('i3d', str(made.teacher), str(made.checkpoint))
    clips = next(model.batches())[0].numpy()[:1]
    backend_of_file(name).export(model.model, tmp_path / name, clips, ExportMetadata.describe(model.model, clips))
    file = TestedModel('file', str(made.teacher), str(tmp_path / name))
    found = measure_robustness([model, file], kinds=['ShotNoise', 'RepeatedFrames'], severities=[5]).models
    assert found['file'].corrupted == found['i3d'].corrupted and found['file'].clean == found['i3d'].clean

    own = measure_attacks(model, BUDGET)
    sent = measure_attacks(file, BUDGET, source=model)
    assert list(sent.accuracy) == ['clean', 'PGD-4 from i3d', 'all of them'] and not sent.warnings
    # a file takes whole pixels
    assert sent.accuracy['PGD-4 from i3d'] == pytest.approx(own.accuracy['PGD-4'], abs=0.13)
    assert 'attacked by transfer alone' in sent.as_text()
    with pytest.raises(WrongValueError, match='has no gradients; expected --transfer CONFIG CHECKPOINT too'):
        measure_attacks(file, BUDGET)
    with pytest.raises(WrongValueError, match='--transfer: got the exported file'):
        measure_attacks(model, BUDGET, source=file)
