"""What is said of a teacher on the first clips that it sees."""

import torch

from mmkd_video.distillers import first_batches


def test_clips_of_classes_that_came_later_do_not_count_against_the_teacher(monkeypatch):
    said = []
    monkeypatch.setattr(first_batches, 'print_log', lambda text, **how: said.append((text, how.get('level'))))
    labels = torch.arange(first_batches.WATCHED_CLIPS * 2) % 6
    logits = torch.nn.functional.one_hot(labels % 3, 3).float()
    first_batches.FirstBatches('old', 3).check(dict(logits=logits), labels)
    ((line, level),), known = said, int((labels < 3).sum())
    assert level is None and line.startswith(f'old: 100.0% top-1 on the first {known} training')
