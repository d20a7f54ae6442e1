"""Two ranks unfreeze alike, go on exchanging gradients, and resume."""

import clips
import pytest
from killable_run import assert_same, final_state
from rank_runs import run_ranks

pytestmark = pytest.mark.slow


def test_two_ranks_unfreeze_alike_and_resume(tmp_path):
    videos, folder = clips.make_set(tmp_path / 'clips', count=8), tmp_path / 'run'
    run_ranks('freeze_ranks.py', videos, folder)
    expected, _ = final_state(folder)
    (folder / 'epoch_3.pth').unlink()
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_2.pth'))
    run_ranks('freeze_ranks.py', videos, folder, 'resume')
    assert_same(final_state(folder)[0], expected)
