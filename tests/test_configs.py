"""Every shipped config can be read, and its model built."""

from pathlib import Path

import mmaction
import prepared_sets
import pytest
import torch
import yaml
from mmaction.structures import ActionDataSample
from mmengine.config import Config

from mmkd_video.core.registry import TRANSFORMS, build_model
from mmkd_video.recognizers.config import read_config
from mmkd_video.recognizers.plain_student import named_teachers
from mmkd_video.recognizers.stages import stages_of
from mmkd_video.teachers.cache import CacheWriter, Manifest

ROOT = Path(__file__).resolve().parents[1]
CONFIGS = sorted(path.relative_to(ROOT) for path in (ROOT / 'configs').glob('[!_]*/*.py'))
ZOO = Path(mmaction.__file__).parent / '.mim' / 'configs'
UNREADABLE = {'slowonly_r50_8xb16-u48-240e_gym-limb'}  # a comma too many makes its loader a tuple
# Recipes of full size are built in configs/test_recipes.py, with their teachers; the README's example here too.
README, FULL_SIZE = 'i3d-r50_to_tsm-mobilenetv2_kinetics400', tuple(prepared_sets.CLASSES)
BUILT = [path for path in CONFIGS if path.stem == README or not path.stem.endswith(FULL_SIZE)]
DISTILL = [path for path in CONFIGS if path.parent.name in ('cache', 'distill', 'stages')]
STAGED = [path for path in CONFIGS if path.parent.name == 'stages']


def without_missing_files(teacher, tmp_path):
    """Build with untrained weights, and an empty cache: which files are here is no matter of the config."""
    if teacher.get('type') == 'CachedTeacher':
        settings = dict.fromkeys(('teacher', 'student_pipeline', 'teacher_pipeline', 'names'), '0' * 16)
        numbers = dict(seed=0, samples=1, views=1, same_frames=1, classes=8, topk=None, rows=1)
        with CacheWriter(tmp_path, Manifest(**settings, **numbers, taps={'logits': (8,)})) as writer:
            writer.write(0, [None])
        teacher.cache = str(tmp_path)
        return
    for each in named_teachers(teacher).values():
        if 'checkpoint' in each:
            each['checkpoint'] = None


def needs_timm(path):
    return 'mobilenetv4' in path.stem


@pytest.mark.parametrize(
    'path',
    [pytest.param(path, marks=pytest.mark.torchvision if needs_timm(path) else ()) for path in BUILT],
    ids=[f'{path.parent.name}/{path.stem}' for path in BUILT],
)
def test_shipped_config_is_built(path, monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    config = read_config(str(path))
    if 'teacher' in config.model:
        without_missing_files(config.model.teacher, tmp_path)
    model = build_model(config.model)
    assert sum(parameter.numel() for parameter in model.parameters()) > 0
    for step in config.train_dataloader.dataset.pipeline:
        TRANSFORMS.build(step)


@pytest.mark.parametrize('path', STAGED, ids=lambda path: path.stem)
def test_every_stage_of_a_shipped_config_is_built(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    first, *others = stages_of(read_config(str(path)))
    first.config.model.teacher.checkpoint = None
    model = build_model(first.config.model)
    assert first.config.model.task_weight == 0 and list(model.training_state.terms) == ['similarityqueue']
    assert others and all(stage.config.val_dataloader is not None for stage in others)


@pytest.mark.slow
def test_every_config_of_the_zoo_can_be_inherited():
    read, refused = 0, set()
    for path in sorted([*ZOO.glob('recognition*/**/*.py'), *ZOO.glob('skeleton/**/*.py')]):
        try:
            read_config(f'mmaction::{path.relative_to(ZOO)}')
            read += 1
        except ValueError:
            refused.add(path.stem)
    assert read > 150 and refused == UNREADABLE


@pytest.mark.parametrize('path', DISTILL, ids=lambda path: path.stem)
def test_distillation_fits_a_page(path):
    assert len((ROOT / path).read_text().splitlines()) <= 30


def test_a_step_trains_the_mobilenet3d(monkeypatch, tmp_path):
    monkeypatch.chdir(ROOT)
    config = Config.fromfile('configs/distill/i3d_to_mobilenet3d.py')
    without_missing_files(config.model.teacher, tmp_path)
    model = build_model(config.model).train()
    clips = torch.randint(0, 256, (2, 1, 3, 16, 48, 48), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    batch = dict(inputs=list(clips), data_samples=[ActionDataSample().set_gt_label(label) for label in (0, 1)])
    losses = model(**model.data_preprocessor(batch, True), mode='loss')
    model.parse_losses(losses)[0].backward()
    assert losses['kd_raw'].isfinite()
    gradients = [parameter.grad for parameter in model.student.parameters()]
    assert all(each is not None and each.isfinite().all() for each in gradients)


@pytest.mark.parametrize('path', DISTILL, ids=lambda path: path.stem)
def test_what_is_prepared_is_what_the_model_wants(path, monkeypatch):
    monkeypatch.chdir(ROOT)
    config = Config.fromfile(path)
    wanted = config.get('prepare') or {}
    if wanted.get('cache'):
        assert Path(wanted.cache.config).is_file() and config.model.teacher.cache
        config.model.teacher = Config.fromfile(wanted.cache.config).model.teacher
    if wanted.get('teacher'):
        assert wanted.teacher == config.model.teacher.config and Path(wanted.teacher).is_file()
    if wanted.get('data'):
        assert wanted.data == config.train_dataloader.dataset.data_root


def test_model_index_names_what_exists():
    for metafile in yaml.safe_load((ROOT / 'model-index.yml').read_text())['Import']:
        found = yaml.safe_load((ROOT / metafile).read_text())
        names = {collection['Name'] for collection in found['Collections']}
        for model in found['Models']:
            assert model['In Collection'] in names and (ROOT / model['Config']).is_file()
