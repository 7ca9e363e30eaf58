"""Bad input through the command line: exit code 2, one screen that names place and way out, nothing half-written."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from burnish import cli, doctor
from tests import tiny


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def burnish(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["burnish", *map(str, words)])
        capsys.readouterr()
        code: Any = 0
        try:
            cli.main()
        except SystemExit as leaving:
            code = leaving.code
        return Ran(code or 0, *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder, rows, a job and a finished model in `out`."""
    from burnish import job as flow

    place = tmp_path_factory.mktemp("bad")
    made = tiny.job(place, "classify", epochs=1)
    flow.tune(made)
    (place / "job.yaml").write_text(yaml.safe_dump(made.model_dump(mode="json")), encoding="utf-8")
    return place


def job(folder: Path, name: str, **data: Any) -> Path:
    document = yaml.safe_load((folder / "job.yaml").read_text(encoding="utf-8"))
    document["data"] |= data
    path = folder / name
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


def state(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in (folder / "out").rglob("*") if p.is_file()}


def assert_refused(ran: Ran, *said: str) -> None:
    assert ran.code == 2, ran
    assert "Traceback" not in ran.err
    assert len(ran.err) < 2000
    for phrase in said:
        assert phrase in ran.err


ROWS = "text,label\n" + "".join(f"row {i},{'ab'[i % 2]}\n" for i in range(20))
FILES = {
    "empty.csv": (b"", "is empty"),
    "header.csv": (b"text,label\n", "holds no rows"),
    "column.csv": (b"text,lable\n" + ROWS.encode()[11:], "did you mean 'lable'?"),
    "one.csv": (ROWS.replace(",b", ",a").encode(), "all rows have the label 'a'"),
    "none.csv": (b"text,label\na,\nb,\nc,\n", "have no label"),
    "utf8.csv": (ROWS.encode() + b"hello \xff\xfe,a\n", "line 22: byte"),
    "zero.csv": (ROWS.encode() * 30 + b"he\0llo,a\n", "line 631: a zero byte"),
    "binary.csv": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" * 50, "zero bytes"),
    "ragged.csv": (ROWS.encode() + b"a,b,c\n", "line 22: 3 cells"),
    "cut.json": (b'[{"text": "a", "label": 1}', "no closing bracket"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("verb", ["check", "tune"])
def test_rows_that_cannot_be_used(burnish: Any, folder: Path, verb: str, name: str) -> None:
    content, said = FILES[name]
    (folder / name).write_bytes(content)
    before = state(folder)
    ran = burnish(verb, job(folder, "bad.yaml", train=str(folder / name)))
    assert ran.code == 2
    assert said in " ".join((ran.err + ran.out).split())
    assert len(ran.err + ran.out) < 5000
    assert state(folder) == before
    assert not (folder / ".out.writing").exists()


@pytest.mark.parametrize("verb", ["evaluate", "compare", "predict", "init"])
@pytest.mark.parametrize("name", ["empty.csv", "utf8.csv", "binary.csv", "none.csv"])
def test_other_verbs_on_such_rows(burnish: Any, folder: Path, verb: str, name: str) -> None:
    (folder / name).write_bytes(FILES[name][0])
    model = folder / "out"
    given = {"compare": [model, model], "init": []}.get(verb, [model])
    ran = burnish(verb, *given, folder / name)
    if (verb, name) != ("predict", "none.csv"):  # there the label is not needed
        assert_refused(ran, name)
        assert ran.out == ""
    else:
        assert ran.code == 0
        assert ran.out


def test_a_ragged_conll_line(burnish: Any, folder: Path) -> None:
    (folder / "ragged.conll").write_text("a O\nb O\n\nc B-X extra\nd O\n" * 3, encoding="utf-8")
    assert_refused(burnish("init", folder / "ragged.conll"), "ragged.conll:line 4: 3 columns")


def test_a_line_of_a_megabyte_trains(burnish: Any, folder: Path) -> None:
    (folder / "long.csv").write_text(ROWS + "word " * 200_000 + ",a\n", encoding="utf-8")
    ran = burnish("check", job(folder, "bad.yaml", train=str(folder / "long.csv")), "--json")
    assert ran.code == 0
    assert any(f["name"] == "too_long" and f["verdict"] == "warn" for f in json.loads(ran.out)["findings"])


def test_a_label_that_train_never_saw(burnish: Any, folder: Path) -> None:
    test = folder / "new.csv"
    test.write_text(tiny.rows_of("classify") + "something new,neutral\n,pos\n", encoding="utf-8")
    ran = burnish("check", job(folder, "bad.yaml", test=str(test)), "--json")
    found = {f["name"]: f for f in json.loads(ran.out)["findings"]}
    assert found["unseen_labels"]["verdict"] == "warn"
    assert "'neutral' (1)" in found["unseen_labels"]["message"]
    ran = burnish("evaluate", folder / "out", test, "--json")
    assert ran.code == 0
    assert set(json.loads(ran.out)) == {"metrics"}
    assert "1 of 49 rows carry a label that the model never saw" in ran.err
    assert "1 of 50 rows have no text or no label" in ran.err


def test_nan_in_json_is_a_missing_label(burnish: Any, folder: Path) -> None:
    lines = [f'{{"text": "t{i}", "label": {["NaN", "1", "2"][i % 3]}}}' for i in range(30)]
    (folder / "nan.jsonl").write_text("\n".join(lines), encoding="utf-8")
    ran = burnish("check", job(folder, "bad.yaml", train=str(folder / "nan.jsonl")), "--json")
    found = {f["name"]: f for f in json.loads(ran.out)["findings"]}
    assert found["missing_label"]["count"] == 10
    assert found["one_label"]["message"] == "2 labels"


@pytest.mark.parametrize("size", [0, 1000, -1])
def test_a_damaged_model(burnish: Any, folder: Path, tmp_path: Path, size: int) -> None:
    for source, place in ((folder / "out", tmp_path / "model"), (folder / "encoder", tmp_path / "base")):
        shutil.copytree(source, place)
        weights = place / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:size])
    for ran in (
        burnish("predict", tmp_path / "model", "good film"),
        burnish("inspect", tmp_path / "model", "--json"),
        burnish("evaluate", tmp_path / "model", folder / "train.csv"),
        burnish("tune", folder / "job.yaml", "--set", f"model={tmp_path / 'model'}", "--set", f"out={tmp_path}/new"),
        burnish("tune", folder / "job.yaml", "--set", f"model={tmp_path / 'base'}", "--set", f"out={tmp_path}/new"),
    ):
        assert_refused(ran, "model.safetensors", "again")
        assert ran.out == ""
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b'{"format": 1}', b"\xff\xfe{"])
def test_a_damaged_manifest(burnish: Any, folder: Path, tmp_path: Path, content: bytes) -> None:
    shutil.copytree(folder / "out", tmp_path / "model")
    (tmp_path / "model" / "burnish.json").write_bytes(content)
    assert_refused(burnish("inspect", tmp_path / "model"), "burnish.json")
    assert_refused(burnish("tune", folder / "job.yaml", "--set", f"out={tmp_path}/model"), "left as it is")
    assert (tmp_path / "model" / "burnish.json").read_bytes() == content


