"""Uses a page of `loopy serve` or `loopy page` as a person does, in Chromium.

    browser.py serve ADDRESS DATASET LOOPY-SELECT FOLDER
    browser.py page FILE DATASET

What is wrong is an assertion that fails. With LOOPY_PICTURES=FOLDER, pictures of what was seen are kept there.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter

from playwright.sync_api import sync_playwright


def decisions(dataset):
    with open(f"{dataset}/selection.jsonl", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def counted(dataset):
    """What `loopy-select` decided, as the funnel counts it."""
    return Counter(one.get("rule") or "accepted" for one in decisions(dataset))


def accepted(dataset):
    return sorted(
        (os.path.basename(one["path"]), round(one["start"] * 25), round(one["end"] * 25))
        for one in decisions(dataset) if one["decision"] == "accept")


def funnel(page):
    bars = page.eval_on_selector_all(
        ".bar", "bars => bars.map(bar => [bar.dataset.verdict, Number(bar.dataset.spans)])")
    return {word: spans for word, spans in bars if word != "all" and spans}


def accepted_on_page(page):
    rows = page.evaluate(
        """() => { const { table } = window.loopy, rows = [];
        for (let row = 0; row < table.rows; row++) if (table.verdicts[row] === 0)
            rows.push([table.name(row), table.start[row], table.end(row)]);
        return rows; }""")
    return sorted(map(tuple, rows))


def keep(page, name):
    folder = os.environ.get("LOOPY_PICTURES")
    if folder:
        os.makedirs(folder, exist_ok=True)
        page.screenshot(path=f"{folder}/{name}.png")


def opened(browser, address, **options):
    context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
    page = context.new_page()
    page.wrong = []
    # What the page's next question is answered with; nothing dismisses it.
    page.reply = None
    page.on("dialog", lambda dialog: dialog.dismiss() if page.reply is None else dialog.accept(page.reply))
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    # Nothing but the browser's own word about a resource that is not there may stand in the console.
    page.on("console", lambda message: page.wrong.append(message.text)
            if message.type == "error" and "404" not in message.text else None)
    page.goto(address)
    page.wait_for_selector("body[data-ready]", timeout=60_000)
    return page


def settle(page):
    """The page draws in its next frames: what was done to one may be drawn in the one after the next."""
    page.evaluate("""async () => {
        for (let frame = 0; frame < 4; frame++) await new Promise(done => requestAnimationFrame(done));
    }""")


def move(page, metric, bound, value):
    """Types a limit."""
    show(page, metric)
    box = page.locator(f"input[type=text][data-metric={metric}][data-bound={bound}]")
    box.fill(value)
    box.press("Enter")
    settle(page)


def show(page, metric):
    card = page.locator(f"section[data-metric={metric}]")
    if not card.is_visible():
        page.locator("details.others summary").click()
    card.scroll_into_view_if_needed()


def settings(page):
    """What "Copy as settings" copies."""
    page.locator("#copy").click()
    page.wait_for_function("() => window.loopy.copied !== undefined")
    return page.evaluate("() => { const text = window.loopy.copied; delete window.loopy.copied; return text; }").split()


def check_selection(page, dataset, select, folder):
    """The page and `loopy-select` agree to the last clip, for limits of every kind."""
    assert counted(dataset)["duplicate"] > 0, "no copy among the clips"
    assert funnel(page) == counted(dataset), (funnel(page), counted(dataset))
    assert accepted_on_page(page) == accepted(dataset)
    copy = f"{folder}/copy"
    os.makedirs(copy)
    for name in os.listdir(dataset):
        if name.endswith((".json", ".jsonl")):
            shutil.copy(f"{dataset}/{name}", copy)
        elif name.startswith("measurements-"):
            shutil.copytree(f"{dataset}/{name}", f"{copy}/{name}")
    for metric, bound, value in [
        ("rotation", "maximum", "0"), ("face_height", "minimum", "150"), ("sound", "minimum", "0.9"),
        ("duration", "minimum", "2.5"), ("rotation", "maximum", ""), ("brightness", "maximum", "0.4"),
        ("completeness", "minimum", "0.95"), ("brightness", "maximum", "none"), ("rotation", "maximum", "none"),
        ("face_height", "minimum", ""), ("completeness", "minimum", "0,5"), ("completeness", "minimum", "none"),
    ]:
        move(page, metric, bound, value)
        arguments = settings(page)
        subprocess.run([select, "--dataset", copy, *arguments], check=True, stdout=subprocess.DEVNULL)
        assert funnel(page) == counted(copy), (metric, value, funnel(page), counted(copy))
        assert accepted_on_page(page) == accepted(copy), (metric, value)
    page.locator("#reset").click()
    settle(page)
    assert funnel(page) == counted(dataset)


def check_slider(page):
    """A slider moves by keys, the funnel follows, and the galleries show what hangs on the limit."""
    show(page, "face_height")
    slider = page.locator("input[type=range][data-metric=face_height][data-bound=minimum]")
    slider.focus()
    before = page.locator("#summary").inner_text()
    slider.press("End")
    settle(page)
    assert page.locator("#summary").inner_text() != before
    assert page.locator(".galleries .outside .tile").count() > 0
    keep(page, "slider")
    page.locator("#reset").click()
    settle(page)
    assert page.locator("#summary").inner_text() == before


def await_video(page, row):
    """A clip is chosen at once, and open when its values and its video have come."""
    page.wait_for_function(
        f"() => document.querySelector('.player-panel[data-row=\"{row}\"] video')?.readyState >= 2")


def check_player(page):
    """A clip plays from its source with its sound, follows the keys, and can stand beside another."""
    page.locator("#filter").fill("accepted")
    settle(page)
    shown = page.locator(".row").count()
    assert shown >= 2
    page.locator(".row").first.click()
    first, second = (page.locator(".row").nth(index).get_attribute("data-row") for index in (0, 1))
    await_video(page, first)
    page.locator("h1").click()
    page.keyboard.press("Space")
    page.wait_for_function("() => document.querySelector('.player-panel video').currentTime > 0.4")
    dots = page.locator(".player svg path").get_attribute("d")
    assert dots.count("M") == 68
    keep(page, "player")
    page.keyboard.press("Space")
    page.keyboard.press("ArrowDown")
    await_video(page, second)
    page.keyboard.press("ArrowUp")
    await_video(page, first)
    page.locator(".switch").first.click()
    page.wait_for_function("() => document.querySelector('.player-panel video').src.includes('cut')")
    await_video(page, first)
    page.keyboard.press("p")
    page.keyboard.press("ArrowDown")
    await_video(page, first)
    await_video(page, second)
    keep(page, "two")
    page.keyboard.press("p")
    assert page.locator(".player-panel video").count() == 1, "what is closed goes on playing"
    # A clip that was rejected, from the source.
    page.locator("#filter").fill("rejected")
    settle(page)
    page.locator(".row").last.click()
    page.wait_for_selector(".player-panel p.rejected")
    keep(page, "rejected")
    page.locator("#filter").fill("")


def check_phone(browser, address):
    page = opened(browser, address, is_mobile=True, has_touch=True, viewport={"width": 390, "height": 844})
    settle(page)
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth"), "wider than the phone"
    keep(page, "phone")
    page.locator(".row").first.tap()
    page.wait_for_selector(".near .player-panel h3", state="visible")
    keep(page, "phone-clip")
    page.locator("#close").tap()
    page.wait_for_selector(".near", state="hidden")
    assert not page.wrong, page.wrong


def answer(address, **headers):
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as reply:
            return reply.status, reply.read(), dict(reply.headers)
    except urllib.error.HTTPError as error:
        return error.code, error.read(), dict(error.headers)


def check_security(address, dataset):
    root, token = re.match(r"(http://[^/]+)/(.+)/$", address).groups()
    assert len(token) > 30
    for path in ["/", "/state.json", f"/{token[:-1]}/state.json", f"//{token}/state.json"]:
        assert answer(root + path)[0] == 404, path
    assert answer(address + "state.json")[0] == 200
    # Another name for this machine, as DNS rebinding makes one.
    assert answer(address + "state.json", Host="evil.example:80")[0] == 421
    for path in ["../../etc/passwd", "clips/../../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "clips/0.jpg/../../state",
                 "runs/0/../../../dataset.json", "dataset.json", "sources.jsonl", "videos/..%2f..%2fetc%2fpasswd", "clips/-1.json",
                 "clips/99999999.mp4", "clips/0x1.json", "runs/0/%2e%2e.png"]:
        assert answer(address + path)[0] == 404, path
    headers = answer(address)[2]
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin" and headers["X-Frame-Options"] == "DENY"
    assert "Access-Control-Allow-Origin" not in headers
    for name in ["..%2fevil", "a%20b", "", "a" * 65]:
        request = urllib.request.Request(f"{address}selections/{name}", data=b"select:", method="POST")
        try:
            status = urllib.request.urlopen(request).status
        except urllib.error.HTTPError as error:
            status = error.code
        assert status in (400, 404), (name, status)
    assert not os.path.exists(f"{dataset}/selections")


def check_ranges(page, address):
    row = page.evaluate("() => window.loopy.table.verdicts.findIndex(verdict => verdict === 0)")
    for name in [f"clips/{row}.mp4", f"clips/{row}.cut.mp4"]:
        status, whole, _ = answer(address + name)
        assert status == 200 and whole[4:8] == b"ftyp", name
        for asked, wanted in [("bytes=0-99", whole[:100]), ("bytes=100-", whole[100:]), ("bytes=-10", whole[-10:]),
                              (f"bytes=5-{len(whole) + 99}", whole[5:])]:
            status, part, headers = answer(address + name, Range=asked)
            assert status == 206 and part == wanted and headers["Content-Range"].endswith(f"/{len(whole)}"), (name, asked)
        assert answer(address + name, Range=f"bytes={len(whole)}-")[0] == 416


def check_saving(page, dataset, select, folder):
    page.reply = "strict_1"
    move(page, "face_height", "minimum", "150")
    page.locator("#save").click()
    saved = f"{dataset}/selections/strict_1.yaml"
    until = time.time() + 10
    while not os.path.exists(saved) and time.time() < until:
        page.wait_for_timeout(50)
    page.reply = None
    subprocess.run([select, "--dataset", f"{folder}/copy", "--config", saved], check=True, stdout=subprocess.DEVNULL)
    assert funnel(page) == counted(f"{folder}/copy")
    page.locator("#reset").click()


def check_names(page):
    """A file's name that would be markup is text."""
    odd = [name for name in page.evaluate("() => window.loopy.table.sources") if "<img" in name]
    assert odd, "no name with markup in it among the sources"
    page.locator("#filter").fill("onerror")
    settle(page)
    page.locator(".row").first.click()
    page.wait_for_function("name => document.querySelector('.player-panel h3')?.textContent === name", arg=odd[0])
    assert page.locator("img[src=x]").count() == 0 and page.evaluate("() => window.hacked") is None
    page.locator("#filter").fill("")


