"""Imported by ms-swift in the training process (`external_plugins` of sft.yaml): images are cut into as many tiles as
when the model is asked. MAX_NUM reaches only the templates of remote-code models, and twelve tiles of six frames are
more than the paper's 8192 tokens."""

import os

from swift.pipelines.train.sft import SwiftSft

from emolab import extensions
from emolab.engine.backend import limit_tiles

extensions.load_inherited()  # where a model may be registered

_prepare = SwiftSft._prepare_template


def _prepare_with_tiles(self: SwiftSft) -> None:
    _prepare(self)
    limit_tiles(self.template, int(os.environ["MAX_NUM"]))
    print(f"emolab: an image is cut into at most {os.environ['MAX_NUM']} tiles", flush=True)


SwiftSft._prepare_template = _prepare_with_tiles
