"""The page Learn: poolings by hand."""

import pytest
from conftest import ROOT
from streamlit.testing.v1 import AppTest

from gpcore.insight.hand_example import EXAMPLES
from ui.sharing import qr_code

pytestmark = pytest.mark.usefixtures("app_environment")


def opened(**link: str) -> AppTest:
    page = AppTest.from_file(ROOT / "dashboard/navigation.py", default_timeout=60).run()
    page.query_params.update(link)
    page.switch_page("../pages/learn.py").run()
    assert not page.exception
    return page


def words(page: AppTest) -> str:
    return "\n".join(element.value for element in page.markdown)


def test_a_painted_map_is_pooled_as_one_sees_it() -> None:
    page = opened(map="0-2-5-9-9-0-0-0-2")
    assert "(0 + 2 + 5 + 9 + 9 + 0 + 0 + 0 + 2) / 9 = **3.00**" in words(page)
    assert "max(0, 2, 5, 9, 9, 0, 0, 0, 2) = **9.00**" in words(page)
    assert [metric.value for metric in page.metric[:2]] == ["3.00", "9.00"]


def test_a_link_to_no_map_opens_the_first_one() -> None:
    assert "= **1.00**" in words(opened(map="7-7"))


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_answer_comes_after_the_guess(example: str) -> None:
    page = opened()
    page.selectbox(key="example").set_value(example).run()
    first, second = EXAMPLES[example]
    sums, largest = [sum(map(sum, grid)) for grid in (first, second)], [max(map(max, grid)) for grid in (first, second)]
    for pool, scores in (("gap", [total / 9 for total in sums]), ("gmp", largest)):
        right = "a tie" if scores[0] == scores[1] else ("Class A", "Class B")[scores.index(max(scores))]
        assert f"**{scores[0]:.2f}** and" not in words(page)
        page.segmented_control(key=f"{pool} of {example}").set_value(right).run()
        assert f"Yes: Class A scores **{scores[0]:.2f}** and Class B **{scores[1]:.2f}**" in words(page)
        page.segmented_control(key=f"{pool} of {example}").set_value(None).run()


def test_a_link_is_shared_with_its_qr_code_and_a_text_size() -> None:
    page = opened(map="0-2-5-9-9-0-0-0-2", text="large")
    assert any("font-size: 125%" in element.proto.body for element in page.get("html"))
    code = qr_code("http://localhost/learn?map=0-2-5-9-9-0-0-0-2")
    assert code.startswith("<svg")
    assert code != qr_code("http://localhost/learn")
