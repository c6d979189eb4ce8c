"""HTML put together in Python."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from hypothesis import given
from hypothesis import strategies as st

from projects.markup import markup

VALUES = st.one_of(
    st.text(alphabet="<>&\"'{}ab"), st.text(alphabet="<&b>").map(mark_safe), st.integers()
)


@given(VALUES, VALUES)
def test_whatever_is_not_markup_is_escaped_as_django_does(one: object, other: object) -> None:
    made = markup("<b title='{}'>{more}</b>{{}}", one, more=other)
    assert isinstance(made, SafeString)
    assert made == format_html("<b title='{}'>{more}</b>{{}}", one, more=other)
