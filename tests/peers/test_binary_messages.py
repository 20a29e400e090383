"""A message is checked completely: each way in which it can be wrong has its reason, and no bit can change unseen."""

import tracemalloc
from dataclasses import replace

import forged
import numpy as np
import pytest
from forged import EXPECTED, FLOAT32, FLOAT64, ME, envelope, numbers, read, text, vector, with_body, with_field

from hypergossip.peers.greeting import NO_ROUND, Greeting
from hypergossip.peers.message import ALL, CODES, HEADER, TEXT, Kind, Malformed, body_of, pack


@pytest.mark.parametrize("call", [0, 1])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("sender", forged.NEIGHBOURS)
def test_a_vector_comes_as_it_was_sent(call, seed, sender):
    sent = envelope(call=call, seed=seed, sender=sender, round=2**32 - 1, epoch=5)
    head, came = read(pack(sent, body_of(numbers(call))))
    assert head == sent
    assert came.dtype == EXPECTED.sizes[call][1]
    np.testing.assert_array_equal(came, numbers(call))


@pytest.mark.parametrize("kind", [kind for kind in Kind if kind != Kind.VECTOR])
@pytest.mark.parametrize("content", [b"", b"x", bytes(range(100))])
def test_other_messages_come_as_they_were_sent(kind, content):
    head, came = read(text(kind, content))
    assert head == envelope(kind=kind)
    assert came.tobytes() == content


@pytest.mark.parametrize("dtype", [">f4", ">f8", "<f4", "<f8"])
def test_the_order_of_bytes_on_the_way_is_the_same_on_every_machine(dtype):
    given = np.array([1.5, -2.25, 1e-3, 0.0, 7.0], dtype)
    expected = replace(EXPECTED, sizes=((5, given.dtype.newbyteorder("<")),))
    _, came = read(pack(envelope(), body_of(given)), expected)
    np.testing.assert_array_equal(came, given)


def test_subnormal_and_largest_numbers_pass():
    limits = np.finfo(np.float64)
    given = np.array([limits.max, limits.min, limits.tiny, limits.smallest_subnormal, -0.0])
    _, came = read(pack(envelope(), body_of(given)))
    assert came.tobytes() == given.tobytes()


def test_a_vector_without_entries_passes():
    expected = replace(EXPECTED, sizes=((0, FLOAT64),))
    _, came = read(pack(envelope(), body_of(np.zeros(0))), expected)
    assert came.shape == (0,)


GOOD = vector()
REASONS = {
    "nothing": (b"", "shorter than a header"),
    "a byte less than a header": (GOOD[: HEADER.size - 1], "shorter than a header"),
    "magic": (with_field(GOOD, forged.MAGIC, b"HGP2"), "not a message of this version"),
    "a byte less": (GOOD[:-1], "wrong length"),
    "a byte more": (GOOD + b"\0", "wrong length"),
    "stated length": (with_field(GOOD, forged.LENGTH, 2**63), "wrong length"),
    "run": (vector(run=bytes(16)), "another run"),
    "receiver": (vector(receiver=ME + 1), "another receiver"),
    "text to all": (text(Kind.GREETING, b"a", receiver=ALL), "another receiver"),
    "sender": (vector(sender=2), "not a neighbour"),
    "oneself": (vector(sender=ME), "not a neighbour"),
    "kind 0": (with_field(GOOD, forged.KIND, 0), "unknown kind"),
    "kind 7": (with_field(GOOD, forged.KIND, 7), "unknown kind"),
    "type 0": (with_field(GOOD, forged.CODE, 0), "unknown type of numbers"),
    "type 4": (with_field(GOOD, forged.CODE, 4), "unknown type of numbers"),
    "seed": (vector(seed=2), "unknown seed"),
    "call": (vector(call=2), "unknown call"),
    "float32 for float64": (pack(envelope(), body_of(np.ones(10, FLOAT32))), "wrong type of numbers"),
    "float64 for float32": (pack(envelope(call=1), body_of(np.ones(1))), "wrong type of numbers"),
    "text for numbers": (pack(envelope(), body_of(bytes(40))), "wrong type of numbers"),
    "an entry less": (pack(envelope(), body_of(np.ones(4))), "wrong size"),
    "an entry more": (pack(envelope(), body_of(np.ones(6))), "wrong size"),
    "half an entry": (with_body(bytes(36), CODES[FLOAT64]), "wrong size"),
    "long text": (text(Kind.GREETING, bytes(101)), "wrong size"),
    "numbers for text": (pack(envelope(kind=Kind.GREETING), body_of(np.ones(2))), "wrong size"),
    "checksum": (GOOD[:-1] + bytes([GOOD[-1] ^ 1]), "wrong checksum"),
    "nan": (pack(envelope(), body_of(np.array([1, 2, np.nan, 4, 5]))), "not finite"),
    "infinity": (pack(envelope(), body_of(np.array([1, 2, 3, 4, np.inf]))), "not finite"),
    "minus infinity": (pack(envelope(call=1), body_of(np.array([-np.inf, 0], FLOAT32))), "not finite"),
}


