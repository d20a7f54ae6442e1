"""The known breaks of the stack: which of them occur here, and what patches them."""

import importlib.util
from types import ModuleType

from mmkd_video import compat
from mmkd_video.cli.doctor.check_result import CheckResult
from mmkd_video.compat import forced_loading

TITLES = {
    'import_noise': 'warnings of mmcv and mmengine at import',
    'missing_drn': 'import mmaction.models: localizers.drn',
    'multimodal_models': 'import mmaction.models beside transformers',
    'checkpoints': 'MMEngine checkpoints under weights_only',
    'cpu_launch': 'torchrun/slurm/mpi without a GPU',
    'gloo_exit': 'gloo aborts at exit',
    'functional_tensor': 'pytorchvideo: torchvision.transforms.functional_tensor',
    'numpy_names': 'skeletons with numpy 2',
    'empty_annotations': 'empty annotation file, not named',
    'annotation_lines': 'wrong lines of annotation files, not named',
    'cpu_ddp': 'DDP device_ids on CPU',
    'plain_keys': 'module. in checkpoints of DDPStrategy',
    'cpu_sync_batch_norm': 'SyncBN on CPU',
    'cpu_amp': '--amp on CPU',
    'bfloat16_scores': 'bfloat16 scores to numpy',
    'color_jitter': 'ColorJitter with numpy 2',
    'optim_wrapper': 'optimizer of a part of the model',
    'repeat_aug': 'one pipeline for all repeats of a video',
    'own_configs': "'mmkd_video::' base configs",
    'unwritten_log': 'a log on a full disk',
    'config_text': 'configs formatted for each checkpoint',
}
# What a plugin cannot mend, because it is in the user's config: subject, symptom, change.
CONFIG_NOTES = (
    ('TSM backbones', "'expected string ... NoneType'", 'set pretrained2d=False beside pretrained=None'),
    ('x3d, uniformer base configs', "unexpected '_delete_'", 'their bases have no train_cfg: leave _delete_ out there'),
)


def _of(module: ModuleType) -> CheckResult:
    name = module.__name__.rpartition('.')[2]
    subject = TITLES.get(name, name)
    try:
        bites = module.applies()
    except ImportError as error:
        return CheckResult(subject, f'cannot tell: {error}', 'see the versions above', 'note')
    if not bites:
        return CheckResult(subject, 'does not bite here', f'compat.{name} stands aside', 'ok')
    return CheckResult(subject, 'bites here', f'mended by compat.{name}', 'mended')


def _base_configs() -> CheckResult:
    subject = "'mmaction::' base configs"
    if importlib.util.find_spec('pkg_resources') is None:
        remedy = "pip install 'setuptools<81'"
        return CheckResult(subject, 'bites here', 'a plugin cannot mend it: bases resolve first', 'act', remedy)
    return CheckResult(subject, 'does not bite here', 'pkg_resources is there', 'ok')


def _importlib_metadata() -> CheckResult:
    subject = 'importlib_metadata, undeclared by mmaction2'
    if importlib.util.find_spec('importlib_metadata') is None:
        return CheckResult(
            subject, 'bites here', 'a plugin cannot mend it', 'act', "pip install 'importlib-metadata>=6'"
        )
    return CheckResult(subject, 'does not bite here', 'importlib_metadata is there', 'ok')


def _unsafe_environment() -> CheckResult:
    subject, name = 'torch.load executes nothing', forced_loading.FORCED
    if not forced_loading.is_forced():
        return CheckResult(subject, 'protected', f'{name} is not set', 'ok')
    if forced_loading.is_allowed():
        return CheckResult(
            subject, f'{name} is set', f'{forced_loading.ALLOWED} allows it; only others read so', 'note'
        )
    return CheckResult(subject, f'{name} is set', 'checkpoints could run code', 'act', f'unset {name}')


def check_breaks() -> list[CheckResult]:
    """Return a result for each known break; errors in configs come last, as notes."""
    notes = [
        CheckResult(subject, symptom, 'in your config', 'note', change) for subject, symptom, change in CONFIG_NOTES
    ]
    patched = [_of(module) for module in (*compat.BREAKS, *compat.FEATURES)]
    return [_base_configs(), _importlib_metadata(), *patched, _unsafe_environment(), *notes]
