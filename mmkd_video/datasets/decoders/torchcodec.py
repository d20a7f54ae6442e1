"""TorchCodec behind decord's interface."""

from collections.abc import Iterable

from mmkd_video.core.optional_packages import MissingExtraError, import_extra
from mmkd_video.datasets.decoders.frames import Frames, IndexedReader


class TorchCodecReader(IndexedReader):
    """Read a video with PyTorch's decoder, by exact frame indices.

    Args:
        content: The file.
        threads: Threads that decode.

    Raises:
        ImportError: TorchCodec is not installed, or finds no FFmpeg.
        Exception: As TorchCodec raises for what it cannot read.
    """

    def __init__(self, content: bytes, threads: int = 1) -> None:
        try:
            decoders = import_extra('torchcodec.decoders', 'torchcodec')
        except (OSError, RuntimeError) as error:  # it loads FFmpeg and torch's libraries when it is imported
            raise MissingExtraError(
                'torchcodec is installed and does not load: it needs FFmpeg 4 to 8, which pip does not bring, and the '
                f'version that belongs to this torch; see its README ({str(error).strip().splitlines()[-1]})'
            ) from error
        settings = dict(dimension_order='NHWC', num_ffmpeg_threads=threads, seek_mode='exact')
        self._decoder = decoders.VideoDecoder(content, **settings)

    def __len__(self) -> int:
        return len(self._decoder)

    def get_avg_fps(self) -> float:
        """Return frames a second."""
        return float(self._decoder.metadata.average_fps)

    def get_batch(self, indices: Iterable[int]) -> Frames:
        """Return frames in the order of ``indices``."""
        return Frames(self._decoder.get_frames_at(indices=[int(index) for index in indices]).data.numpy())
