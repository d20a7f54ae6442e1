"""``tools/benchmark.py decode``: which decoder reads the user's own clips fastest, and whether frames are the same."""

import argparse

from mmkd_video.benchmark import Report
from mmkd_video.cli.benchmark_outputs import add_outputs
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.core.progress_bar import ProgressBar
from mmkd_video.workflows.measure.decode import benchmark_decode
from mmkd_video.workflows.measure.saved import DECODE


def add_decode(kinds: argparse._SubParsersAction) -> None:
    """Add ``decode`` to the parser of ``tools/benchmark.py``."""
    parser = kinds.add_parser(
        DECODE,
        help='the installed decoders on your own clips, and whether their frames are the same',
        description="Let every installed decoder read a config's training clips, as its pipeline samples them.",
    )
    parser.set_defaults(measure=_measure)
    parser.add_argument('config', help='of a training')
    parser.add_argument('--clips', type=int, default=32, help='videos, spread over the training set')
    parser.add_argument('--rounds', type=int, default=7, help='each measures every decoder once')
    parser.add_argument('--warmup', type=int, default=1, help='rounds before that')
    add_cfg_options(parser)
    add_outputs(parser, DECODE)


def _measure(options: argparse.Namespace) -> Report:
    with ProgressBar('round') as progress:
        return benchmark_decode(
            options.config,
            clips=options.clips,
            rounds=options.rounds,
            warmup=options.warmup,
            cfg_options=options.cfg_options,
            progress=progress,
        )
