"""Saved models against the digests in the run's record."""

from collections.abc import Iterator

from bench.store import RunRecord, Store


def check_models(store: Store, record: RunRecord) -> Iterator[str]:
    """Yield the saved models that are not those of the record."""
    for key, digest in record.models.items():
        folder = store.models_path(key)
        now = store.models_digest(key)
        if now != digest:
            yield f"{folder}: the models are {'other ones than the saved ones' if now else 'missing'}"


def unlisted_models(store: Store, record: RunRecord) -> list[str]:
    """Return a line if models are there that the record has no digest of, as in runs of earlier versions."""
    keys = [key for key in (*record.cells, *record.earlier) if key not in record.models]
    unlisted = [key for key in keys if store.models_path(key).is_dir()]
    return [f"models of {len(unlisted)} cells: not checked, since run.json has no digest"] if unlisted else []
