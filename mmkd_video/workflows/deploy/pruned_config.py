"""Configs of pruned students."""

import os
from pathlib import Path

from mmengine.config import Config

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.pruning import unpruned_config
from mmkd_video.recognizers.plain_student import is_distillation, plain_student

_INHERITED = """# A pruned student; {name} holds what was removed, and the weights. Move the two together.
_base_ = {base!r}
custom_imports = dict(imports=['mmkd_video'], allow_failed_imports=False)
model = dict(
    _delete_=True,
    type='PrunedRecognizer',
    recognizer=_base_.model{inner},
    history='{{{{ fileDirname }}}}/{name}',
)
load_from = '{{{{ fileDirname }}}}/{name}'
"""


def write_pruned_config(config: Config, checkpoint: Path, rewritten: bool = False) -> Path:
    """Write, beside a pruned checkpoint, the config that builds, tests and trains it on.

    Args:
        config: Config that the checkpoint was pruned under: of the plain student, or of its distillation.
        checkpoint: The pruned one.
        rewritten: Whether the config differs from its file; the new one then stands alone instead of inheriting it.

    Returns:
        The config's path.
    """
    path = checkpoint.with_suffix('.py')
    if rewritten or is_distillation(config) or not config.filename:
        plain = plain_student(config)
        plain.pop('prepare', None)
        plain.custom_hooks = [  # what was pruned is kept, and no more goes
            dict(type='PruningHook') if hook.get('type') == 'PruningHook' else hook
            for hook in plain.get('custom_hooks') or []
        ]
        pruned = dict(
            type='PrunedRecognizer', recognizer=unpruned_config(plain.model), history=checkpoint.resolve().as_posix()
        )
        plain['model'] = None
        plain.model = pruned
        plain.load_from = pruned['history']
        plain.custom_imports = dict(imports=['mmkd_video'], allow_failed_imports=False)
        text = f'# A pruned student; the checkpoint holds what was removed, and the weights.\n{plain.pretty_text}'
    else:
        base = os.path.relpath(config.filename, checkpoint.parent)
        inner = '.recognizer' if config.model.type == 'PrunedRecognizer' else ''
        text = _INHERITED.format(base=Path(base).as_posix(), name=checkpoint.name, inner=inner)
    write_atomically(text.encode(), path)
    return path
