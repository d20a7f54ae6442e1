import pytest

from mmkd_video.benchmark import CallCounter


class Reader:
    def get(self, indices):
        return [index * 2 for index in indices]


class Child(Reader):
    pass


@pytest.mark.parametrize('owner', [Reader, Child])
def test_calls_and_items_are_counted_and_the_class_is_left_as_it_was(owner):
    original = Reader.get
    with CallCounter(owner, 'get') as counter:
        assert owner().get([1, 2, 3]) == [2, 4, 6]
        assert owner().get(indices=[1]) == [2]
    assert (counter.calls, counter.items) == (2, 3)
    owner().get([1])
    assert counter.calls == 2
    assert Reader.get is original
    assert 'get' not in vars(Child)


def test_one_object_alone_can_be_watched():
    reader = Reader()
    with CallCounter(reader, 'get') as counter:
        reader.get([1, 2])
        Reader().get([1, 2])
    assert (counter.calls, counter.items) == (1, 2)
    assert vars(reader) == {}


def test_the_method_comes_back_after_an_error():
    with pytest.raises(TypeError), CallCounter(Reader, 'get'):
        Reader().get(1)
    assert Reader().get([1]) == [2]
    with pytest.raises(AttributeError, match='fetch'):
        CallCounter(Reader, 'fetch')
