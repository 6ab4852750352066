"""v1's distributions in requirement files, Dockerfiles and project files; other distributions are none of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from .trees import Commands, plant

FILES = {
    "requirements.txt": (
        "# one-logger\ntorch==2.4\none-logger==1.2.0  # telemetry\none_logger_utils>=1 ; python_version > '3.8'\n"
        "One.Logger[x]~=1.0\nnv-one-logger-core==2.3.1\none-logger-v1-shim\none-logger-utils-extra\nmy-one-logger\n"
        "git+https://gitlab.example/hwinf/one-logger-utils.git@main#egg=x\n--extra-index-url https://host/one-logger-index\n",
        [3, 4, 5, 10],
    ),
    "requirements/dev.in": ("pytest\none-logger\n", [2]),
    "constraints-2.txt": ("one-logger-utils==1.0\n", [1]),
    "docker/Dockerfile.ci.dev": (
        'FROM x\n# RUN pip install one-logger\nCOPY one-logger /x\nRUN uv pip install $INDEX "one-logger"\n'
        "RUN pip install \\\n    torch \\\n    one-logger \\\n    one-logger-utils==1.0\n"
        "RUN pip install nv-one-logger-core\n",
        [4, 7, 8],
    ),
    "Dockerfile": ("RUN <<EOF\nset -e\n/opt/venv/bin/pip install --upgrade one-logger-utils\nEOF\n", [3]),
    "tools/setup.sh": ("echo one-logger\npython -m pip install one-logger\n", [2]),
    "pyproject.toml": (
        '[project]\nname = "x"\ndescription = "uses one-logger a lot"\ndependencies = [\n  "torch",\n'
        '  "one-logger>=1",\n'
        '  "nv-one-logger-core",\n]\n[tool.poetry.dependencies]\none-logger-utils = "^1.0"\n'
        '[tool.uv.sources]\none-logger = { index = "internal" }\n',
        [6, 10, 12],
    ),
    "setup.py": ("setup(install_requires=['one-logger==1.0'], description='one-logger for all')\n", [1]),
    "setup.cfg": ("[options]\ninstall_requires =\n    one-logger\n    torch\n", [3]),
    "uv.lock": ('[[package]]\nname = "one-logger"\nversion = "1.0"\n', [2]),
    "environment.yml": ("dependencies:\n  - pip:\n    - one-logger==1.0\n", [3]),
    "environment-gpu.yml": ("dependencies:\n  - pip:\n    - one-logger==1.0\n", [3]),
    ".pre-commit-config.yaml": ("- id: mypy\n  additional_dependencies: [one-logger]\n", [2]),
    "variables.Dockerfile": (
        "ARG OL=one-logger\nENV DEPS='torch one-logger'\nENV MORE one-logger\nLABEL x=one-logger\n"
        "RUN pip install ${OL} $DEPS $MORE\n",
        [1, 2, 3],
    ),
    "wheels.Dockerfile": (
        "COPY one_logger-1.0-py3-none-any.whl /x/\nRUN pip install /x/one_logger-1.0-py3-none-any.whl\n",
        [2],
    ),
    "requirements-wheels.txt": ("./wheels/one_logger-1.0-py3-none-any.whl\none_logger_more-1.0.whl\n", [1]),
    "notes.txt": ("one-logger==1.2.0\n", []),
    "README.md": ("pip install one-logger\n", []),
}


@pytest.mark.parametrize("name", FILES)
def test_pins(name: str, tmp_path: Path, commands: Commands) -> None:
    text, lines = FILES[name]
    tree = plant(tmp_path, {name: text})
    found = commands.scan(tree)
    assert [one["line"] for one in found if one["kind"] == "pin"] == lines
    assert all(one["level"] == "warning" and "one-logger-v1-shim" in one["why"] for one in found)
    assert commands("scan", tree).code == (1 if lines else 2)
    assert commands("swap", "--write", tree).out == "nothing to do\n"
    assert (tree / name).read_text() == text
