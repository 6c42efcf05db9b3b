"""Descriptions in an index: what is written, and not written twice, and what an end in the middle leaves."""

import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pytest
import soundfile

from bench import audio, catalog
from bench.description import describing, run
from bench.description.clips import clip_of, parts
from bench.description.describers import (
    AcousticDescriber,
    CaptionDescriber,
    Description,
    Text,
    TranscriptDescriber,
)
from bench.errors import ClipError, UsageError
from bench.inference import transcription
from bench.inference.answers import Phrase, Transcript
from bench.request import Describing
from bench.retrieval.card import IndexCard
from bench.retrieval.index import Index
from bench.retrieval.normalisation import Normalisation
from bench.retrieval.records import Item
from bench.types import Audio, Clip, View

OPTIONS = Describing()


def item(path: Path, start: float | None = None, end: float | None = None) -> Item:
    clip = Clip(path.stem, path, start=start, end=end)
    seconds = audio.seconds(clip)
    first = start or 0.0
    name = f"{path.stem}-{start}"
    span = [(first, first + seconds)]
    return Item(
        "words", name, str(path), audio.content(clip, audio.sha256), first, seconds, span, {"kind": "a"}
    )


def add(index: Index, items: Sequence[Item]) -> None:
    with index.writing() as writer:
        writer.add(items, np.eye(4, dtype=np.float32)[[0] * len(items)])


@pytest.fixture
def index(take: Callable[[str, int, int], Path], tmp_path: Path) -> Index:
    """Return an index of three recordings in the test's folder."""
    files = [shutil.copy(take("jackson", digit, 0), tmp_path / f"{digit}.wav") for digit in range(3)]
    card = IndexCard(extractor="mfcc", identity="0" * 32, view=View("last", "mean"), dim=4)
    neutral = Normalisation(np.zeros(4, np.float32), np.ones(4, np.float32))
    index = Index.create(tmp_path / "index", card, neutral)
    add(index, [item(Path(file)) for file in files])
    return index


def texts(index: Index) -> list[tuple[int, str, str]]:
    with index.snapshot() as snapshot:
        return [(each.file, each.kind, each.text) for each in snapshot.captions([1, 2, 3, 4])]


def matching(index: Index, word: str) -> list[int]:
    with index.snapshot() as snapshot:
        select = "SELECT file FROM words JOIN captions ON captions.id = words.rowid WHERE words MATCH ?"
        return [file for (file,) in snapshot.connection.execute(select, [f'"{word}"'])]


class Echo:
    """A captioner that tells the length, and fails for the second recording."""

    name, sample_rate = "echo", 8000

    def __init__(self) -> None:
        self.n_calls = 0

    def describe(self, audio: Audio) -> str:
        self.n_calls += 1
        if self.n_calls == 2:
            raise ValueError("no idea")
        return f"a sound\nof {audio.size} samples"


def test_every_recording_gets_words_that_a_search_finds_and_none_twice(index: Index):
    report = run.describe(index, OPTIONS)
    assert report.n_written == {("acoustics", "acoustics-1"): 3}
    before = texts(index)
    assert [(file, kind) for file, kind, _ in before] == [(n, "acoustics") for n in (1, 2, 3)]
    assert matching(index, "low pitch")
    assert not run.describe(index, OPTIONS).n_written
    assert texts(index) == before


def test_a_condition_chooses_what_is_described(index: Index):
    run.describe(index, Describing(where="clip == '1-None'"))
    assert [file for file, _, _ in texts(index)] == [2]
    run.describe(index, OPTIONS)
    assert sorted(file for file, _, _ in texts(index)) == [1, 2, 3]


def test_recordings_that_are_added_later_are_described_alone(index: Index, tone, tmp_path: Path):
    run.describe(index, OPTIONS)
    add(index, [item(tone("new.wav", pitch=200.0))])
    assert run.describe(index, OPTIONS).n_written == {("acoustics", "acoustics-1"): 1}
    assert "tonal" in texts(index)[-1][2]
    assert "about 200 Hz" in texts(index)[-1][2]


