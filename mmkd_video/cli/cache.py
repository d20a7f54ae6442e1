"""The command line of ``tools/cache_teacher.py``."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import mmkd_video  # noqa: F401  the stack must be mended before a config with custom imports is read
from mmkd_video.cli.arguments import checked_options
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.interrupts import exit_on_interrupt
from mmkd_video.cli.mistakes import EXITS, exit_on_mistake
from mmkd_video.cli.train import add_launcher
from mmkd_video.core.command_line import program_of
from mmkd_video.core.mistakes import as_settings_errors
from mmkd_video.core.progress_bar import ProgressBar, at_each_tenth
from mmkd_video.recognizers.config import read_config
from mmkd_video.workflows.cache.caching import cache_teacher
from mmkd_video.workflows.train.prepare import own_rank


def main(arguments: Sequence[str] | None = None) -> None:
    """Keep a teacher's answers as the command line says."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    os.environ.setdefault('LOCAL_RANK', str(options.local_rank))
    hint = 'the same command goes on after the last file that is whole'
    with exit_on_interrupt(parser, hint), exit_on_mistake(parser):
        with as_settings_errors():
            config = read_config(options.config, options.cfg_options)
        out = Path(options.out or Path('work_dirs', 'cache', Path(options.config).stem))
        with ProgressBar('caching', 'clips', at_each_tenth) as bar:
            done = cache_teacher(
                config,
                out,
                views=options.views,
                same_frames=options.same_frames,
                topk=options.topk,
                taps=options.taps,
                teacher=options.teacher_name,
                seed=options.seed,
                batch_size=options.batch_size,
                workers=options.workers,
                amp=options.amp,
                launcher=options.launcher,
                may_prepare=not options.no_prepare,
                progress=bar if own_rank(options.launcher) == 0 else lambda done, total: None,
            )
        if own_rank(options.launcher) > 0:
            return
        print(
            f'{out} holds answers to {done.clips} clips in {done.bytes} bytes, {done.bytes / done.clips:.0f} a clip; '
            f'{done.computed} were made now, {done.absent} of them are missing, as their videos cannot be read'
        )


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog=program_of('cache'),
        description="Run a distillation's teacher over its training set once; a CachedTeacher then gives its answers. "
        'Several processes share the work.',
        epilog='Started again, it goes on after the last file that is whole; ' + EXITS,
    )
    parser.add_argument('config', help='of the distillation, with the teacher that is to answer')
    parser.add_argument('--out', help='folder of the cache; work_dirs/cache/<config> by default')
    parser.add_argument('--views', type=int, default=1, help='augmentations of each sample; 1')
    parser.add_argument(
        '--same-frames', type=int, default=1, help='augmentations, one after the other, of the same frames; 1'
    )
    parser.add_argument('--topk', type=int, help='classes whose scores are kept; the rest is spread; all by default')
    parser.add_argument('--taps', nargs='+', help='what to keep; by default class scores and what the terms read')
    parser.add_argument('--teacher-name', metavar='NAME', help='which of several teachers; the only one by default')
    parser.add_argument('--seed', type=int, help="that augmentations follow from; the config's by default")
    parser.add_argument('--batch-size', type=int, help="clips at once; the training's by default")
    parser.add_argument('--workers', type=int, help="processes that load clips; the training's by default")
    parser.add_argument('--amp', action='store_true', help='half precision: float16 on a GPU, bfloat16 on a CPU')
    parser.add_argument('--no-prepare', action='store_true', help='neither render clips nor train the teacher first')
    add_cfg_options(parser)
    add_launcher(parser)
    return checked_options(parser)


if __name__ == '__main__':
    main()
