"""How often people give the model's wrong label, with its verdict shown and without."""

from tests.quality.conftest import data, known

from steelsight.quality.reviewers import followed_verdicts


def test_only_known_cases_with_a_wrong_verdict_count():
    found = followed_verdicts(
        data(
            (),
            (
                known(1, "dent", "none", verdict="none", shown=True),  # followed
                known(2, "dent", "dent", verdict="none", shown=True),
                known(3, "dent", "crack", verdict="none", shown=True),  # wrong in another way
                known(4, "dent", "none", verdict="none"),  # missed without having seen it
                known(5, "dent", "dent", verdict="none"),
                known(6, "dent", "dent", verdict="dent", shown=True),  # the verdict is right
                known(7, "dent", "none", verdict=None, shown=True),  # there is none
                known(8, "none", "none", verdict="crack + dent"),
            ),
        )
    )
    assert (found.shown, found.unseen) == ((1, 3), (1, 3))
    low, high = found.as_dict()["shown_bounds"]
    assert low < 1 / 3 < high


def test_the_order_of_several_types_does_not_matter():
    cases = [known(1, "none", "dent + crack", verdict="crack + dent", shown=True)]
    assert followed_verdicts(data((), cases)).shown == (1, 1)


def test_nothing_is_known_without_cases():
    found = followed_verdicts(data(()))
    assert (found.shown, found.unseen) == ((0, 0), (0, 0))
    assert found.as_dict()["unseen_bounds"] == (0.0, 1.0)
