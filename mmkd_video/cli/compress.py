"""The code behind ``tools/compress.py``: from a teacher to a small file, checked and measured."""

import argparse
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from mmengine.config import Config

import mmkd_video  # noqa: F401  the stack must be mended before a config with custom imports is read
from mmkd_video.cli import benchmark, export, quantize
from mmkd_video.cli.arguments import checked_numbers
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.interrupts import exit_on_sigterm
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.checked import Flag, Optional, Settings, Whole, table_of
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.quantization import CHECKPOINT_KEY
from mmkd_video.recognizers.config import read_config
from mmkd_video.recognizers.plain_student import is_distillation, plain_student
from mmkd_video.workflows.compare.arms import ALONE, DISTILLED, arm_folder
from mmkd_video.workflows.compare.runs import run_config, run_path
from mmkd_video.workflows.compress.check import (
    expect_arguments,
    expect_blocks,
    expect_extras,
    expect_pruning,
    trains_in_int8,
)
from mmkd_video.workflows.compress.stage import Stage, as_arguments
from mmkd_video.workflows.deploy.pruned_config import write_pruned_config
from mmkd_video.workflows.deploy.student import read_checkpoint
from mmkd_video.workflows.train.prepare import prepare, publish
from mmkd_video.workflows.train.run_folder import RunFolder

PRUNED, INT8 = 'student pruned', 'student int8'
OPTIONS = Settings('a dict of settings')
COMPRESS = table_of(
    'compress',
    dict(
        seed=Whole(0),
        alone=Flag(),
        prune=Optional(OPTIONS),
        export=Optional(OPTIONS),
        quantize=Optional(OPTIONS),
        benchmark=Optional(OPTIONS),
    ),
)
PRUNE = table_of('compress.prune', dict(hook=Optional(OPTIONS), config=Optional(OPTIONS)))
PARSERS = {
    'tools/export.py': export.build_parser,
    'tools/quantize.py': quantize.build_parser,
    'tools/benchmark.py': benchmark.build_parser,
}


@dataclass
class Compression:
    """What there is after each stage.

    Args:
        config: The distillation.
        settings: Its ``compress``.
        work_dir: Where everything lies.
        force: Do stages after training again that were done with other settings.
        models: Name, config and checkpoint of every model so far, the teacher first.
    """

    config: Config
    settings: Mapping
    work_dir: Path
    force: bool = False
    models: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def final(self) -> tuple[str, str, str]:
        """The model that is shipped."""
        return self.models[-1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Do the stages that are not done yet; print the table and where everything is."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    exit_on_sigterm()
    with exit_on_error(parser, resumes=True):
        config = read_config(options.config, options.cfg_options)
        settings = read_settings(config)
        work_dir = Path(options.work_dir or Path('work_dirs', 'compress', Path(options.config).stem))
        work = Compression(config, settings, work_dir, options.force)
        check(work, options.checkpoint)
        prepare(config, allowed=not options.no_prepare)
        compress(work, options.checkpoint)


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog='compress.py',
        description='Distil a student, prune it while distilling, export and quantize it, compare the files with '
        'PyTorch and measure all of them. Finished stages are kept, an interrupted one goes on.',
        epilog=EXITS,
    )
    parser.add_argument('config', help="a distillation config with a block 'compress'")
    parser.add_argument('--work-dir', help="work_dirs/compress/<config's name> by default")
    parser.add_argument('--checkpoint', help='a distilled student to begin from, instead of distilling one')
    parser.add_argument(
        '--force',
        action='store_true',
        help='do stages after training (export, quantize, benchmark) again that were done with other settings; a '
        'training of other settings is never thrown away: delete its folder, or choose another --work-dir',
    )
    parser.add_argument('--no-prepare', action='store_true', help='neither render clips nor train the teacher first')
    add_cfg_options(parser)
    return checked_numbers(parser)


