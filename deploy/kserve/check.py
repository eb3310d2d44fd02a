"""Checks the resources here against the classes of KServe's own SDK: `make test-kserve` has an environment with it.

The SDK's own reader drops fields that it does not know, so this one names them, and those of another type.
"""

import re
import sys
from pathlib import Path
from typing import Any

import yaml
from kserve import models
from kubernetes.client import models as kubernetes_models

CLASSES = {"ServingRuntime": "V1alpha1ServingRuntime", "InferenceService": "V1beta1InferenceService"}
_PLAIN = {"str": str, "int": int, "bool": bool, "float": (int, float), "object": object}


def problems(content: Any, kind: str, place: str) -> list[str]:
    """Returns a sentence for each thing that does not fit. kind: a type as the SDK writes it."""
    if listed := re.fullmatch(r"[Ll]ist\[(.+)\]", kind):
        if not isinstance(content, list):
            return [f"{place} is no list"]
        return [one for n, item in enumerate(content) for one in problems(item, listed[1], f"{place}[{n}]")]
    if mapped := re.fullmatch(r"dict\(str, (.+)\)|Dict\[str, (.+)\]", kind):
        if not isinstance(content, dict):
            return [f"{place} is no mapping"]
        inner = mapped[1] or mapped[2]
        return [one for key, item in content.items() for one in problems(item, inner, f"{place}.{key}")]
    if kind in _PLAIN:
        right = isinstance(content, _PLAIN[kind]) and (kind == "bool") == isinstance(content, bool)
        return [] if right or kind == "object" else [f"{place} is {content!r}, and should be {kind}"]
    kind = re.sub(r"^K8sIoApi[A-Z][a-z]+(?=V1)", "", kind)  # as KServe calls some of Kubernetes' own
    described = getattr(models, kind, None) or getattr(kubernetes_models, kind, None)
    if described is None or not hasattr(described, "openapi_types"):
        return [] if isinstance(content, str | int | float) else [f"{place} is of a type {kind} that is not known"]
    return _fields(content, described, place)


def _fields(content: Any, described: Any, place: str) -> list[str]:
    if not isinstance(content, dict):
        return [f"{place} is no {described.__name__}"]
    names = {name: attribute for attribute, name in described.attribute_map.items()}
    found = [f"{place}.{key} is not known to {described.__name__}" for key in content.keys() - names.keys()]
    given = {names[key]: value for key, value in content.items() if key in names}
    for attribute, value in given.items():
        field = f"{place}.{described.attribute_map[attribute]}"
        found += problems(value, described.openapi_types[attribute], field)
    try:
        described(**given)  # raises for a field that must be there
    except ValueError as error:
        found.append(f"{place}: {error}")
    return found


def main() -> None:
    """Ends with a list of what KServe does not take."""
    found, seen = [], set()
    for file in sorted(Path(__file__).parent.glob("*.yaml")):
        for content in yaml.safe_load_all(file.read_text(encoding="utf-8")):
            kind = CLASSES.get(content["kind"])
            if kind is not None:
                seen.add(content["kind"])
                found += problems(content, kind, file.name)
    found += [f"there is no {kind}" for kind in sorted(CLASSES.keys() - seen)]
    sys.exit("\n".join(found) or None)


if __name__ == "__main__":
    main()
