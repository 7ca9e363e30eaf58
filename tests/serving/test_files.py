"""Files as inputs of the service: base64, forms, the client; and everything that is none of these."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from burnish.data.images import LARGEST
from burnish.engine import Engine
from burnish.errors import InputError
from burnish.job import tune
from burnish.serving import files, intake
from burnish.serving.client import Client
from burnish.serving.deployment import Limits
from burnish.serving.errors import Problem
from burnish.serving.worker import Model
from tests import tiny_images
from tests.serving.conftest import Running, start


def png(image: Image.Image) -> bytes:
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def bomb() -> bytes:
    """A PNG of some kilobytes that says it has 30,000 by 30,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(10**6))) + chunk(b"IEND", b"")
    )


RED = png(tiny_images.picture("red", 900))
TEXT = base64.b64encode(RED).decode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("files")
    return tune(tiny_images.job(place).model_copy(update={"out": str(place / "photos")})).artifact.folder


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[Running]:
    found = start([folder], "--processes", "1", "--max-batch-tokens", "128")
    yield found
    found.process.kill()
    found.process.wait()


def test_every_way_to_send_a_file_gives_the_answer_of_the_engine(served: Running, folder: Path) -> None:
    own = asdict(Engine.open(folder, "torch").predict(RED)[0])
    path = served.folder / "red.png"
    path.write_bytes(RED)
    with served.client("") as client:
        bodies: list[dict[str, Any]] = [
            {"inputs": one} for one in (TEXT, [{"image": TEXT}], f"data:image/png;base64,{TEXT}")
        ]
        answers = [client.post("/v1/predict", json={"model": "photos", **body}) for body in bodies]
        answers.append(client.post("/v1/predict", files={"image": ("../../etc/passwd", RED)}, data={"model": "photos"}))
        lines = client.post(
            "/v1/predict", content=f'"{TEXT}"\n"nothing"\n', headers={"content-type": "application/x-ndjson"}
        )
        (about,) = client.get("/v1/models").json()["models"]
    said = [answer.json()["predictions"][0] for answer in answers] + [Client(served.url).predict(path)]
    said += [*Client(served.url).predict([RED, path]), json.loads(lines.text.splitlines()[0])]
    assert [one["label"] for one in said] == ["red"] * 8
    assert all(one["probabilities"]["red"] == pytest.approx(own["probabilities"]["red"], abs=1e-5) for one in said)
    assert '"status":422' in lines.text.splitlines()[1]
    assert (about["inputs"], about["tokens_each"]) == ("image", 4)


@pytest.mark.parametrize(
    ("given", "status", "told"),
    [
        ("photos/red/00.png", 422, "no path"),
        ("/etc/passwd", 422, ""),
        ("", 422, "empty"),
        ("    ", 422, "empty"),
        ("é", 422, "no base64"),
        (base64.b64encode(b"no image at all").decode(), 422, "no image in a known format"),
        (base64.b64encode(RED[: len(RED) // 2]).decode(), 422, "damaged or cut short"),
        (base64.b64encode(bomb()).decode(), 422, f"more than {LARGEST:,}"),
        (7, 422, "takes"),
        (None, 422, "takes"),
        ([TEXT], 422, "takes"),
        ({"image": 7}, 422, "takes"),
        ({"image": "photos/red/00.png"}, 422, "no path"),
        ({"path": "photos/red/00.png"}, 422, "takes"),
        ({"image": TEXT, "more": TEXT}, 422, "takes"),
        ({"text": "red"}, 422, "takes"),
        ("A" * 4_100_000, 413, "bytes"),
    ],
)
def test_what_is_no_file_is_refused(given: Any, status: int, told: str, served: Running) -> None:
    with served.client("") as client:
        answer = client.post("/v1/predict", json={"inputs": [TEXT, given]})
        assert client.post("/v1/predict", json={"inputs": TEXT}).status_code == 200, "the service goes on"
    assert answer.status_code == status, answer.text
    assert told in answer.json()["detail"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert "/etc" not in answer.json()["detail"]


def test_a_file_that_cannot_be_read_counts_as_what_it_is_answered_with(served: Running) -> None:
    def counted() -> list[float]:
        with served.client("") as client:
            lines = [line.rsplit(" ", 1) for line in client.get("/metrics").text.splitlines()]
            found = {name: float(value) for name, value in lines if "photos" in name}
            rows = float(client.get("/v1/stats").json()["models"]["photos"]["rows"])
        requests = [found.get(f'burnish_requests_total{{model="photos",status="{one}"}}', 0.0) for one in (200, 422)]
        return [*requests, found['burnish_inputs_total{model="photos"}'], rows]

    with served.client("") as client:
        assert client.post("/v1/predict", json={"inputs": [TEXT]}).status_code == 200
        before = counted()
        broken = base64.b64encode(b"no image at all").decode()
        assert client.post("/v1/predict", json={"inputs": [TEXT, broken]}).status_code == 422
    assert [after - one for after, one in zip(counted(), before, strict=True)] == [0, 1, 0, 0]


def test_forms_that_are_none(served: Running) -> None:
    kind = "multipart/form-data; boundary=b"
    part = b'--b\r\nContent-Disposition: form-data; name="image"\r\n\r\nx\r\n'
    with served.client("") as client:
        for body, header, status in (
            (b"", kind, 400),
            (part, kind, 400),  # no end
            (part + b"--b--\r\n", "multipart/form-data", 400),  # no boundary
            (b"--b\r\n\r\nx\r\n--b--\r\n", kind, 400),  # no name
            (b"--b--\r\n", kind, 422),  # no inputs
            (part + b"--b--\r\n", kind, 422),  # no image
            (part.replace(b"image", b"text") + b"--b--\r\n", kind, 422),
            (part * 1010 + b"--b--\r\n", kind, 413),
        ):
            answer = client.post("/v1/predict", content=body, headers={"content-type": header})
            assert answer.status_code == status, (body[:80], answer.text)
        far = {"content-type": kind, "origin": "https://elsewhere.example"}
        assert client.post("/v1/predict", content=part + b"--b--\r\n", headers=far).status_code == 403


def test_what_is_binary_comes_through_a_form_as_it_is() -> None:
    for content in (RED, b"", b"\r\n", b"a\r\n\r\nb\r\n", b"--b", bytes(range(256))):
        raw = (
            b'--bd\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' + content + b"\r\n--bd--\r\n"
        )
        (one,) = files.form(raw, "multipart/form-data; boundary=bd", 10)["inputs"]
        assert base64.b64decode(one["image"]) == content


def test_a_model_of_texts_takes_no_file() -> None:
    for one in ({"image": TEXT}, {"text": "a"}, {"file": TEXT}):
        with pytest.raises(Problem, match="takes a text"):
            intake.fitting([one], "classify", Limits())


def test_a_store_keeps_the_name_of_a_content() -> None:
    assert files.digest(TEXT) == files.digest(f"data:image/png;base64,{TEXT}") == hashlib.sha256(RED).hexdigest()
    assert files.digest(base64.encodebytes(RED).decode()) == hashlib.sha256(RED).hexdigest()  # in lines
    assert len(files.digest("no base64")) == 64


def test_a_process_measures_itself_with_files(folder: Path) -> None:
    model = Model(folder, None)
    model.warm_up()
    model.measure(128)
    assert model.pace > 0


def test_the_client_names_a_file_that_is_not_there(served: Running) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        Client(served.url).predict(Path("none.png"))
    with pytest.raises(InputError, match="no path"):
        Client(served.url).predict("none.png")
