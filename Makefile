PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test check bench bench-env wheelhouse clean

$(VENV)/.ready: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo,dev]'
	touch $@

demo: $(VENV)/.ready  ## train, evaluate, save and report on the embedded default
	HF_HUB_OFFLINE=1 $(BIN)/burnish run recipes/demo.yaml

check: $(VENV)/.ready  ## lint, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: check  ## check, then the tests, side by side with a thread each; no network
	HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile

bench: $(VENV)/.ready bench-env  ## the quick form of every measurement
	for file in bench/tune.py bench/folds.py bench/transfer.py bench/fewshot.py bench/kill.py bench/memory.py bench/startup.py bench/options.py bench/compress.py bench/kill_search.py bench/batch.py; do $(BIN)/python $$file --quick || exit 1; done
	for file in bench/infer.py bench/explain.py bench/serve.py bench/soak.py bench/fuzz.py; do .bench-env/bin/python $$file --quick || exit 1; done

bench-env:  ## an environment of their own for the peers
	test -x .bench-env/bin/python || $(PYTHON) -m venv .bench-env
	.bench-env/bin/pip install --quiet -c constraints.txt torch
	.bench-env/bin/pip install --quiet -c constraints.txt -e '.[onnx,openvino,serve]'
	.bench-env/bin/pip install --quiet -r bench/requirements.txt

wheelhouse:  ## everything an install without internet needs, in ./wheelhouse
	$(PYTHON) -m pip download --quiet -c constraints.txt -d wheelhouse torch 'setuptools>=77' wheel
	$(PYTHON) -m pip wheel --quiet --no-deps -w wheelhouse .
	$(PYTHON) -m pip download --quiet -c constraints.txt -d wheelhouse --find-links wheelhouse 'burnish[demo]'
	@echo "on the other machine: pip install --no-index --find-links wheelhouse 'burnish[demo]'"

clean:
	rm -rf $(VENV) .bench-env wheelhouse build dist
