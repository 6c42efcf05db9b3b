"""Recording, from miniaudio's null device: it delivers zeros in real time, and no microphone is heard."""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from bench import audio
from bench.errors import UsageError
from bench.inference import recording
from bench.types import Clip


def test_without_miniaudio_one_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"^--record: needs miniaudio; run: pip install .*\[record\]"):
        recording.devices()


def test_the_null_device_records_as_long_as_asked():
    pytest.importorskip("miniaudio")
    levels: list[tuple[float, float]] = []
    samples = recording.record(0.15, recording.NULL, lambda *level: levels.append(level))
    assert samples.shape == (2400,)
    assert samples.dtype == np.float32
    assert not samples.any()
    assert levels[-1] == (0.15, -96.0)
    assert len(levels) > 1


def test_ctrl_c_ends_early_and_keeps_what_was_recorded():
    pytest.importorskip("miniaudio")

    def stop(seconds: float, level: float) -> None:
        raise KeyboardInterrupt

    samples = recording.record(60, recording.NULL, stop)
    assert 0 < samples.size < 60 * recording.RATE


@pytest.mark.parametrize("seconds", [0, -1, 3601, float("nan")])
def test_a_length_out_of_range_is_one_line(seconds: float):
    with pytest.raises(UsageError, match="expected more than 0 and at most 3600 s"):
        recording.record(seconds)


@pytest.mark.parametrize(
    ("microphones", "mic", "message"),
    [
        ([], None, "this machine has no microphone; .*bench predict --mics"),
        ([], "Desk", "this machine has no microphone; .*bench predict --mics"),
        (["Desk", "Head"], "Phone", "no such microphone; expected one of Desk, Head"),
        (["Desk left", "Desk right", "Head"], "desk", "several .*; expected one of Desk left, Desk right$"),
    ],
)
def test_a_microphone_that_is_not_there_is_one_line(
    monkeypatch: pytest.MonkeyPatch, microphones: list[str], mic: str | None, message: str
):
    pytest.importorskip("miniaudio")
    monkeypatch.setattr(recording, "_microphones", lambda: dict.fromkeys(microphones))
    with pytest.raises(UsageError, match=message):
        recording.record(1, mic)


@pytest.mark.parametrize("name", ["Desk", "des", "DESK left"])
def test_a_microphone_is_chosen_by_its_name_or_a_part_of_it(monkeypatch: pytest.MonkeyPatch, name: str):
    miniaudio: Any = pytest.importorskip("miniaudio")
    names = {"Desk": 1, "Head": 2} if name != "DESK left" else {"Desk left": 1, "Desk": 2}
    monkeypatch.setattr(recording, "_microphones", lambda: names)
    chosen = recording._device(miniaudio, name)
    assert chosen["device_id"] == 1
    assert miniaudio.Backend.NULL not in chosen["backends"]


def test_the_file_holds_the_same_samples(tmp_path: Path):
    samples = np.random.default_rng(0).integers(-32768, 32768, 4000).astype(np.float32) / 32768
    recording.save(samples, tmp_path / "a.wav")
    np.testing.assert_array_equal(audio.read(Clip("a", tmp_path / "a.wav"), recording.RATE), samples)
    assert soundfile.info(tmp_path / "a.wav").subtype == "PCM_16"


@pytest.mark.parametrize(("value", "level"), [(0, -96.0), (1, 0.0), (0.1, -20.0)])
def test_levels_are_in_db_relative_to_full_scale(value: float, level: float):
    assert recording.level_db(np.full(100, value, dtype=np.float32)) == pytest.approx(level)