_ALL = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "special_tokens_map.json")
_REMOTE = json.dumps({"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Own", None]}}).encode()
SPOILT: dict[str, tuple[dict[str, bytes | None], tuple[str, ...]]] = {
    "left out": (dict.fromkeys(_ALL), ("no vocabulary; copy the tokenizer's files beside the weights",)),
    "empty": (dict.fromkeys(_ALL) | {"vocab.txt": b""}, ("no vocabulary; copy the tokenizer's files",)),
    "not UTF-8": (dict.fromkeys(_ALL) | {"vocab.txt": "[PAD]\n[UNK]\n好".encode("gbk")}, ("cannot be loaded from",)),
    "no tokenizer": ({"tokenizer.json": b'{"a": 1}'}, ("cannot be loaded from",)),
    "of another model": (
        dict.fromkeys(_ALL)
        | {"vocab.txt": b"[UNK]\n[PAD]\n[CLS]\n[SEP]\n[MASK]\n" + b"\n".join(b"%d" % i for i in range(500))},
        ("505 tokens", "vectors for", "that belong to these weights"),
    ),
    "code": (
        {"config.json": b'{"model_type": "own"}', "tokenizer_config.json": _REMOTE, "own.py": b"1 / 0"},
        ("contains custom code",),
    ),
    "no mapping": ({"config.json": b"[]"}, ("config.json' is no mapping",)),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_model_folder_with_other_files(
    burnish: Any, folder: Path, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("burnish asked"))
    base = tmp_path / "base"
    shutil.copytree(folder / "encoder", base)
    for file, content in SPOILT[name][0].items():
        (base / file).unlink(missing_ok=True)
        if content is not None:
            (base / file).write_bytes(content)
    ran = burnish("tune", folder / "job.yaml", "--set", f"model={base}", "--set", f"out={tmp_path}/new")
    assert_refused(ran, *SPOILT[name][1])
    assert not (tmp_path / "new").exists()


def test_a_decoder_that_waits_for_a_text(burnish: Any, folder: Path, tmp_path: Path) -> None:
    from transformers import T5Config, T5Model

    base = tmp_path / "base"
    shutil.copytree(folder / "encoder", base)
    sizes = {"d_model": 16, "num_layers": 2, "num_heads": 2, "d_kv": 8, "d_ff": 32, "decoder_start_token_id": 0}
    T5Model(T5Config(vocab_size=200, **sizes)).save_pretrained(base)  # type: ignore[arg-type]
    words = ["tune", folder / "job.yaml", "--set", f"model={base}", "--set", f"out={tmp_path}/new"]
    assert_refused(burnish(*words), "(t5) has an encoder and a decoder", "tune.pooling: cls")


def test_an_unknown_model_name_offline(burnish: Any, folder: Path) -> None:
    ran = burnish("tune", folder / "job.yaml", "--set", "model=minilmm", "--set", f"out={folder}/other")
    assert_refused(ran, "minilmm", "did you mean 'minilm'?", "Offline?")
    assert not (folder / "other").exists()


def test_what_out_must_not_replace(burnish: Any, folder: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work", encoding="utf-8")
    (tmp_path / "link").symlink_to(mine)
    train = folder / "train.csv"
    for out in (mine, tmp_path / "link", train, train / "inside", ".", "..", "/", "''"):
        assert_refused(
            burnish("tune", folder / "job.yaml", "--set", f"out={out}"), "out: '" if out != mine else "thesis"
        )
    assert (mine / "thesis.txt").read_text(encoding="utf-8") == "years of work"
    assert train.is_file()
    note = folder / "out" / "notes.md"
    note.write_text("mine", encoding="utf-8")
    assert_refused(burnish("tune", folder / "job.yaml"), "notes.md")
    note.unlink()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("data: {train: a.csv}\ndata: {train: b.csv}\ntask: tag\n", "'data' on line 1 and on line 2"),
        ("task: classify\ndata:\n  train: a.csv\n  train: b.csv\n", "'data.train' on line 3 and on line 4"),
        ("a: &a [*a]\n", "nested too deeply"),
        ("a: " + "[" * 3000, "nested too deeply"),
        ("task: classify\0\n", "not valid YAML"),
        ("", "is empty"),
        ("tsk: tag\ndata: {train: x}\n", "unknown key 'tsk'; did you mean 'task'?"),
    ],
)
def test_a_broken_job_file(burnish: Any, tmp_path: Path, given: str, said: str) -> None:
    (tmp_path / "job.yaml").write_text(given, encoding="utf-8")
    assert_refused(burnish("check", tmp_path / "job.yaml"), "job.yaml", said)