def check_tabs(page):
    for tab in ["training", "generated", "about", "clips"]:
        page.locator(f"[data-tab={tab}]").click()
        assert page.locator(f"main#{tab}").is_visible()
        settle(page)
        keep(page, f"tab-{tab}")


def main():
    kind, address, dataset = sys.argv[1:4]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        if kind == "page":
            page = opened(browser, f"file://{address}")
            if page.locator("main#clips").is_hidden():
                keep(page, "generated")
                page.locator("[data-tab=clips]").click()
            assert funnel(page) == counted(dataset), (funnel(page), counted(dataset))
            assert accepted_on_page(page) == accepted(dataset)
            assert page.locator(".row img").count() > 0
            check_tabs(page)
            keep(page, "page")
        else:
            select, folder = sys.argv[4:6]
            check_security(address, dataset)
            page = opened(browser, address)
            keep(page, "light")
            check_selection(page, dataset, select, folder)
            check_slider(page)
            check_player(page)
            check_ranges(page, address)
            check_saving(page, dataset, select, folder)
            check_names(page)
            check_tabs(page)
            dark = opened(browser, address, color_scheme="dark")
            row = dark.locator(".row").first
            row.click()
            await_video(dark, row.get_attribute("data-row"))
            keep(dark, "dark")
            check_phone(browser, address)
        assert not page.wrong, page.wrong
        browser.close()


main()
