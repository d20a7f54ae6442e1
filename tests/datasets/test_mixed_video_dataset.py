import mmkd_video  # noqa: F401  isort: skip  mends the imports below
import pytest

from mmkd_video.datasets import MixedVideoDataset
from mmkd_video.recognizers.budget import count_clips


@pytest.fixture
def root(tmp_path):
    """Twenty clips of two classes, two without a label; five more in a second list."""
    lines = [f'{index}.mp4 {index % 2}' for index in range(20)] + ['20.mp4 -1', '21.mp4']
    (tmp_path / 'train.txt').write_text('\n'.join(lines) + '\n')
    (tmp_path / 'more.txt').write_text(''.join(f'{index}.mp4 1\n' for index in range(30, 35)))
    return tmp_path


def labels(root, **arguments):
    dataset = MixedVideoDataset('train.txt', [], data_root=str(root), data_prefix=dict(video=''), **arguments)
    infos = [dataset.get_data_info(index) for index in range(len(dataset))]
    return [(info['filename'].rpartition('/')[2], info['label']) for info in infos]


def test_a_line_without_a_label_and_the_second_list_are_unlabelled(root):
    found = labels(root, unlabelled='more.txt')
    assert [label for _, label in found] == [0, 1] * 10 + [-1] * 7
    assert found[-1][0] == '34.mp4'


def test_a_share_keeps_as_many_labels_of_every_class_and_all_clips(root):
    found = labels(root, labelled_share=0.3)
    assert len(found) == 22
    assert [sum(label == which for _, label in found) for which in (0, 1)] == [3, 3]
    assert all(label in (-1, int(name.partition('.')[0]) % 2) for name, label in found)
    assert found == labels(root, labelled_share=0.3)
    assert found != labels(root, labelled_share=0.3, label_seed=1)
    assert sum(label >= 0 for _, label in labels(root, labelled_share=0.01)) == 2  # one of each class


def test_labelled_clips_alone_fill_an_epoch_as_long(root):
    found = labels(root, labelled_share=0.2, unlabelled='more.txt', clips='labelled')
    assert len(found) == 27
    kept = [pair for pair in labels(root, labelled_share=0.2) if pair[1] >= 0]
    assert found == [kept[index % 4] for index in range(27)]


def test_all_clips_may_be_taken_without_their_labels(root):
    found = labels(root, unlabelled='more.txt', clips='all_unlabelled')
    assert len(found) == 27 and {label for _, label in found} == {-1}


def test_a_folder_of_videos_is_a_list_without_labels(root):
    for name in ('films/b/2.MP4', 'films/a.avi', 'films/.hidden/3.mp4', 'films/notes.txt'):
        (root / name).parent.mkdir(exist_ok=True, parents=True)
        (root / name).touch()
    found = labels(root, unlabelled='films')
    assert found[22:] == [('a.avi', -1), ('2.MP4', -1)]
    settings = dict(type='MixedVideoDataset', ann_file='train.txt', data_root=str(root), unlabelled='films')
    assert count_clips(settings) == 24


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (dict(labelled_share=0), 'labelled_share: got 0; expected a number above 0'),
        (dict(clips='some'), "clips: got 'some'; expected 'all', 'labelled' or 'all_unlabelled'"),
        (dict(unlabelled='none.txt'), 'none.txt does not exist'),
        (dict(unlabelled='.'), "unlabelled: got the folder '.*', in which there is no video; expected some"),
        (dict(multi_class=True, num_classes=2), 'multi_class'),
    ],
)
def test_mistakes_are_named(root, arguments, message):
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        labels(root, **arguments)


def test_labels_are_needed_where_only_labelled_clips_are_asked_for(root):
    (root / 'train.txt').write_text('0.mp4\n')
    with pytest.raises(ValueError, match='no clip has a label'):
        labels(root, clips='labelled')
