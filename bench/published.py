"""A published recipe of distillation beside `burnish compress`: TinyBERT's two stages (Jiao et al. 2020) on a model.

The student has every n-th layer of the model and its other weights. First its attention and hidden states learn to
match those of the model's layers, then its answers; rates, batches and order are the paper's, the time is --minutes
in all, a fifth of it for the answers. Three things differ: there is no general distillation on a corpus before, as
none is at hand; rows are changed by burnish's own augmentation, as the paper's needs GloVe and BERT; and attention is
compared behind its softmax, which is what transformers gives. Quality is on --dev, speed in OpenVINO beside the model
itself, in turns. Runs in the peers' environment: make bench-env.
"""

from __future__ import annotations

import sys
import tempfile
import time
from copy import deepcopy
from itertools import chain
from pathlib import Path
from statistics import median
from typing import Any

import measure
import numpy as np

sys.path.insert(0, str(measure.ROOT))

import torch
from infer_peers import OpenVino, transformers_net
from torch.nn import functional as F

from burnish.artifact import Artifact
from burnish.compression.export import made_up
from burnish.compression.prune import evenly
from burnish.config import Augment
from burnish.data.augment import augment
from burnish.data.features import collate
from burnish.device import fast_bf16
from burnish.engine import Engine
from burnish.engine import openvino as ov
from burnish.engine.flat import export
from burnish.engine.run import unlabelled
from burnish.tasks import task_named
from burnish.training.evaluate import metric_value, outcome
from burnish.verbs import _rows

ROWS = 32  # of a batch
RATES = {"states": 5e-5, "answers": 3e-5}
ANSWERS = 0.2  # share of the time


def encoder(net: Any) -> Any:
    return net.model.base_model.encoder


def looked_into(net: Any, batch: Any) -> Any:
    return net.model.base_model(**net._inputs(batch), output_hidden_states=True, output_attentions=True)


def main() -> None:
    parser = measure.options(__doc__)
    parser.add_argument("--model", required=True, help="a model folder")
    parser.add_argument("--train", required=True, help="its training rows")
    parser.add_argument("--dev", required=True, help="labelled rows to measure on")
    parser.add_argument("--rows", type=int, help="training rows; 200 with --quick, else all")
    parser.add_argument("--layers", type=int, default=3, help="of the student")
    parser.add_argument("--minutes", type=float, help="of training; 0.3 with --quick, else 20")
    parser.add_argument("--repeats", type=int, help="of the timing; 1 with --quick, else 3")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    minutes = args.minutes or (0.3 if args.quick else 20)
    torch.manual_seed(args.seed)
    artifact = Artifact.open(args.model)
    task, tokenizer = task_named(artifact.task).restore(artifact.state), artifact.tokenizer()
    rows = [dict(row) for row in _rows(args.model, args.train, print)][: args.rows or (200 if args.quick else None)]
    dev = [dict(row) for row in _rows(args.model, args.dev, print)][: 100 if args.quick else None]
    change = Augment(mention=0.9) if task.kind == "token" else Augment(delete=0.5, swap=0.5)
    changed = augment(rows, task.name, change, args.seed + 1)
    features = task.encode(unlabelled(chain(rows, changed)), tokenizer, artifact.max_tokens)

    teacher = transformers_net(artifact, task)
    teacher.model.set_attn_implementation("eager")  # which gives its scores
    student = deepcopy(teacher)
    places = evenly(args.layers, len(encoder(teacher).layer))
    encoder(student).layer = torch.nn.ModuleList(encoder(student).layer[place] for place in places)
    student.model.config.num_hidden_layers = args.layers

    draw, began, seen = np.random.default_rng(args.seed), time.monotonic(), 0
    for stage, share in (("states", 1 - ANSWERS), ("answers", 1.0)):
        student.train()
        optimizer = torch.optim.AdamW(student.parameters(), lr=RATES[stage], weight_decay=0.01)
        while time.monotonic() - began < 60 * minutes * share:
            batch = collate(features, draw.choice(len(features), ROWS, replace=False), 0)
            seen += ROWS
            with torch.no_grad():
                goal = looked_into(teacher, batch) if stage == "states" else teacher(batch)
            if stage == "states":
                own = looked_into(student, batch)
                loss = F.mse_loss(own.hidden_states[0], goal.hidden_states[0])
                for layer, place in enumerate(places):
                    loss = loss + F.mse_loss(own.hidden_states[layer + 1], goal.hidden_states[place + 1])
                    loss = loss + F.mse_loss(own.attentions[layer], goal.attentions[place])
            else:
                loss = task.loss_to(student(batch), {**batch, "soft": goal}, 1.0)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()

    found: dict[str, Any] = {"epochs": seen / len(features)}
    with tempfile.TemporaryDirectory() as work:
        engines = {}
        for name, net in (("model", teacher), ("student", student)):
            net.eval().model.set_attn_implementation("sdpa")
            batch = collate(made_up(task, net, artifact.max_tokens), np.arange(8), 0)
            program, names = export(net, batch, artifact.max_tokens)
            graph = Path(work, f"{name}.xml")
            ov.save(ov.convert(program, names), graph, half=True)
            kind = {"INFERENCE_PRECISION_HINT": "bf16" if fast_bf16() else "f32"}
            engines[name] = Engine(OpenVino(str(graph), kind), task, tokenizer, artifact.max_tokens)
            found[f"{name}_score"] = metric_value(task, task.metric, outcome(task, engines[name].stream(dev), dev))
            found[f"{name}_mb"] = sum(file.stat().st_size for file in graph.parent.glob(f"{name}.*")) / 1e6
        paces: dict[str, list[float]] = {name: [] for name in engines}
        for _ in range(args.repeats or (1 if args.quick else 3)):
            for name, engine in engines.items():
                started = time.perf_counter()
                engine.predict_rows(dev)
                paces[name].append(len(dev) / (time.perf_counter() - started))
    found |= {f"{name}_rows_per_second": median(values) for name, values in paces.items()}
    found["speedup"] = found["student_rows_per_second"] / found["model_rows_per_second"]
    found["lost"] = found["model_score"] - found["student_score"]
    measure.finish(args, found, {})


if __name__ == "__main__":
    main()
