"""Which fields are signed, in which order: also where that is not remembered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from relay.core.mail.header import Field
from relay.signing.choice import OVERSIGNED, SIGNED_WHERE_PRESENT, chosen

ORDER = [*OVERSIGNED, *SIGNED_WHERE_PRESENT]
NAMES = some.sampled_from([b"from", b"subject", b"sender", b"references", b"received", b"x-other"])


@given(some.lists(NAMES, max_size=12), some.sampled_from([0, 70]))
def test_names_and_fields_go_together_the_last_of_a_name_first(names, others):
    names = [*names, *[b"received"] * others]
    fields = [Field(name, b" %d" % at, 0, 0) for at, name in enumerate(names)]
    told, signed = chosen(fields)
    wanted = [field for name in ORDER for field in reversed(fields) if field.name == name]
    assert signed == wanted
    counts = {name: names.count(name) + (name in OVERSIGNED) for name in ORDER}
    assert list(told) == [name for name in ORDER for _ in range(counts[name])]