def test_what_cannot_be_read_is_listed_and_the_others_go_on(index: Index, tmp_path: Path):
    (tmp_path / "0.wav").unlink()
    shutil.copy(tmp_path / "2.wav", tmp_path / "1.wav")
    report = run.describe(index, OPTIONS)
    assert "no such file" in report.failures["0-None"]
    assert "is not what was indexed" in report.failures["1-None"]
    assert [file for file, _, _ in texts(index)] == [3]


@pytest.mark.verb("describe")
def test_the_command_lists_failures_and_ends_with_1(bench, index: Index, tmp_path: Path):
    (tmp_path / "0.wav").unlink()
    done = bench("describe", index.path)
    assert done.exit_code == 1
    assert "acoustics by acoustics-1: 2 recordings" in done.stdout
    assert "1 recordings lack a description" in done.stderr
    done = bench("describe", index.path, "--words", "rain,dog")
    assert (done.exit_code, done.stderr.count("\n")) == (2, 1)
    assert "--words" in done.stderr


def test_an_end_in_the_middle_keeps_what_was_described(index: Index):
    def stopped(outcomes: Iterable[describing.Outcome], total: int) -> Iterable[describing.Outcome]:
        for number, outcome in enumerate(outcomes):
            if number == 2:
                raise KeyboardInterrupt
            yield outcome

    with pytest.raises(KeyboardInterrupt):
        run.describe(index, OPTIONS, stopped)
    assert [file for file, _, _ in texts(index)] == [1, 2]
    assert run.describe(index, OPTIONS).n_written == {("acoustics", "acoustics-1"): 1}


def test_a_recording_that_is_removed_meanwhile_gets_nothing(index: Index):
    def removing(outcomes: Iterable[describing.Outcome], total: int) -> Iterable[describing.Outcome]:
        yield from outcomes
        with index.writing() as writer:
            writer.remove([2])

    report = run.describe(index, OPTIONS, removing)
    assert report.n_written == {("acoustics", "acoustics-1"): 2}
    assert [file for file, _, _ in texts(index)] == [1, 3]


def test_a_captioner_that_fails_for_one_recording_goes_on_and_is_asked_again(index: Index):
    describers = [AcousticDescriber(), CaptionDescriber(Echo())]

    def described() -> describing.Report:
        with index.snapshot() as snapshot:
            todo = describing.todo(snapshot, None, describers)
        return describing.write(index, describing.outcomes(todo, describers))

    report = described()
    assert report.n_written == {("acoustics", "acoustics-1"): 3, ("caption", "echo"): 2}
    assert list(report.failures.values()) == ["echo: writes no caption (ValueError: no idea)"]
    assert described().n_written == {("caption", "echo"): 1}
    captions = [text for _, kind, text in texts(index) if kind == "caption"]
    assert all(text.startswith("a sound of ") for text in captions)


@pytest.mark.parametrize("start", [0.0, 0.1, 0.30000000000000004])
def test_a_window_is_found_again_and_its_times_are_those_of_the_file(index: Index, tone, start: float):
    path = tone("long.wav", seconds=3)
    add(index, [item(path, start, start + 0.7)])
    with index.snapshot() as snapshot:
        [file] = snapshot.files([4])
    [part] = parts(clip_of(file), 8000, 60)
    samples, _ = soundfile.read(path, dtype="float32")
    first = round(start * 8000)
    np.testing.assert_array_equal(part.audio, samples[first : first + 5600])
    run.describe(index, OPTIONS)
    with index.snapshot() as snapshot:
        [caption] = snapshot.captions([4])
    assert (caption.start, caption.end) == pytest.approx((start, start + 0.7))


