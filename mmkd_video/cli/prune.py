"""The code behind ``tools/prune.py``: a trained student loses channels, in one shot."""

import argparse
import io
from collections.abc import Sequence
from pathlib import Path

import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from torch import Tensor, nn

import mmkd_video  # noqa: F401  the stack must be mended before a model is built
from mmkd_video.cli.arguments import checked_numbers
from mmkd_video.cli.cfg_options import add_cfg_options
from mmkd_video.cli.mistakes import EXITS, exit_on_error
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.placed import expect_new
from mmkd_video.pruning import CHECKPOINT_KEY, PruningHistory, count_flops, count_params, prune
from mmkd_video.pruning.pruner import SCOPES, TARGETS
from mmkd_video.pruning.units import CRITERIA
from mmkd_video.quantization import CHECKPOINT_KEY as QUANTIZERS_KEY
from mmkd_video.recognizers.config import read_config
from mmkd_video.recognizers.plain_student import plain_student
from mmkd_video.recognizers.real_clips import real_clips
from mmkd_video.recognizers.size import find_size, noise_for
from mmkd_video.workflows.deploy.pruned_config import write_pruned_config
from mmkd_video.workflows.deploy.student import checkpoint_digest, load_student, read_checkpoint


def main(arguments: Sequence[str] | None = None) -> PruningHistory:
    """Prune as the command line says.

    Returns:
        The history of the pruned model.
    """
    parser = build_parser()
    options = parser.parse_args(arguments)
    target = {kind: value for kind in TARGETS if (value := getattr(options, f'target_{kind}')) is not None}
    settings = dict(
        criterion=options.criterion,
        scope=options.scope,
        keep=options.keep,
        round_to=options.round_to,
        max_ratio=options.max_ratio,
        seed=options.seed,
    )
    with exit_on_error(parser):
        config = read_config(options.config, options.cfg_options)
        return prune_student(
            config,
            options.checkpoint,
            Path(options.out),
            target,
            clips=options.clips,
            rewritten=bool(options.cfg_options),
            force=options.force,
            **settings,
        )


def prune_student(
    config: Config,
    checkpoint: str | Path,
    out: Path,
    target: dict[str, float],
    clips: int = 64,
    rewritten: bool = False,
    force: bool = False,
    **settings: object,
) -> PruningHistory:
    """Prune the student of a config; write its checkpoint and, beside it, the config that builds it.

    Args:
        config: Of the student, or of its distillation.
        checkpoint: Of the student.
        out: The pruned checkpoint, ``.pth``; the config gets the same name with ``.py``.
        target: Such as ``dict(params=0.5)``; see :func:`mmkd_video.pruning.prune`.
        clips: For ``criterion='taylor'``: how many training clips the gradients come from.
        rewritten: Whether the config differs from its file, so that the new one cannot inherit it.
        force: Whether existing files may be replaced.
        **settings: Of :func:`mmkd_video.pruning.prune`.

    Returns:
        The history of the pruned model.

    Raises:
        FileExistsError: A file exists.
        FileNotFoundError: The checkpoint, or the clips for ``'taylor'``, are not there.
        ValueError: The target cannot be reached, or checkpoint and config do not go together.
        MissingExtraError: torch-pruning is not installed.
    """
    expect_new(out, ('.pth', '.py'), force)
    plain = plain_student(config)
    model = load_student(config, checkpoint)
    if QUANTIZERS_KEY in read_checkpoint(checkpoint):
        print('note: this student was trained in int8; the pruned one computes in float, train it with QATHook again')
    inputs = noise_for(model, find_size(plain.model, plain, None, 'student'))
    if settings.get('criterion') == 'taylor':
        add_gradients(model, config, clips)
    rows = [('', 'params', 'GFLOPs'), ('before', *sizes_of(model, inputs))]
    history = prune(model, inputs, target, **settings)
    rows.append(('after', *sizes_of(model, inputs)))
    state = {key: value.detach().cpu() for key, value in model.state_dict().items()}
    meta = dict(pruned_from=str(checkpoint), pruned_from_sha256=checkpoint_digest(checkpoint))
    content = io.BytesIO()
    torch.save(dict(meta=meta, state_dict=state, **{CHECKPOINT_KEY: history.to_json()}), content)
    write_atomically(content.getvalue(), out)
    written = write_pruned_config(config, out, rewritten)
    print('\n'.join(f'{name:8}{params:>14}{gflops:>10}' for name, params, gflops in rows))
    if whole := history.steps[-1].settings.get('left_whole'):
        print(f'left whole: {whole}')
    print(f'wrote {out} ({out.stat().st_size / 1e6:.2f} MB) and {written}, which builds and tests it')
    return history


def add_gradients(model: nn.Module, config: Config, clips: int) -> None:
    """Give the parameters the gradients of the classification loss on training clips.

    Args:
        model: The student in eval mode; dropout and batch statistics stay off.
        config: Of the student, or of its distillation.
        clips: How many, spread evenly over the training set.

    Raises:
        ValueError: The clips have no single label.
    """
    found = real_clips(config, clips, 'train_dataloader')
    if min(found.labels) < 0:
        raise ValueError('--criterion taylor: the training clips must have one label each')
    for clip, label in zip(found.clips, found.labels, strict=True):
        sample = ActionDataSample().set_gt_label(label)
        data = model.data_preprocessor(dict(inputs=[torch.from_numpy(clip)], data_samples=[sample]), False)
        model.parse_losses(model(**data, mode='loss'))[0].backward()


def sizes_of(model: nn.Module, inputs: Tensor) -> tuple[str, str]:
    """Return the parameters and the GFLOPs of one clip as text; a dash where they cannot be counted."""
    try:
        gflops = f'{count_flops(model, inputs) / 1e9:.4f}'
    except ValueError:
        gflops = '-'
    return f'{count_params(model):,}', gflops


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog='prune.py',
        description='Remove the least important channels of a trained student. Accuracy suffers until it is trained '
        'on: take the config that is written as the student of a distillation, or train it as it is.',
        epilog=EXITS,
    )
    parser.add_argument('config', help='of the student, or of its distillation')
    parser.add_argument('checkpoint', help='of the student')
    targets = parser.add_mutually_exclusive_group(required=True)
    for kind, what in zip(TARGETS, ('parameters', 'operations', 'time (measured here)'), strict=True):
        targets.add_argument(f'--target-{kind}', type=float, metavar='FRACTION', help=f'of the {what} that is left')
    parser.add_argument('--criterion', choices=CRITERIA, default='magnitude', help='which channels go (magnitude)')
    parser.add_argument('--scope', choices=SCOPES, default='global', help='where channels compete (global)')
    parser.add_argument('--keep', nargs='+', default=[], metavar='LAYER', help='layers that stay whole; * is allowed')
    parser.add_argument('--round-to', type=int, default=1, metavar='N', help='leave multiples of N channels (1)')
    parser.add_argument('--max-ratio', type=float, default=0.9, help='the most that a layer may lose (0.9)')
    parser.add_argument('--clips', type=int, default=64, help='training clips for --criterion taylor (64)')
    parser.add_argument('--seed', type=int, default=0, help='of --criterion random (0)')
    parser.add_argument('--out', required=True, metavar='FILE.pth', help='the pruned checkpoint; its config: FILE.py')
    parser.add_argument('--force', action='store_true', help='replace existing files')
    add_cfg_options(parser)
    return checked_numbers(parser)


if __name__ == '__main__':
    main()
