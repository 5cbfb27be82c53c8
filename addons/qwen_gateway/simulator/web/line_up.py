"""The models of the site (upstream.md 3.10)."""

from dataclasses import dataclass
from typing import Any

from ..wire import JsonObject

UPDATED, CREATED = 1_789_000_000, 1_787_000_000
TYPES = ("t2t", "t2v", "t2i", "search", "artifacts", "web_dev", "deep_research")


@dataclass(frozen=True, slots=True)
class WebModel:
    """One model."""

    id: str
    name: str
    context: int = 1_000_000
    output: int = 65_536
    thinking: int = 81_920
    """Tokens of its thoughts; 0: it does not think."""
    modality: tuple[str, ...] = ("text", "image", "video", "audio")
    guests: bool = False
    summary: bool = True
    active: bool = True

    def as_json(self) -> JsonObject:
        """The item of the list."""
        sees = len(self.modality) > 1
        can: JsonObject = dict.fromkeys(("vision", "document", "video", "audio", "citations"), sees)
        can |= {"thinking": bool(self.thinking), "thinking_budget": bool(self.thinking), "search": True}
        meta: JsonObject = {
            "profile_image_url": "/static/favicon.png",
            "description": f"{self.name}, as the simulator has it.",
            "short_description": self.name,
            "capabilities": can,
            "abilities": {"vision": int(sees), "document": int(sees), "thinking": 3 if self.thinking else 0, "mcp": 1},
            "max_context_length": self.context,
            "max_generation_length": self.output,
            "max_thinking_generation_length": self.thinking,
            "max_summary_generation_length": 65_536,
            "chat_type": list(TYPES),
            "mcp": ["image-generation", "code-interpreter"],
            "modality": list(self.modality),
            "auto_thinking": bool(self.thinking),
            "auto_search": True,
            "thinking_format": "summary" if self.summary else "detail",
            "think_skip": {"enable": bool(self.thinking)},
        }
        info: dict[str, Any] = {
            "id": self.id,
            "user_id": "simulator",
            "base_model_id": None,
            "name": self.name,
            "params": {},
            "meta": meta,
            "access_control": None,
            "is_active": self.active,
            "is_visitor_active": self.guests,
            "updated_at": UPDATED,
            "created_at": CREATED,
        }
        return {
            "id": self.id,
            "name": self.name,
            "object": "model",
            "owned_by": "qwen",
            "preset": True,
            "action_ids": [],
            "info": info,
        }


MODELS = {
    model.id: model
    for model in (
        WebModel("qwen3.7-plus", "Qwen3.7-Plus", guests=True),
        WebModel("qwen3.8-max", "Qwen3.8-Max", output=131_072, guests=True),
        WebModel("qwen3.7-max", "Qwen3.7-Max", modality=("text",)),
        WebModel("qwen3.6-plus", "Qwen3.6-Plus", guests=True),
        WebModel("qwen3.5-plus", "Qwen3.5-Plus"),
        WebModel("qwen3.5-omni-plus", "Qwen3.5-Omni-Plus", 262_144, thinking=0),
        WebModel("qwen3-coder-plus", "Qwen3-Coder", 1_048_576, thinking=0, modality=("text",), guests=True),
        WebModel("qwen3-235b-a22b", "Qwen3-235B-A22B", 131_072, 32_768, 38_912, ("text",), summary=False),
    )
}
