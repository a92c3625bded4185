"""Messages come out as they went in, or not at all."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from baselines.tf_od.channel import receive, send

KINDS = st.sampled_from([np.uint8, np.int64, np.float32])
ARRAYS = KINDS.flatmap(
    lambda kind: arrays.arrays(kind, arrays.array_shapes(min_dims=0, max_dims=4, min_side=0))
)


@given(
    st.dictionaries(st.text(), st.integers() | st.text() | st.booleans()),
    st.dictionaries(st.text(), ARRAYS, max_size=3),
)
def test_what_is_sent_is_received(header, sent):
    stream = io.BytesIO()
    send(stream, header, sent)
    send(stream, {"next": 1})
    stream.seek(0)
    found, received = receive(stream)
    assert found == header
    assert list(received) == list(sent)
    for name, value in sent.items():
        assert received[name].dtype == value.dtype
        np.testing.assert_array_equal(received[name], value)
    assert receive(stream) == ({"next": 1}, {})


def test_an_array_in_another_order_arrives_as_it_reads():
    stream = io.BytesIO()
    image = np.arange(24, dtype=np.uint8).reshape(2, 3, 4).transpose(1, 2, 0)
    send(stream, {}, {"image": image})
    stream.seek(0)
    np.testing.assert_array_equal(receive(stream)[1]["image"], image)


def test_a_message_that_breaks_off_is_no_message():
    stream = io.BytesIO()
    send(stream, {"request": "detect"}, {"images": np.zeros((2, 8), np.float32)})
    whole = stream.getvalue()
    for length in (0, 5, len(whole) - 1):
        with pytest.raises(EOFError):
            receive(io.BytesIO(whole[:length]))
