"""Options of `image-classifier`."""

from __future__ import annotations

from sidelight_specs import param, params
from sidelight_toolkit.model_source import ModelSourceParams, Task


@params
class ImageClassifierParams(ModelSourceParams):
    """Options of `image-classifier`; whatever is left out is read from the folder."""

    path: str = param("", "Folder that save_pretrained wrote; with `download` a name on the hub, owner/name.")
    download: bool = param(False, "Fetch `path` from the Hugging Face hub where it is not here yet.")
    revision: str = param("main", "Branch, tag or commit on the hub, with `download`.")
    task: Task | None = param(  # type: ignore[assignment]  # read from the folder, where the base has to be told
        None, "Task; null: as config.json says, where one score without a problem_type is a regression."
    )
    object: str = param("", "Token of a live model, which `sidelight.explain` and dict recipes write.")
    preprocess: str = param("", "Token of a live image processor, likewise.")