def test_a_long_recording_is_described_in_parts_of_equal_length(tone):
    path = tone("long.wav", seconds=5)
    every = list(parts(Clip("long", path), 8000, 2))
    assert [part.start for part in every] == pytest.approx([0, 5 / 3, 10 / 3])
    samples, _ = soundfile.read(path, dtype="float32")
    np.testing.assert_array_equal(np.concatenate([part.audio for part in every]), samples)


def test_scores_of_parts_are_averaged_and_texts_keep_their_times(tone, monkeypatch: pytest.MonkeyPatch):
    class Half:
        kind, name, sample_rate, longest = "domains", "half", 8000, 2.0

        def describe(self, audio: Audio) -> Description:
            is_first = abs(audio[1]) > 0
            return Description((Text(0, 1, "half"),), {"first": float(is_first)})

    path = tone("long.wav", seconds=4)
    samples, rate = soundfile.read(path)
    samples[rate * 2 :] = 0
    soundfile.write(path, samples, rate)
    described = describing.description_of(Clip("long", path), Half())
    assert described.domains == {"first": pytest.approx(0.5)}
    assert [text.start for text in described.texts] == [0, 2]


def test_phrases_are_joined_to_passages_of_half_a_minute():
    class Fixed:
        def transcribe(self, audio: Audio) -> Transcript:
            phrases = tuple(
                Phrase(start=10.0 * n, end=10.0 * n + 9, text=word) for n, word in enumerate("abcd")
            )
            return Transcript(
                text="", language="en", model="m", phrases=phrases, suppressed=(), voice_activity=True
            )

    [first, second] = TranscriptDescriber(Fixed(), "m").describe(np.zeros(16_000)).texts
    assert first == Text(0.0, 29.0, "a b c")
    assert second == Text(30.0, 39.0, "d")


def test_a_transcript_without_words_is_not_asked_for_again():
    class Silent:
        def transcribe(self, audio: Audio) -> Transcript:
            return Transcript(text="", language="", model="m", phrases=(), suppressed=(), voice_activity=True)

    assert TranscriptDescriber(Silent(), "m").describe(np.zeros(16_000)).texts == (Text(0.0, 1.0, ""),)


def test_a_mixture_is_told_from_its_speech(index: Index, tmp_path: Path):
    with index.snapshot() as snapshot:
        [file, *_] = snapshot.files()
    (tmp_path / "0.wav").write_bytes((tmp_path / "1.wav").read_bytes())
    with pytest.raises(
        ClipError, match="is not what was indexed; expected the same bytes, and no padding or"
    ):
        clip_of(file)


@pytest.mark.slow  # starts two processes
def test_two_processes_write_what_one_writes(index: Index, tmp_path: Path):
    copy = Index.open(Path(shutil.copytree(index.path, tmp_path / "copy")))
    run.describe(index, OPTIONS)
    run.describe(copy, Describing(jobs=2))
    assert texts(copy) == texts(index)


@pytest.mark.slow  # loads Whisper
def test_transcripts_and_voices_of_trained_networks(index: Index, weights: Path):
    pytest.importorskip("silero_vad", reason="needs silero-vad")
    name = f"hf:{weights / 'whisper-tiny.en'}"
    run.describe(index, Describing(transcribe=name, domains=True))
    transcriber = transcription.load(name, declared=catalog.load())
    with index.snapshot() as snapshot:
        captions = snapshot.captions([1, 2, 3], ["transcript"])
        clips = [clip_of(file) for file in snapshot.files()]
        [speech, other] = snapshot.connection.execute(
            "SELECT score FROM domains WHERE file = 1 ORDER BY domain DESC"
        ).fetchall()
    texts = [transcriber.transcribe(audio.read(clip, 16_000)).text for clip in clips]
    assert [caption.text for caption in captions] == texts
    assert all(caption.model.startswith("hf:whisper-tiny.en#") for caption in captions)
    assert speech[0] + other[0] == pytest.approx(1)


def test_an_option_without_another_is_refused(index: Index):
    with pytest.raises(UsageError, match="--language: is that of the transcription; add --transcribe NAME"):
        run.describe(index, Describing(language="en"))
