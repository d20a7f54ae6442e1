"""``tools/benchmark.py stream``: does a stream run as fast as the slower of its two stages alone?"""

import argparse

from mmkd_video.benchmark import Report
from mmkd_video.cli.benchmark_outputs import add_max_rounds, add_outputs
from mmkd_video.cli.custom_imports import add_custom_imports, import_modules
from mmkd_video.core.progress_bar import ProgressBar
from mmkd_video.export import export_backends, exported_suffixes
from mmkd_video.export.metadata import PRECISIONS
from mmkd_video.workflows.measure import stream
from mmkd_video.workflows.measure.rounds import FEWEST_ROUNDS
from mmkd_video.workflows.measure.saved import STREAM


def add_stream(kinds: argparse._SubParsersAction) -> None:
    """Add ``stream`` to the parser of ``tools/benchmark.py``."""
    parser = kinds.add_parser(
        STREAM,
        help='throughput of tools/stream.py beside its two stages alone',
        description='Measure a stream, its decoder alone and its model alone, interleaved.',
    )
    parser.set_defaults(measure=_measure)
    parser.add_argument(
        '--model', required=True, help=f'of tools/export.py or tools/quantize.py: {" or ".join(exported_suffixes())}'
    )
    parser.add_argument(
        '--beside',
        metavar='MODEL',
        help='of sliding windows, beside one that takes a frame at a time (export.py --stream)',
    )
    parser.add_argument('--video', help=f'by default one of {stream.SIZE[0]} x {stream.SIZE[1]} pixels is made')
    parser.add_argument('--frames', type=int, default=stream.FRAMES, help='of the video that is made')
    parser.add_argument('--hop', type=int, nargs='+', default=stream.HOPS, help='pictures from window to window')
    parser.add_argument('--rounds', type=int, default=FEWEST_ROUNDS, help='each measures everything once')
    add_max_rounds(parser, stream.MOST_ROUNDS)
    parser.add_argument('--warmup', type=int, default=stream.WARMUP, help='rounds before that')
    parser.add_argument('--requests', type=int, default=2, help='windows in the model at once')
    parser.add_argument('--threads', type=int, default=1, help='of the model')
    parser.add_argument('--decoder-threads', type=int, default=1, help='of the decoder')
    parser.add_argument(
        '--backend', metavar='RUNTIME', help=f"{', '.join(export_backends())}; by the model's name by default"
    )
    parser.add_argument('--precision', choices=PRECISIONS, help='what the model says by default')
    add_custom_imports(parser)
    add_outputs(parser, STREAM)


def _measure(options: argparse.Namespace) -> Report:
    import_modules(options.custom_imports)
    with ProgressBar('round') as progress:
        return stream.benchmark_stream(
            options.model,
            video=options.video,
            frames=options.frames,
            hops=options.hop,
            rounds=options.rounds,
            max_rounds=options.max_rounds,
            warmup=options.warmup,
            requests=options.requests,
            threads=options.threads,
            decoder_threads=options.decoder_threads,
            backend=options.backend,
            precision=options.precision,
            beside=options.beside,
            progress=progress,
        )
