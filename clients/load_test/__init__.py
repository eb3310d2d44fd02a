"""Load tests of a running server with Triton's perf_analyzer: texts in, throughput and percentiles out.

For programs:

    from clients.load_test.inputs import prepare_inputs
    from clients.load_test.load import Concurrency, Rate
    from clients.load_test.measure import measure

    prepare_inputs(texts, pairs, tasks, file)
    measurement = measure("localhost:8001", "nlu", file, Concurrency(8), "grpc", seconds=10)
    print(measurement.texts_per_second, measurement.latency.p99, measurement.failed)

Nothing is imported here, so that the program's other verbs do not load what a load test needs.
"""
