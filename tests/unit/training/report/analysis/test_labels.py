from training.report.analysis.labels import label_errors


def test_each_label_is_counted_by_itself_and_the_worst_comes_first() -> None:
    golds = [("joy",), ("joy", "fear"), (), ("fear",)]
    answers = [["joy"], ["joy"], ["joy"], ["joy", "fear"]]
    joy, fear, anger = label_errors(golds, answers, ["anger", "fear", "joy"])
    assert (joy.label, joy.gold, joy.predicted, joy.right) == ("joy", 2, 4, 2)
    assert (joy.precision, joy.recall, round(joy.f1, 1)) == (50.0, 100.0, 66.7)
    assert (fear.label, fear.gold, fear.predicted, fear.right, fear.recall) == ("fear", 2, 1, 1, 50.0)
    assert (anger.label, anger.precision, anger.recall, anger.f1) == ("anger", 0.0, 0.0, 0.0)
