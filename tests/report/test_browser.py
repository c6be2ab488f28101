"""A person's way through the report, in a real browser: cells, questions, the message graph, filters, keys, themes, a phone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

WIDE, PHONE, SMALL = (1280, 900), (390, 844), (360, 740)
PATIENCE = 15_000  # milliseconds a state may take to come on a busy machine
Open = Callable[..., Any]


def expect(found: Any) -> Any:
    """Playwright's assertions, which wait for the page's script; imported here, for the tests skip where it is absent."""
    from playwright.sync_api import expect as waiting

    waiting.set_options(timeout=PATIENCE)
    return waiting(found)


def expect_address(page: Any, end: str) -> None:
    expect(page).to_have_url(re.compile(re.escape(end) + "$"))


def expect_question(page: Any, name: str) -> None:
    """Address and page have both come to this question: the address alone changes before the page is drawn."""
    expect_address(page, f"/{name.replace('/', '%2F')}")
    expect(page.locator("#view h1")).to_have_text(f"Question {name}")


@pytest.fixture
def open_page(browser: Any, report_file: Path) -> Iterator[Open]:
    """Opens the report at an address; every fault, refusal and request of the page fails the test."""
    contexts: list[Any] = []
    faults: list[str] = []

    def opened(address: str = "", size: tuple[int, int] = WIDE, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": size[0], "height": size[1]}, reduced_motion="reduce", **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
        page.on("request", lambda request: faults.append(request.url) if not request.url.startswith("file://") else None)
        page.goto(f"{report_file.as_uri()}{address}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert faults == []


def test_from_the_leaderboard_to_a_call_and_back(open_page: Open) -> None:
    page = open_page()
    page.click("#leaderboard a:text-is('multiagent_refine')")
    expect(page.locator("#content")).to_be_hidden()
    expect(page.locator("#view h1")).to_contain_text("multiagent_refine")
    page.click(".list a >> nth=9")
    expect(page.locator(".asked")).to_contain_text("What is item 9")
    boxes = page.locator(".graph [data-call]")
    expect(boxes).to_have_count(9)  # two rounds of four, and a summary
    expect(boxes.first).to_have_attribute("aria-label", re.compile("^alpha: "))
    expect(page.locator(".graph .tip")).to_have_count(4 * 3 + 4 + 1)
    expect(page.locator(".graph .head")).to_have_count(3)  # a caption for each round, and one for the summary
    boxes.nth(8).click()
    lit = page.locator(".call.lit")
    expect(lit).to_have_count(1)
    expect(lit).to_contain_text("saw alpha, beta, gamma, delta (refine, round 1)")
    page.keyboard.press("Escape")
    expect(page.locator(".list")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#leaderboard")).to_be_visible()
    expect(page.locator("#view")).to_be_hidden()
    page.go_back()
    expect(page.locator(".list")).to_be_visible()


def test_votes_name_their_voters_and_mark_the_winner(open_page: Open) -> None:
    page = open_page("#/majority_vote-bench-geo-s0/q%2F009")
    expect(page.locator(".votes .voter")).to_have_count(4)
    assert page.locator(".votes li").count() >= 1
    assert page.locator(".votes li.won").count() <= 1
    expect(page.locator("dt:text-is('votes')")).to_have_count(0)  # drawn, so not listed again


def test_a_route_shows_who_chose_whom(open_page: Open) -> None:
    page = open_page("#/prompt_routing-bench-geo-s0/q%2F009")
    expect(page.locator(".route")).to_have_text(re.compile(r"^\s*alpha\s*chose\s*beta\s*$"))
    expect(page.locator(".graph [data-call]")).to_have_count(2)


def test_spans_are_coloured_by_owner_with_a_legend(open_page: Open) -> None:
    page = open_page("#/logit_fusion-bench-geo-s0/q%2F009")
    expect(page.locator(".owner")).to_have_text(["alpha", "gamma"])
    spans = page.locator(".answer .span")
    for number, owner in enumerate(["alpha", "gamma", "alpha"]):
        expect(spans.nth(number)).to_have_attribute("title", owner)
    colours = [spans.nth(i).evaluate("e => getComputedStyle(e).borderBottomColor") for i in range(3)]
    assert colours[0] == colours[2] != colours[1]


def test_steps_of_a_reason_are_a_table(open_page: Open) -> None:
    page = open_page("#/cascade-bench-geo-s0/q%2F009")
    expect(page.locator(".why table th")).to_have_text(["member", "confidence", "threshold", "deferred"])
    expect(page.locator(".why tbody tr")).to_have_count(2)
    expect(page.locator(".why table")).to_contain_text("0.4123")


def test_a_team_inside_a_team_opens(open_page: Open) -> None:
    page = open_page("#/panel_then_debate-bench-geo-s0/q%2F009")
    page.click("summary:has-text('inside panel: 4 calls')")
    expect(page.locator(".call .call").first).to_be_visible()
    expect(page.locator(".call .call")).to_have_count(4)


def test_a_failed_item_says_why(open_page: Open) -> None:
    page = open_page("#/cascade-bench-geo-s0/q%2F005")
    expect(page.locator(".answer")).to_contain_text("the server said 503 <b>four</b> times")
    expect(page.locator(".verdict[aria-label=failed]")).not_to_have_count(0)


def test_filters_and_search_narrow_the_list(open_page: Open) -> None:
    page = open_page("#/majority_vote-bench-geo-s0")
    questions = page.locator(".list a")
    expect(questions).to_have_count(16)
    right = page.locator("button[data-filter=right]")
    right.click()
    expect(right).to_have_attribute("aria-pressed", "true")
    expect(questions).to_have_count(int(right.inner_text().split()[-1]))
    page.click("button[data-filter=all]")
    page.fill("input[type=search]", "item 11")
    expect(questions).to_have_count(1)
    page.fill("input[type=search]", "nowhere to be found")
    expect(questions).to_have_count(0)
    expect(page.locator(".list")).to_contain_text("No question fits")


def test_keys_walk_through_questions(open_page: Open) -> None:
    page = open_page("#/majority_vote-bench-geo-s0")
    links = page.locator(".list a")
    for number in range(2):
        page.keyboard.press("j")
        expect(links.nth(number)).to_be_focused()
    page.keyboard.press("Enter")
    expect_question(page, "q/001")
    page.keyboard.press("j")
    expect_question(page, "q/002")
    page.keyboard.press("k")
    expect_question(page, "q/001")
    page.keyboard.press("Escape")
    expect_address(page, "#/majority_vote-bench-geo-s0")
    expect(links).to_have_count(16)


def test_keys_faster_than_the_address_event_are_not_lost(open_page: Open) -> None:
    """Keys within one task of the browser: no `hashchange` can come between them."""
    page = open_page("#/majority_vote-bench-geo-s0/q%2F001")
    pressed = (
        "keys => { for (const key of keys) document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true })); }"
    )
    page.evaluate(pressed, ["j", "j", "j", "k"])
    expect_question(page, "q/003")
    page.evaluate(pressed, ["Escape", "Escape"])
    expect(page.locator("#leaderboard")).to_be_visible()


def test_a_strip_opens_the_question_under_the_pointer(open_page: Open) -> None:
    page = open_page()
    strip = page.locator(".pick[data-cell='multiagent_refine-bench-geo-s0']")
    strip.scroll_into_view_if_needed()
    box = strip.bounding_box()
    strip.click(position={"x": box["width"] - 3, "y": 5})
    expect(page).to_have_url(re.compile(r"#/multiagent_refine-bench-geo-s0/q%2F\d+$"))
    expect(page.locator(".asked")).to_be_visible()


def test_the_same_question_elsewhere_leads_there(open_page: Open) -> None:
    page = open_page("#/majority_vote-bench-geo-s0/q%2F009")
    expect(page.locator(".same-question a[aria-current=page]")).to_have_count(1)
    page.click(".same-question tr:has(th:text-is('delta')) a >> nth=1")
    expect_address(page, "#/delta-bench-geo-s1/q%2F009")
    expect(page.locator(".trail")).to_contain_text("delta on bench/geo, seed 1")


def test_hostile_texts_are_shown_and_do_nothing(open_page: Open) -> None:
    page = open_page()
    for number in range(8):
        page.goto(page.url.split("#")[0] + f"#/majority_vote-bench-geo-s0/q%2F00{number}")
        expect_question(page, f"q/00{number}")
        for opened in page.locator("#view details summary").all():
            opened.click()
        if number < 2:
            expect(page.locator(".asked")).to_contain_text("window.hacked = 1")
    assert page.evaluate("window.hacked") is None
    expect(page.locator("#view img, #view script")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_address_of_nothing_shows_the_report(open_page: Open) -> None:
    expect(open_page("#/no-such-cell/q").locator("#leaderboard")).to_be_visible()
    expect(open_page("#/alpha-bench-geo-s0/no-such-item").locator("#view")).to_contain_text("not kept")


def test_the_theme_follows_the_system_and_the_button(open_page: Open) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = (open_page(color_scheme=scheme) for scheme in ("light", "dark"))
    button = light.locator("#theme")
    expect(button).to_have_text("Dark")
    was = light.evaluate(ground)
    assert was != dark.evaluate(ground)
    button.click()
    expect(button).to_have_text("Light")
    assert light.evaluate(ground) == dark.evaluate(ground)
    button.click()
    expect(button).to_have_text("Dark")
    assert light.evaluate(ground) == was


@pytest.mark.parametrize("size", [WIDE, PHONE, SMALL])
@pytest.mark.parametrize("address", ["", "#/multiagent_refine-bench-geo-s0", "#/multiagent_refine-bench-geo-s0/q%2F005"])
def test_nothing_is_wider_than_the_window(open_page: Open, size: tuple[int, int], address: str) -> None:
    page = open_page(address, size)
    page.evaluate("document.querySelectorAll('details').forEach((d) => { d.open = true; })")
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_their_ground(open_page: Open, scheme: str) -> None:
    """WCAG AA: 4.5 to 1 for every text colour on the ground colours."""
    page = open_page(color_scheme=scheme)
    worst = page.evaluate(CONTRAST)
    assert min(worst.values()) >= 4.5, worst
    assert len(set(worst.values())) == len(worst)  # every colour was understood and is its own


CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
  const light = (colour) => {
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = {};
  const probe = document.createElement('span');
  document.body.append(probe);
  for (const ground of ['--paper', '--raised']) for (const ink of ['--ink', '--soft', '--link', '--good', '--bad']) {
    probe.className = 'probe';
    const read = (name) => { probe.style.color = `var(${name})`; return getComputedStyle(probe).color; };
    const [a, b] = [light(read(ink)), light(read(ground))].sort((x, y) => y - x);
    found[`${ink} on ${ground}`] = (a + 0.05) / (b + 0.05);
  }
  const step = document.createElement('td');
  document.body.append(step);
  for (const shade of ['up1', 'up2', 'up3', 'up4', 'down1', 'down2', 'down3', 'down4']) {
    step.className = shade; probe.style.color = 'var(--ink)';
    const [a, b] = [light(getComputedStyle(probe).color), light(getComputedStyle(step).backgroundColor)].sort((x, y) => y - x);
    found[shade] = (a + 0.05) / (b + 0.05);
  }
  probe.remove(); step.remove();
  return found;
}"""


