"""The model of scale beside a simulation of every part, and at the edges of its rules."""

import heapq
import math
from collections import deque
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from steelsight.errors import BadInput
from steelsight.runtime.capacity.scale import ScaleConstants, predict_scan

PART = 512
USUAL = ScaleConstants(PART, decode_s=1.2e-3, infer_s=1.4e-3, part_s=0.15, driver_s=2e-3, image_bytes=1.1e5)


def simulate(workers: int, parts: int, scanned_s: float, driver_s: float) -> list[float]:
    """When each part is written: workers with two parts in flight, and one driver, event by event."""
    waiting, finished = deque(range(parts)), []
    queues = [0] * workers  # parts that lie ready at each worker, the one in work among them
    events: list[tuple[float, int]] = []  # a worker finishes a part
    answers: deque[tuple[float, int]] = deque()
    for _ in range(2):
        for worker in range(workers):
            if waiting:
                waiting.popleft()
                queues[worker] += 1
                if queues[worker] == 1:
                    heapq.heappush(events, (scanned_s, worker))
    clock = 0.0
    while events or answers:
        if not answers or (events and events[0][0] <= clock):
            time, worker = heapq.heappop(events)
            answers.append((time, worker))
            queues[worker] -= 1
            if queues[worker]:
                heapq.heappush(events, (time + scanned_s, worker))
            continue
        came, worker = answers.popleft()
        clock = max(clock, came) + driver_s
        finished.append(clock)
        if waiting:
            waiting.popleft()
            queues[worker] += 1
            if queues[worker] == 1:
                heapq.heappush(events, (clock + scanned_s, worker))
    return finished


@pytest.mark.parametrize("workers", [1, 2, 8, 80, 300])
@pytest.mark.parametrize("driver_s", [1e-4, 2e-3, 2e-2])
@pytest.mark.parametrize("parts", [40, 801, 2400])
def test_the_model_agrees_with_a_simulation_of_every_part(workers, driver_s, parts):
    constants = replace(USUAL, driver_s=driver_s)
    told = predict_scan(constants, nodes=1, cores=workers, sheets=parts * PART)
    times = simulate(workers, parts, constants.scanned_s, driver_s)
    # At the turn from workers to driver both wait for each other now and then: the model is optimistic there.
    assert told.scan_s <= times[-1] * (1 + 1e-9)
    assert told.scan_s >= 0.85 * times[-1]
    rounds = parts // workers - 3  # whole rounds, without the first and the last ones
    if rounds >= 5:
        start = 2 * workers - 1
        steady = rounds * workers * PART / (times[start + rounds * workers] - times[start])
        assert told.sheets_per_s == pytest.approx(steady, rel=0.05)


@given(
    st.integers(1, 1000),
    st.integers(1, 64),
    st.integers(1, 10**8),
    st.floats(1e-5, 0.1),
    st.floats(0, 0.2),
    st.floats(1e6, 1e12),
)
def test_nothing_is_faster_than_its_slowest_resource(nodes, cores, sheets, driver_s, round_trip_s, store):
    constants = replace(USUAL, driver_s=driver_s, round_trip_s=round_trip_s, store_bytes_per_s=store)
    told = predict_scan(constants, nodes=nodes, cores=cores, sheets=sheets)
    assert told.scan_sheets_per_s <= told.sheets_per_s * (1 + 1e-9)
    assert told.sheets_per_s <= nodes * cores / (constants.decode_s + constants.infer_s)
    assert told.read_bytes_per_s <= store * (1 + 1e-9)
    more = predict_scan(constants, nodes=nodes + 1, cores=cores, sheets=sheets)
    assert more.sheets_per_s >= told.sheets_per_s
    assert more.scan_s <= told.scan_s * (1 + 1e-9)


@pytest.mark.parametrize(
    ("changes", "nodes", "sheets", "limit"),
    [
        ({}, 1, 10_000_000, "processors"),
        ({}, 1000, 1_000_000_000, "driver"),
        ({"driver_s": 1e-5}, 1000, 1_000_000_000, "processors"),
        ({"driver_s": 1e-5}, 1000, 8001 * PART, "parts"),  # one part is left for a second round
        ({"driver_s": 1e-5}, 1000, 8000 * PART, "processors"),
        ({"round_trip_s": 0.02}, 1, 10_000_000, "processors"),  # 16 at a time: 1.25 ms a sheet, overlapped
        ({"round_trip_s": 0.1}, 1, 10_000_000, "round trip"),
        ({"store_bytes_per_s": 1.25e9}, 10, 10_000_000, "store"),  # ten Gbit/s for 27,000 sheets/s
        ({"start_s": 20.0}, 10, 100_000, "start"),
    ],
)
def test_the_limiting_resource_is_named(changes, nodes, sheets, limit):
    assert predict_scan(replace(USUAL, **changes), nodes=nodes, cores=8, sheets=sheets).limit == limit


def test_a_driver_that_looks_at_all_parts_in_flight_pays_for_each_once_a_part():
    slow = replace(USUAL, wait_s=1e-3)
    told = predict_scan(slow, nodes=1000, cores=8, sheets=10**9)
    assert told.sheets_per_s == pytest.approx(PART / (2e-3 + 2 * 1e-3))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"driver_s": 0.0}, "driver_s: expected a number above 0, got 0.0"),
        ({"driver_s": math.nan}, "driver_s: expected a number above 0, got nan"),
        ({"decode_s": -1.0}, "decode_s: expected 0 or more seconds, got -1.0"),
        ({"start_s": math.inf}, "start_s: expected 0 or more seconds, got inf"),
        ({"sheets_a_part": 0}, "sheets_a_part: expected a number above 0"),
    ],
)
def test_impossible_constants_are_refused(changes, message):
    with pytest.raises(BadInput, match=message):
        replace(USUAL, **changes)


@pytest.mark.parametrize("name", ["nodes", "cores", "sheets"])
def test_a_scan_needs_at_least_one_of_each(name):
    with pytest.raises(BadInput, match=f"{name}: expected at least 1, got 0"):
        predict_scan(USUAL, **{"nodes": 1, "cores": 1, "sheets": 1, name: 0})


def test_a_part_takes_time():
    nothing = ScaleConstants(PART, 0.0, 0.0, 0.0, 1e-3)
    with pytest.raises(BadInput, match="expected a part to take time"):
        predict_scan(nothing, nodes=1, cores=1, sheets=1)
