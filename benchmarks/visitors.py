"""The cost of visitors: the server's memory over 1,000 page runs, and the waiting time of ten visitors on *Inside*.

    PYTHONPATH=.:tests python benchmarks/visitors.py [memory | crowd | demo] [--runs 1000] [--visitors 10] [--changes 30]
    PYTHONPATH=.:tests python benchmarks/visitors.py demo --strangers 50 --minutes 10

The visitors have no browser (`visitor.py`): they speak Streamlit's own protocol, and a change is measured until the server
has sent all that follows from it. Ten browsers on two cores would measure the browsers. `memory`: the pages in turn, in a new
session every 50 runs. `crowd`: changes of layer, image and epoch, with a second to look at each, and the server's memory then:
the networks are shared. `demo`: strangers on all pages of an instance in demo mode, changes on *Inside* among them; the
waiting time and the server's memory every minute.
"""

import argparse
import asyncio
import itertools
import os
import random
import time

import browser
import watching
from visitor import Visitor

from gpcore.runs.store import Store

PAGES = ("", "train", "inside", "classify", "learn", "inside", "lab", "inside")
"""The pages in turn; the empty path is Compare."""

SESSION = 50
"""Page runs of one session."""

STRANGERS_PAGES = ("", "compare", "inside", "inside", "classify", "learn", "lab", "about")

LOOK = 10.0
"""Seconds, on average, that a stranger looks at something."""

PAUSE = 1.0
"""Seconds that a visitor waits after a change."""


def megabytes(store: Store) -> float:
    """The server's resident memory."""
    return watching.megabytes("streamlit", store.folder)


async def memory(store: Store, address: str, options: argparse.Namespace) -> None:
    """The server's memory as page runs add up; what is kept for all visitors is there after the first of them."""
    pages = itertools.islice(itertools.cycle(PAGES), options.runs)
    for number, session in enumerate(iter(lambda: list(itertools.islice(pages, SESSION)), []), start=1):
        async with Visitor(address) as visitor:
            for page in session:
                await visitor.open(page)
        if number == 1 or number % 2 == 0:
            print(f"  after {number * SESSION:>5,} page runs: {megabytes(store):,.0f} MB", flush=True)


async def crowd(store: Store, address: str, options: argparse.Namespace) -> None:
    """Seconds of every change, alone and in company."""
    for visitors in (1, options.visitors):
        seconds = await asyncio.gather(*(browse(address, options.changes, seed) for seed in range(visitors)))
        every = [1000 * value for own in seconds for value in own]
        print(f"  {visitors} at once: {browser.spread(every)} ms over {len(every)} changes; server {megabytes(store):,.0f} MB")


async def browse(address: str, changes: int, seed: int) -> list[float]:
    """Seconds of every change that one visitor makes on *Inside*."""
    drawn, seconds = random.Random(seed), []
    async with Visitor(address) as visitor:
        await visitor.open("inside")
        for number in range(changes):
            await asyncio.sleep(PAUSE * 2 * drawn.random())
            match number % 3:
                case 0:
                    seconds.append(await visitor.change("sort", bool_value=drawn.random() < 0.5))
                case 1:
                    seconds.append(await visitor.change("image", double_value=drawn.randrange(10_000)))
                case _:
                    seconds.append(await visitor.change("epoch", double_array_value={"data": [drawn.randint(1, 60)]}))
    return seconds


async def demo(store: Store, address: str, options: argparse.Namespace) -> None:
    """Seconds of every page and change, and the server's memory, minute by minute."""
    until = time.monotonic() + 60 * options.minutes
    strangers = [asyncio.create_task(wander(address, until, seed)) for seed in range(options.strangers)]
    for minute in range(1, round(options.minutes) + 1):
        await asyncio.sleep(60)
        print(f"  after {minute} minutes: {megabytes(store):,.0f} MB", flush=True)
    every = [1000 * value for own in await asyncio.gather(*strangers) for value in own]
    print(f"  {options.strangers} strangers: {browser.spread(every)} ms over {len(every)} pages and changes")


async def wander(address: str, until: float, seed: int) -> list[float]:
    """Seconds of all that one stranger opens and changes, looking at each for some seconds."""
    drawn, seconds = random.Random(seed), []
    async with Visitor(address) as visitor:
        await asyncio.sleep(LOOK * drawn.random())
        while time.monotonic() < until:
            page = drawn.choice(STRANGERS_PAGES)
            seconds.append(await visitor.open(page))
            for _ in range(3 if page == "inside" else 0):
                await asyncio.sleep(LOOK * 2 * drawn.random())
                seconds.append(await visitor.change("image", double_value=drawn.randrange(10_000)))
            await asyncio.sleep(LOOK * 2 * drawn.random())
    return seconds


def main() -> None:
    """Measure what is asked for, or both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="*", choices=["memory", "crowd", "demo", []], default=[])
    for name, default in {"runs": 1000, "visitors": 10, "changes": 30, "strangers": 50}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--minutes", type=float, default=10)
    options = parser.parse_args()
    for measured in (memory, crowd, demo):
        if measured.__name__ in (options.what or ("memory", "crowd")):
            print(f"{measured.__name__}:", flush=True)
            if measured is demo:
                os.environ["POOLSCOPE_MODE"] = "demo"
            with browser.dashboard() as (store, address):
                asyncio.run(measured(store, address, options))


if __name__ == "__main__":
    main()
