"""Trees of real clips as corpora ship them: one call gives their clips, labels, folds and groups."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bench import catalog
from bench.datasets.index import audio_folders, open_dataset
from bench.types import Dataset

DECLARED = catalog.load()
TAKES = [(speaker, digit) for speaker in ("george", "theo", "lucas") for digit in range(4)]

Layout = Callable[[str], Dataset]


@pytest.fixture
def tree(take: Callable[[str, int, int], Path], tmp_path: Path) -> Callable[..., Path]:
    """Return a maker of a folder with files that are links to real clips, and with tables."""

    def make(*names: str, tables: Mapping[str, str] | None = None) -> Path:
        folder = tmp_path / "corpus"
        for name, (speaker, digit) in zip(names, TAKES, strict=False):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).symlink_to(take(speaker, digit, 0))
        for name, text in (tables or {}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        return folder

    return make


def opened(text: object, audio: object = "") -> Dataset:
    """Return the dataset of what stands behind --datasets and --audio; all its files are there."""
    folders = audio_folders([str(audio)] if audio else [])
    dataset = open_dataset(str(text), DECLARED, Path("no-home"), folders=folders)
    assert all(Path(name).is_file() for name in dataset.table["path"])
    return dataset


def rows(dataset: Dataset, *columns: str) -> list[tuple[str, ...]]:
    """Return the values of some columns, in the order of the clips' names."""
    return list(dataset.table.sort_values("clip")[list(columns)].itertuples(index=False, name=None))


ESC50 = """filename,fold,target,category,esc10,src_file,take
1-100032-A-0.wav,1,0,dog,True,100032,A
2-100038-A-14.wav,2,14,chirping_birds,False,100038,A
"""
ESC50_ROWS = [("dog", "1", "100032"), ("chirping_birds", "2", "100038")]


def test_esc50_by_its_table_and_by_its_card(tree):
    folder = tree(
        "audio/1-100032-A-0.wav", "audio/2-100038-A-14.wav", tables={"meta/esc50.csv": ESC50, "README.md": ""}
    )
    table = folder / "meta" / "esc50.csv"
    calls = [
        (table, ""),
        (table, folder / "audio"),
        (table, folder),
        ("esc50", folder),
        ("esc50", folder / "audio"),
    ]
    for text, audio in calls:
        assert rows(opened(text, audio), "class", "fold", "recording") == ESC50_ROWS
    assert {"target", "category"} < set(opened(table).labels)


URBANSOUND8K = """slice_file_name,fsID,start,end,salience,fold,classID,class
100032-3-0-0.wav,100032,0.0,0.317551,1,5,3,dog_bark
100263-2-0-117.wav,100263,58.5,62.5,1,10,2,children_playing
"""


def test_urbansound8k_by_its_table_and_by_its_card(tree):
    names = ("audio/fold5/100032-3-0-0.wav", "audio/fold10/100263-2-0-117.wav")
    folder = tree(*names, tables={"metadata/UrbanSound8K.csv": URBANSOUND8K})
    table = folder / "metadata" / "UrbanSound8K.csv"
    expected = [("children_playing", "10", "100263"), ("dog_bark", "5", "100032")]
    for text, audio in [(table, ""), (table, folder / "audio"), ("urbansound8k", folder)]:
        dataset = opened(text, audio)
        assert rows(dataset, "class", "fold", "recording") == expected
        assert [clip.start for clip in dataset.clips()] == [None, None]  # those are of the recording


def test_common_voice_has_its_clips_beside_the_table(tree):
    text = (
        "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\tlocale\tsegment\n"
        'aa\tcommon_voice_en_1.mp3\tHe said "yes, twice.\t2\t0\ttwenties\tmale\t\ten\t\n'
        "bb\tcommon_voice_en_2\tNo; never\t2\t0\t\t\t\ten\t\n"
    )
    folder = tree(
        "en/clips/common_voice_en_1.mp3", "en/clips/common_voice_en_2.mp3", tables={"en/validated.tsv": text}
    )
    for audio in ("", folder / "en" / "clips", folder / "en"):
        dataset = opened(folder / "en" / "validated.tsv", audio)
        assert rows(dataset, "speaker", "gender", "sentence") == [
            ("aa", "male", 'He said "yes, twice.'),
            ("bb", "", "No; never"),
        ]


def test_an_audformat_database_by_one_of_its_tables(tree):
    table = (
        "file,start,end,emotion\nwav/a.wav,0 days 00:00:00,0 days 00:00:00.2,anger\nwav/b.wav,0 days,,fear\n"
    )
    folder = tree("wav/a.wav", "wav/b.wav", tables={"db.yaml": "", "db.emotion.csv": table})
    dataset = opened(folder / "db.emotion.csv")
    assert rows(dataset, "emotion", "recording") == [("anger", "a.wav"), ("fear", "b.wav")]
    assert [clip.end for clip in dataset.clips()] == [0.2, None]


