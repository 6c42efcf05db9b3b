import numpy as np

from bench.extractors.batching import embed_equal_lengths


def test_batches_hold_clips_of_one_length_and_frames_keep_the_order_of_the_clips():
    lengths, batches = [3, 1, 3, 2, 1], []

    def embed(positions: list[int]):
        batches.append([lengths[position] for position in positions])
        return [np.full(1, position) for position in positions]

    frames = embed_equal_lengths(lengths, embed)
    assert batches == [[1, 1], [2], [3, 3]]
    assert np.concatenate(frames).tolist() == [0, 1, 2, 3, 4]
