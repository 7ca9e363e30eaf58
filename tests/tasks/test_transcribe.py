"""Speech to text: how transcripts are written, learnt, counted, kept with a model and refused."""

from __future__ import annotations

import json
from pathlib import Path

import jiwer
import numpy as np
import pytest
import soundfile
import torch

from burnish import verbs
from burnish.artifact import Artifact
from burnish.config import load as load_job
from burnish.config import parse
from burnish.data.features import collate
from burnish.data.spectrogram import OWN
from burnish.data.transcripts import by_character, normal
from burnish.data.waves import Waves
from burnish.device import generator
from burnish.engine import Engine
from burnish.errors import ConfigError, InputError
from burnish.job import check, tune
from burnish.models.speech import BLANK, Speech, Vocabulary, ended, fresh_config, inside
from burnish.predicting import predict_lines
from burnish.reporting.wording import in_words
from burnish.tasks.base import LossOptions
from burnish.tasks.transcribe import Transcribe, TranscriptPrediction
from burnish.verbs import evaluate
from tests import tiny_sounds

RECIPE = Path(__file__).parents[2] / "recipes" / "transcribe-fsdd.yaml"
OWN_8K = {"feature_extractor_type": OWN, "sampling_rate": 8000, "longest": 10.24}


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("  Hello,\tWorld! ", "hello world"),
        ("Don’t — it's 'fine'", "don't it's fine"),
        ("ＡＢＣ１２", "abc12"),
        ("你好， 世界。", "你好世界"),
        ("我 用 iPhone 打 电话", "我用 iphone 打电话"),
        ("안녕 하세요", "안녕 하세요"),
        ("Ünïcode", "ünïcode"),
        ("...", ""),
    ],
)
def test_one_way_of_writing(written: str, found: str) -> None:
    assert normal(written) == found
    assert normal(found) == found


def test_words_are_counted_where_there_are_spaces() -> None:
    assert not by_character(["seven three", "one"])
    assert by_character(["今天天气很好", "ok"])
    rows = [{"label": "你好"}, {"label": "好吗"}]
    task = Transcribe.learn(rows)
    assert (task.metric, sorted(task.counts().metrics())) == ("character_accuracy", ["cer", "character_accuracy"])
    assert task.labels == ("<pad>", "<unk>", "|", "你", "吗", "好")


def test_rates_are_those_of_jiwer_and_rows_add_up() -> None:
    meant = ["one two three", "seven", "five five", ""]
    said = ["one too three four", "", "five five", "x"]
    task = Transcribe.learn([{"label": text} for text in meant])
    predictions = [TranscriptPrediction(text, 1.0) for text in said]
    metrics = task.metrics(predictions, meant)
    assert metrics["wer"] == pytest.approx(jiwer.wer(meant, said))
    assert metrics["cer"] == pytest.approx(jiwer.cer(meant, said))
    assert metrics["word_accuracy"] == pytest.approx(1 - metrics["wer"])
    sums = np.sum([task.tally(a, b) for a, b in zip(predictions, meant, strict=True)], 0)
    assert float(task.score(sums)) == pytest.approx(metrics["word_accuracy"])
    assert task.unknown({"label": "six"}) == set("x") - set("".join(meant))
    assert task.steps_needed({"label": "see"}) == 4, "a blank stands between equals"
    with pytest.raises(InputError, match="say nothing"):
        Transcribe.learn([{"label": "?"}])


def network(outputs: int) -> Speech:
    torch.manual_seed(0)
    net = Speech(fresh_config(2, 32, 64), outputs)
    net.start()
    torch.nn.init.normal_(net.classifier.weight)
    return net.eval()


