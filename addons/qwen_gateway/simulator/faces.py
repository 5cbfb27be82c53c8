"""The faces: which path stands for which service (upstream.md 2, 4.1, 4.13)."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["dashscope", "vllm", "ollama", "openrouter", "portal", "oauth", "web"]
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
        # chat.qwen.ai is at the root as well, beside the authorization server (3).
        Face("web", "", "web", "own", "web"),
    )
}

OAUTH_PATHS = {
    "/api/v1/oauth2/device/code",
    "/api/v1/oauth2/token",
    "/api/v2/oauth2/authorize",
    "/api/v1/indices/plugin/web_search",
    "/authorize",
}

WEB_PATHS = ("/api/models", "/api/v2/", "/api/v1/auths", "/api/v1/files/", "/api/v1/tasks/", "/qwen-webui-prod/")

_BY_LENGTH = sorted(FACES.values(), key=lambda face: -len(face.prefix))


def find(path: str) -> tuple[Face, str] | None:
    """The face of a path, and the rest of the path behind its prefix."""
    if path in OAUTH_PATHS:
        return FACES["oauth"], path[1:]
    if path.startswith(WEB_PATHS):
        return FACES["web"], path[1:]
    for face in _BY_LENGTH:
        if face.prefix and path.startswith(face.prefix + "/"):
            return face, path[len(face.prefix) + 1 :]
    return None
