"""Connections of strangers are refused and logged, and change nothing for the agents."""

from studies.strangers import LOGGED, strangers


def test_strangers_are_refused_and_logged(tmp_path):
    seen = strangers(30, tmp_path)
    assert seen.refused == dict.fromkeys(LOGGED, 10)
    assert min(seen.logged.values()) >= 10
    assert seen.megabytes[1] - seen.megabytes[0] < 50
    assert not seen.ended