def read_settings(config: Config) -> dict:
    """Take the block ``compress`` out of a config.

    Args:
        config: Changed: without the block it is the distillation itself.

    Raises:
        KeyError: There is no such block, or it holds an unknown key.
        ValueError: The config is no distillation of one teacher.
    """
    settings = config.get('compress')
    if settings is None:
        raise KeyError(f"{config.filename} has no block 'compress'; see configs/compress/i3d_to_mobilenet.py")
    OPTIONS.check('compress', settings)
    COMPRESS.check('compress', settings)
    if not is_distillation(config) or 'config' not in (config.model.get('teacher') or {}):
        raise ValueError(f"{config.filename}: compress needs model.type 'Distiller' with one teacher of its own config")
    config.pop('compress')
    return settings.to_dict() if hasattr(settings, 'to_dict') else dict(settings)


def check(work: Compression, checkpoint: str | None = None) -> None:
    """See, before anything is trained, that the settings of every stage can be meant and that its packages are there.

    Args:
        work: Nothing is in it yet.
        checkpoint: Of a distilled student, if there is one.

    Raises:
        FileNotFoundError: There is no such checkpoint.
        ValueError: A setting cannot be meant, or the checkpoint cannot be read.
        TypeError: A block is no dict, or the pruning has an unknown setting.
        MissingExtraError: A package is missing.
    """
    expect_blocks(work.settings)
    student = checkpoint or str(work.work_dir / 'student_distilled.pth')
    planned = [('teacher', 'teacher.py', 'teacher.pth'), (DISTILLED, 'student.py', student)]
    plan = replace(work, models=planned)
    in_int8 = trains_in_int8(work.config) if checkpoint is None else CHECKPOINT_KEY in read_checkpoint(checkpoint)
    if isinstance(work.settings.get('prune'), Mapping):
        expect_pruning(pruning_config(plan), in_int8)
    for stage in stages(plan):
        expect_arguments(stage.name.partition('_')[0], PARSERS[stage.tool](), stage.arguments)
    expect_extras(work.settings)


