"""AffectGPT (section 2.2): it sees, hears and reads a clip, and a frozen language model tells of it.

frames → vision encoder → (image Q-Former) → + positions → Video Q-Former → projection ┐
sound  → audio encoder  → a vector a clip  → + positions → Audio Q-Former → projection ┼→ language model
subtitle and question ────────────────────────────────────────────── embeddings ──────┘
"""

from __future__ import annotations

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, PreTrainedModel

from emolab.affectgpt.configuration import AffectGPTConfig
from emolab.affectgpt.encoders import FrozenEncoders
from emolab.affectgpt.prefusion import AttentionPrefusion
from emolab.affectgpt.qformer import TimeQFormer
from emolab.errors import InputError

TRAINED = ("video_qformer.", "audio_qformer.", "prefusion.")  # with these prefixes, and LoRA's
IGNORED = -100  # label of a token that is no target


class AffectGPT(PreTrainedModel):
    """The whole model; `from_pretrained` and `save_pretrained` hold all of it in one folder (`parts.py`: put together
    from checkpoints of its parts).

    Features: video [n, frames, tokens, frame_width] with `frames` [n] real ones each, audio [n, clips, audio_width]; n
    counts the rows whose question has the placeholders, in order.
    """

    config_class = AffectGPTConfig
    main_input_name = "input_ids"
    accepts_loss_kwargs = True  # `num_items_in_batch`: accumulated gradients are those of one large batch
    _no_split_modules: list[str] = []

    def __init__(
        self,
        config: AffectGPTConfig,
        encoders: FrozenEncoders | None = None,
        language_model: nn.Module | None = None,
        with_encoders: bool = True,
    ) -> None:
        super().__init__(config)
        self.encoders = (
            (encoders or FrozenEncoders(config)) if with_encoders else None
        )  # features may come from a cache
        self.language_model = language_model or AutoModelForCausalLM.from_config(config.text_config)
        out = self.get_input_embeddings().embedding_dim
        self.video_qformer = TimeQFormer(config.video_qformer_config, config.video_queries, config.max_frames, out)
        self.audio_qformer = TimeQFormer(config.audio_qformer_config, config.audio_queries, config.audio_clips, out)
        self.prefusion = None
        if config.prefusion:
            self.prefusion = AttentionPrefusion(config.frame_width, config.audio_width, out)
        self.post_init()
        if config.lora:  # after it: post_init would draw the adapters anew, by the language model's rule
            self._add_lora(config.lora)

    def _init_weights(self, module: nn.Module) -> None:
        """The parts initialise themselves."""

    def _add_lora(self, settings: dict) -> None:
        from peft import LoraConfig, inject_adapter_in_model

        # in place: peft's wrapper would hide tied embeddings from transformers
        inject_adapter_in_model(LoraConfig(task_type="CAUSAL_LM", **settings), self.language_model)

    def get_input_embeddings(self) -> nn.Module:
        return self.language_model.get_input_embeddings()

    def embed(
        self,
        input_ids: torch.Tensor,
        video: torch.Tensor | None = None,
        audio: torch.Tensor | None = None,
        frames: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Word embeddings [n, length, width] with the placeholders filled by what was seen and heard.

        Raises ValueError where placeholders and features do not match in number.
        """
        config = self.config
        pieces: list[tuple[int | None, torch.Tensor]] = []
        if video is not None and len(video):
            pieces.append((config.video_token_id, self.video_qformer(video, frames)))
        if audio is not None and len(audio):
            pieces.append((config.audio_token_id, self.audio_qformer(audio[:, :, None])))
        if self.prefusion is not None:
            with_multi = (input_ids == config.multi_token_id).any(1)
            if with_multi.any():
                pieces.append((config.multi_token_id, self._fuse(input_ids, with_multi, video, audio, frames)))
        special = [config.video_token_id, config.audio_token_id, config.multi_token_id]
        marks = torch.isin(input_ids, torch.tensor([i for i in special if i is not None], device=input_ids.device))
        embeds = self.get_input_embeddings()(input_ids.masked_fill(marks, 0))
        filled = 0
        for token, words in pieces:
            where = input_ids == token
            if int(where.sum()) != words.shape[0] * words.shape[1]:
                raise ValueError(f"{int(where.sum())} placeholders for {words.shape[0]} × {words.shape[1]} pieces.")
            embeds = embeds.masked_scatter(where[..., None], words.to(embeds.dtype))
            filled += int(where.sum())
        if filled != int(marks.sum()):
            raise ValueError("The question has placeholders for a modality that was not given.")
        return embeds

    def _fuse(self, input_ids, rows, video, audio, frames) -> torch.Tensor:
        """The <Multi> token of the rows that have it: they have both modalities."""
        sees = (input_ids == self.config.video_token_id).any(1)
        hears = (input_ids == self.config.audio_token_id).any(1)
        of_video, of_audio = rows[sees], rows[hears]
        return self.prefusion(video[of_video], audio[of_audio], None if frames is None else frames[of_video])

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor,
        video: torch.Tensor | None = None,
        audio: torch.Tensor | None = None,
        frames: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> dict[str, torch.Tensor]:
        """loss (mean over target tokens; a sum over `num_items_in_batch` where gradients are accumulated) and logits of
        the last positions. Rows are padded on the left: targets stand at the end, and only they pass the output
        layer."""
        keep = 0 if labels is None else int((labels != IGNORED).sum(1).max()) + 1
        logits = self.language_model(
            inputs_embeds=self.embed(input_ids, video, audio, frames),
            attention_mask=attention_mask,
            position_ids=(attention_mask.cumsum(1) - 1).clamp(min=0),
            logits_to_keep=keep,
            use_cache=False,
        ).logits
        if labels is None:
            return {"logits": logits}
        targets = labels[:, 1 - keep :]
        total = nn.functional.cross_entropy(
            logits[:, :-1].flatten(0, 1).float(), targets.flatten(), ignore_index=IGNORED, reduction="sum"
        )
        return {
            "loss": total / ((targets != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch),
            "logits": logits,
        }

    @torch.no_grad()
    def generate(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, video=None, audio=None, frames=None, **how
    ) -> torch.Tensor:
        """New tokens [n, at most max_new_tokens] of a batch padded on the left; `how` goes to transformers'."""
        embeds = self.embed(input_ids, video, audio, frames)
        return self.language_model.generate(inputs_embeds=embeds, attention_mask=attention_mask, **how)

    def freeze(self) -> dict[str, int]:
        """Leave exactly the Q-Formers with their queries, positions and projections to train (and pre-fusion and LoRA
        where the configuration has them), in float32; returns part -> number of weights.

        Raises InputError where anything else would be trained, or one of these would not.
        """
        counts: dict[str, int] = {}
        for name, weight in self.named_parameters():
            weight.requires_grad = is_trained(name)
            if weight.requires_grad:
                weight.data = weight.data.float()
                part = "lora" if ".lora_" in name else ".".join(name.split(".")[:2])
                counts[part] = counts.get(part, 0) + weight.numel()
        check_trained(self, counts)
        return counts


def is_trained(name: str) -> bool:
    """Whether SFT trains the weight of this name."""
    return name.startswith(TRAINED) or ".lora_" in name


def check_trained(model: AffectGPT, counts: dict[str, int]) -> None:
    """Hold what `freeze` left against what the architecture says must be trained, by name and by number."""
    parts = [model.video_qformer, model.audio_qformer, *([model.prefusion] if model.prefusion is not None else [])]
    wanted = {id(weight) for part in parts for weight in part.parameters()}
    wanted |= {id(weight) for name, weight in model.language_model.named_parameters() if ".lora_" in name}
    trained = {id(weight): name for name, weight in model.named_parameters() if weight.requires_grad}
    numbers = sum(weight.numel() for weight in model.parameters() if id(weight) in wanted)
    if trained.keys() != wanted or sum(counts.values()) != numbers:
        stray = sorted(name for key, name in trained.items() if key not in wanted)
        raise InputError(
            f"AffectGPT would train other weights than its Q-Formers ({', '.join(stray[:3]) or 'some are missing'})."
        )


AutoConfig.register(AffectGPTConfig.model_type, AffectGPTConfig, exist_ok=True)
AutoModel.register(AffectGPTConfig, AffectGPT, exist_ok=True)
