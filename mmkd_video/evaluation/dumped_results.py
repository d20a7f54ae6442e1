"""The predictions of a test as a pickle file, written completely or not at all."""

import pickle

from mmengine.evaluator import DumpResults

from mmkd_video.core.files.atomic import write_atomically
from mmkd_video.core.registry import METRICS


@METRICS.register_module()
class WholeDumpResults(DumpResults):
    """MMEngine's ``DumpResults``, with a file that gets its name when it is complete and on the disk."""

    def compute_metrics(self, results: list) -> dict:
        """Write the predictions.

        Args:
            results: Results of all samples.

        Raises:
            OSError: They cannot be written.
        """
        write_atomically(pickle.dumps(results, protocol=2), self.out_file_path)
        return {}
