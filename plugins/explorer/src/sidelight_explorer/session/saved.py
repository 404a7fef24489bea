"""A saved session, read from its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np
from sidelight_specs import SidelightError, UserError

from sidelight_explorer.server.validation import Bad, parsed
from sidelight_explorer.session.file import Document, read_document, read_latents
from sidelight_explorer.session.slider_file import Sliders

if TYPE_CHECKING:
    from sidelight_specs.roles import Generator


@attrs.frozen(eq=False)
class Session:
    """What a file holds.

    Args:
        document: styles, images, notes.
        latents: style id to (layers, d).
        sliders: those that came with it.
    """

    document: Document
    latents: dict[str, np.ndarray]
    sliders: Sliders


def read_session(name: str, generator: Generator) -> Session:
    """The session in a file, checked against the generator.

    Raises:
        UserError: there is none, it cannot be read, or it is of another generator.
    """
    path = Path(name).expanduser()
    try:
        value = parsed(path.read_bytes())
        document = read_document(value, int(generator.latent_shape[0]))
        latents = read_latents(value.get("latents", {}), tuple(generator.latent_shape))
        sliders = Sliders({}, generator, styled=has_styles(generator))
        sliders.keep(document.sliders)
    except OSError as error:
        raise UserError(f"session: {path} cannot be read: {error.strerror}", "Save one from the page.") from error
    except Bad as error:
        raise UserError(f"session: {path}: {error}", "Save one from the page of this generator.") from error
    return Session(document, latents, sliders)


def has_styles(generator: Generator) -> bool:
    """Whether the generator shows its style space."""
    try:
        return bool(generator.style_layers)
    except SidelightError:
        return False