def test_overrides(burnish: Any, folder: Path) -> None:
    said = "unknown key 'tune.epoch'; did you mean 'epochs'?"
    assert_refused(burnish("check", folder / "job.yaml", "--set", "tune.epoch=2"), said)
    (folder / "plain.csv").write_text(ROWS.partition("\n")[2], encoding="utf-8")
    data = ["--set", f"data.train={folder / 'plain.csv'}"]
    ran = burnish("check", folder / "job.yaml", *data, "--set", "data.columns.text=1", "--set", "data.columns.label=2")
    assert ran.code == 0


def test_what_is_no_file(burnish: Any, folder: Path) -> None:
    model = folder / "out"
    assert_refused(burnish("init", folder / "trian.csv"), "did you mean 'train.csv'?")
    assert_refused(burnish("check", folder), "cannot read the job file")
    assert_refused(burnish("init", folder), "no .parquet file")
    assert_refused(burnish("predict", model, folder), "is a folder")
    assert_refused(burnish("predict", model, "nofile.csv"), "no file at 'nofile.csv'")
    assert_refused(burnish("predict", folder / "train.csv", "text"), "is no burnish model")
    assert_refused(burnish("init", folder / "train.csv", "--out", folder / "no" / "job.yaml"), "could not be written")


def test_json_is_all_that_stands_on_standard_output(burnish: Any, folder: Path, tmp_path: Path) -> None:
    model, rows = folder / "out", folder / "train.csv"
    for words in (
        ["init", rows, "--out", tmp_path / "new.yaml"],
        ["check", folder / "job.yaml"],
        ["tune", folder / "job.yaml", "--set", f"out={tmp_path}/m"],
        ["run", folder / "job.yaml", "--set", f"out={tmp_path}/m"],
        ["evaluate", model, rows],
        ["compare", model, model, rows],
        ["inspect", model],
        ["predict", model, "good film"],
        ["models"],
        ["models", str(folder / "encoder")],
        ["doctor"],
    ):
        ran = burnish(*words, "--json")
        assert ran.code == 0, ran
        json.loads(ran.out)
    json.loads(burnish("schema").out)


