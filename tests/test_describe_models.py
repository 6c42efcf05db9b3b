"""Texts by models: the real loading code on tiny checkpoints of seeded weights, beside transformers' own."""

import base64
import io
import json
import re
import shlex
import shutil
import socket
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile
from click.testing import Result

pytest.importorskip("torch", reason="needs the extra 'neural'")

from bench.catalog import pretrained
from bench.description import checkpoints, describing, taggers, tags, work
from bench.description.captioners import loading
from bench.description.captioners.prompt import MOST_TOKENS, PROMPT
from bench.description.captioners.server import RATE
from bench.errors import ClipError, LanguageModelError, PluginError, UnavailableError, UsageError
from bench.request import Describing
from bench.testing import check_captioner
from bench.types import Audio, Clip

torch = pytest.importorskip("torch", reason="needs torch")
transformers = pytest.importorskip("transformers", reason="needs transformers")

N_TOKENS = 6

TEMPLATE = (
    "{% for message in messages %}{% for part in message['content'] %}"
    "{% if part['type'] == 'audio' %}<|AUDIO|>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endfor %}{% if add_generation_prompt %} A:{% endif %}"
)


def save(folder: Path, *parts: object) -> Path:
    with pretrained.quiet():
        for part in parts:
            part.save_pretrained(folder)
    return folder


