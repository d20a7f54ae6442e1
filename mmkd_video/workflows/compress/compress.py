"""From a teacher to a small file, checked and measured: train, prune, export, quantize, measure."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from mmengine.config import Config

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.recognizers.plain_student import plain_student
from mmkd_video.workflows.compare.arms import ALONE, DISTILLED, arm_folder
from mmkd_video.workflows.compare.runs import run_config, run_path
from mmkd_video.workflows.compress.check import expect_extras, expect_pruning, trains_in_int8
from mmkd_video.workflows.compress.settings import PRUNE, expect_blocks
from mmkd_video.workflows.compress.stages import PICTURE, TABLE, stages
from mmkd_video.workflows.compress.work import CompressionWork
from mmkd_video.workflows.deploy.pruned_config import write_pruned_config
from mmkd_video.workflows.train.run_folder import RunFolder

PRUNED = 'student pruned'


def check(work: CompressionWork, checkpoint: str | None = None) -> None:
    """Check, before anything is trained, that the settings of every stage are valid and its packages installed.

    Args:
        work: The compression, before anything is made.
        checkpoint: A distilled student's checkpoint, if there is one.

    Raises:
        FileNotFoundError: There is no such checkpoint.
        KeyError: A block holds an unknown setting.
        ValueError: A setting is not valid, or the checkpoint cannot be read.
        MissingExtraError: A package is missing.
    """
    expect_blocks(work.settings)
    student = checkpoint or str(work.work_dir / 'student_distilled.pth')
    planned = [('teacher', 'teacher.py', 'teacher.pth'), (DISTILLED, 'student.py', student)]
    plan = replace(work, models=planned)
    in_int8 = trains_in_int8(work.config) if checkpoint is None else work.is_in_int8(checkpoint)
    if isinstance(work.settings.get('prune'), Mapping):
        expect_pruning(pruning_config(plan), in_int8)
    expect_extras(work.settings)


def compress(work: CompressionWork, checkpoint: str | None = None) -> None:
    """Do the stages that are not done yet.

    Args:
        work: The compression, before anything but the teacher is made.
        checkpoint: A distilled student's checkpoint, if there is one.

    Raises:
        FileExistsError: A stage was done with other settings, and not ``work.force``.
        RuntimeError: A stage failed.
    """
    teacher = work.config.model.teacher
    work.models.append(('teacher', _as_file(teacher.config, work.work_dir / 'teacher.py'), str(teacher.checkpoint)))
    if work.settings.get('alone'):
        _say(ALONE)
        _train(work, ALONE, student_run(work, plain_student(work.config), ALONE))
    _say('distil')
    if checkpoint is not None:
        work.models.append((DISTILLED, student_config(work, DISTILLED), checkpoint))
    else:
        _train(work, DISTILLED, student_run(work, work.config, DISTILLED))
    if work.settings.get('prune'):
        _say('prune')
        _train(work, PRUNED, RunFolder(work.work_dir / 'prune', pruning_config(work)))
    for stage in stages(work):
        _say(stage.name)
        print(stage.command)
        if not stage.run(work.work_dir, work.force):
            print('done before')
    print((work.work_dir / TABLE).read_text())
    picture = work.work_dir / PICTURE
    drawn = f'the picture is {picture}' if picture.is_file() else 'no picture: no labels on test, or other load'
    print(f'everything is in {work.work_dir}; {drawn}')


def student_config(work: CompressionWork, name: str) -> str:
    """Return the path of a config that tests and exports a student.

    It is the given one, so that a command can be read; where the command line changed it, the plain student's is
    written as a whole.

    Args:
        work: The compression.
        name: The student's name.
    """
    plain = _plain(work.config)
    if plain == _plain(Config.fromfile(work.config.filename)):
        return str(work.config.filename)
    return _as_file(plain, work.work_dir / f'{name.replace(" ", "_")}.py')


def student_run(work: CompressionWork, config: Config, name: str) -> RunFolder:
    """Return the training of a student; the one that ``tools/compare.py`` made of the same config is used again.

    Args:
        work: The compression.
        config: The config of the student alone, or of the distillation.
        name: The student's name.
    """
    seed, stem = work.settings.get('seed', 0), Path(config.filename).stem
    run = run_config(config, seed)
    compared = RunFolder(run_path(Path('work_dirs', 'compare', stem), arm_folder(name, stem), seed), run)
    return compared if compared.is_finished() else RunFolder(work.work_dir / name.replace(' ', '_'), run)


def pruning_config(work: CompressionWork) -> Config:
    """Return the config that trains the distilled student on while it is pruned."""
    settings = dict(work.settings['prune'])
    PRUNE.check('compress.prune', settings)
    run = Config(work.config.to_dict(), filename=work.config.filename)
    run.pop('stages', None)  # it goes on from the last one
    run.merge_from_dict(settings.get('config') or {})
    run.prepare, run.load_from = None, work.final[2]
    run.randomness = dict(dict(run.get('randomness') or {}), seed=work.settings.get('seed', 0))
    others = [hook for hook in run.get('custom_hooks') or [] if hook.get('type') != 'PruningHook']
    run.custom_hooks = [*others, dict(type='PruningHook', **settings.get('hook') or {})]
    return run


def _train(work: CompressionWork, name: str, run: RunFolder) -> None:
    """Train what is not trained yet; publish the last checkpoint under its lasting name, with a config beside it."""
    print(run.path)
    target = work.work_dir / f'{name.replace(" ", "_")}.pth'
    result = run.publish(target)
    if name == PRUNED:
        config = str(write_pruned_config(work.config, target, rewritten=True))
    else:
        config = student_config(work, name)
    work.models.append((name, config, str(target)))
    print(', '.join(f'{key} {value:.4f}' for key, value in result['metrics'].items()))


def _plain(config: Config) -> dict:
    plain = plain_student(config).to_dict()
    for key in ('prepare', 'compress'):
        plain.pop(key, None)
    plain.setdefault('custom_imports', dict(imports=['mmkd_video'], allow_failed_imports=False))
    return plain


def _as_file(config: str | Mapping, path: Path) -> str:
    """Return the path of a config; one that was merged with ``prepare.teacher_options`` is written first."""
    if isinstance(config, str):
        return config
    text = Config(dict(config)).pretty_text.encode()
    if not path.is_file() or path.read_bytes() != text:
        write_atomically(text, path)
    return str(path)


def _say(stage: str) -> None:
    width = min(shutil.get_terminal_size().columns, 100)
    print(f'\n--- {stage} '.ljust(width, '-'), flush=True)