def test_logits_know_their_end_and_padding_changes_nothing() -> None:
    from burnish.models.net import Net
    from burnish.models.sound import Levelled

    task = Transcribe.learn([{"label": "abc"}])
    net = Net(network(task.outputs), "token", task.outputs, scaled=Levelled.of(OWN_8K)).eval()
    texts = ["abc", "a", "cab"]
    rows = [{"audio": (tiny_sounds.spoken(text, 1), 8000), "label": text} for text in texts]
    features = task.encode(rows, Waves(OWN_8K), 256)
    batch = collate(features, range(3), 0)
    with torch.no_grad():
        logits = net(batch)
    assert inside(logits).sum(1).tolist() == net.steps(batch).tolist() == [-(-n // 3) for n in batch["frames"].tolist()]
    alone = [collate(features, [place], 0) for place in range(3)]
    with torch.no_grad():
        each = [net(one) for one in alone]
    for place, one in enumerate(each):
        torch.testing.assert_close(logits[place : place + 1, : one.shape[1]], one, atol=1e-4, rtol=1e-4)
        (text, chance), (same, near) = task.decode(one, alone[place])[0], task.decode(logits, batch)[place]
        assert text == same
        assert chance == pytest.approx(near, abs=1e-4)
    apart = [task.loss(one, given, LossOptions()) for one, given in zip(each, alone, strict=True)]
    torch.testing.assert_close(task.loss(logits, batch, LossOptions()), torch.stack(apart).mean(), atol=1e-4, rtol=1e-4)
    towards = {**batch, "soft": logits.detach()}
    assert task.loss_to(logits, towards, 2.0) < task.loss_to(torch.zeros_like(logits), towards, 2.0)


def test_the_best_path_is_spelled() -> None:
    task = Transcribe.learn([{"label": "ab c"}])
    path = [3, 3, BLANK, 3, 2, 2, 4, 1, 5, 5, BLANK]  # a a _ a | | b <unk> c c _
    logits = torch.full((1, len(path), task.outputs), -5.0)
    logits[0, range(len(path)), path] = 5.0
    padded = ended([logits], torch.tensor([len(path)]), BLANK)
    ((text, chance),) = task.decode(padded, {})
    assert text == "aa bc"
    assert 0.99 < chance <= 1.0
    ((text, chance),) = task.decode(ended([logits], torch.tensor([0]), BLANK), {})
    assert text == ""


def test_tune_save_open_predict(tmp_path: Path) -> None:
    extra = "said/none.wav,abc\nsaid/short.wav," + "abcc" * 30 + "\n"
    table = tiny_sounds.transcripts(tmp_path, 48, further=extra)
    soundfile.write(tmp_path / "said" / "short.wav", tiny_sounds.spoken("a", 99), tiny_sounds.RATE)
    job = tiny_sounds.transcribe_job(tmp_path, table)
    alone = job.data.model_copy(update={"split": job.data.split.model_copy(update={"dev": 0.0})})
    (named,) = (one for one in check(job.model_copy(update={"data": alone})) if one.name == "unspoken_labels")
    assert (named.verdict, named.count) == ("warn", 1), "a loss of zero would hide it"
    assert "said.csv:row 50" in named.places[0] or "said.csv:line 51" in named.places[0]
    tuned = tune(job)
    out = Path(job.out)
    assert tuned.report.after.value >= 0.8
    assert tuned.report.after.metric == "word_accuracy"
    assert "word_accuracy" in tuned.report.after.intervals
    assert next(iter(tuned.report.before)) == "nearest training row by bands of pitch and their course"
    assert "automatic-speech-recognition" in (out / "MODEL_CARD.md").read_text(encoding="utf-8")
    engine = Engine.open(out)
    heard = [(tiny_sounds.spoken(text, 700 + place), tiny_sounds.RATE) for place, text in enumerate(("ab", "cab", "b"))]
    answers = engine.predict(heard)
    assert [answer.text for answer in answers] == ["ab", "cab", "b"]
    assert all(0 < answer.probability <= 1 for answer in answers)
    assert evaluate(out, str(table)).metrics["wer"] < 0.2
    lines = list(predict_lines(out, str(table)))
    assert "none.wav" in lines[48]["fault"]
    assert set(lines[0]) == {"audio", "text", "probability"}
    assert in_words(lines[0]).startswith(lines[0]["text"])
    for verb in ("compress", "export", "serve", "explain", "audit", "batch"):
        with pytest.raises(InputError, match="does not take the task transcribe"):
            Artifact.open(out).must_go_with(verb)
    with pytest.raises(InputError, match="does not take the task"):
        verbs.export(out, "onnx")
    further = tiny_sounds.transcribe_job(tmp_path / "more", table, str(out), epochs=1, learning_rate=1e-4)
    assert tune(further).report.after.value >= 0.8, "the head comes along"


def test_chinese_is_counted_by_characters(tmp_path: Path) -> None:
    table = tiny_sounds.transcripts(tmp_path, 48, "你好吗")
    tuned = tune(tiny_sounds.transcribe_job(tmp_path, table))
    assert set(tuned.report.after.metrics) == {"character_accuracy", "cer"}
    assert tuned.report.after.value >= 0.7


@pytest.mark.parametrize(("kind", "norm"), [("Wav2Vec2", "layer"), ("Wav2Vec2", "group"), ("Hubert", "layer")])
def test_a_model_in_the_hubs_format_keeps_its_vocabulary(kind: str, norm: str, tmp_path: Path) -> None:
    from transformers import AutoFeatureExtractor, AutoModelForCTC, AutoTokenizer

    place = tiny_sounds.ctc(tmp_path / "hub", norm=norm, kind=kind)
    table = tiny_sounds.transcripts(tmp_path, 12)
    job = tiny_sounds.transcribe_job(tmp_path, table, str(place), epochs=1, learning_rate=1e-3, head_learning_rate=1e-3)
    out = tune(job).artifact.folder
    words = json.loads((place / "vocab.json").read_text(encoding="utf-8"))
    assert json.loads((out / "vocab.json").read_text(encoding="utf-8")) == words
    plain = AutoModelForCTC.from_pretrained(out).eval()
    tokenizer, extractor = AutoTokenizer.from_pretrained(out), AutoFeatureExtractor.from_pretrained(out)
    assert (len(tokenizer), plain.config.pad_token_id) == (len(words), len(words) - 1)
    assert tokenizer("abc").input_ids == [words[letter] for letter in "ABC"]
    engine = Engine.open(out)
    rows = [{"audio": str(tmp_path / "said" / f"{number:03}.wav")} for number in range(3)]
    batch = collate(engine.encode(rows), range(3), 0)
    with torch.inference_mode():
        logits = engine.net(batch)
        for place_, row in enumerate(rows):
            wave = engine.tokenizer.wave(row["audio"])
            theirs = plain(**extractor(wave, sampling_rate=16_000, return_tensors="pt")).logits
            torch.testing.assert_close(logits[place_ : place_ + 1, : theirs.shape[1]], theirs, atol=1e-3, rtol=1e-3)
            said = tokenizer.batch_decode(theirs.argmax(-1))[0]
            for special in ("<s>", "</s>", "[unk]"):
                said = said.lower().replace(special, "")
            assert normal(said) == engine.predict(row["audio"])[0].text


def test_a_vocabulary_that_does_not_cover_is_left(tmp_path: Path) -> None:
    place = tiny_sounds.ctc(tmp_path / "hub", tokens="AB")
    assert Vocabulary.of(str(place)) is not None
    tuned = tune(tiny_sounds.transcribe_job(tmp_path, tiny_sounds.transcripts(tmp_path, 12), str(place), epochs=1))
    assert tuned.report.labels == ("<pad>", "<unk>", "|", "a", "b", "c")
    assert Vocabulary.of(str(tuned.artifact.folder)) == Vocabulary(tuned.report.labels, BLANK, "|")


def test_what_cannot_write_says_so(tmp_path: Path) -> None:
    table = tiny_sounds.transcripts(tmp_path, 12)
    with pytest.raises(InputError, match=r"whisper does not write step by step"):
        tune(tiny_sounds.transcribe_job(tmp_path, table, str(tiny_sounds.whisper(tmp_path / "whisper"))))
    classes = tune(tiny_sounds.job(tmp_path / "classes", epochs=1)).artifact.folder
    with pytest.raises(InputError, match="own for another task"):
        tune(tiny_sounds.transcribe_job(tmp_path, table, str(classes)))
    with pytest.raises(ConfigError, match="loss of its own"):
        tiny_sounds.transcribe_job(tmp_path, table, label_smoothing=0.1)
    document = {"task": "transcribe", "data": {"train": str(table)}}
    with pytest.raises(InputError, match=r"name the column of its files with data\.columns\.audio"):
        check(parse(document))
    document["data"] = {"train": str(table), "columns": {"image": "clip"}}  # type: ignore[assignment]
    with pytest.raises(InputError, match="transcribe reads a sound"):
        check(parse(document))


def test_rows_that_would_be_cut_are_not_learnt_from(tmp_path: Path) -> None:
    table = tiny_sounds.transcripts(tmp_path, 12)
    job = tiny_sounds.transcribe_job(tmp_path, table, max_tokens=8)  # a third of a second
    (found,) = (finding for finding in check(job) if finding.name == "unspoken_labels")
    assert found.verdict == "warn"
    assert "longer than tune.max_tokens" in found.places[0]
    lines = table.read_text(encoding="utf-8").splitlines()
    table.write_text("\n".join([lines[0], *(line for line in lines[1:] if len(line.split(",")[1]) == 3)]) + "\n")
    with pytest.raises(InputError, match=r"longer than tune\.max_tokens"):
        tune(job)


def test_variation_leaves_out_nothing_of_what_is_said() -> None:
    reader = Waves(OWN_8K, "shift")
    rows = [{"audio": (tiny_sounds.spoken("abcabcabc", 1), 8000), "label": "abc"}] * 40
    given = collate(Transcribe.learn(rows).encode(rows, reader, 256), range(40), 0)
    varied = reader.vary(given, generator(1))
    assert (varied["frames"] >= given["frames"]).all()
    assert not torch.equal(varied["sound"], given["sound"])
    mean = varied["sound"].mean((1, 2), keepdim=True)
    hidden = ((varied["sound"] - mean).abs().amax(2) < 1e-3).float()
    runs = torch.nn.functional.avg_pool1d(hidden[:, None], 25, 1)
    assert runs.max() < 1.0, "no quarter of a second is hidden"
    assert (
        reader.vary({k: v for k, v in given.items() if k != "transcript"}, generator(1))["frames"] < given["frames"]
    ).any()


def test_the_recipe_on_a_slice(tmp_path: Path) -> None:
    table = tiny_sounds.transcripts(tmp_path, 24)
    overrides = ("tune.epochs=1", "tune.scratch.hidden=16", f"out={tmp_path / 'out'}", "tune.precision=fp32")
    columns = ("data.columns.audio=clip", "data.columns.group=null", "data.split.by=random")
    tuned = tune(load_job(RECIPE, (*overrides, *columns, f"data.train={table}")))
    assert set(tuned.report.rows) == {"train", "dev", "test"}