@pytest.mark.parametrize("name", REASONS)
def test_every_wrong_message_has_its_reason(name):
    message, reason = REASONS[name]
    with pytest.raises(Malformed) as error:
        read(message)
    assert str(error.value) == reason


@pytest.mark.parametrize(
    "message", [GOOD, vector(call=1), text(Kind.GREETING, bytes(range(81))), text(Kind.RESEND, b"")]
)
def test_no_bit_changes_unseen(message):
    read(message)
    for place in range(8 * len(message)):
        changed = bytearray(message)
        changed[place // 8] ^= 1 << place % 8
        with pytest.raises(Malformed):
            read(bytes(changed))


def test_a_field_of_the_header_that_nothing_else_checks_is_in_the_checksum():
    for place in (forged.ROUND, forged.EPOCH):
        fields = list(HEADER.unpack_from(GOOD))
        fields[place] += 1
        with pytest.raises(Malformed, match="checksum"):
            read(HEADER.pack(*fields) + GOOD[HEADER.size :])


def test_a_part_of_a_message_is_malformed():
    for end in range(len(GOOD)):
        with pytest.raises(Malformed):
            read(GOOD[:end])


def test_random_bytes_are_malformed_and_raise_nothing_else():
    random = np.random.default_rng(0)
    for length in random.integers(0, 300, 5_000):
        with pytest.raises(Malformed):
            read(random.bytes(int(length)))


def test_random_fields_with_a_good_checksum_raise_nothing_else():
    random = np.random.default_rng(1)
    limits = {1: 2**8, 2: 2**8, 3: 2**16, 10: 2**63} | dict.fromkeys(range(5, 10), 2**32)
    passed = 0
    for _ in range(5_000):
        place = int(random.choice(list(limits)))
        try:
            head, came = read(with_field(GOOD, place, int(random.integers(limits[place]))))
        except Malformed:
            continue
        passed += 1
        assert place in (forged.ROUND, forged.EPOCH) or head == envelope()
        np.testing.assert_array_equal(came, numbers())
    assert passed > 500


def test_reading_needs_no_more_memory_than_the_message_has():
    entries = 1_000_000
    expected = replace(EXPECTED, sizes=((entries, FLOAT64),))
    good = pack(envelope(), body_of(np.ones(entries)))
    lying = with_field(GOOD, forged.LENGTH, 2**62)
    tracemalloc.start()
    try:
        _, came = read(good, expected)
        assert tracemalloc.get_traced_memory()[1] < len(good)
        tracemalloc.reset_peak()
        with pytest.raises(Malformed):
            read(lying, expected)
        assert tracemalloc.get_traced_memory()[1] < tracemalloc.get_traced_memory()[0] + 10_000
    finally:
        tracemalloc.stop()
    assert not came.flags.owndata
    assert not came.flags.writeable


def test_text_is_its_own_type():
    assert CODES[TEXT] == body_of(b"abc").code


def test_a_greeting_comes_as_it_was_sent():
    sent = Greeting(b"s" * 16, b"b" * 8, b"h" * 8, b"d" * 16, 4, 17, 2, NO_ROUND, 3, 0.25)
    assert Greeting.unpack(sent.pack()) == sent
    for wrong in (b"", sent.pack()[:-1], sent.pack() + b"\0"):
        with pytest.raises(Malformed, match="wrong size"):
            Greeting.unpack(wrong)