def compress(work: Compression, checkpoint: str | None = None) -> None:
    """Do the stages that are not done yet.

    Args:
        work: Nothing is in it yet but the teacher.
        checkpoint: Of a distilled student, if there is one.

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
    print((work.work_dir / 'table.txt').read_text())
    picture = work.work_dir / 'deploy.png'
    drawn = f'the picture is {picture}' if picture.is_file() else 'no picture: no labels on test, or other load'
    print(f'everything is in {work.work_dir}; {drawn}')


def student_config(work: Compression, name: str) -> str:
    """Return the path of a config that tests and exports a student.

    It is the given one, so that a command can be read; where the command line changed it, the plain student's is
    written as a whole.

    Args:
        work: The compression.
        name: Of the student.
    """
    plain = _plain(work.config)
    if plain == _plain(Config.fromfile(work.config.filename)):
        return str(work.config.filename)
    return _as_file(plain, work.work_dir / f'{name.replace(" ", "_")}.py')


def student_run(work: Compression, config: Config, name: str) -> RunFolder:
    """Return the training of a student; the one that ``tools/compare.py`` made of the same config is used again.

    Args:
        work: The compression.
        config: Of the student alone, or of the distillation.
        name: Of the student.
    """
    seed, stem = work.settings.get('seed', 0), Path(config.filename).stem
    run = run_config(config, seed)
    compared = RunFolder(run_path(Path('work_dirs', 'compare', stem), arm_folder(name, stem), seed), run)
    return compared if compared.is_finished() else RunFolder(work.work_dir / name.replace(' ', '_'), run)


def pruning_config(work: Compression) -> Config:
    """Return the config that trains the distilled student on while it is pruned."""
    settings = dict(work.settings['prune'])
    PRUNE.check('compress.prune', settings)
    run = Config(work.config.to_dict(), filename=work.config.filename)
    run.merge_from_dict(settings.get('config') or {})
    run.prepare, run.load_from = None, work.final[2]
    run.randomness = dict(dict(run.get('randomness') or {}), seed=work.settings.get('seed', 0))
    others = [hook for hook in run.get('custom_hooks') or [] if hook.get('type') != 'PruningHook']
    run.custom_hooks = [*others, dict(type='PruningHook', **settings.get('hook') or {})]
    return run


def stages(work: Compression) -> list[Stage]:
    """Return the stages after training, in their order.

    A student that was trained in int8 is exported in float too, and quantized from its checkpoint, which holds the
    ranges that it was trained with.
    """
    folder, (name, config, checkpoint) = work.work_dir, work.final
    in_int8 = Path(checkpoint).is_file() and CHECKPOINT_KEY in read_checkpoint(checkpoint)
    inputs, found = [Path(checkpoint), *_written(work, [work.final])], []
    options = as_arguments({**(dict(precision='f32') if in_int8 else {}), **(work.settings.get('export') or {})})
    for kind, suffixes in (('onnx', ['.onnx']), ('openvino', ['.xml', '.bin'])):
        target = folder / f'student{suffixes[0]}'
        arguments = [config, checkpoint, '--format', kind, '--out', str(target), *options]
        outputs = [target.with_suffix(suffix) for suffix in suffixes]
        found.append(Stage(f'export_{kind}', 'tools/export.py', export.main, arguments, inputs, outputs))
    files = []
    if work.settings.get('quantize') is not None:
        target, source = folder / 'student_int8.xml', Path(checkpoint) if in_int8 else folder / 'student.xml'
        arguments = [config, str(source), '--out', str(target), *as_arguments(work.settings['quantize'])]
        outputs = [target, target.with_suffix('.bin')]
        inputs = [source, *_written(work, [work.final])]
        found.append(Stage('quantize', 'tools/quantize.py', quantize.main, arguments, inputs, outputs))
        files = ['--file', INT8, name, str(target), '--int8', work.models[0][0]]
        if 'calibration' in work.settings['quantize']:
            files += ['--calibration', str(work.settings['quantize']['calibration'])]
    models = [word for model in work.models for word in ('--model', *model)]
    outputs, picture = [folder / 'deploy.json', folder / 'table.txt'], folder / 'deploy.png'
    arguments = ['deploy', *models, *files, '--reference', DISTILLED]
    arguments += ['--out', str(outputs[0]), '--picture', str(picture)]
    arguments += as_arguments(work.settings.get('benchmark') or {})
    inputs = [Path(model[2]) for model in work.models] + [Path(each) for each in files[3:4]]
    inputs += _written(work, work.models)
    measure = _benchmark(outputs[1], picture)
    found.append(Stage('benchmark', 'tools/benchmark.py', measure, arguments, inputs, outputs, [picture]))
    return found


def _benchmark(table: Path, picture: Path) -> Callable[[list[str]], None]:
    """Return what measures; it draws no picture where no line has both an accuracy and a latency."""

    def measure(arguments: list[str]) -> None:
        report = benchmark.main(arguments)
        if all(None in (each.accuracy, each.latency) for each in report.deployments):
            picture.unlink(missing_ok=True)  # of an earlier measurement
        write_atomically((report.as_text() + '\n').encode(), table)

    return measure


def _train(work: Compression, name: str, run: RunFolder) -> None:
    """Train what is not trained yet; publish the last checkpoint under its lasting name, with a config beside it."""
    print(run.path)
    result = run.result()
    target = work.work_dir / f'{name.replace(" ", "_")}.pth'
    if not target.is_file() or target.stat().st_mtime < Path(result['checkpoint']).stat().st_mtime:
        publish(run.path, target)
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


def _written(work: Compression, models: Sequence[tuple[str, str, str]]) -> list[Path]:
    """Return the configs that were written because the command line changed them; a pruned one follows its weights."""
    return [Path(path) for name, path, _ in models if name in (ALONE, DISTILLED) and path != str(work.config.filename)]


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


if __name__ == '__main__':
    main()
