"""A key in the environment signs results; without the signature they are not believed."""

from pathlib import Path

import pytest

from bench.store import Store, schema, signature

WORDS = ["run", "--datasets", "digits.csv", "--tasks", "speaker", "--extractors", "mfcc-13", "--heads", "lda"]


@pytest.fixture
def signed(bench, digits: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return a signed run; the key stays set."""
    monkeypatch.setenv(signature.KEY, "a key of the team")
    assert bench(*WORDS, "--out", "out").exit_code == 0
    return Store(tmp_path / "out")


def test_a_signed_run_is_audited_compared_and_run_again_with_its_key(bench, signed: Store):
    assert bench("audit", "out").exit_code == 0
    assert bench("compare", "b.jsonl", "out", "--update").exit_code == 0
    assert bench("compare", "b.jsonl", "out").exit_code == 0
    again = bench(*WORDS, "--out", "out")
    assert (again.exit_code, "0 computed, 2 reused" in again.stderr) == (0, True)


def test_without_the_key_a_signed_run_is_read_and_the_audit_says_so(bench, signed: Store, monkeypatch):
    monkeypatch.delenv(signature.KEY)
    audit = bench("audit", "out")
    assert audit.exit_code == 0
    assert "is signed; set BENCH_SIGNING_KEY" in audit.stdout


def forge(store: Store) -> None:
    """Halve the cost of every line, and seal the lines again without the key."""
    lines = []
    for line in store.results_path.read_text().splitlines():
        fields, _ = schema.unseal(line)
        fields["cost"]["extract_s"] /= 2
        lines.append(schema.seal(fields))
    store.results_path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("key", ["", "the key of another team"])
def test_a_cost_that_is_sealed_again_without_the_key_is_found(bench, signed: Store, monkeypatch, key: str):
    assert bench("compare", "b.jsonl", "out", "--update").exit_code == 0
    with monkeypatch.context() as without:
        without.setenv(signature.KEY, key)
        forge(signed)
    audit = bench("audit", "out")
    assert audit.exit_code == 1
    assert "results.jsonl:1: its seal does not match, or it is not signed with the key in" in audit.stdout
    for words in (["compare", "b.jsonl", "out"], [*WORDS, "--out", "out"]):
        refused = bench(*words)
        assert refused.exit_code == 2
        assert "is not signed with the key in BENCH_SIGNING_KEY" in refused.stderr


def test_a_baseline_and_a_record_without_a_signature_are_refused(bench, digits, monkeypatch):
    assert bench(*WORDS, "--out", "out").exit_code == 0
    assert bench("compare", "b.jsonl", "out", "--update").exit_code == 0
    monkeypatch.setenv(signature.KEY, "a key of the team")
    for words, name in ((["audit", "out"], "run.json"), (["compare", "out", "out"], "run.json")):
        refused = bench(*words)
        assert refused.exit_code == 2
        assert f"{name}: is not signed with the key in BENCH_SIGNING_KEY" in refused.stderr
    assert bench(*WORDS, "--out", "new").exit_code == 0
    refused = bench("compare", "b.jsonl", "new")
    assert (refused.exit_code, "b.jsonl:1: was changed" in refused.stderr) == (2, True)