def test_predict_reads_tables_and_finds_the_encoding(burnish: Any, folder: Path, tmp_path: Path) -> None:
    def texts(name: str, content: bytes) -> list[str]:
        (tmp_path / name).write_bytes(content)
        ran = burnish("predict", folder / "out", tmp_path / name, "--json")
        assert ran.code == 0, ran
        return [json.loads(line)["text"] for line in ran.out.splitlines()]

    assert texts("a.csv", b'id,text\n1,"a film, good"\n2,\n') == ["a film, good", None]
    assert texts("blank.txt", b"a film\n \n\nbad\n") == ["a film", " ", "", "bad"]
    faults = [
        json.loads(line).get("fault")
        for line in burnish("predict", folder / "out", tmp_path / "blank.txt", "--json").out.splitlines()
    ]
    assert faults == [None, "no text", "no text", None]
    assert json.loads(burnish("predict", folder / "out", tmp_path / "a.csv", "--json").out.splitlines()[1]) == {
        "text": None,
        "fault": "no text",
    }
    assert texts("a.txt", "这家店的味道很好\n下次再来\n".encode("gb18030")) == ["这家店的味道很好", "下次再来"]
    ran = burnish("predict", folder / "out", "half a pair \udcff here", "--json")
    assert json.loads(ran.out)["text"] == "half a pair \ufffd here"