def test_without_javascript_everything_above_single_questions_is_there(open_page: Open) -> None:
    page = open_page(java_script_enabled=False)
    for part in (
        "#leaderboard table",
        "#tasks table",
        "#cost svg.wide",
        "#solved .strip >> nth=0",
        "#tests table >> nth=0",
        "#cells table",
    ):
        expect(page.locator(part)).to_be_visible()
    expect(page.locator("#cells")).to_contain_text("Single questions need JavaScript", use_inner_text=True)
    expect(page.locator("#theme")).to_be_hidden()


def test_every_control_can_be_reached_and_shows_its_focus(open_page: Open) -> None:
    page = open_page()
    reached = []
    for _ in range(12):
        left = page.evaluate_handle("document.activeElement")
        page.keyboard.press("Tab")
        page.wait_for_function("left => document.activeElement !== left", arg=left)
        reached.append(
            page.evaluate(
                "(() => { const e = document.activeElement; return [e.id || e.innerText, getComputedStyle(e).outlineStyle]; })()"
            )
        )
    assert reached[0][0] == "Skip to the results" and any(name == "theme" for name, _ in reached)
    assert all(style == "solid" for _, style in reached)


def test_wide_tables_say_that_they_go_on(open_page: Open) -> None:
    page = open_page("#cells", PHONE)
    cells = page.locator("#cells .scroll")
    expect(cells).to_have_class(re.compile("wide more"))
    cells.evaluate("box => { box.scrollLeft = box.scrollWidth; }")
    expect(cells).to_have_class(re.compile(r"wide(?! more)"))
    assert open_page("#cells", WIDE).locator("#cells .scroll.wide").count() == 0, "every column is in sight"
