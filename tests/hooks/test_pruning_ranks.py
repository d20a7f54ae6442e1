"""Two ranks prune alike, go on exchanging gradients, and resume."""

import clips
import pytest
from killable_run import assert_same, final_state
from rank_runs import run_ranks

from mmkd_video.compat import safe_load
from mmkd_video.pruning import PRUNING_KEY, PruningHistory

pytestmark = pytest.mark.slow


def test_two_ranks_prune_alike_and_resume(tmp_path):
    videos, folder = clips.make_set(tmp_path / 'clips', count=8), tmp_path / 'run'
    run_ranks('pruned_ranks.py', videos, folder)
    checkpoint = safe_load.load(folder / 'epoch_3.pth')
    assert len(PruningHistory.from_json(checkpoint[PRUNING_KEY])) == 2
    expected, _ = final_state(folder)
    (folder / 'epoch_3.pth').unlink()
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_2.pth'))
    run_ranks('pruned_ranks.py', videos, folder, 'resume')
    assert_same(final_state(folder)[0], expected)
