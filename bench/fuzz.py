"""The service under requests that nobody should send: made-up paths, heads, bodies and JSON, from a fixed seed.

Counts statuses, and fails on a 5xx that is no 503 or 504, on a connection without an answer to a whole request, on a
process that died, and on memory that grew by more than a tenth. With --schemathesis, the same service is also tried by
schemathesis from its OpenAPI document (its own environment: make bench-env).
"""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import measure
import services

PATHS = (
    ["/v1/predict"] * 12
    + ["/v1/feedback"] * 4
    + ["/v1/explain"] * 4
    + ["/v1/models", "/v1/stats", "/metrics", "/", "/page/app.js"]
)
PATHS += [
    "/health/ready",
    "/openapi.json",
    "/v1/models/no",
    "/page/../../etc/passwd",
    "/page/%2e%2e/x",
    "/%00",
    "/é",
]
METHODS = ["POST"] * 12 + ["GET", "GET", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"]
TYPES = ["application/json"] * 10 + ["application/x-ndjson", "text/plain", "", "application/json; charset=utf-16", "x"]
TEXTS = [
    "Anna lives in Paris .",
    "",
    " ",
    "北京的火车晚点了",
    "😀" * 9,
    "a" * 5000,
    "\u202e\u0000\ufeff",
    "'; --",
    "<b>",
]


def value(draw: random.Random, depth: int = 0) -> Any:
    """Some JSON."""
    kinds = [lambda: draw.choice(TEXTS), lambda: draw.choice([0, -1, 1e308, 2**70, True, False, None])]
    if depth < 4:
        kinds.append(lambda: [value(draw, depth + 1) for _ in range(draw.randrange(4))])
        kinds.append(lambda: {draw.choice(["inputs", "model", "label", "x"]): value(draw, depth + 1) for _ in range(2)})
    return draw.choice(kinds)()


def content(draw: random.Random, path: str) -> bytes:
    """A body: a right one, one with a part exchanged, one with bytes exchanged, or none at all."""
    right: dict[str, Any] = {"inputs": [draw.choice(TEXTS) for _ in range(draw.randrange(1, 4))]}
    if "feedback" in path:
        right = {
            "input": draw.choice(TEXTS),
            "label": draw.choice(["pos", [], [{"start": 0, "end": 4, "label": "PER"}]]),
        }
    if "explain" in path:
        right = {"input": draw.choice(TEXTS), "at": draw.choice([None, [0, 4], [9, 3], [0, 1 << 40]])}
    for _ in range(draw.randrange(3)):
        right[draw.choice([*right, "model", "variant", "comment", "prediction", "target", "at"])] = value(draw)
    try:
        found = bytearray(json.dumps(right, ensure_ascii=draw.random() < 0.5).encode("utf-8", "surrogatepass"))
    except (ValueError, OverflowError):
        found = bytearray(b"{}")
    chance = draw.random()
    if chance < 0.2:
        for _ in range(draw.randrange(1, 6)):
            found[draw.randrange(len(found))] = draw.randrange(256)
    elif chance < 0.25:
        found = found[: draw.randrange(len(found))]
    elif chance < 0.28:
        found = bytearray(draw.randbytes(draw.randrange(300)))
    elif chance < 0.29:
        found = bytearray(
            draw.choice([b"[" * 3000, b'{"inputs":' * 500, b'"\\ud800"', b"NaN", b'{"inputs":["\\ud800"]}'])
        )
    return bytes(found)


def request(draw: random.Random) -> bytes:
    """A whole request, whose length is told as it is."""
    path, method, kind = draw.choice(PATHS), draw.choice(METHODS), draw.choice(TYPES)
    body = content(draw, path) if method not in ("GET", "HEAD") or draw.random() < 0.1 else b""
    heads = [f"{method} {path}{draw.choice(['', '', '', '?model=model', '?model=%ff&variant=torch', '?'])} HTTP/1.1"]
    heads += ["Host: localhost", f"Content-Type: {kind}"]
    if draw.random() < 0.05:
        body = draw.choice([gzip.compress(body), body, gzip.compress(b"\0" * 3_000_000)[:900]])
        heads.append(f"Content-Encoding: {draw.choice(['gzip', 'br', 'gzip, gzip'])}")
    if draw.random() < 0.05:
        heads.append(f"{draw.choice(['X-Request-Id', 'Authorization', 'Accept', 'Cookie'])}: {draw.randbytes(9).hex()}")
    heads.append(f"Content-Length: {len(body)}")
    return "\r\n".join(heads).encode("utf-8") + b"\r\n\r\n" + body


async def one(port: int, data: bytes, statuses: Counter[str]) -> None:
    """Send a request on a connection of its own and read the answer's status."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(data)
        async with asyncio.timeout(60):
            line = await reader.readline()
        statuses[line.split(b" ")[1].decode() if line.startswith(b"HTTP/1.1 ") else "none"] += 1
    except TimeoutError:
        statuses["none"] += 1
    except ConnectionError:
        statuses["closed"] += 1  # refused before it was read whole
    finally:
        writer.close()


async def fuzz(port: int, count: int, seed: int, at_once: int = 16) -> Counter[str]:
    statuses: Counter[str] = Counter()
    draw = random.Random(seed)

    async def work(turns: int) -> None:
        for _ in range(turns):
            await one(port, request(draw), statuses)

    await asyncio.gather(*(work(count // at_once) for _ in range(at_once)))
    return statuses


def memory_mb(service: services.Service) -> float:
    return sum(process.memory_mb for process in service.processes())


def schemathesis(url: str) -> int:
    """Its exit code: 0 when it found no answer of 500 and above."""
    tool = str(Path(sys.executable).with_name("schemathesis"))
    given = [
        f"{url}/openapi.json",
        "--url",
        url,
        "--checks",
        "not_a_server_error",
        "--max-examples",
        "50",
        "--exclude-method",
        "DELETE",
    ]
    return subprocess.run([tool, "run", *given], check=False).returncode


def main() -> None:
    parser = services.options(__doc__)
    parser.set_defaults(variant=None)
    parser.add_argument("--requests", type=int, help="2,000 with --quick, else 100,000")
    parser.add_argument("--schemathesis", action="store_true", help="also by schemathesis, from the OpenAPI document")
    args = parser.parse_args()
    count = args.requests or (2000 if args.quick else 100_000)
    with tempfile.TemporaryDirectory() as work:
        service = services.start("burnish", services.prepared(args, work, onnx=False))
        try:
            service.ready()
            asyncio.run(fuzz(service.port, min(count // 5, 5000), args.seed + 1))  # memory settles
            before, size = service.processes(), memory_mb(service)
            statuses = asyncio.run(fuzz(service.port, count, args.seed))
            after, growth = service.processes(), memory_mb(service) / size
            code = schemathesis(f"http://127.0.0.1:{service.port}") if args.schemathesis else 0
        finally:
            service.stop()
    print(dict(sorted(statuses.items())))
    bad = [status for status in statuses if status == "none" or (status[0] == "5" and status not in ("503", "504"))]
    wrong = sum(statuses[status] for status in bad)
    died = {one.pid for one in before} - {one.pid for one in after}
    ratios = {"requests": count, "wrong": wrong, "died": len(died), "memory_growth": growth, "schemathesis_code": code}
    measure.finish(args, {name: float(number) for name, number in ratios.items()}, {"statuses": statuses})
    if wrong or died or growth > 1.1 or code:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
