"""Sentences that say how far a map can be trusted."""

import math

from bench.report.map.data import Faithfulness


def sentences(faithfulness: Faithfulness) -> list[str]:
    """Return the sentences beside a map.

    Examples
    --------
    >>> from bench.report.map.data import LabelShares
    >>> for sentence in sentences(Faithfulness(15, 0.43, 0.93, {"speaker": LabelShares(5, 0.54, 0.67, 0.1)})):
    ...     print(sentence)
    43 % of the 15 nearest neighbours are kept; trustworthiness 0.93 of 1.
    Same speaker among the 5 nearest: 0.54 in the space, 0.67 on the map, 0.10 by chance.
    """
    shared = f"{100 * faithfulness.shared:.0f} % of the {faithfulness.n_nearest} nearest neighbours are kept"
    return [
        f"{shared}; trustworthiness {faithfulness.trustworthiness:.2f} of 1.",
        *(
            f"Same {name} among the {shares.n_nearest} nearest: {shares.in_space:.2f} in the space, "
            f"{shares.on_map:.2f} on the map, {shares.chance:.2f} by chance."
            for name, shares in faithfulness.labels.items()
            if not math.isnan(shares.in_space + shares.on_map + shares.chance)  # too few clips have a label
        ),
    ]
