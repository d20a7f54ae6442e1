"""One rank of a training with cached answers under torchrun: a config, and the folder of its notes."""

import json
import sys
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import mmkd_video  # noqa: F401
from mmkd_video.hooks.model_wrapper import unwrapped_model

if __name__ == '__main__':
    torch.set_num_threads(1)
    init_default_scope('mmaction')
    runner = Runner.from_cfg(Config.fromfile(sys.argv[1]))
    teacher, notes = unwrapped_model(runner).teachers['teacher'], []
    teach = teacher.teach

    def noted(step):
        found = teach(step)
        views = [sample.sample_view for sample in step.data_samples]
        notes.extend(zip(step.indices.tolist(), views, found['logits'].tolist(), strict=True))
        return found

    teacher.teach = noted
    runner.train()
    weights = {key: value.double().sum().item() for key, value in unwrapped_model(runner).state_dict().items()}
    Path(sys.argv[2], f'rank{get_rank()}.json').write_text(json.dumps(dict(notes=notes, weights=weights)))
