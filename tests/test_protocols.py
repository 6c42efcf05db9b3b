"""The interfaces of plugins."""

import dataclasses

import pytest

from bench.types import Extractor, Traits


class Plain:
    """An extractor with the required members only."""

    sample_rate = 16000
    dim = 1

    def embed(self, audio):
        return [y[:, None] for y in audio]


STATED = {
    "max_seconds": 30.0,
    "padded_seconds": 30.0,
    "batch_seconds": 60.0,
    "concurrent": True,
    "n_params": 10,
    "n_layers": 2,
}


def test_an_extractor_needs_no_base_class_and_no_traits():
    assert isinstance(Plain(), Extractor)
    assert Traits.of(Plain()) == Traits()


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Traits)])
def test_every_trait_is_an_attribute_of_the_extractor(name: str):
    extractor = Plain()
    setattr(extractor, name, STATED[name])
    assert Traits.of(extractor) == dataclasses.replace(Traits(), **{name: STATED[name]})
