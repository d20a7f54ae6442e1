"""A reader by indices has a place to go on from."""

import numpy as np

from mmkd_video.datasets.decoders.frames import Frames, IndexedReader


class Numbered(IndexedReader):
    """Frames of one pixel, which holds their index."""

    def get_batch(self, indices):
        return Frames(np.array(indices, np.uint8).reshape(-1, 1, 1, 1))


def test_next_goes_on_from_where_seek_went():
    reader = Numbered()
    seen = [reader.next().asnumpy() for _ in range(2)]
    reader.seek(np.int64(7))
    seen += [reader.next().asnumpy() for _ in range(2)]
    assert [each.item() for each in seen] == [0, 1, 7, 8] and seen[0].shape == (1, 1, 1)
