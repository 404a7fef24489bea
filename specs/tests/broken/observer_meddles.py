"""An observer that changes what it is shown."""

from sidelight_specs import hookimpl


@hookimpl
def sidelight_artifact_saved(artifact):
    artifact.values[:] = 0