def test_a_stated_format_holds_for_files_of_the_same_ending(burnish: Any, folder: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.txt"
    rows.write_text(tiny.rows_of("classify").replace(",", ";"), encoding="utf-8")
    document = yaml.safe_load((folder / "job.yaml").read_text(encoding="utf-8"))
    document |= {"out": "semicolons", "data": document["data"] | {"train": "rows.txt", "format": "csv"}}
    (tmp_path / "job.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    assert burnish("tune", "job.yaml").code == 0
    assert burnish("evaluate", "semicolons", "rows.txt").code == 0
    assert burnish("audit", "semicolons", "--data", "rows.txt", "--quick").code in (0, 1)
    assert burnish("evaluate", "semicolons", folder / "train.csv").code == 0
    first = json.loads(burnish("predict", "semicolons", "rows.txt", "--json").out.splitlines()[0])
    assert first["text"] == "the film was very good 0"
    (tmp_path / "lines.log").write_text("the film; was bad\n", encoding="utf-8")
    assert json.loads(burnish("predict", "semicolons", "lines.log", "--json").out)["text"] == "the film; was bad"


def test_predict_falls_back_on_the_encoding_that_the_job_stated(burnish: Any, folder: Path, tmp_path: Path) -> None:
    written = "хороший фильм".encode("koi8-r")  # which nothing in the bytes tells
    (tmp_path / "a.txt").write_bytes(written)
    assert_refused(burnish("predict", folder / "out", tmp_path / "a.txt"), "a.txt:line 1", "data.encoding")
    stated = job(folder, "stated.yaml", encoding="koi8-r")
    assert burnish("tune", stated, "--set", f"out={tmp_path / 'm'}", "--set", "tune.epochs=1").code == 0
    ran = burnish("predict", tmp_path / "m", tmp_path / "a.txt", "--json")
    assert json.loads(ran.out)["text"] == "хороший фильм"


def _spawn(folder: Path, *words: str, limit: int | None = None) -> subprocess.Popen[str]:
    def lower() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a background shell hands down a Ctrl-C that is ignored
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [sys.executable, "-m", "burnish", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lower,
    )


def test_a_pipe_gets_utf_8_whatever_the_locale(folder: Path) -> None:
    words = [sys.executable, "-m", "burnish", "predict", "out", "这家店很好", "--json"]
    env = {**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[2]), "PYTHONIOENCODING": "ascii"}
    ran = subprocess.run(words, cwd=folder, env=env, capture_output=True, check=False, timeout=120)
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout.decode("utf-8"))["text"] == "这家店很好"


def test_a_reader_that_wants_no_more_is_no_failure(folder: Path) -> None:
    (folder / "many.txt").write_text("the film was very good today\n" * 3000, encoding="utf-8")
    process = _spawn(folder, "predict", "out", "many.txt", "--json")
    assert process.stdout
    assert process.stderr
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=120) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


def test_doctor_names_every_extra(burnish: Any) -> None:
    project = tomllib.loads((Path(cli.__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    extras = set(project["project"]["optional-dependencies"]) - {"dev"}
    assert {extra for extra, _ in doctor._EXTRAS.values()} == extras


def test_a_full_disk_in_the_middle_of_a_checkpoint(folder: Path) -> None:
    before = state(folder)
    settings = ["--set", "tune.checkpoint_seconds=0", "--set", "seed=7"]
    process = _spawn(folder, "tune", str(folder / "job.yaml"), *settings, limit=60_000)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 2, err
    assert "Traceback" not in err
    assert "could not be written" in err
    assert state(folder) == before
    assert not list((folder / ".out.work").glob("*.writing"))


def test_an_interrupt_in_the_middle_of_tune(folder: Path) -> None:
    before = state(folder)
    settings = ["--set", "tune.checkpoint_seconds=0", "--set", "tune.epochs=300", "--set", "seed=8"]
    process = _spawn(folder, "tune", str(folder / "job.yaml"), *settings)
    checkpoint = folder / ".out.work" / "checkpoint.safetensors"
    checkpoint.unlink(missing_ok=True)
    until = time.monotonic() + 90
    while not checkpoint.exists() and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "goes on from what it has kept" in err
    assert state(folder) == before
    assert not (folder / ".out.writing").exists()
