from build_tools.precision.timing import median_ms


def test_runs_take_turns_after_one_round_that_does_not_count(monkeypatch):
    clock, order = [0.0], []

    def run(name, first, later):
        def run():
            clock[0] += first if name not in order else later
            order.append(name)

        return run

    monkeypatch.setattr("time.perf_counter", lambda: clock[0])

    taken = median_ms({"slow": run("slow", 9.0, 0.02), "fast": run("fast", 7.0, 0.01)}, seconds=0.1)

    assert {name: round(ms, 6) for name, ms in taken.items()} == {"slow": 20, "fast": 10}
    assert order == ["slow", "fast"] * (len(order) // 2)
    assert len(order) == 2 * (1 + 5)


def test_a_single_disturbance_does_not_count(monkeypatch):
    clock, calls = [0.0], []

    def run():
        calls.append(None)
        clock[0] += 100.0 if len(calls) == 3 else 0.01

    monkeypatch.setattr("time.perf_counter", lambda: clock[0])

    assert round(median_ms({"one": run})["one"], 6) == 10
