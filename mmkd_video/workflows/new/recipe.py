"""The text of a new distillation config."""

import copy
import dataclasses
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mmengine.config import Config
from mmengine.hub import get_config

from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.registry import build_model
from mmkd_video.recognizers.config import load_config, read_config
from mmkd_video.recognizers.pipelines import find_pipeline, keys_to_dataset
from mmkd_video.recognizers.plain_student import is_distillation
from mmkd_video.recognizers.size import find_size
from mmkd_video.recognizers.without_weights import count_without_weights
from mmkd_video.workflows.new.lists import count_classes, find_lists
from mmkd_video.workflows.new.stages import Stage, find_stages, pair_stages

BASE = 'mmkd_video::_base_/mmkd.py'
BYTES = 4  # of a parameter
PREPARED = 'It is trained first where its checkpoint is missing; take this out when you have one.'
TRAINING = 3  # forward and backward passes of what learns cost about as much as three forward passes


@dataclass(frozen=True)
class Side:
    """What is known about the student or the teacher.

    Attributes:
        path: Path of its config, or ``'mmaction::...'``.
        config: The whole config.
        size: Frames, height and width of a clip.
        costs: Parameters and GFLOPs of one forward pass; None where they cannot be counted without weights.
        stages: Modules whose features can be compared.
        own_classes: Number of classes of the user's own clips; None where it is that of the config.
    """

    path: str
    config: Config
    size: tuple[int, int, int]
    costs: tuple[int, float] | None
    stages: list[Stage] = field(default_factory=list)
    own_classes: int | None = None

    @classmethod
    def read(cls, path: str, key: str) -> 'Side':
        """Read a config.

        Args:
            path: Path of the config, or ``'mmaction::...'``.
            key: ``'student'`` or ``'teacher'``.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no config of a recognizer that can be trained.
        """
        config = load_config(path, f'--{key}')
        if not isinstance(config.get('model'), Mapping) or 'backbone' not in config.model:
            distils = 'model' in config and is_distillation(config)
            raise WrongValueError(
                f'--{key}: {path} {"distils already" if distils else "holds no recognizer"}; expected the plain config '
                "of a recognizer, or 'mmaction::recognition/...'"
            )
        find_pipeline(config, key)
        size = find_size(config.model, config, None, key)
        model = copy.deepcopy(dict(config.model))
        return cls(path, config, size, count_without_weights(model, size), find_stages(model, size))

    @property
    def classes(self) -> int | None:
        """Number of classes, where the user's clips or the head say it."""
        return self.own_classes or (self.config.model.get('cls_head') or {}).get('num_classes')

    @property
    def name(self) -> str:
        """Type of the backbone."""
        kind = self.config.model.backbone.type
        return kind if isinstance(kind, str) else kind.__name__


@dataclass(frozen=True)
class Recipe:
    """A new distillation config.

    Attributes:
        text: Text of the file.
        summary: Lines on what the pair costs, and where it can be compared.
    """

    text: str
    summary: list[str]


def write_recipe(
    student: str, teacher: str, out: Path, *, checkpoint: str | None = None, data_root: str | None = None
) -> Recipe:
    """Make a config in which a teacher teaches a student, and build it once.

    Args:
        student: Path of the student's plain config, or ``'mmaction::...'``.
        teacher: Path of the teacher's config, or ``'mmaction::...'``.
        out: File that will hold it; paths in the config are relative to its folder.
        checkpoint: Path or URL of the teacher's weights; by default what MMAction2's model zoo gives for its own
            configs, else the place where ``mmkd train`` puts the teacher that it trains first.
        data_root: Folder of the user's own clips and lists; by default the data of the student's config.

    Raises:
        FileNotFoundError: A config, or a list in ``data_root``, is missing.
        ValueError: A config is none of a recognizer, or the pair cannot be built.
    """
    ours, theirs = Side.read(student, 'student'), Side.read(teacher, 'teacher')
    lists = find_lists(ours.config, data_root) if data_root else {}
    classes = count_classes(Path(data_root, lists['train_dataloader']['ann_file'])) if data_root else None
    if classes and classes != ours.classes:
        ours = dataclasses.replace(ours, own_classes=classes)
    pairs = pair_stages(ours.stages, theirs.stages)
    trains_teacher = checkpoint is None and _zoo_checkpoint(teacher) is None
    checkpoint = checkpoint or _zoo_checkpoint(teacher) or f'work_dirs/teachers/{Path(teacher).stem}.pth'

    def text(base: str) -> str:
        return '\n'.join(
            [
                *_head(ours, theirs, base),
                *([f'# {PREPARED}', 'prepare = dict(teacher=teacher)'] if trains_teacher else []),
                *_model(ours, theirs, checkpoint, pairs),
                *_data(ours.config, lists),
                '',
            ]
        )

    relative = student if '::' in student else os.path.relpath(student, out.parent)
    _try(text(student if '::' in student else os.path.abspath(student)))
    return Recipe(text(relative), _summary(ours, theirs, pairs))


def _zoo_checkpoint(teacher: str) -> str | None:
    """Return the URL that MMAction2's model zoo gives for one of its own configs."""
    if '::' not in teacher:
        return None
    try:
        return get_config(teacher, pretrained=True).get('model_path')
    except Exception:  # no metafile, or none that names this config
        return None