IDEN = "1 id10001/1zcIwhmdeo4/00001.wav\n3 id10002/0_laIeN-Q44/00002.wav\n"
META = (
    "VoxCeleb1 ID\tVGGFace1 ID\tGender\tNationality\tSet\n"
    "id10001\tA\tm\tIreland\tdev\nid10002\tB\tf\tUSA\tdev\n"
)
PATTERNS = [
    pytest.param(
        "speech-commands",
        ("zero/0a7c2a8d_nohash_0.wav", "one/0a7c2a8d_nohash_1.wav", "zero/b1_nohash_0.wav"),
        {
            "validation_list.txt": "zero/b1_nohash_0.wav\n",
            "testing_list.txt": "one/0a7c2a8d_nohash_1.wav\n",
            "_background_noise_/running_tap.wav": "",
        },
        ("keyword", "speaker", "fold"),
        [("one", "0a7c2a8d", "test"), ("zero", "0a7c2a8d", "train"), ("zero", "b1", "dev")],
        id="speech-commands",
    ),
    pytest.param(
        "ravdess",
        (
            "Actor_12/03-01-05-01-02-01-12.wav",
            "Actor_01/03-01-01-01-01-02-01.wav",
            "Actor_01/03-02-01-01-01-01-01.wav",
        ),
        {},
        ("speaker", "gender", "emotion", "intensity"),
        [("01", "male", "neutral", "normal"), ("12", "female", "angry", "normal")],
        id="ravdess",
    ),
    pytest.param(
        "crema-d",
        ("AudioWAV/1001_DFA_ANG_XX.wav", "AudioWAV/1091_IEO_SAD_HI.wav", "AudioMP3/1001_DFA_ANG_XX.mp3"),
        {"VideoDemographics.csv": "ActorID,Age,Sex,Race,Ethnicity\n"},
        ("speaker", "phrase", "emotion", "intensity"),
        [("1001", "DFA", "angry", "unspecified"), ("1091", "IEO", "sad", "high")],
        id="crema-d",
    ),
    pytest.param(
        "tess",
        (
            "OAF_angry/OAF_back_angry.wav",
            "YAF_pleasant_surprised/YAF_dog_ps.wav",
            "OAF_neutral/OA_bite_neutral.wav",
        ),
        {},
        ("speaker", "phrase", "emotion"),
        [("OAF", "back", "angry"), ("OAF", "bite", "neutral"), ("YAF", "dog", "surprised")],
        id="tess",
    ),
    pytest.param(
        "savee",
        ("ALL/DC_a01.wav", "ALL/KL_sa15.wav", "AudioData/JE/su03.wav"),
        {"Info.txt": ""},
        ("speaker", "emotion", "sentence"),
        [("DC", "angry", "01"), ("KL", "sad", "15"), ("JE", "surprised", "03")],
        id="savee",
    ),
    pytest.param(
        "voxceleb1",
        ("wav/id10001/1zcIwhmdeo4/00001.wav", "wav/id10002/0_laIeN-Q44/00002.wav"),
        {"wav/iden_split.txt": IDEN, "wav/vox1_meta.csv": META},
        ("speaker", "session", "gender", "fold"),
        [("id10001", "1zcIwhmdeo4", "male", "train"), ("id10002", "0_laIeN-Q44", "female", "test")],
        id="voxceleb1",
    ),
    pytest.param(
        "audiomnist",
        ("data/01/0_01_0.wav", "data/60/9_60_49.wav"),
        {"data/audioMNIST_meta.txt": "{}"},
        ("phrase", "speaker", "take"),
        [("0", "01", "0"), ("9", "60", "49")],
        id="audiomnist",
    ),
    pytest.param(
        "gtzan",
        ("genres_original/blues/blues.00000.wav", "genres_original/hiphop/hiphop.00099.wav"),
        {"features_30_sec.csv": "filename,label\n"},
        ("class", "take"),
        [("blues", "00000"), ("hiphop", "00099")],
        id="gtzan",
    ),
    pytest.param(
        "ms-snsd-noise",
        ("noise_train/AirConditioner_1.wav", "noise_test/Babble_3.wav", "clean_train/clnsp1.wav"),
        {},
        ("noise_kind", "subset"),
        [("Babble", "test"), ("AirConditioner", "train")],
        id="ms-snsd",
    ),
]


@pytest.mark.parametrize(("name", "names", "tables", "columns", "expected"), PATTERNS)
def test_a_card_reads_a_copy_of_ones_own(name: str, names, tables, columns, expected, tree):
    dataset = opened(name, tree(*names, tables=tables))
    assert rows(dataset, *columns) == expected


def test_librispeech_by_its_card_and_by_its_folder(real: Path):
    by_card = opened("librispeech-train-clean-100", real / "LibriSpeech")
    assert len(by_card.table) == 251
    assert by_card.table.equals(opened(real / "LibriSpeech" / "train-clean-100").table)
