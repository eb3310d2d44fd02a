import pytest
from pydantic import BaseModel, Field, ValidationError, model_validator

from training.validation import first_problem


class Row(BaseModel):
    number: int = 0
    names: dict[str, int] = {}
    inner: list[dict[str, int]] = []
    most: int = Field(default=0, le=9)

    @model_validator(mode="after")
    def _no_seven(self) -> "Row":
        if self.number == 7:
            raise ValueError("seven is taken")
        return self


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"number": "x", "most": 10}, "number: Input should be a valid integer, unable to parse string as an integer"),
        ({"most": 10}, "most: Input should be less than or equal to 9"),
        ({"inner": [{"a": "x"}]}, "inner.0.a: Input should be a valid integer, unable to parse string as an integer"),
        ({"names": {1: 1}}, "names.1: Input should be a valid string"),
        ({"number": 7}, "seven is taken"),
    ],
)
def test_the_first_problem_is_told_with_its_field(content: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as error:
        Row.model_validate(content)

    assert first_problem(error.value) == said
