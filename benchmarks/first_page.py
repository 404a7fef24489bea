"""Lines of user code and seconds from the start of a process to a page: one row for each kind of model.

    python benchmarks/first_page.py [--only WORD] [--folder DIR]

Every case is a process of its own, with a warm catalogue and a model that no earlier run has seen: two photographs of
224 pixels and Grad-CAM, or occlusion where the model is a black box. Counted are the lines that Sidelight asks for once
model and images are there, `import sidelight` included. CPU seconds are those of the process and its children with one
thread, about what it takes on an idle core; imports and making the model are in them. Weights are random. Models that
are files also get one line on the command line.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from attrs import frozen

STANDARD = "mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)"
FLAGS = "--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225"
CAM, OCCLUSION = '"grad-cam"', '{"occlusion": {"window": 56, "stride": 56}}'
SMALL = """
import torch
from torch import nn
torch.manual_seed({seed})
model = nn.Sequential(
    nn.Conv2d({channels}, 16, 5, 4), nn.ReLU(), nn.Conv2d(16, 32, 3, 2), nn.ReLU(),
    nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, {outputs}))
"""
LIBRARY = """
import torch
from sidelight_toolkit.torchvision_import import import_torchvision
torchvision = import_torchvision()
torch.manual_seed({seed})
"""


@frozen
class Case:
    """A model and what its user writes.

    Args:
        name: as the table shows it.
        setup: code that makes `model`, which is not counted.
        options: further arguments of `sidelight.explain`.
        methods: likewise, as code.
        model: the argument `model`, as code.
        images: likewise.
        flags: of the command, with the model's file or name; empty where there is none.
    """

    name: str
    setup: str
    options: str = ""
    methods: str = CAM
    model: str = "model"
    images: str = '["a.png", "b.png"]'
    flags: str = ""

    @property
    def lines(self) -> list[str]:
        """Lines that the user writes."""
        arguments = ", ".join(part for part in (self.model, self.images, self.methods, self.options) if part)
        return ["import sidelight", f"run = sidelight.explain({arguments})", "run"]


def small(channels: int = 3, outputs: int = 10) -> str:
    """Code of a small network."""
    return SMALL.format(seed=time.time_ns() % 2**31, channels=channels, outputs=outputs)


def library(code: str) -> str:
    """Code of a library's model."""
    return LIBRARY.format(seed=time.time_ns() % 2**31) + code


def cases() -> list[Case]:
    """All rows; those of a file expect it in the working folder."""
    rows = [Case("`nn.Module`", small(), STANDARD)]
    for name in TIMM:
        rows.append(
            Case(f"timm {name}", library(f'import timm; model = timm.create_model("{name}", pretrained=False)'))
        )
    for name in TORCHVISION:
        code = f"model = torchvision.models.{name}(weights=None)"
        if name == "vit_b_16":
            code += "; torch.nn.init.normal_(model.heads.head.weight)"  # it begins at zero
        rows.append(Case(f"torchvision {name}", library(code), f"{STANDARD}, size=224"))
    rows.append(Case("transformers ViT folder", "", "", CAM, '"transformers:vit"', flags="--model transformers:vit"))
    for name in EXPORTS:
        flags = f"--model {name}.onnx {FLAGS}"
        rows.append(Case(f"ONNX of {name}", "", STANDARD, CAM, f'"{name}.onnx"', flags=flags))
    rows += [
        Case("binary, one logit", small(outputs=1), f'{STANDARD}, task="binary"'),
        Case("regression", small(outputs=1), f'{STANDARD}, task="regression"'),
        Case("grey", small(channels=1), "mean=(0.5,), std=(0.25,)", images='["a.png", "b.png"]'),
        Case(
            "black box",
            "import torch\ndef model(images):\n    return images.flatten(2).mean(2) * 10",
            "size=224",
            OCCLUSION,
        ),
    ]
    return rows


TIMM = ("resnet18", "vit_tiny_patch16_224", "swin_tiny_patch4_window7_224", "convnext_atto")
TORCHVISION = ("resnet50", "vit_b_16")
EXPORTS = (*TIMM, *TORCHVISION, "small")


def prepare() -> None:
    """Photographs, a transformers folder and exports in the working folder."""
    import torch
    from PIL import Image
    from sidelight_toolkit.torchvision_import import import_torchvision
    from skimage import data

    for name, photo in (("a", data.astronaut()), ("b", data.coffee())):
        Image.fromarray(photo).resize((224, 224)).save(f"{name}.png")
    torchvision = import_torchvision()
    import timm
    from transformers import ViTConfig, ViTForImageClassification, ViTImageProcessor

    shape = {"hidden_size": 192, "num_attention_heads": 3, "intermediate_size": 768, "num_labels": 10}
    ViTForImageClassification(ViTConfig(**shape)).save_pretrained("vit")
    ViTImageProcessor().save_pretrained("vit")
    scope: dict[str, object] = {}
    exec(small(), scope)
    models = {name: timm.create_model(name, pretrained=False) for name in TIMM}
    models |= {name: getattr(torchvision.models, name)(weights=None) for name in TORCHVISION}
    torch.nn.init.normal_(models["vit_b_16"].heads.head.weight)
    for name, model in (models | {"small": scope["model"]}).items():
        images = torch.rand(2, 3, 224, 224)
        options = {"input_names": ["images"], "dynamic_shapes": ({0: torch.export.Dim("batch", min=1, max=64)},)}
        torch.onnx.export(model.eval(), (images,), f"{name}.onnx", dynamo=True, external_data=False, **options)


def measured(command: list[str]) -> tuple[str, str]:
    """Wall and CPU seconds of a process as text, or its error."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    text = [line for line in done.stderr.splitlines() if line.strip()]
    return f"{wall:.1f} s, CPU {cpu:.1f} s", "" if done.returncode == 0 else " / ".join(text[-2:])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="", help="cases whose name matches this regular expression")
    parser.add_argument("--folder", help="where models lie and stay; a temporary folder by default")
    arguments = parser.parse_args()
    folder = Path(arguments.folder or tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    if not Path("small.onnx").exists():
        prepare()
    sidelight = str(Path(sys.executable).with_name("sidelight"))
    subprocess.run([sidelight, "plugins"], capture_output=True, check=True)  # the catalogue
    print("| model | lines | Python, to the page | command line |")
    print("|---|---|---|---|")
    for case in cases():
        if not re.search(arguments.only, case.name):
            continue
        code = "\n".join([case.setup, *case.lines, "assert run.pages[0].stat().st_size > 10_000"])
        seconds, error = measured([sys.executable, "-c", code])
        command = "-"
        if case.flags:
            flags = shlex.split(f"explain a.png b.png --with grad-cam --quiet --set seed={os.getpid()} {case.flags}")
            command, failed = measured([sidelight, *flags])
            error = error or failed
        print(f"| {case.name} | {len(case.lines)} | {seconds} | {command} | {error}", flush=True)


if __name__ == "__main__":
    main()
