import pytest

from build_tools.errors import BuildError
from build_tools.fleet.requirement import Requirement


@pytest.mark.parametrize(
    ("given", "servers", "needed"),
    [
        ("all", 3, 3),
        (" ALL ", 1, 1),
        ("all", 0, 1),
        ("2", 3, 2),
        ("4", 3, 4),
        ("50%", 3, 2),
        ("66.7%", 3, 3),
        ("30%", 10, 3),  # not 4, though 0.3 * 10 is more than 3 to a computer
        ("70%", 10, 7),
        ("1%", 3, 1),
        ("100%", 3, 3),
    ],
)
def test_a_requirement_is_all_a_number_or_a_share_rounded_up(given, servers, needed):
    assert Requirement.of(given).needed(servers) == needed


@pytest.mark.parametrize("given", ["", "0", "-1", "0%", "101%", "1.5", "some", "%", "nan%", "inf%", "half", "²"])
def test_what_is_no_requirement_is_refused_with_what_is_one(given):
    with pytest.raises(BuildError, match="is no requirement: give all, a number of servers such as 2, or a share"):
        Requirement.of(given)
