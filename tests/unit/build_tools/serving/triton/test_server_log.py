from build_tools.serving.triton.server_log import error_lines

START = """\
W1121 07:58:31.554056 5196 pinned_memory_manager.cc:273] "Unable to allocate pinned system memory"
E1121 07:58:31.558285 5196 server.cc:241] "CudaDriverHelper has not been initialized."
I1121 07:58:31.559250 5196 model_lifecycle.cc:472] "loading: trunk:1"
"""


def test_errors_are_shown_without_the_rest():
    log = START + (
        'E1121 07:58:32.226649 5196 model_lifecycle.cc:642] "failed to load: Internal: x\\n\\nAt:"\n'
        "I1121 07:58:32.226722 5196 server.cc:674] \n"
        "+-------+---------+\n"
        "| Model | Version |\n"
        "+-------+---------+\n"
        "error: creating server: Internal - failed to load all models\n"
    )

    assert error_lines(log).splitlines() == [
        "failed to load: Internal: x",
        "At:",
        "error: creating server: Internal - failed to load all models",
    ]


def test_what_is_printed_outside_of_the_log_format_is_shown():
    line = "tritonserver: error while loading shared libraries: libb64.so.0d: cannot open shared object file"

    assert error_lines(line + "\n") == line


def test_without_any_error_the_last_lines_are_shown():
    assert error_lines(START).splitlines() == START.splitlines()


def test_many_errors_are_cut_to_the_last_ones():
    log = "".join(f"error {number}\n" for number in range(100))

    assert error_lines(log).splitlines() == [f"error {number}" for number in range(70, 100)]
