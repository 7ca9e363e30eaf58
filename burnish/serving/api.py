"""All of the service but predictions, and the OpenAPI document of both."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from burnish.errors import BurnishError
from burnish.serving import files, intake, schemas
from burnish.serving.errors import Problem
from burnish.serving.service import EMBEDDINGS, PREDICT, Service

log = logging.getLogger("burnish.serving")

PAGE = Path(__file__).parent / "page"
_CSP = (
    "default-src 'self'; img-src 'self' data:; media-src data:; frame-ancestors 'none'; base-uri 'none'; "
    "form-action 'self'"
)
_STATUSES: dict[int | str, dict[str, Any]] = {
    status: {"model": schemas.ProblemDocument, "description": told}
    for status, told in {
        400: "Not JSON.",
        401: "No key, or one that is not known.",
        403: "A key that is not for this.",
        404: "No such model or variant.",
        408: "The body took too long.",
        413: "Too large.",
        415: "Another media type.",
        422: "Not what the model takes.",
        429: "More than can be answered in time; see Retry-After.",
        503: "The model is not ready, or its process died over the request.",
        504: "It took too long.",
    }.items()
}

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def application(service: Service, lifespan: Lifespan) -> FastAPI:
    """The inner application."""
    app = FastAPI(
        title="burnish",
        version=version("burnish"),
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        responses=_STATUSES,
    )
    registry, stats = service.registry, service.stats

    @app.exception_handler(Problem)
    async def problem(request: Request, error: Problem) -> Response:
        content = orjson.dumps(error.document(request.scope["state"]["id"]))
        return Response(content, error.status, headers=error.headers())

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> Response:
        told = {404: "there is nothing at this path", 405: "this path does not take that method"}
        found = await problem(request, Problem(error.status_code, told.get(error.status_code, str(error.detail))))
        found.headers.update(error.headers or {})
        return found

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        if first["type"] == "json_invalid":
            return await problem(request, Problem(400, "the body is not valid JSON"))
        place = ".".join(str(part) for part in first["loc"][1:])
        return await problem(request, Problem(422, f"{place or 'the body'}: {first['msg'][:200]}"))

    @app.get("/health/live", tags=["health"])
    async def live() -> dict[str, str]:
        """Whether the service runs."""
        return {"status": "live"}

    @app.get("/health/ready", tags=["health"])
    async def ready() -> dict[str, str]:
        """Whether all models are ready."""
        if not registry.ready():
            raise Problem(503, "a model is not ready", 1)
        return {"status": "ready"}

    @app.get("/v1/models", tags=["models"])
    async def models() -> schemas.Answer:
        """What is served."""
        return {"models": [served.about() for served in registry.served.values()]}

    form = {"requestBody": {"content": {files.FORM: {"schema": schemas.FORM}}}}

    @app.post(PREDICT, tags=["predict"], response_model=schemas.PredictResponse, openapi_extra=form)
    async def predict(body: schemas.PredictRequest) -> None:
        """Predict for texts, for files as base64 or as parts of a form, or for objects of columns, in order.
        With application/x-ndjson, `?model=` and a JSON value a line, answers stream back line by line."""
        raise AssertionError("answered by the service itself")

    @app.post(EMBEDDINGS, tags=["predict"], response_model=schemas.EmbeddingsResponse)
    async def embed(body: schemas.EmbeddingsRequest) -> None:
        """Vectors of texts, of length 1, in the form of OpenAI's API."""
        raise AssertionError("answered by the service itself")

    @app.post("/v1/explain", tags=["predict"], response_model=schemas.ExplainResponse)
    async def explain(body: schemas.ExplainRequest) -> Response:
        """Why the model says what it says of an input: a score for each of its words."""
        return Response(await service.explained(body), media_type="application/json")

    @app.get("/v1/stats", tags=["operation"])
    async def numbers() -> schemas.Answer:
        """Traffic of the last minute, second by second."""
        return stats.as_json(registry)

    @app.get("/metrics", tags=["operation"])
    async def metrics() -> Response:
        """For Prometheus."""
        return Response(stats.prometheus(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.post("/v1/feedback", tags=["feedback"], status_code=201, response_model=schemas.FeedbackResponse)
    async def feedback(request: Request, body: schemas.FeedbackRequest) -> dict[str, str]:
        """Keep what the answer should have been."""
        if service.keeper is None:
            raise Problem(503, "corrections are not kept: the service was started with --store none")
        served = registry.get(body.model)
        about = served.active.about
        if not about:
            raise Problem(503, "the model is starting; try again in a moment", 1)
        (one,) = intake.fitting([body.input], about["task"], service.limits, about["inputs"], about.get("fields"))
        given = body.model_dump() | {"model": served.name, "task": about["task"]}
        given["version"] = body.version or about["version"]
        given["input"] = intake.kept(one, about["inputs"], about.get("fields"))
        try:
            return {"id": await asyncio.to_thread(service.keeper.feedback, given)}
        except BurnishError as error:
            why = str(error).partition("\n")[0]  # what a database says further may hold the correction itself
            log.warning("the correction of request %s could not be stored: %s", request.scope["state"]["id"], why)
            raise Problem(503, "the correction could not be stored; the log says why", 5) from error

    @app.post("/v1/models/{name}", tags=["models"])
    async def load(name: str, body: schemas.LoadRequest) -> schemas.Answer:
        """Load a version of a model beside the one that serves, and give it its part once it is ready."""
        return (await registry.load(name, body.folder, body.variant, body.role, body.percent)).about()

    @app.post("/v1/models/{name}/promote", tags=["models"])
    async def promote(name: str) -> schemas.Answer:
        """Make the canary, or else the shadow, the one that serves."""
        return (await registry.turn(name, "promote")).about()

    @app.post("/v1/models/{name}/rollback", tags=["models"])
    async def rollback(name: str) -> schemas.Answer:
        """Bring back the one that served before."""
        return (await registry.turn(name, "rollback")).about()

    @app.delete("/v1/models/{name}", tags=["models"], status_code=204)
    async def unload(name: str, role: schemas.Beside | None = None) -> Response:
        """Let a model go; with `role`, only its canary, its shadow, or the previous one."""
        await registry.unload(name, role)
        return Response(status_code=204)

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        content = (PAGE / "index.html").read_bytes()
        return Response(content, media_type="text/html; charset=utf-8", headers={"content-security-policy": _CSP})

    app.mount("/page", StaticFiles(directory=PAGE, check_dir=False))
    return app