def _head(ours: Side, theirs: Side, base: str) -> list[str]:
    return [
        f'# A {theirs.name} teaches a {ours.name}. Written by `mmkd new`; every line is yours to change.',
        *(f'# {line}' for line in _costs(ours, theirs)),
        '_base_ = [',
        '    # The student: its model, data and schedule, as they are.',
        f'    {base!r},',
        '    # The hooks that every distillation needs.',
        f'    {BASE!r},',
        ']',
        '# Its model, and how it sees a clip.',
        f'teacher = {theirs.path!r}',
        *(
            ['# Classes of your clips.', f'_base_.model.cls_head.num_classes = {ours.own_classes}']
            if ours.own_classes
            else []
        ),
    ]


def _model(ours: Side, theirs: Side, checkpoint: str, pairs: Sequence[tuple[Stage, Stage]]) -> list[str]:
    same_classes = ours.classes == theirs.classes
    kd = "dict(type='KDLoss', at='logits', temperature=4.0),"
    terms = ['# Softened class scores.', kd]
    if not same_classes:
        terms = [
            f'# No softened class scores: the student has {ours.classes} classes, the teacher {theirs.classes}.',
            f'# {kd}',
        ]
    for number, (mine, other) in enumerate(pairs, start=1):
        off = '' if number == 1 and not same_classes else '# '
        terms += [
            f'# Features: {" x ".join(map(str, mine.shape))} and {" x ".join(map(str, other.shape))}.',
            f"{off}dict(type='FitNetLoss', at=({mine.tap!r}, {other.tap!r}), name='features_{number}'),",
        ]
    return [
        'model = dict(',
        "    _delete_=True,  # the student's own keys are not mixed with these",
        "    type='Distiller',",
        '    student=_base_.model,',
        '    teacher=dict(',
        '        config=teacher,',
        f'        checkpoint={checkpoint!r},',
        '    ),',
        '    # What is compared. Without a weight a term is balanced against the gradient of the labels.',
        '    terms=[',
        *(f'        {line}' for line in terms),
        '    ],',
        ')',
    ]


def _data(config: Config, lists: Mapping[str, dict]) -> list[str]:
    """Return the lines that give each model its own view, and every loader the user's clips."""
    keys, dataset = _one_dataset(config, 'train_dataloader')
    named = config.get('train_pipeline') == dataset['pipeline']
    found = '_base_.train_pipeline' if named else f'_base_.train_dataloader.{".".join(keys)}.pipeline'
    lines = ['# Each model sees its own frames, size and normalisation of the same moment, from one decoding.']
    views = [
        'pipeline=[',
        '    dict(',
        "        type='DistillViews',",
        f'        student={found},',
        '        teacher=teacher,',
        '    ),',
        '],',
    ]
    lines += _nested('train_dataloader', keys, [*_settings(lists.get('train_dataloader', {})), *views])
    for loader, settings in lists.items():
        if loader != 'train_dataloader':
            lines += _nested(loader, _one_dataset(config, loader)[0], _settings(settings))
    return lines


def _one_dataset(config: Config, loader: str) -> tuple[list[str], Mapping]:
    """Return the keys that lead from a loader to its data set within its wrappers, and the data set."""
    keys, dataset = keys_to_dataset(config[loader], 'pipeline')
    if 'pipeline' not in dataset or 'datasets' in keys:
        raise WrongValueError(
            f'--student: its {loader} reads a {config[loader].dataset.get("type")!r} of several data sets; expected '
            'one, or one within wrappers; write DistillViews into the pipeline of each by hand, as docs/config.md says'
        )
    return keys, dataset


def _settings(settings: Mapping) -> list[str]:
    return [f'{key}={value!r},' for key, value in settings.items()]


def _nested(name: str, keys: Sequence[str], lines: Sequence[str]) -> list[str]:
    """Return the lines of ``name = dict(dataset=dict(...))``."""
    opened = [f'{"    " * level}{key}=dict(' for level, key in enumerate(keys, start=1)]
    closed = [f'{"    " * level}),' for level in range(len(keys), 0, -1)]
    inner = [f'{"    " * (len(keys) + 1)}{line}' for line in lines]
    return [f'{name} = dict(', *opened, *inner, *closed, ')']


def _costs(ours: Side, theirs: Side) -> list[str]:
    if ours.costs is None or theirs.costs is None:
        return ['What a step costs could not be counted here; `mmkd benchmark step` measures it.']
    (_, student), (params, teacher) = ours.costs, theirs.costs
    learning = TRAINING * student
    return [
        f'A clip costs about {learning:.3g} GFLOPs for the student, which learns, and {teacher:.3g} for the teacher, '
        f'which does not:',
        f'{(learning + teacher) / learning:.3g} times a step of the student alone. The teacher keeps '
        f'{params / 1e6:.3g} M parameters, {params * BYTES / 2**20:.0f} MiB, in memory.',
    ]


def _summary(ours: Side, theirs: Side, pairs: Sequence[tuple[Stage, Stage]]) -> list[str]:
    lines = _costs(ours, theirs)
    if ours.classes != theirs.classes:
        lines.append(f'The student has {ours.classes} classes, the teacher {theirs.classes}: features are compared.')
    lines += [f'could be compared: {mine} with {other}' for mine, other in pairs]
    return lines


def _try(text: str) -> None:
    """Build the model of a config, without the teacher's weights."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'new.py'
        path.write_text(text)
        config = read_config(str(path), {'model.teacher.checkpoint': None})
        build_model(config.model)
