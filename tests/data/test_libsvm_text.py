"""The text format of a9a, on what the real files do not show."""

import numpy as np
import pytest

from hypergossip.data.a9a import parse_libsvm


def test_values_empty_lines_of_features_and_spacing():
    features, labels = parse_libsvm(b"+1 1:0.5 3:-2e1 \n-1\n2.5  2:7\n", 3)
    assert features.dtype == np.float32
    assert features.tolist() == [[0.5, 0, -20], [0, 0, 0], [0, 7, 0]]
    assert labels.tolist() == [1, -1, 2.5]


def test_a_byte_order_mark_is_no_part_of_the_first_label():
    features, labels = parse_libsvm(b"\xef\xbb\xbf+1 1:0.5\n", 1)
    assert (features.tolist(), labels.tolist()) == ([[0.5]], [1])


def test_random_sparse_rows_survive_a_round_trip():
    generator = np.random.default_rng(3)
    dense = (generator.integers(-4, 5, (200, 17)) * (generator.random((200, 17)) < 0.3)).astype(np.float32)
    text = "".join(
        f"{row} " + " ".join(f"{column + 1}:{value:g}" for column, value in enumerate(values) if value) + "\n"
        for row, values in enumerate(dense)
    )
    features, labels = parse_libsvm(text.encode(), 17)
    assert np.array_equal(features, dense)
    assert np.array_equal(labels, np.arange(200))


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        (b"+1 4:1\n", "feature index 4, outside 1 to 3"),
        (b"+1 0:1\n", "feature index 0, outside 1 to 3"),
        (b"+1 1:1\n-1 2:1", "must end in a line feed"),
        (b"+1 1:1 2\n", "not in the LIBSVM format"),
        (b"+1 one:1\n", "could not convert"),
    ],
)
def test_malformed_text_is_refused(text: bytes, advice: str):
    with pytest.raises(ValueError, match=advice):
        parse_libsvm(text, 3)
