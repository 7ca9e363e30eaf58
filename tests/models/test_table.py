from __future__ import annotations

from pathlib import Path

import pytest
import torch

from burnish.models.table import Tabular, fresh_config


@pytest.fixture
def network() -> Tabular:
    torch.manual_seed(0)
    found = Tabular({**fresh_config(2, 32, [4, 1], [3, 5]), "hidden_dropout_prob": 0.0}, 3)
    found.start()
    torch.nn.init.normal_(found.classifier.weight)
    return found.eval()


def rows(*numbers: float) -> torch.Tensor:
    return torch.tensor([[number, 0.0, 2.0, 4.0] for number in numbers])


def test_a_number_is_a_line_that_may_bend_between_spans(network: Tabular) -> None:
    vectors = network.table.embeddings
    with torch.no_grad():
        straight = vectors(rows(0.0, 1.0, 2.5, 4.0))[:, 0]
        assert torch.allclose(straight[1] - straight[0], (straight[3] - straight[0]) / 4, atol=1e-6)
        vectors.bends[0, 2] = 1.0  # the span from 2 to 3
        bent = vectors(rows(0.0, 1.0, 2.5, 4.0))[:, 0]
    added = (bent - straight)[:, 0] / vectors.scale[0]
    assert added.tolist() == pytest.approx([0.0, 0.0, 0.5, 1.0])


def test_a_missing_number_has_a_vector_of_its_own(network: Tabular) -> None:
    with torch.no_grad():
        network.table.embeddings.missing[0] = 7.0
        vectors = network.table.embeddings(rows(-1.0, 0.0))
    assert (vectors[0, 0] == 7.0).all()
    assert not (vectors[1, 0] == 7.0).any()


def test_columns_have_categories_of_their_own(network: Tabular) -> None:
    with torch.no_grad():
        found = network.table.embeddings(torch.tensor([[0.0, 0.0, 1.0, 1.0]]))
    assert not torch.allclose(found[0, 2], found[0, 3])


def test_a_row_gets_the_same_answer_in_any_company(network: Tabular) -> None:
    given = rows(0.0, 3.3, -1.0, 4.0)
    with torch.no_grad():
        together = network(given).logits
        alone = torch.cat([network(one.unsqueeze(0)).logits for one in given])
    assert torch.allclose(together, alone, atol=1e-5)


def test_members_differ_and_answer_together(network: Tabular) -> None:
    encoder = network.table
    with torch.no_grad():
        each = []
        states = encoder.embeddings(rows(2.0)).flatten(1)
        for member in range(encoder.members):
            each.append(encoder._through(states * encoder.before[member]) * encoder.after[member])
        assert torch.cat(each).std(0).max() > 0.01
        assert torch.allclose(torch.cat(each).mean(0), encoder(rows(2.0))[0], atol=1e-5)
    network.train()
    drawn = torch.cat([encoder(rows(2.0)) for _ in range(20)])
    assert drawn.std(0).max() > 0.01


@pytest.mark.parametrize(("spans", "sizes"), [([], [4]), ([3], []), ([0, 32], [2, 2, 9])])
def test_tables_of_numbers_or_of_categories_alone(spans: list[int], sizes: list[int]) -> None:
    network = Tabular(fresh_config(1, 16, spans, sizes), 2)
    network.start()
    loss = network(torch.zeros(5, len(spans) + len(sizes))).logits.square().sum() + 1.0
    loss.backward()
    assert torch.isfinite(loss)


def test_it_is_saved_and_opened(network: Tabular, tmp_path: Path) -> None:
    network.save_pretrained(tmp_path)
    again = Tabular(network.kept, 3)
    assert again.load(tmp_path, fresh_head=False) == set()
    with torch.no_grad():
        assert torch.equal(network(rows(1.5)).logits, again.eval()(rows(1.5)).logits)
