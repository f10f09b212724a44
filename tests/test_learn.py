"""The page Learn: poolings by hand."""

import pytest
from streamlit.testing.v1 import AppTest

from gpcore.insight.hand_example import EXAMPLES

pytestmark = pytest.mark.usefixtures("app_environment")


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_pooled_in_every_way(example: str) -> None:
    page = AppTest.from_file("../dashboard/navigation.py", default_timeout=60).run().switch_page("../pages/learn.py").run()
    page.selectbox(key="example").set_value(example).run()
    assert not page.exception
    values = [float(metric.value) for metric in page.metric]
    for grid, gap, gmp in zip(EXAMPLES[example], values[0:2], values[2:4], strict=True):
        numbers = [number for row in grid for number in row]
        assert gap == pytest.approx(sum(numbers) / 9, abs=0.005)
        assert gmp == max(numbers)
