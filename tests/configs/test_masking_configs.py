"""Configs whose students see a share of their tokens, at full size, with a tiny model in the teacher's place."""

from pathlib import Path

import clips
import pytest
import transformers_models
from mmengine.dataset import pseudo_collate

from mmkd_video.core.registry import TRANSFORMS, build_model
from mmkd_video.recognizers.config import read_config

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = sorted(path.relative_to(ROOT) for path in (ROOT / 'configs' / 'masking').glob('*.py'))


@pytest.mark.slow
@pytest.mark.parametrize('path', CONFIGS, ids=lambda path: path.stem)
def test_a_step_at_full_size_aligns_a_fifth_of_the_tokens(path, monkeypatch, tmp_path):
    assert len((ROOT / path).read_text().splitlines()) <= 30
    transformers_models.library()
    monkeypatch.chdir(ROOT)
    config = read_config(str(path))
    (views,) = config.train_dataloader.dataset.pipeline
    assert config.model.teacher.config == views.teacher
    transformers_models.write(tmp_path / 'folder', 'clip', settings=dict(num_hidden_layers=12))
    config.model.teacher.config = views.teacher = f'hf::{tmp_path / "folder"}'
    model = build_model(config.model).train()
    assert sum(each.numel() for each in model.student.backbone.parameters()) > 21e6
    clips.encode(tmp_path / 'clip.mp4', 1, frames=70)
    sample = TRANSFORMS.build(views)(dict(filename=str(tmp_path / 'clip.mp4'), start_index=0, modality='RGB', label=3))
    seen = []
    model.student.backbone.blocks[0].register_forward_hook(lambda _m, _i, output: seen.append(output.shape))
    losses = model(**model.data_preprocessor(pseudo_collate([sample]), True), mode='loss')
    model.parse_losses(losses)[0].backward()
    assert seen == [(1, 8 * 40, 384)]
    assert sum(key.startswith('loss_layer') for key in losses) == 6
    trained = list(model.student.parameters())
    assert all(each.grad is not None and each.grad.isfinite().all() for each in trained)
    assert all(each.grad.any() for each in model.student.backbone.blocks.parameters())
