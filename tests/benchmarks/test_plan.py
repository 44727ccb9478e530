"""The benchmark of the probe: how a prediction is held against a real run."""

from benchmarks.plan import compared, summary


def test_the_ratio_is_the_real_time_over_the_predicted_and_the_worst_set_is_told() -> None:
    rows = [{"train": compared(predicted, real)} for predicted, real in ((100.0, 110.0), (50.0, 50.0), (200.0, 160.0))]

    found = summary(rows)

    assert found["ratio"] == {"median": 1.0, "low": 0.8, "high": 1.1}
    assert round(found["agreement"]["largest_error"], 12) == 0.2
    assert (found["ours"], found["peer"]) == ({"seconds": 100.0}, {"seconds": 110.0})
