"""Tables of the model of scale."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from steelsight.runtime.capacity.scale import ScaleConstants, Throughput, predict_scan


def compared(what: str, predicted: float, measured: float) -> dict[str, Any]:
    """A line of the checks, printed."""
    say(f"{what}: predicted {predicted:.1f}, measured {measured:.1f}, ratio {measured / predicted:.2f}")
    return {
        "what": what,
        "predicted": round(predicted, 2),
        "measured": round(measured, 2),
        "ratio": round(measured / predicted, 3),
    }


def predictions(constants: ScaleConstants, cores: int) -> list[tuple[str, int, Throughput]]:
    """What the model says of 1 to 1,000 nodes, from a folder and from a store of 20 ms a request."""
    found = []
    for source, changes in (
        ("folder", {"request_s": 0.0}),
        ("store of 20 ms", {"round_trip_s": 0.02}),
    ):
        for nodes in (1, 10, 100, 1000):
            told = predict_scan(replace(constants, **changes), nodes=nodes, cores=cores, sheets=100_000_000)
            found.append((source, nodes, told))
    return found


def print_tables(
    constants: ScaleConstants, checks: list[dict[str, Any]], table: list[tuple[str, int, Throughput]]
) -> None:
    """Rows for docs/results/scale.md."""
    print("\n| constant | |\n|---|---|")
    for name, value in asdict(constants).items():
        print(f"| {name} | {value:.4g} |")
    print("\n| check | predicted | measured | ratio | limit |\n|---|---|---|---|---|")
    for each in checks:
        print("| " + " | ".join(str(value) for value in each.values()) + " |")
    print(
        "\n| source | nodes | sheets/s | read GB/s | limit | 100,000,000 sheets |\n|---|---|---|---|---|---|"
    )
    for source, nodes, told in table:
        read, hours = told.read_bytes_per_s / 1e9, told.scan_s / 3600
        print(
            f"| {source} | {nodes:,} x {told.workers // nodes} | {told.sheets_per_s:,.0f} | {read:.2f} "
            f"| {told.limit} | {hours:.2f} h, {told.scan_sheets_per_s:,.0f} sheets/s |"
        )


def say(line: str) -> None:
    """Print at once."""
    print(line, flush=True)
