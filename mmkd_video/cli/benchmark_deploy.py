"""``tools/benchmark.py deploy``: latency, size and accuracy of models where they will run."""

import argparse

from mmkd_video.benchmark import DeploymentReport
from mmkd_video.cli.benchmark_outputs import add_outputs
from mmkd_video.workflows.deploy.quantized_student import MAX_DROP
from mmkd_video.workflows.measure.deploy import PICTURE, TARGET_DROP, benchmark_deploy
from mmkd_video.workflows.measure.deploy_candidates import CALIBRATION
from mmkd_video.workflows.measure.deploy_runtimes import all_runtimes
from mmkd_video.workflows.measure.deploy_settings import WARMUP, usual_threads
from mmkd_video.workflows.measure.saved import DEPLOY


def add_deploy(kinds: argparse._SubParsersAction) -> None:
    """Add ``deploy`` to the parser of ``tools/benchmark.py``."""
    parser = kinds.add_parser(
        DEPLOY,
        help='latency, throughput, memory, size and accuracy of models in their runtimes',
        description='Measure models side by side in eager PyTorch, torch.compile and every export backend, those too '
        'that their configs import. The first --model in its first runtime is 1 x.',
    )
    parser.set_defaults(measure=_measure)
    parser.add_argument(
        '--model',
        nargs=3,
        action='append',
        metavar=('NAME', 'CONFIG', 'CHECKPOINT'),
        default=[],
        dest='models',
        help='a trained recognizer and its name in the table; may be repeated',
    )
    parser.add_argument(
        '--random-weights',
        action='store_true',
        help="no checkpoints are needed: MMAction2's I3D-R50 and TSM-MobileNetV2 at 224 pixels, or each --model (its "
        'CHECKPOINT is not read), with random weights, each in int8 too; accuracies say nothing then',
    )
    parser.add_argument(
        '--int8',
        nargs='+',
        default=[],
        metavar='NAME',
        help='each --model to measure in int8 too, calibrated here (those of --file are quantized already)',
    )
    parser.add_argument('--calibration', type=int, help=f'training clips for --int8 ({CALIBRATION})')
    parser.add_argument(
        '--max-drop', type=float, metavar='X', help=f'top-1 that a model of --int8 may lose ({MAX_DROP}; random: 1)'
    )
    parser.add_argument(
        '--file',
        nargs=3,
        action='append',
        default=[],
        metavar=('NAME', 'OF', 'FILE'),
        dest='files',
        help='an exported or quantized file, and the --model whose clips it takes',
    )
    parser.add_argument(
        '--runtimes',
        nargs='+',
        metavar='RUNTIME',
        help=f'{", ".join(all_runtimes())}, or of a backend that a config imports; all that run here by default',
    )
    parser.add_argument(
        '--threads',
        type=int,
        nargs='+',
        default=usual_threads(),
        help='of the CPU; each is measured',
    )
    parser.add_argument('--rounds', type=int, help='each measures every model in every runtime once (30; random: 10)')
    parser.add_argument(
        '--max-rounds',
        type=int,
        help='of one clip and of two, rounds are added until the interval of every ratio reaches at most a hundredth '
        'of its median from it; no more than these (100; random: 20)',
    )
    parser.add_argument('--warmup', type=int, default=WARMUP, help='rounds before that')
    parser.add_argument('--batch-size', type=int, help='for the throughput (8; random: 2)')
    parser.add_argument('--clips', type=int, help='of test, for the accuracy; 0: none (1000; random: 0)')
    parser.add_argument('--no-memory', action='store_true', help='do not measure memory')
    parser.add_argument(
        '--target-speedup',
        type=float,
        help='of the last line over the first, in single clips a second',
    )
    parser.add_argument(
        '--target-drop', type=float, default=TARGET_DROP, help='points that its accuracy may lie below --reference'
    )
    parser.add_argument('--reference', metavar='NAME', help='the --model whose accuracy it is compared with')
    add_outputs(parser, DEPLOY, PICTURE)


def _measure(options: argparse.Namespace) -> DeploymentReport:
    return benchmark_deploy(
        options.models,
        files=options.files,
        random_weights=options.random_weights,
        int8=options.int8,
        calibration=options.calibration,
        max_drop=options.max_drop,
        runtimes=options.runtimes,
        threads=options.threads,
        rounds=options.rounds,
        max_rounds=options.max_rounds,
        warmup=options.warmup,
        batch_size=options.batch_size,
        clips=options.clips,
        memory=not options.no_memory,
        reference=options.reference,
        target_speedup=options.target_speedup,
        target_drop=options.target_drop,
        picture=options.picture,
    )
