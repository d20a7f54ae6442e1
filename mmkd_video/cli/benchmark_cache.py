"""``tools/benchmark.py cache``: an epoch with a teacher's cached answers, beside one without and one with it."""

import argparse

from mmkd_video.benchmark import Report
from mmkd_video.cli.benchmark_outputs import add_max_rounds, add_outputs
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.core.progress_bar import ProgressBar, at_every_fifth
from mmkd_video.workflows.measure.cache import VIEWS, benchmark_cache
from mmkd_video.workflows.measure.rounds import FEWEST_ROUNDS, StepSettings
from mmkd_video.workflows.measure.saved import CACHE

MOST_ROUNDS = 40  # one takes several seconds


def add_cache(kinds: argparse._SubParsersAction) -> None:
    """Add ``cache`` to the parser of ``tools/benchmark.py``."""
    parser = kinds.add_parser(
        CACHE,
        help='an epoch of the student alone, with the teacher, and with its cached answers; bytes of a clip',
        description='Measure pieces of epochs, loading included: the student alone, with the teacher itself, and with '
        'its cached answers, of one clip and of several of each decoded video.',
    )
    parser.set_defaults(measure=_measure)
    parser.add_argument('config', nargs='?', help='a distillation config; by default I3D-R50 to TSM-MobileNetV2')
    parser.add_argument('--views', type=int, default=VIEWS, help=f'augmentations of each video ({VIEWS})')
    parser.add_argument('--videos', type=int, help='training videos that are used (two for each clip of a batch)')
    parser.add_argument('--batch-size', type=int, help="instead of the config's")
    parser.add_argument('--rounds', type=int, default=FEWEST_ROUNDS, help='each holds every variant once')
    add_max_rounds(parser, MOST_ROUNDS)
    parser.add_argument('--warmup', type=int, default=1, help='rounds before that')
    parser.add_argument('--threads', type=int, default=1, help="PyTorch's; with one, CPU time counts only work")
    add_cfg_options(parser)
    add_outputs(parser, CACHE)


def _measure(options: argparse.Namespace) -> Report:
    with ProgressBar('round', print_rule=at_every_fifth) as progress:
        return benchmark_cache(
            options.config,
            videos=options.videos,
            views=options.views,
            batch_size=options.batch_size,
            cfg_options=options.cfg_options,
            settings=StepSettings(
                rounds=options.rounds,
                max_rounds=options.max_rounds,
                warmup=options.warmup,
                threads=options.threads,
                memory_runs=0,
            ),
            progress=progress,
        )
