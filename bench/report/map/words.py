"""Sentences that say how far a map can be trusted."""

import math
from collections.abc import Mapping

from bench.metrics.neighbours import Agreement, Faithfulness


def sentences(faithfulness: Faithfulness, agreements: Mapping[str, Agreement]) -> list[str]:
    """Return the sentences beside a map: its neighbours, and a sentence per label column.

    A column is left out if too few clips have a label.

    Examples
    --------
    >>> import numpy as np
    >>> rows = np.zeros(0, np.int64)
    >>> trust = Faithfulness(
    ...     n_nearest=5, rows=rows, in_space=rows, on_map=rows, trustworthiness=0.93, shared=0.43
    ... )
    >>> for sentence in sentences(trust, {"speaker": Agreement(in_space=0.54, on_map=0.67, chance=0.1)}):
    ...     print(sentence)
    43 % of the 5 nearest neighbours are kept; trustworthiness 0.93 of 1.
    Same speaker among the 5 nearest: 0.54 in the space, 0.67 on the map, 0.10 by chance.
    """
    n_nearest = faithfulness.n_nearest
    shared = f"{100 * faithfulness.shared:.0f} % of the {n_nearest} nearest neighbours are kept"
    return [
        f"{shared}; trustworthiness {faithfulness.trustworthiness:.2f} of 1.",
        *(
            f"Same {name} among the {n_nearest} nearest: {share.in_space:.2f} in the space, "
            f"{share.on_map:.2f} on the map, {share.chance:.2f} by chance."
            for name, share in agreements.items()
            if not math.isnan(share.in_space + share.on_map + share.chance)
        ),
    ]
