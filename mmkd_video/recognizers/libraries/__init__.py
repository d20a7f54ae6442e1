"""Models of other libraries as recognizers: a prefix for each library, as in ``hf::<folder>``."""

from mmkd_video.recognizers.libraries.reading import (
    has_own_checkpoints,
    is_library_model,
    load_own_weights,
    local_weights,
    read_library_model,
)

__all__ = ['has_own_checkpoints', 'is_library_model', 'load_own_weights', 'local_weights', 'read_library_model']
