"""The pipelines in a config, found through all wrappers of its data sets."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.recognizers.config import load_config
from mmkd_video.recognizers.libraries import is_library_model, read_library_model

# Steps that make something else than frames of a video.
OF_OTHER_MODALITIES = (
    'PoseDecode',
    'GeneratePoseTarget',
    'GenSkeFeat',
    'FormatGCNInput',
    'MMUniformSampleFrames',
    'MMDecode',
    'LoadAudioFeature',
    'AudioFeatureSelector',
    'FormatAudioShape',
    'LoadLocalizationFeature',
)
_KEYS_OF_A_CONFIG = ('train_dataloader', 'train_pipeline', 'val_dataloader', 'test_dataloader', 'model')


def innermost_dataset(loader: Mapping | None, key: str = 'ann_file') -> Mapping:
    """Return the config of the data set that a loader reads, without its wrappers.

    Args:
        loader: Config of a data loader. ``RepeatDataset`` and ``ClassBalancedDataset`` hold one data set;
            ``ConcatDataset`` holds many, of which the first stands for all.
        key: Key that is looked for; a wrapper that has it is taken for the data set.

    Returns:
        An empty dict where there is no data set.
    """
    return keys_to_dataset(loader, key)[1]


def keys_to_dataset(loader: Mapping | None, key: str = 'ann_file') -> tuple[list[str | int], Mapping]:
    """Return what :func:`innermost_dataset` returns, and the keys that lead to it from the loader.

    Args:
        loader: Config of a data loader.
        key: Key that is looked for.
    """
    keys: list[str | int] = ['dataset']
    dataset = (loader or {}).get('dataset') or {}
    while key not in dataset and ('dataset' in dataset or 'datasets' in dataset):
        many = dataset.get('datasets')
        keys += ['datasets', 0] if many else ['dataset']
        dataset = many[0] if many else dataset.get('dataset') or {}
    return keys, dataset


def pipeline_of_loader(loader: Mapping | None) -> list[dict] | None:
    """Return the pipeline of the data set that a loader reads, or None where there is none.

    Args:
        loader: Config of a data loader.
    """
    pipeline = innermost_dataset(loader, 'pipeline').get('pipeline')
    return list(pipeline) if pipeline else None


def validation_pipeline(config: Mapping | None) -> list[dict] | None:
    """Return the pipeline that a config validates with, or None where it has none.

    Args:
        config: A whole config; None when only a model was given.
    """
    if config is None:
        return None
    return pipeline_of_loader(config.get('val_dataloader')) or config.get('val_pipeline')


def reads_frames(pipeline: Sequence) -> bool:
    """Tell whether a pipeline ends in frames of a video, and in nothing else: no skeletons, no audio.

    Args:
        pipeline: Configs of its transforms.
    """
    return not any(type_name(step) in OF_OTHER_MODALITIES for step in pipeline)


def find_pipelines(teacher: Any, name: str) -> dict[str, list[dict]]:
    """Find the pipelines that the ``teacher`` of ``DistillViews`` names.

    Args:
        teacher: A config (path, ``'mmaction::...'``, dict), a pipeline (list), a Distiller's ``dict(config=...)``, or a
            dict of such by name of the view.
        name: Name of the view when there is one teacher.

    Returns:
        A pipeline by name of the view.

    Raises:
        ValueError: If no pipeline can be found in it.
    """
    if isinstance(teacher, Mapping) and 'type' in teacher:
        raise WrongValueError(
            f'DistillViews(teacher=...): got a dict of type {teacher["type"]!r}, which names no pipeline; expected a '
            'config, a pipeline (list of transforms) or a dict of these by name of the teacher'
        )
    single = _is_config(teacher) or is_library_model(teacher) or 'config' in teacher
    if isinstance(teacher, Mapping) and not single:
        return {key: find_pipeline(value, key) for key, value in teacher.items()}
    return {name: find_pipeline(teacher, name)}


def find_pipeline(teacher: Any, name: str) -> list[dict]:
    """Find the one pipeline of a config, or return the given pipeline.

    Raises:
        ValueError: If there is none.
    """
    if isinstance(teacher, Mapping) and 'config' in teacher:
        teacher = teacher['config']
    if isinstance(teacher, str):
        teacher = load_config(teacher, f'DistillViews: view {name!r}')
    elif is_library_model(teacher):
        teacher = read_library_model(teacher, f'DistillViews: view {name!r}')
    if isinstance(teacher, Sequence):
        pipeline = list(teacher)
    elif _is_config(teacher):
        pipeline = _pipeline_of_config(teacher)
    else:
        pipeline = None
    if not pipeline:
        raise WrongValueError(
            f'DistillViews: no pipeline for view {name!r} in {type(teacher).__name__}; expected a config with '
            '`train_dataloader` (or `train_pipeline`), or a list of transforms'
        )
    if type_name(pipeline[0]) == 'DistillViews':  # the teacher was itself distilled
        return list(pipeline[0]['student'])
    return pipeline


def type_name(step: Any) -> str:
    """Plain class name of a transform or of its config."""
    kind = step.get('type', '') if isinstance(step, Mapping) else type(step)
    return kind.split('.')[-1] if isinstance(kind, str) else kind.__name__


def _is_config(candidate: Any) -> bool:
    # mmengine's Config is no Mapping, but both answer to `in` and `get`.
    return hasattr(candidate, 'get') and any(candidate.get(key) is not None for key in _KEYS_OF_A_CONFIG)


def _pipeline_of_config(config: Mapping) -> list[dict] | None:
    """Find the training pipeline of a config, or the one it is tested with where it cannot train."""
    loaders = (config.get(key) for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'))
    found = [pipeline for pipeline in map(pipeline_of_loader, loaders) if pipeline]
    plain = config.get('train_pipeline')
    if plain and not config.get('train_dataloader'):
        return list(plain)
    return found[0] if found else None
