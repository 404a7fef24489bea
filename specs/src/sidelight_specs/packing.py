"""Plain values, arrays and artifacts as bytes and back, for work that is done in another process; never pickle.

```
8 bytes     length of the document, little endian
document    json: the value, arrays as {"$array": index}; dtype, shape and offset of each array
arrays      their bytes in C order
```
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from sidelight_specs import _codec, kinds
from sidelight_specs.artifacts import Artifact
from sidelight_specs.digests import content_of
from sidelight_specs.errors import SidelightError

if TYPE_CHECKING:
    import numpy as np

_LENGTH = 8  # bytes


def pack(value: Any) -> bytes:
    """The bytes of a nested value; `unpack` gives it back, tuples as lists.

    Args:
        value: None, a bool, number, text, numpy array (not a structured one) or artifact; or a tuple, list or dict with
            text keys of these.

    Raises:
        SidelightError: it holds anything else.
    """
    arrays: list[np.ndarray] = []
    plain, table, offset = _plain(value, arrays), [], 0
    for array in arrays:
        table.append([array.dtype.str, array.shape, offset])
        offset += array.nbytes
    document = json.dumps({"value": plain, "arrays": table}).encode()
    return b"".join((len(document).to_bytes(_LENGTH, "little"), document, *map(content_of, arrays)))


def unpack(data: bytes) -> Any:
    """The value that `pack` was given; its arrays are new and may be written to.

    Raises:
        SidelightError: these are not the bytes of a packed value, or a kind in it is not registered here.
    """
    import numpy as np

    try:
        start = _LENGTH + int.from_bytes(data[:_LENGTH], "little")
        document, arrays = json.loads(data[_LENGTH:start]), list[Any]()
        for name, shape, offset in document["arrays"]:
            dtype = np.dtype(name)
            if dtype.hasobject:
                raise ValueError("an array of Python objects")
            array = np.frombuffer(data, dtype, math.prod(shape), start + offset)
            arrays.append(array.reshape(shape).copy())
        return _value(document["value"], arrays)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError) as error:
        raise SidelightError(f"these bytes hold no packed value: {error}") from error


def _plain(value: Any, arrays: list[np.ndarray]) -> Any:
    import numpy as np

    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, np.ndarray) and not value.dtype.hasobject and value.dtype.kind != "V":  # no named fields
        arrays.append(value)
        return {"$array": len(arrays) - 1}
    if isinstance(value, Artifact):
        fields, own = _codec.encode(value)
        return {"$artifact": value.kind, "fields": fields, "arrays": _plain(own, arrays)}
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {"$dict": {key: _plain(item, arrays) for key, item in value.items()}}
    if isinstance(value, (tuple, list)):
        return [_plain(item, arrays) for item in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    fix = "; give a numpy array" if type(value).__module__.partition(".")[0] == "torch" else ""
    raise SidelightError(f"a {type(value).__qualname__} cannot go to another process{fix}")


def _value(plain: Any, arrays: list[np.ndarray]) -> Any:
    if isinstance(plain, list):
        return [_value(item, arrays) for item in plain]
    if not isinstance(plain, dict):
        return plain
    if "$array" in plain:
        return arrays[plain["$array"]]
    if "$dict" in plain:
        return {key: _value(item, arrays) for key, item in plain["$dict"].items()}
    return _codec.decode(kinds.find(plain["$artifact"]), plain["fields"], _value(plain["arrays"], arrays))
