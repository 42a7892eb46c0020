"""What a profile says about the inspector (notebook 08)."""

from dataclasses import dataclass, field

from emolab.errors import InputError


@dataclass
class InspectorSettings:
    """`fused`: strategies of notebook 07 that are shown beside the models. The page that needs no kernel holds the
    `most` worst clips, and frames of the first `pictures` of these."""

    fused: list[str] = field(default_factory=lambda: ["union", "calibrated"])
    most: int = 2000
    pictures: int = 100

    def __post_init__(self) -> None:
        if self.most < 1 or self.pictures < 0:
            raise InputError("inspector: most starts at 1, pictures at 0.")
