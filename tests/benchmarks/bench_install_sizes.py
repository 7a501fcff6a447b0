"""What installing a package downloads, with all that it needs, on Linux x86-64 and Python 3.11: packages and megabytes.

    pip install uv
    python tests/benchmarks/bench_install_sizes.py tensorflow timm==1.0.31 fastai==2.8.12

Nothing is downloaded: `uv lock` records the size of each file. A dot stands for this project.
"""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[2] / "pyproject.toml"
FITS = ("cp311-", "-abi3-", "py3-none", "none-any")
CUDA = ("nvidia", "cuda", "triton", "torch")


def lock(requirements):
    """Packages that are needed, as uv records them."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "pyproject.toml").write_text(
            f'[project]\nname = "x"\nversion = "0"\nrequires-python = "==3.11.*"\ndependencies = {requirements}\n'
            "[tool.uv]\nenvironments = [\"sys_platform == 'linux' and platform_machine == 'x86_64'\"]\n"
        )
        subprocess.run(["uv", "lock", "-q", "--python", sys.executable], cwd=folder, check=True)
        return tomllib.loads(Path(folder, "uv.lock").read_text())["package"]


def size_bytes(package):
    """The wheel that would be taken, or the source where there is none."""
    names = {wheel["url"].rpartition("/")[2]: wheel["size"] for wheel in package.get("wheels", ())}
    linux = [
        size
        for name, size in names.items()
        if "x86_64" in name and "manylinux" in name and any(f in name for f in FITS)
    ]
    return (linux or [size for name, size in names.items() if "none-any" in name] or [package["sdist"]["size"]])[0]


def main(wanted):
    for each in wanted:
        asked = tomllib.loads(PROJECT.read_text())["project"]["dependencies"] if each == "." else [each]
        sizes = {found["name"]: size_bytes(found) for found in lock(asked) if "registry" in found["source"]}
        rest = sum(size for name, size in sizes.items() if not name.startswith(CUDA) or name == "torchvision")
        whole = sum(sizes.values())
        print(f"{each}: {len(sizes)} packages, {whole / 1e6:.0f} MB; without PyTorch and CUDA {rest / 1e6:.0f} MB")


if __name__ == "__main__":
    main(sys.argv[1:] or ["."])
