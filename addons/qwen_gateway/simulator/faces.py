"""The faces: which path stands for which service (upstream.md 2, 4.1, 4.13)."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["dashscope", "vllm", "ollama", "openrouter", "portal", "oauth"]
Plan = Literal["payg", "coding", "token", "own"]


@dataclass(frozen=True, slots=True)
class Face:
    """A service at a path: the base URL of a client ends with `prefix`."""

    name: str
    prefix: str
    kind: Kind
    plan: Plan
    catalogue: str
    region: str = "singapore"


FACES = {
    face.name: face
    for face in (
        Face("dashscope", "/compatible-mode/v1", "dashscope", "payg", "dashscope"),
        Face("beijing", "/beijing/compatible-mode/v1", "dashscope", "payg", "dashscope", "beijing"),
        Face("virginia", "/virginia/compatible-mode/v1", "dashscope", "payg", "dashscope", "virginia"),
        Face("workspace", "/workspace/compatible-mode/v1", "dashscope", "payg", "dashscope", "singapore"),
        Face("coding", "/coding/v1", "dashscope", "coding", "coding"),
        Face("token-plan", "/token-plan/compatible-mode/v1", "dashscope", "token", "token"),
        Face("native", "/api/v1", "dashscope", "payg", "dashscope"),
        Face("vllm", "/vllm/v1", "vllm", "own", "vllm"),
        Face("ollama", "/ollama/v1", "ollama", "own", "ollama"),
        Face("openrouter", "/openrouter/api/v1", "openrouter", "own", "openrouter"),
        # A token's `resource_url` names the simulator itself, so the portal is at its root (2.7).
        Face("portal", "/v1", "portal", "own", "portal"),
        Face("oauth", "", "oauth", "own", "portal"),
    )
}

OAUTH_PATHS = {
    "/api/v1/oauth2/device/code",
    "/api/v1/oauth2/token",
    "/api/v2/oauth2/authorize",
    "/api/v1/indices/plugin/web_search",
    "/authorize",
}

_BY_LENGTH = sorted(FACES.values(), key=lambda face: -len(face.prefix))


def find(path: str) -> tuple[Face, str] | None:
    """The face of a path, and the rest of the path behind its prefix."""
    if path in OAUTH_PATHS:
        return FACES["oauth"], path[1:]
    for face in _BY_LENGTH:
        if face.prefix and path.startswith(face.prefix + "/"):
            return face, path[len(face.prefix) + 1 :]
    return None
