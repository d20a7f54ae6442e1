import pytest

from dev.generated_section import update_section


def test_only_what_stands_between_the_marks_changes(tmp_path):
    page = tmp_path / 'page.md'
    page.write_text('# Head\n<!-- begin x -->old\n<!-- end x -->\ntail\n')
    update_section(page, 'x', '| new |\n')
    expected = '# Head\n<!-- begin x -->\n\n| new |\n\n<!-- end x -->\ntail\n'
    assert page.read_text() == expected
    update_section(page, 'x', '| new |')
    assert page.read_text() == expected


@pytest.mark.parametrize(
    'text', ['', '<!-- end x --><!-- begin x -->', '<!-- begin x --><!-- begin x --><!-- end x -->']
)
def test_marks_that_are_missing_or_in_disorder_are_named(tmp_path, text):
    page = tmp_path / 'page.md'
    page.write_text(text)
    with pytest.raises(ValueError, match='begin x'):
        update_section(page, 'x', 'new')
    assert page.read_text() == text
