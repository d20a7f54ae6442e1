"""A backend of a user's own, in one file: TorchScript on the CPU."""

import json

import numpy as np
import torch

from mmkd_video.core.files.staged import atomic_files
from mmkd_video.core.registry import EXPORT_BACKENDS
from mmkd_video.export import DeployableRecognizer, ExportedModel, ExportMetadata


@EXPORT_BACKENDS.register_module(force=True)
class TorchScriptModel(ExportedModel):
    """TorchScript; what the file says about itself lies in it as JSON."""

    backend = format = 'torchscript'
    title = 'TorchScript'
    written = suffixes = ('.ts',)

    @classmethod
    def export(cls, model, path, clips, metadata=None, dynamic_clips=False, force=False):
        model = model if isinstance(model, DeployableRecognizer) else DeployableRecognizer(model)
        metadata = metadata or ExportMetadata.describe(model, clips)
        traced = torch.jit.trace(model, torch.from_numpy(np.concatenate([clips, clips])), check_trace=False)
        with atomic_files(path, cls.written, force) as temporary:
            traced.save(str(temporary), _extra_files={'metadata': json.dumps(metadata.to_strings())})
        return path

    def _open(self):
        extra = {'metadata': ''}
        self.module = torch.jit.load(str(self.path), _extra_files=extra)
        return json.loads(extra['metadata'])

    def _infer(self, clips):
        with torch.inference_mode():
            return self.module(torch.from_numpy(clips)).numpy()
