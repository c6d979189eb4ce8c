"""The words of a job's name, as the database takes them apart and as we do."""

from __future__ import annotations

import re

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.fields.array import ArrayContains  # type: ignore[attr-defined]
from django.db.models import F, Func, Q, TextField, Value


class NameWords(Func):
    """The words of a name, in small letters; indexed (job_by_word)."""

    function = "regexp_split_to_array"
    template = "%(function)s(lower(%(expressions)s), '[^[:alnum:]]+')"
    output_field = ArrayField(TextField())


def has_words_of(text: str) -> Q:
    """Names that have each word of a text; of a text without words, none."""
    words = [word for word in re.split(r"[\W_]+", text.lower()) if word]
    given = Value(words, ArrayField(TextField()))
    return Q(ArrayContains(NameWords(F("name")), given)) if words else Q(pk__in=())
