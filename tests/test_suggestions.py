"""A folder of a corpus without its card: a note names the card that reads its files' names."""

from pathlib import Path

import pytest

from bench import catalog, display
from bench.datasets.index import open_dataset

DECLARED = catalog.load()

SPEECH_COMMANDS = ("zero/0a7c2a8d_nohash_0.wav", "one/0a7c2a8d_nohash_1.wav", "_background_noise_/tap.wav")
RAVDESS = ("Actor_12/03-01-05-01-02-01-12.wav", "Actor_01/03-01-01-01-01-02-01.wav")
MS_SNSD = ("noise_train/AirConditioner_1.wav", "noise_test/Babble_3.wav", "clean_train/clnsp1.wav")
CREMA_D = ("AudioWAV/1001_DFA_ANG_XX.wav", "AudioWAV/1091_IEO_SAD_HI.wav")
FSDD = ("recordings/0_george_0.wav", "recordings/1_theo_12.wav")


@pytest.mark.parametrize(
    ("names", "card"),
    [
        pytest.param(SPEECH_COMMANDS, "speech-commands", id="speech-commands"),
        pytest.param(RAVDESS, "ravdess", id="ravdess"),
        pytest.param(MS_SNSD, "ms-snsd", id="ms-snsd"),
        pytest.param(MS_SNSD[:2], "ms-snsd-noise", id="ms-snsd-noise"),
        pytest.param(CREMA_D, "crema-d", id="crema-d"),
        pytest.param(FSDD, "fsdd", id="fsdd"),
    ],
)
def test_a_corpus_without_its_card_is_named(tone, names: tuple[str, ...], card: str, tmp_path: Path):
    for name in names:
        tone(f"corpus/{name}")
    folder = tmp_path / "corpus"
    [note] = map(display.note, open_dataset(str(folder), DECLARED, tmp_path).notes)
    assert f"named as in the data set {card}," in note
    assert f"`--datasets {card} --audio {folder}`" in note


def test_a_folder_of_ones_own_is_like_no_card(tone, tmp_path: Path):
    for name in ("dog/rex_001.wav", "dog/1.wav", "cat/0_mimi.wav", "cat/2024-01-02.wav"):
        tone(f"pets/{name}")
    assert open_dataset(str(tmp_path / "pets"), DECLARED, tmp_path).notes == ()
