"""The documentation says what is so: its Python runs from top to bottom, its commands parse, and what it names exists.

A Python block that takes long is marked in the Markdown, by a comment that says why. The README's own block is a run in full size, of which
a smaller one is run here. Pages whose programs take long to compile are among the slow or the nightly tests.
"""

import re
import shlex
from contextlib import suppress
from pathlib import Path
from unittest import SkipTest

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser

import wannjax
from wannjax.cli import _parser

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
LONGEST = 150
"""Lines of the README."""

SMALLER = {
    'make("CartPoleSwingUp-v0")': 'make("CartPoleSwingUp-v0", max_steps=100)',
    "population=512": "population=64",
    "generations=300": "generations=5",
    "episodes=100": "episodes=20",
    "steps=500": "steps=2",
}

COMPILE_LONG = {"README.md", "blocks.md", "export.md", "runs.md", "search.md", "training.md"}
COMPILE_LONGEST = {"collections.md", "extending.md", "neat.md", "problems.md", "reading.md", "sklearn.md"}

python = Sybil([PythonCodeBlockParser(), SkipParser()])


def made_once(*arguments, make=wannjax.make, made={}, **options):  # noqa: B006
    """`wannjax.make`, of which all pages share what they make alike, and so its compiled programs."""
    called = repr((arguments, sorted(options.items())))
    if called not in made:
        made[called] = make(*arguments, **options)
    return made[called]


def named(pages, slow=(), nightly=()):
    def marks(page):
        return [pytest.mark.slow] * (page.name in {*slow, *nightly}) + [pytest.mark.nightly] * (page.name in nightly)

    return pytest.mark.parametrize("page", [pytest.param(page, id=page.relative_to(ROOT).as_posix(), marks=marks(page)) for page in pages])


def test_every_block_of_a_page_says_its_language():
    """Without one it would be checked by nobody. The README's two commands are alone on their lines, and have none."""
    for page in PAGES[1:]:
        fences = re.findall(r"^ *```(.*)$", page.read_text(), flags=re.MULTILINE)
        assert set(fences[::2]) <= {"python", "bash", "text", "yaml"}, page
        assert set(fences[1::2]) <= {""}, page


@pytest.mark.usefixtures("without_report")
@named([page for page in PAGES if "```python" in page.read_text()], slow=COMPILE_LONG, nightly=COMPILE_LONGEST)
def test_python_runs_from_top_to_bottom(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(wannjax, "make", made_once)
    monkeypatch.setattr(wannjax, "use_all_cores", lambda: None)  # JAX has started
    if page.name == "README.md":
        text = page.read_text()
        for large, small in SMALLER.items():
            assert large in text
            text = text.replace(large, small)
        page = tmp_path / page.name
        page.write_text(text)
    for example in python.parse(page).examples():
        with suppress(SkipTest):
            example.evaluate()


@named(PAGES)
def test_commands_parse(page):
    for command in commands_of(page):
        if "--help" not in command:
            assert _parser(command).parse_args(command).run


def test_the_job_of_kubernetes_calls_as_many_processes_as_it_starts():
    yaml = pytest.importorskip("yaml")
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs" / "accelerators.md").read_text(), flags=re.MULTILINE | re.DOTALL)
    service, job = yaml.safe_load_all(block)
    spec, name = job["spec"], service["metadata"]["name"]
    (container,) = spec["template"]["spec"]["containers"]
    (command,) = commands_in(container["args"][0])
    options = _parser(command).parse_args(command)
    assert options.processes == spec["completions"] == spec["parallelism"] <= options.islands
    assert spec["completionMode"] == "Indexed"
    assert options.coordinator.split(":")[0] == f"{job['metadata']['name']}-0.{name}"
    assert spec["template"]["spec"]["subdomain"] == name
    assert service["spec"]["selector"] == {"job-name": job["metadata"]["name"]}
    (mount,) = container["volumeMounts"]
    assert options.out.is_relative_to(mount["mountPath"])
    assert options.resume


def test_the_commands_are_found():
    assert any("--distributed" in command for command in commands_of(ROOT / "docs" / "accelerators.md"))
    assert ["evolve", "CartPoleSwingUp-v0"] in commands_of(ROOT / "README.md")
    assert len(commands_of(ROOT / "docs" / "runs.md")) >= 6


@named(PAGES)
def test_benchmarks_and_files_that_it_names_exist(page):
    text = page.read_text()
    for name in re.findall(r"python -m benchmarks\.(\w+)", text):
        assert (ROOT / "benchmarks" / f"{name}.py").exists() or (ROOT / "benchmarks" / name / "__main__.py").exists(), name
    for path in re.findall(r"\b(?:tests|notebooks|benchmarks)/[\w/]+\.\w+", text):
        assert (ROOT / path).exists() or path.startswith("benchmarks/results/"), path


def test_pages_that_compile_long_are_there():
    assert {page.name for page in PAGES} >= COMPILE_LONG


def test_links_of_the_readme_lead_somewhere():
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", (ROOT / "README.md").read_text())
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= LONGEST


def test_the_reference_names_all_that_is_public():
    text = (ROOT / "docs" / "api" / "index.md").read_text()
    assert [name for name in wannjax.__all__ if f"wannjax.{name}]" not in text and f"wannjax.{name}`" not in text] == []


def commands_of(page):
    """The arguments of every `wannjax` in a page's blocks of commands, and of those within its sentences."""
    text, fenced = page.read_text(), re.compile(r"^ *```(\w*)\n(.*?)^ *```$", flags=re.MULTILINE | re.DOTALL)
    lines = [line for language, block in fenced.findall(text) if language in ("", "bash") for line in block.splitlines()]
    lines += [" ".join(code.split()) for code in re.findall(r"`(wannjax\s[^`]+)`", fenced.sub("", text))]
    return [command for line in lines for command in commands_in(line)]


def commands_in(line):
    """The arguments of every `wannjax` in a line of the shell, of those that another command is given to run, too."""
    words = shlex.split(line.replace("$JOB_COMPLETION_INDEX", "1"), comments=True)
    before = ([], ["&&"], ["srun"], ["exec"])
    found = [words[place + 1 :] for place, word in enumerate(words) if word == "wannjax" and words[place - 1 : place] in before]
    return found + [command for word in words if word.startswith("--command=") for command in commands_in(word.removeprefix("--command="))]
