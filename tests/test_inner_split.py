import numpy as np

from bench.heads.inner_split import inner_split


def test_the_held_out_clips_share_no_group_with_the_training_clips():
    groups = np.repeat([f"g{number}" for number in range(10)], 4)
    codes = np.repeat(np.arange(10) % 2, 4)
    train, held_out = inner_split(codes, groups, 0)
    assert len(train) + len(held_out) == 40
    assert len(held_out) == 8
    assert not set(groups[train]) & set(groups[held_out])


def test_nothing_is_held_out_if_a_class_has_a_single_group():
    codes = np.repeat(np.arange(10) % 2, 4)
    train, held_out = inner_split(codes, codes.astype(str), 0)
    assert (len(train), len(held_out)) == (40, 0)
