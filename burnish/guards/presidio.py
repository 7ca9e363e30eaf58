"""Presidio as an engine for personal data: its recognizers of forms on a spaCy pipeline without a model.

Nothing is downloaded: the pipeline is a blank one, and the list of top-level domains is the one that comes with
tldextract, which would otherwise be fetched for the first e-mail address.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from burnish import extras
from burnish.data.personal import Found
from burnish.guards.forms import kind_of
from burnish.guards.personal import Tagger


def tagger() -> Tagger:
    """What finds personal data with Presidio, in English.

    Raises:
        MissingExtra: when presidio-analyzer or spaCy is not installed.
    """
    presidio, spacy = extras.need("presidio_analyzer", "presidio"), extras.need("spacy", "presidio")
    engines, addresses = extras.need("presidio_analyzer.nlp_engine", "presidio"), extras.need("tldextract", "presidio")
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    nlp = engines.SpacyNlpEngine(models=[{"lang_code": "en", "model_name": "blank"}])
    nlp.nlp = {"en": spacy.blank("en")}  # as if loaded
    registry = presidio.RecognizerRegistry()
    registry.load_predefined_recognizers(languages=["en"], nlp_engine=nlp)
    offline = addresses.TLDExtract(suffix_list_urls=(), cache_dir=None)
    for recognizer in registry.recognizers:
        if "EMAIL_ADDRESS" in recognizer.supported_entities:
            recognizer.validate_result = lambda text: offline(text).fqdn != ""
    analyzer = presidio.AnalyzerEngine(registry=registry, nlp_engine=nlp, supported_languages=["en"])

    def tag(texts: Sequence[str]) -> list[list[Found]]:
        return [
            sorted(
                Found(one.start, one.end, kind_of(one.entity_type), one.score) for one in analyzer.analyze(text, "en")
            )
            for text in texts
        ]

    return tag