def tokenizer(*special: str) -> object:
    """Return a tokenizer of bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    bytes_ = Tokenizer(models.BPE(vocab={text: n for n, text in enumerate(alphabet)}, merges=[]))
    bytes_.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bytes_.decoder = decoders.ByteLevel()
    tokens = {"eos_token": "<e>", "pad_token": "<p>", "additional_special_tokens": ["<e>", "<p>", *special]}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=bytes_, model_max_length=64, **tokens)


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny Qwen2-Audio, as `save_pretrained` writes one."""
    words = tokenizer("<|AUDIO|>", "<|audio_bos|>", "<|audio_eos|>")
    audio = {"num_mel_bins": 16, "encoder_layers": 1, "encoder_attention_heads": 2, "d_model": 16}
    text = {"model_type": "qwen2", "vocab_size": len(words), "hidden_size": 16, "intermediate_size": 16}
    heads = {"num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2}
    token = words.convert_tokens_to_ids("<|AUDIO|>")
    config = transformers.Qwen2AudioConfig(
        audio_config={**audio, "encoder_ffn_dim": 16}, text_config={**text, **heads}, audio_token_index=token
    )
    torch.manual_seed(0)
    model = transformers.Qwen2AudioForConditionalGeneration(config)
    model.generation_config.eos_token_id, model.generation_config.pad_token_id = 256, 257
    features = transformers.WhisperFeatureExtractor(feature_size=16)
    processor = transformers.Qwen2AudioProcessor(features, words, chat_template=TEMPLATE)
    return save(tmp_path_factory.mktemp("models") / "tiny-qwen", model, processor)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny AST for audio classification, several labels at once."""
    config = transformers.ASTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        num_mel_bins=16,
        max_length=64,
        id2label=dict(enumerate(["Speech", "Music", "Dog"])),
        problem_type="multi_label_classification",
    )
    torch.manual_seed(0)
    features = transformers.ASTFeatureExtractor(num_mel_bins=16, max_length=64)
    model = transformers.ASTForAudioClassification(config)
    return save(tmp_path_factory.mktemp("models") / "tiny-ast", model, features)


@pytest.fixture(scope="module")
def clap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny CLAP."""
    words = tokenizer()
    audio = {"depths": [1, 1, 1, 1], "num_attention_heads": [1, 2, 2, 4], "hidden_size": 128}
    text = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.ClapConfig(
        audio_config={**audio, "patch_embeds_hidden_size": 16, "num_hidden_layers": 4},
        text_config={**text, "vocab_size": len(words), "max_position_embeddings": 80},
        projection_dim=16,
    )
    torch.manual_seed(0)
    model = transformers.ClapModel(config)
    with warnings.catch_warnings(action="ignore"):  # about empty mel filters
        features = transformers.ClapFeatureExtractor(truncation="rand_trunc", padding="repeatpad")
    processor = transformers.ClapProcessor(features, words)
    return save(tmp_path_factory.mktemp("models") / "tiny-clap", model, processor)


def noise(seconds: float, rate: int) -> Audio:
    return (0.1 * np.random.default_rng(0).standard_normal(round(seconds * rate))).astype(np.float32)


@pytest.fixture
def _few_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the captions of networks with random weights, which never end one."""
    monkeypatch.setattr("bench.description.captioners.checkpoint.MOST_TOKENS", N_TOKENS)


@pytest.mark.usefixtures("_few_tokens")
def test_a_caption_is_what_the_model_generates(qwen: Path):
    captioner = loading.load(f"hf:{qwen}")
    audio = noise(1.2, captioner.sample_rate)
    processor = transformers.AutoProcessor.from_pretrained(qwen)
    model = transformers.Qwen2AudioForConditionalGeneration.from_pretrained(qwen)
    with pretrained.quiet():
        inputs = processor(
            text=f"<|AUDIO|>{PROMPT} A:", audio=[audio], sampling_rate=16_000, return_tensors="pt"
        )
        output = model.generate(**inputs, max_new_tokens=N_TOKENS, do_sample=False)
    [expected] = processor.batch_decode(output[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    assert captioner.describe(audio) == expected
    assert captioner.name.startswith("tiny-qwen#")


@pytest.mark.usefixtures("_few_tokens")
def test_the_captioner_of_transformers_keeps_the_rules(qwen: Path):
    for check in check_captioner(lambda: loading.load(str(qwen))):
        check()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"architectures": ["ASTModel"]}, "config.json names ASTModel, which writes no text"),
        ({"architectures": ["Absent"]}, "config.json names Absent, which writes no text"),
        ({"architectures": None}, "config.json names no class, which writes no text"),
        ({"model_type": "absent"}, "AutoConfig cannot be loaded"),
    ],
)
def test_a_checkpoint_that_writes_no_captions_is_refused(
    qwen: Path, tmp_path: Path, changes: Mapping[str, object], message: str
):
    folder = Path(shutil.copytree(qwen, tmp_path / "other"))
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    with pytest.raises(UsageError, match=message):
        loading.load(str(folder))


def test_a_checkpoint_without_all_of_its_weights_is_refused(qwen: Path, tmp_path: Path):
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(qwen, tmp_path / "other"))
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if "projector" in name and name.endswith("weight"))
    weights.pop(name)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UsageError, match=r"lacks 1 weights, such as .*; they would be random"):
        loading.load(str(folder))


def test_a_checkpoint_that_is_not_here_is_named_with_what_to_do(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UnavailableError, match=r"--caption org/absent-model: .*run: bench fetch hf:org/abs"):
        loading.load("org/absent-model")
    with pytest.raises(UsageError, match="no such folder or file"):
        loading.load(str(tmp_path / "absent"))


@pytest.fixture
def decoded(chat_server) -> Callable[[], np.ndarray]:
    """Return a reader of the audio that a server got last."""

    def read() -> np.ndarray:
        [sound, question] = chat_server.bodies[-1]["messages"][0]["content"]
        assert question == {"type": "text", "text": PROMPT}
        assert (sound["type"], sound["input_audio"]["format"]) == ("input_audio", "wav")
        samples, rate = soundfile.read(io.BytesIO(base64.b64decode(sound["input_audio"]["data"])))
        assert rate == RATE
        return samples

    return read


def test_a_server_of_this_machine_gets_the_audio_and_writes_its_caption(chat_server, decoded):
    chat_server.write = lambda body: "A dog barks."
    captioner = loading.load(chat_server.url)
    audio = noise(0.5, captioner.sample_rate)
    assert captioner.describe(audio) == "A dog barks."
    np.testing.assert_allclose(decoded(), audio, atol=2**-15)
    body = chat_server.bodies[-1]
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("tiny", 0, MOST_TOKENS)
    assert captioner.name.startswith("tiny#")
    for check in check_captioner(lambda: loading.load(chat_server.url)):
        check()


@pytest.mark.parametrize(
    "url", ["http://example.org", "https://localhost.example.org/v1", "http://10.0.0.1:8000"]
)
def test_audio_never_leaves_this_machine(url: str):
    with pytest.raises(UsageError, match="is not this machine, and audio does not leave it"):
        loading.load(url)


def test_a_server_that_is_not_there_is_named_in_one_line():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(LanguageModelError, match=r"127\.0\.0\.1:.*is not there, or hangs up"):
            loading.load(url)


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        ({"status": 400, "value": {"error": "too long"}}, ClipError, "HTTP 400: .*too long"),
        ({"status": 500, "value": {"error": "down"}}, LanguageModelError, "HTTP 500: .*down"),
        ({"value": {"choices": []}}, LanguageModelError, "answers something else"),
        ({"value": {"text": "A dog."}}, LanguageModelError, "answers something else"),
        ({"status": 302, "value": "", "Location": "http://example.org"}, LanguageModelError, "redirects to"),
    ],
)
def test_a_fault_of_a_server_is_one_line(
    chat_server, answer: dict[str, object], error: type[Exception], message: str
):
    captioner = loading.load(chat_server.url)
    chat_server.respond = lambda handler: handler.answer(**answer)
    with pytest.raises(error, match=message) as caught:
        captioner.describe(noise(0.1, RATE))
    assert "\n" not in str(caught.value)


def test_a_plugin_captions_and_one_that_raises_is_named(distribution, site: Path, monkeypatch):
    code = (
        "class Loud:\n    name = 'loud'\n    sample_rate = 8000\n"
        "    def describe(self, audio):\n        return 'loud' if abs(audio).max() > 0.5 else 'quiet'\n"
        "def broken():\n    raise ValueError('no idea')\n"
    )
    entries = {"bench.captioners": {"loud": "loud_captions:Loud", "broken": "loud_captions:broken"}}
    distribution("loud-captions", {"loud_captions": code}, entries)
    monkeypatch.syspath_prepend(site)
    captioner = loading.load("loud-captions/loud")
    assert captioner.describe(np.ones(8, np.float32)) == "loud"
    for check in check_captioner(lambda: loading.load("loud-captions/loud")):
        check()
    with pytest.raises(PluginError, match="--caption loud-captions/broken: ValueError: no idea"):
        loading.load("loud-captions/broken")


class Drawing:
    """A captioner that a test makes worse."""

    name: object = "drawing"
    sample_rate: object = 8000
    n_calls = 0

    def describe(self, audio: Audio) -> object:
        return "a sound"


def counted(self: Drawing, audio: Audio) -> str:
    type(self).n_calls += 1
    return f"sound {self.n_calls}"


def muted(self: Drawing, audio: Audio) -> str:
    audio *= 0
    return "a sound"


def strict(self: Drawing, audio: Audio) -> str:
    if audio.size < 100 or not audio.any():
        raise ValueError("too little")
    return "a sound"


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("declares_rate_and_name", {"sample_rate": 0}),
        ("declares_rate_and_name", {"sample_rate": "8000"}),
        ("declares_rate_and_name", {"name": ""}),
        ("declares_rate_and_name", {"name": "a\nb"}),
        ("writes_text", {"describe": lambda self, audio: ["a sound"]}),
        ("writes_text", {"describe": lambda self, audio: " "}),
        ("describes_alike", {"describe": counted}),
        ("leaves_audio_alone", {"describe": muted}),
        ("takes_hard_recordings", {"describe": strict}),
    ],
)
def test_a_bad_captioner_is_caught_by_its_rule(rule: str, changes: Mapping[str, object]):
    bad = type("Bad", (Drawing,), dict(changes))
    [check] = [check for check in check_captioner(bad) if check.name == rule]
    with pytest.raises(AssertionError):
        check()


def test_the_probabilities_of_a_classifier_are_those_of_transformers(classifier: Path):
    [tagger, domains] = tags.describers(checkpoints.locate(str(classifier), "--tags"), (), True, "cpu")
    audio = noise(0.6, tagger.sample_rate)
    with pretrained.quiet():
        pipeline = transformers.pipeline("audio-classification", str(classifier), device="cpu")
        expected = {row["label"]: row["score"] for row in pipeline(audio)}
    of_domains = domains.describe(audio).domains
    assert of_domains == {
        name.lower(): pytest.approx(expected[name], abs=1e-5) for name in ("Speech", "Music")
    }
    [text] = tagger.describe(audio).texts
    assert text.text.split(", ") == [name for name in expected if expected[name] >= tags.LIKELY]
    assert tagger.name.startswith("tiny-ast#")


def test_the_probabilities_of_clap_are_those_of_transformers(clap: Path):
    words = ("rain", "dog", "speech")
    checkpoint = checkpoints.locate(str(clap), "--tags")
    tagger = taggers.ZeroShot(checkpoint, words, "cpu")
    audio = noise(0.6, tagger.sample_rate)
    with pretrained.quiet():
        pipeline = transformers.pipeline("zero-shot-audio-classification", str(clap), device="cpu")
        rows = pipeline(audio, candidate_labels=list(words), hypothesis_template=taggers.PROMPT)
    expected = {row["label"]: row["score"] for row in rows}
    np.testing.assert_allclose(
        tagger.probabilities([audio])[0], [expected[word] for word in words], atol=1e-5
    )
    others = taggers.ZeroShot(checkpoint, ("rain",), "cpu")
    assert others.name != tagger.name, "other words are other tags"


def test_a_long_recording_is_heard_in_windows_that_the_network_was_trained_with():
    class Lengths:
        name, sample_rate, words = "lengths", 100, ("long",)

        def probabilities(self, windows):
            assert max(map(len, windows)) <= 1000
            return np.array([[window.size / 1000] for window in windows])

    assert tags.TagDescriber(Lengths()).describe(np.ones(2500, np.float32)).texts[0].text == "long"


@pytest.mark.parametrize(
    ("fixture", "words", "domains", "message"),
    [
        ("clap", (), False, r"needs words; add --words rain,dog,... or --domains"),
        ("classifier", ("rain",), False, "has labels of its own; leave --words out"),
    ],
)
def test_words_are_those_of_clap(
    fixture: str, words: tuple[str, ...], domains: bool, message: str, request: pytest.FixtureRequest
):
    checkpoint = checkpoints.locate(str(request.getfixturevalue(fixture)), "--tags")
    with pytest.raises(UsageError, match=message):
        tags.describers(checkpoint, words, domains, "cpu")


def test_tags_and_domains_of_a_recording_come_from_the_same_options(
    clap: Path, take: Callable[[str, int, int], Path]
):
    options = Describing(tags=str(clap), words=("rain", "dog"), domains=True)
    every = work.describers(options)
    assert [describer.kind for describer in every] == ["acoustics", "tags", "domains"]
    described = describing.description_of(Clip("a", take("theo", 0, 0)), every[-1])
    assert set(described.domains) == set(tags.DOMAINS)
    assert sum(described.domains.values()) == pytest.approx(1)


PAGE = (Path(__file__).parent.parent / "docs" / "describe.md").read_text(encoding="utf-8")
LINES = [
    line
    for code in re.findall(r"^```bash\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line in code.splitlines()
]


@pytest.fixture
def page(
    bench, take: Callable[[str, int, int], Path], qwen: Path, classifier: Path, clap: Path, tmp_path: Path
) -> Callable[[str], Result]:
    """Return what runs a command of the page, in a folder with what it names."""
    for name, folder in {"qwen2-audio": qwen, "ast": classifier, "clap": clap}.items():
        shutil.copytree(folder, tmp_path / "models" / name)
    rows = [(str(take(speaker, digit, 0)), speaker) for speaker in ("jackson", "theo") for digit in range(3)]
    pd.DataFrame(rows, columns=["path", "speaker"]).to_csv(tmp_path / "clips.csv", index=False)
    return lambda line: bench(*shlex.split(line, comments=True)[1:])


@pytest.mark.usefixtures("_few_tokens")
def test_the_commands_of_the_page_run(page):
    for line in LINES:
        if "whisper" in line or ("--domains" in line and "--tags" not in line):
            continue  # trained networks
        done = page(line)
        assert done.exit_code == 0, f"{line}\n{done.output}"
    assert "Words of most recordings" in done.stdout


@pytest.mark.slow  # loads Whisper
def test_the_commands_of_the_page_with_trained_networks_run(page, weights: Path, tmp_path: Path):
    pytest.importorskip("silero_vad", reason="needs silero-vad")
    (tmp_path / "models" / "whisper-tiny.en").symlink_to(weights / "whisper-tiny.en")
    for line in LINES:
        if "--tags" not in line and "--caption" not in line:
            done = page(line)
            assert done.exit_code == 0, f"{line}\n{done.output}"


def test_the_captioner_of_the_page_keeps_the_rules(tmp_path: Path):
    [code] = re.findall(r'^```python title="their_captioner.py"\n(.*?)^```', PAGE, re.MULTILINE | re.DOTALL)
    scope: dict[str, Any] = {}
    exec(code, scope)  # noqa: S102  # the page's own code
    for check in check_captioner(scope["Loudness"]):
        check()
