"""A trained student loses channels, in one shot."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from torch import Tensor, nn

from mmkd_video.core.compression import in_order
from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.files.staged import expect_new_files
from mmkd_video.core.mistakes import WrongValueError
from mmkd_video.core.text_table import aligned
from mmkd_video.pruning import PRUNING_KEY, Pruning, PruningHistory, count_flops, count_params, prune
from mmkd_video.quantization import Quantization
from mmkd_video.recognizers.input_form import noise_clip
from mmkd_video.recognizers.plain_student import plain_student
from mmkd_video.recognizers.real_clips import real_clips
from mmkd_video.recognizers.size import find_size
from mmkd_video.workflows.deploy.pruned_config import write_pruned_config
from mmkd_video.workflows.deploy.student import StudentCheckpoint


def prune_student(
    config: Config,
    checkpoint: str | Path,
    out: Path,
    target: Mapping[str, float],
    *,
    criterion: str = 'magnitude',
    scope: str = 'global',
    keep: Sequence[str] = (),
    round_to: int = 1,
    max_ratio: float = 0.9,
    seed: int = 0,
    clips: int = 64,
    rewritten: bool = False,
    force: bool = False,
) -> PruningHistory:
    """Prune the student of a config; write its checkpoint and, beside it, the config that builds it.

    Args:
        config: The student's config, or that of its distillation.
        checkpoint: The student's checkpoint.
        out: The pruned checkpoint, ``.pth``; the config gets the same name with ``.py``.
        target: Target that says what is to be left, such as ``dict(params=0.5)``; see :func:`mmkd_video.pruning.prune`.
        criterion: Criterion of which channels go; see :class:`mmkd_video.pruning.Pruner` for this and the next five.
        scope: Part of the model within which channels compete.
        keep: Layers that stay whole, ``*`` allowed.
        round_to: A number of which every layer keeps a multiple of channels.
        max_ratio: The largest part of its channels that a layer may lose, 0 to 1.
        seed: The seed of ``criterion='random'``.
        clips: Number of training clips that gradients come from, for ``criterion='taylor'``.
        rewritten: Whether the config differs from its file, so that the new one cannot inherit it.
        force: Whether existing files may be replaced.

    Returns:
        The history of the pruned model.

    Raises:
        FileExistsError: A file exists.
        FileNotFoundError: The checkpoint, or the clips for ``'taylor'``, are not there.
        ValueError: The target cannot be reached, checkpoint and config do not go together, or the student has a
            compression that pruning cannot follow.
        MissingExtraError: torch-pruning is not installed.
    """
    expect_new_files(out, ('.pth', '.py'), force)
    plain = plain_student(config)
    trained = StudentCheckpoint.read(checkpoint)
    kept = _kept_compressions(trained)
    model = trained.build(config)
    inputs = noise_clip(model, find_size(plain.model, plain, None, 'student'))
    if criterion == 'taylor':
        add_gradients(model, config, clips)
    rows = [('', 'params', 'GFLOPs'), ('before', *sizes_of(model, inputs))]
    history = prune(
        model,
        inputs,
        target,
        criterion=criterion,
        scope=scope,
        keep=keep,
        round_to=round_to,
        max_ratio=max_ratio,
        seed=seed,
    )
    rows.append(('after', *sizes_of(model, inputs)))
    state = {key: value.detach().cpu() for key, value in model.state_dict().items()}
    meta = dict(pruned_from=str(checkpoint), pruned_from_sha256=trained.digest)
    content = io.BytesIO()
    torch.save(dict(meta=meta, state_dict=state, **{**kept, PRUNING_KEY: history.to_json()}), content)
    write_atomically(content.getvalue(), out)
    written = write_pruned_config(config, out, rewritten)
    print('\n'.join(aligned(rows, rule=False)))
    if whole := history.steps[-1].settings.get('left_whole'):
        print(f'left whole: {whole}')
    print(f'wrote {out} ({out.stat().st_size / 1e6:.2f} MB) and {written}, which builds and tests it')
    return history


def _kept_compressions(trained: StudentCheckpoint) -> dict[str, Any]:
    """Return what other compressions wrote that a pruned student keeps; print or refuse what it cannot keep."""
    kept = {}
    for each in in_order(trained.compressions):
        if each.key in Pruning.may_follow:
            kept[each.key] = trained.compressions[each.key]
        elif each.needed:
            raise WrongValueError(
                f'{trained.path} holds the compression {each.key!r}, and such a student is not pruned; prune first'
            )
        elif each is Quantization:
            print(
                'note: this student was trained in int8; the pruned one computes in float, train it with QATHook again'
            )
        else:
            print(f'note: the pruned student computes without the compression {each.key!r} of this one')
    return kept


def add_gradients(model: nn.Module, config: Config, clips: int) -> None:
    """Give the parameters the gradients of the classification loss on training clips.

    Args:
        model: The student in eval mode; dropout and batch statistics stay off.
        config: The student's config, or that of its distillation.
        clips: Number of clips, spread evenly over the training set.

    Raises:
        ValueError: The clips have no single label.
    """
    found = real_clips(config, clips, 'train_dataloader')
    if min(found.labels) < 0:
        raise WrongValueError('--criterion taylor: the training clips must have one label each')
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
