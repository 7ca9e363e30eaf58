"""What requests and answers look like: the OpenAPI document is made of these."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


Cell = str | int | float | bool | None
Input = str | list[str] | dict[str, Cell | dict[str, Cell]]
FORM: dict[str, Any] = {
    "type": "object",
    "description": "Any number of parts of the name of what the model reads, such as `image`.",
    "properties": {
        "model": {"type": "string"},
        "variant": {"type": "string"},
        "image": {"type": "array", "items": {"type": "string", "format": "binary"}},
    },
}


class Entity(BaseModel):
    start: int = Field(description="Offset of its first character, in Unicode code points.")
    end: int = Field(description="Offset behind its last character.")
    label: str
    text: str
    score: float = Field(description="Probability that the model gives it, 0 to 1.")


class Tags(BaseModel):
    """Of `tag`: the words, a tag for each (IOB2), and the entities they make."""

    words: list[str]
    tags: list[str]
    entities: list[Entity]
    scores: list[float]


class Classes(BaseModel):
    """Of `classify` and `pair`: the most probable class, all classes that are given, and the probability of each."""

    label: str
    labels: list[str]
    probabilities: dict[str, float]


class Value(BaseModel):
    """Of `score`."""

    value: float


class Embedding(BaseModel):
    """Of `embed`, for a text or a file: a vector of length 1."""

    embedding: list[float]
    tokens: int = Field(description="That were read of a text.")


class Match(BaseModel):
    """Of `embed`, for two texts: whether they belong together."""

    similarity: float = Field(description="Cosine of their vectors.")
    probability: float | None = Field(description="That they are a pair, where half of those asked about are.")


class PredictRequest(BaseModel):
    """Texts; for `pair` two texts each; for `tag` texts or lists of words; where a model reads files, as `inputs` of
    `/v1/models` says, `{"image": base64}` or the base64 alone. A path is no input. Where `/v1/models` names `fields`,
    an object of these, such as `{"age": 41, "town": "Bonn"}`; any of them may be missing or null."""

    model: str | None = Field(None, description="May be left out where one model is served.")
    variant: str | None = Field(None, description="Another variant of the model than the one that serves.")
    inputs: Input | list[Input] = Field(examples=[["Anna lives in Paris ."], [{"age": 41, "town": "Bonn"}]])


class PredictResponse(BaseModel):
    model: str
    version: str
    variant: str
    predictions: list[Tags | Classes | Value | Embedding | Match]


class EmbeddingsRequest(BaseModel):
    """Texts for a model of the task `embed`, in the form of OpenAI's API."""

    model: str | None = Field(None, description="May be left out where one model is served.")
    input: str | list[str] = Field(examples=[["Where is my parcel?"]])
    encoding_format: Literal["float", "base64"] | None = Field(
        None, description="base64 of the numbers as 32 bits each, the lowest byte first; float when unset."
    )
    dimensions: int | None = Field(None, description="The width of the model's vectors, or nothing.")


class EmbeddedText(BaseModel):
    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class Usage(BaseModel):
    prompt_tokens: int
    total_tokens: int


class EmbeddingsResponse(BaseModel):
    object: Literal["list"]
    data: list[EmbeddedText]
    model: str
    usage: Usage


class ExplainRequest(_Strict):
    """Why does a model say that? As a text, for `pair` two, for `tag` also a list of words; a file as its base64; an
    object as for a prediction."""

    model: str | None = None
    variant: str | None = None
    input: Input
    target: str | None = Field(
        None, max_length=200, description="The label to explain; what the model says, when unset."
    )
    at: list[int] | None = Field(
        None,
        min_length=2,
        max_length=2,
        description="For `tag`, start and end of the words to explain, in code points.",
    )


class WordScore(BaseModel):
    start: int
    end: int
    score: float = Field(description="What the word adds to the explained value.")
    second: bool = Field(description="Whether it stands in the second text.")


class Held(BaseModel):
    kind: str
    value: float | None


class Explained(BaseModel):
    """Scores by word; where the input is no text, by part, row by row, with a picture of what the model reads or with
    the name of each part and what is in it."""

    target: str
    against: str | None
    at: tuple[int, int] | None = Field(description="For `tag`, the words that are explained.")
    scores: list[WordScore]
    method: str
    form: str
    value: float
    probability: float
    baseline: Held
    delta: float | None = Field(description="What of the value is in no score.")
    points: int
    unread: int
    grid: list[list[float]]
    picture: str = Field(description="A data: URI; empty for texts.")
    names: list[str] = Field(description="Of the parts, such as columns, where they have some.")
    cells: list[str]
    unsaid: bool = Field(description="Whether the model gives no label here, so that the most probable is explained.")


class ExplainResponse(BaseModel):
    model: str
    version: str
    variant: str
    explanation: Explained


class Span(_Strict):
    start: int = Field(ge=0)
    end: int = Field(gt=0)
    label: str = Field(min_length=1, max_length=200)


class FeedbackRequest(_Strict):
    """What the answer should have been."""

    model: str | None = None
    version: str | None = Field(
        None, max_length=64, description="That which answered; the one that serves, when unset."
    )
    input: Input
    label: str | float | list[str] | list[Span]
    prediction: dict[str, JsonValue] | None = None
    request_id: str | None = Field(None, max_length=64)
    comment: str | None = Field(None, max_length=2000)


class FeedbackResponse(BaseModel):
    id: str


class LoadRequest(_Strict):
    """A version of a model and the part it is to play."""

    folder: str | None = Field(
        None, max_length=200, description="Name in the folder of models; the one that is served, when unset."
    )
    variant: str | None = Field(None, max_length=64)
    role: Literal["active", "canary", "shadow"] = "active"
    percent: float = Field(10.0, ge=0, le=100, description="Share of the requests that a canary answers.")


class ProblemDocument(BaseModel):
    """An error, as RFC 9457 has it."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str


Answer = dict[str, Any]
Beside = Literal["canary", "shadow", "previous"]
