"""What a model's name says about its architecture: its class, its family and its count of operators."""

from __future__ import annotations

import functools
import re

CLASSES = ("depthwise", "grouped", "modern", "resnet", "vit", "window", "encoder")
"""Architecture classes, in the order of the fitted tables."""

_AGGREGATORS = re.compile(r"^(?:tf|gluon|legacy|tv|ssl|swsl|ig|jx|dm)_")
_FAMILY = re.compile(r"[a-z]+(?:(?<=v)\d)?")
_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile("^(?:" + pattern + ")"))
    for name, pattern in (
        (
            "encoder",
            (
                r"bert|roberta|xlm|distilbert|distilroberta|electra|deberta|albert|camembert|flaubert|mobilebert|spanbert"
                r"|minilm|all.minilm|multi.qa|bge|gte|e5|multilingual.e5|mpnet|all.mpnet|modernbert|layoutlm|nomic"
                r"|sentence.transformers|squeezebert|longformer|tinybert|xtremedistil|snowflake"
            ),
        ),
        (
            "vit",
            (
                r"vit_|deit|beit|eva|flexivit|naflexvit|aimv|samvit|sam|cait|volo|tnt|convit|hiera|xcit|crossvit|pit_"
                r"|vitamin|csatv|mixer|gmixer|resmlp|gmlp|dinov|clip|siglip|vit."
            ),
        ),
        (
            "window",
            (
                r"swin|maxvit|maxxvit|coat|twins|nest|gcvit|mvitv|focalnet|pvt|halo|lambda|bat_|botnet|sebot|sehalo"
                r"|sequencer|visformer|nextvit|caformer"
            ),
        ),
        (
            "depthwise",
            (
                r"mobile|efficientnet|mnasnet|mixnet|lcnet|tinynet|fbnet|hardcorenas|rexnet|spnas|semnas|ghost|repghost"
                r"|fasternet|starnet|edgenext|semobile|levit|efficientvit|efficientformer|swiftformer|repvit|fastvit|shvit"
                r"|test_|xception|convmixer|selecsls|regnetz|shufflenet|squeezenet|ssd.?mobile|peleenet|gpunet"
            ),
        ),
        ("modern", r"convnext|convformer|poolformer|mambaout|inceptionnext|rdnet|davit"),
        (
            "grouped",
            (
                r"res2ne|resnext|seresnext|se.resnext|ecaresnext|regnet|skresnext|gcresnext|cspresnext|dpn|nf_regnet"
                r"|gernet|wide_resnext"
            ),
        ),
    )
)
_TRANSFORMERS = frozenset({"vit", "window", "encoder"})
_OPERATORS_IN_A_BLOCK = 6.0
_DEFAULT_LAYERS = {
    "depthwise": 80.0,
    "grouped": 90.0,
    "modern": 80.0,
    "resnet": 60.0,
    "vit": 12.0,
    "window": 24.0,
    "encoder": 12.0,
}


def _bare(model: str) -> str:
    name = model.strip().lower().rsplit("/", maxsplit=1)[-1].split(".", maxsplit=1)[0]
    return _AGGREGATORS.sub("", name)


@functools.lru_cache(maxsize=4096)
def architecture_class(model: str, /, *, default: str = "resnet") -> str:
    """Return the architecture class of a model, judged by its name.

    Args:
        model: Name as in a model zoo, e.g. 'tf_efficientnet_b0' or 'google/bert-base-uncased'.
        default: Class of a name that no pattern knows.

    Returns:
        One of `CLASSES`. Classes differ in how well their operators use a chip: depthwise convolutions
        do little arithmetic for each byte, plain convolutions and matrix products do much.

    Example:
        >>> architecture_class("tf_efficientnet_b0"), architecture_class("resnet50")
        ('depthwise', 'resnet')
        >>> architecture_class("FacebookAI/xlm-roberta-large")
        'encoder'
    """
    name = _bare(model)
    return next((label for label, pattern in _PATTERNS if pattern.match(name)), default)


@functools.lru_cache(maxsize=4096)
def architecture_family(model: str, /) -> str:
    """Return the letters a model's name starts with, which its sizes share.

    Args:
        model: Name as in a model zoo.

    Returns:
        Lower-case family, with the version digit that follows a 'v'; '' for a name without letters.

    Example:
        >>> architecture_family("tf_mobilenetv3_large_100"), architecture_family("resnet50")
        ('mobilenetv3', 'resnet')
    """
    match = _FAMILY.match(_bare(model))
    return match.group(0) if match else ""


def operators_per_layer(architecture: str, /) -> float:
    """Return the matrix products or convolutions in one layer, each with its norm and activation.

    Args:
        architecture: One of `CLASSES`.

    Returns:
        Count: 6 for a transformer block (query-key-value, scores, context, projection and two of the
        feed-forward part), 1 for a convolutional layer, whose layers are counted as convolutions.

    Example:
        >>> operators_per_layer("encoder"), operators_per_layer("resnet")
        (6.0, 1.0)
    """
    return _OPERATORS_IN_A_BLOCK if architecture in _TRANSFORMERS else 1.0


def default_layers(architecture: str, /) -> float:
    """Return the layers assumed for a model of which only size and class are known.

    Args:
        architecture: One of `CLASSES`.

    Returns:
        Convolutions of a CNN, or blocks of a transformer; assumed, typical of the class.

    Example:
        >>> default_layers("vit")
        12.0
    """
    return _DEFAULT_LAYERS[architecture]
