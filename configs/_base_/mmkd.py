# What every distillation needs beside its model: inherit this file next to the student's own config.
custom_imports = dict(imports=['mmkd_video'], allow_failed_imports=False)
custom_hooks = [
    dict(type='DistillHook'),  # schedules, connectors in checkpoints
    dict(type='ReproducibleHook', max_bad_videos=10),  # randomness from (seed, epoch, sample); bad videos, by process
    dict(type='StopSignalHook', grace=25.0),  # a checkpoint and the end at SIGTERM and ctrl-C
    dict(type='CheckpointGuardHook'),  # atomic checkpoints, fallback on resume
    dict(type='FiniteHook', max_skipped=10),  # ends a training on NaN before a checkpoint holds any
    dict(type='DistillWatchHook', max_ratio=10.0),  # warns of gradients and of a student that does not learn
    dict(type='PruningHook'),  # without a target: keeps in checkpoints what was removed from a pruned student
    dict(type='TeacherPredictionsHook'),  # agreement of student and teacher beside accuracy
]
randomness = dict(seed=0)
