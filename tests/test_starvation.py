"""gpcore/verdicts/starvation.py against figures worked out by hand."""

from gpcore.verdicts.starvation import answer_shares, explained, starved_classes


def test_a_starved_class_is_answered_a_fraction_of_its_true_number() -> None:
    assert answer_shares([[8, 0], [4, 4]]) == [12 / 8, 4 / 8]


def test_a_starved_class_is_named_with_its_counts() -> None:
    # The article's GAP after 19 epochs answered Shirt 233 times in 10,000.
    confusion = [[900, 0, 100, 0], [0, 1000, 0, 0], [500, 0, 480, 20], [700, 0, 87, 213]]
    starved = starved_classes(confusion, ["T-shirt", "Trouser", "Pullover", "Shirt"])
    assert [(one.name, one.answered, one.actual) for one in starved] == [("Shirt", 233, 1000)]
    assert explained(starved).startswith("hardly ever answers Shirt 233 times (1,000 would be right). Accuracy stays")
    assert explained([]) == ""
    assert starved_classes([[10, 0, 0], [10, 0, 0], [10, 0, 0]], "abc") == []  # not learnt anything yet
