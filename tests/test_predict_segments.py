import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import unquote

import numpy as np
import pandas as pd
import pytest

from bench.inference import segments, timelines
from bench.inference.answers import Answer, Measurement, Prediction, Segment, Unfamiliarity, Window

NAMES = ["a,b.wav", 'a "b".wav', "a\nb.wav", "über größe.wav", " a\tb.wav", "100%.wav", "'a'.wav"]


def prediction(votes: Mapping[str, float], is_far: bool = False) -> Prediction:
    label = max(votes, key=votes.__getitem__)
    unfamiliar = Unfamiliarity(score=1.5 if is_far else 0.5, flag=is_far)
    return Prediction(
        predicted_label=label, confidence=votes[label], probabilities=votes, unfamiliar=unfamiliar
    )


def planted(labels: Sequence[str], seconds: float, hop: float, n_windows: int) -> list[Window]:
    """Return windows whose probabilities are the shares of labels that last 1 s each."""
    windows = []
    for start in np.arange(n_windows) * hop:
        shares = dict.fromkeys(sorted(set(labels)), 0.0)
        for number, label in enumerate(labels):
            overlap = min(start + seconds, number + 1) - max(start, number)
            shares[label] += max(0.0, overlap) / seconds
        windows.append(Window(start=start, end=start + seconds, prediction=prediction(shares)))
    return windows


def summary(windows: Sequence[Window]) -> list[tuple[float, float, str]]:
    return [(segment.start, segment.end, segment.label) for segment in segments.merge(windows)]


@pytest.mark.parametrize(("seconds", "hop"), [(1, 1), (3, 1), (2, 0.5), (2, 0.1)])
def test_segments_of_a_planted_sequence_end_where_it_changes(seconds: float, hop: float):
    labels = "aaaaaaabbbbbbbbaaaaa"
    windows = planted(labels, seconds, hop, round((len(labels) - seconds) / hop) + 1)
    spans = summary(windows)
    assert [label for _, _, label in spans] == ["a", "b", "a"]
    assert spans[0][0] == 0
    assert spans[-1][1] == pytest.approx(20)
    np.testing.assert_allclose([spans[1][0], spans[1][1]], [7, 15], atol=hop / 2 + 1e-6)


def test_one_window_without_overlap_is_its_label():
    windows = planted("abba", 1, 1, 4)
    assert summary(windows) == [(0, 1, "a"), (1, 3, "b"), (3, 4, "a")]
    assert [segment.confidence for segment in segments.merge(windows)] == [1, 1, 1]


def test_votes_are_the_mean_probabilities_of_the_windows_there():
    votes = [{"a": 0.9, "b": 0.1}, {"a": 0.2, "b": 0.8}]
    windows = [Window(start=i, end=i + 2, prediction=prediction(vote)) for i, vote in enumerate(votes)]
    first, second = segments.merge(windows)
    assert (first.start, first.end, first.label) == (0, 2, "a")  # from 1 to 2 s: 0.55 against 0.45
    assert first.confidence == pytest.approx((0.9 + 0.55) / 2)
    assert (second.start, second.end, second.confidence) == (2, 3, 0.8)


def test_the_order_of_windows_does_not_matter():
    windows = planted("aabbab", 2, 0.5, 9)
    assert segments.merge(windows[::-1]) == segments.merge(windows)


def test_a_gap_between_windows_belongs_to_no_segment():
    assert summary(planted("aaaaaa", 1, 2, 3)) == [(0, 1, "a"), (2, 3, "a"), (4, 5, "a")]


def test_unfamiliar_windows_are_a_segment_of_their_own():
    windows = [
        Window(start=start, end=start + 1, prediction=prediction({"a": 1.0}, is_far=start == 1))
        for start in range(3)
    ]
    merged = segments.merge(windows)
    assert [(segment.start, segment.end, segment.unfamiliar) for segment in merged] == [
        (0, 1, False),
        (1, 2, True),
        (2, 3, False),
    ]


def test_without_scores_the_labels_vote():
    labels = ["a", "b", "b"]
    windows = [
        Window(
            start=start,
            end=start + 3,
            prediction=Prediction(predicted_label=label, confidence=None, probabilities={}),
        )
        for start, label in enumerate(labels)
    ]
    assert [(s.start, s.end, s.label, s.confidence) for s in segments.merge(windows)] == [
        (0, 2, "a", None),  # from 1 to 2 s one vote each: the first by name
        (2, 5, "b", None),
    ]


def test_starts_that_differ_by_rounding_are_one():
    windows = planted("aaaaab", 0.3, 0.1, 57)  # 3 x 0.1 is not 0.3
    assert len(segments.merge(windows)) == 2


def test_no_windows_are_no_segments():
    assert segments.merge([]) == ()


def answer(file: str, *parts: Segment) -> Answer:
    return Answer(
        file=file,
        model="m",
        task="t",
        duration=2.5,
        prediction=prediction({"a": 0.9, "b": 0.1}, is_far=True),
        calibrated=True,
        measured=Measurement(metric="accuracy", value=0.9),
        segments=parts,
    )


def part(label: str, start: float = 0.0, end: float = 1.0) -> Segment:
    return Segment(start=start, end=end, label=label, confidence=0.75)


@pytest.mark.parametrize("name", NAMES)
def test_names_come_back_from_csv(name: str):
    text = timelines.csv(answer(name, part(name)), answer("b.wav"))
    table = pd.read_csv(io.StringIO(text), keep_default_na=False)
    assert table.columns.tolist() == list(timelines.COLUMNS)
    assert table.values.tolist() == [
        [name, 0.0, 1.0, name, 0.75, False],
        ["b.wav", 0.0, 2.5, "a", 0.9, True],
    ]
    assert [row[0] for row in csv.reader(io.StringIO(text))] == ["file", name, "b.wav"]


@pytest.mark.parametrize("name", NAMES)
def test_names_come_back_from_the_ten_fields_of_rttm(name: str):
    [line] = timelines.rttm(answer(f"folder/{name}", part(name, 0.25, 1.0))).splitlines()
    fields = line.split()
    assert unquote(fields[1]) == name.removesuffix(".wav")
    assert unquote(fields[7]) == name
    fixed = [field for position, field in enumerate(fields) if position not in {1, 7}]
    assert fixed == ["SPEAKER", "1", "0.250", "0.750", "<NA>", "<NA>", "0.7500", "<NA>"]


def test_segments_of_rttm_do_not_overlap_by_rounding():
    lines = timelines.rttm(answer("a", part("a", 0.0004, 1.0006), part("b", 1.0006, 2.0004))).splitlines()
    times = [tuple(map(float, line.split()[3:5])) for line in lines]
    assert times == [(0.0, 1.001), (1.001, 0.999)]


def test_a_label_track_has_a_line_per_segment():
    parts = part("a\tb\nc"), replace(part("d", 1, 2.5), unfamiliar=True), replace(part("e"), confidence=None)
    track = timelines.audacity(answer("a.wav", *parts))
    assert [line.split("\t") for line in track.splitlines()] == [
        ["0.000000", "1.000000", "a b c 0.75"],
        ["1.000000", "2.500000", "? d 0.75"],
        ["0.000000", "1.000000", "e"],
    ]
