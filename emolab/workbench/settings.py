"""Everything a profile can say, one typed section a stage."""

from dataclasses import dataclass, field

from emolab.affectgpt.settings import AffectSettings, AffectSftSettings
from emolab.captions.settings import CaptionerSettings, FilterSettings, ImageSettings
from emolab.corpora.settings import CorpusSettings
from emolab.discriminative.settings import DiscriminativeSettings
from emolab.engine.settings import EngineSettings, ModelSettings
from emolab.fusion.settings import FusionSettings
from emolab.inspect.settings import InspectorSettings
from emolab.internvl.settings import AblationSettings, SftSettings
from emolab.media.settings import FaceSettings, FrameSettings
from emolab.scoring.settings import ScoringSettings


@dataclass
class Settings:
    """The resolved settings of a run. `profile` is the name of the profile file, `about` its one line."""

    profile: str
    about: str
    seed: int = 0
    corpus: CorpusSettings = field(default_factory=CorpusSettings)
    engine: EngineSettings = field(default_factory=EngineSettings)
    images: ImageSettings = field(default_factory=ImageSettings)
    captioners: CaptionerSettings = field(default_factory=CaptionerSettings)
    filter: FilterSettings = field(default_factory=FilterSettings)
    frames: FrameSettings = field(default_factory=FrameSettings)
    internvl: ModelSettings = field(default_factory=ModelSettings)
    sft: SftSettings = field(default_factory=SftSettings)
    faces: FaceSettings = field(default_factory=FaceSettings)
    ablation: AblationSettings = field(default_factory=AblationSettings)
    affectgpt: AffectSettings = field(default_factory=AffectSettings)
    affectgpt_sft: AffectSftSettings = field(default_factory=AffectSftSettings)
    discriminative: DiscriminativeSettings = field(default_factory=DiscriminativeSettings)
    fusion: FusionSettings = field(default_factory=FusionSettings)
    scoring: ScoringSettings = field(default_factory=ScoringSettings)
    inspector: InspectorSettings = field(default_factory=InspectorSettings)
    outputs: str = "outputs"  # relative paths start at the project folder (the one that holds notebooks/)
