"""Models that the installed packages `timm` and `transformers` know by name; nothing is downloaded."""

from __future__ import annotations

from typing import Any

from advisor.errors import InputError, UnknownName
from advisor.models import ModelSpec


def package_model(text: str) -> ModelSpec:
    """Return the model of a name such as `timm:resnet50`, `transformers:bert` or `transformers:org/name`.

    A timm model is built without weights, on a device without memory, and one image is counted through it. Of
    transformers, a type gives its default configuration, and a name on Hugging Face the one that is in the local cache.

    Raises:
        InputError: The package is not installed, or does not know the name.
    """
    package, _, name = text.partition(":")
    return _timm(name.strip()) if package == "timm" else _transformers(name.strip())


def _timm(name: str) -> ModelSpec:
    try:
        import timm  # noqa: PLC0415 - heavy, and nobody's requirement
        import torch  # noqa: PLC0415
        from torch.utils.flop_counter import FlopCounterMode  # noqa: PLC0415
    except (ImportError, RuntimeError) as error:
        raise _not_usable("timm", name, error) from None
    if not timm.is_model(name):
        raise UnknownName.among("model", name, timm.list_models(), "is known to timm")
    with torch.device("meta"), torch.no_grad():
        network = timm.create_model(name, pretrained=False).eval()
        channels, height, width = timm.data.resolve_data_config({}, model=network)["input_size"]
        counter, elements = FlopCounterMode(display=False), _Elements(network)
        try:
            with counter:
                network(torch.empty(1, channels, height, width))
        except (RuntimeError, TypeError, ValueError) as error:
            raise InputError(f"no image goes through timm:{name}: {str(error)[:100]}") from None
    return ModelSpec(
        name=name,
        family="cnn",
        parameters=float(sum(weights.numel() for weights in network.parameters())),
        macs_per_item=counter.get_total_flops() / 2,
        activations_per_item=elements.count,
        reference_item=f"{round((height * width) ** 0.5)} px",
        weight_dtype="fp32",
        source=f"timm {timm.__version__}, one image counted through the network",
    )


class _Elements:
    """Counts what layers with weights write."""

    def __init__(self, network: Any) -> None:
        self.count = 0.0
        for module in network.modules():
            weight = getattr(module, "weight", None)
            if weight is not None and weight.dim() > 1:
                module.register_forward_hook(self._add)

    def _add(self, _module: Any, _inputs: Any, output: Any) -> None:
        self.count += output.numel()


def _transformers(name: str) -> ModelSpec:
    try:
        from transformers import CONFIG_MAPPING, AutoConfig, __version__  # noqa: PLC0415 - heavy, and nobody's requirement
    except (ImportError, RuntimeError) as error:
        raise _not_usable("transformers", name, error) from None
    from advisor.model_configs import model_from_config  # noqa: PLC0415

    if name in CONFIG_MAPPING:
        try:
            config, where = CONFIG_MAPPING[name](), "its default configuration"
        except (ImportError, RuntimeError) as error:
            raise _not_usable("transformers", name, error) from None
    elif "/" in name:
        try:
            config, where = AutoConfig.from_pretrained(name, local_files_only=True), "from its cache"
        except (OSError, ValueError):
            raise InputError(
                f"'{name}' is not in the cache of transformers, and nothing is downloaded; give the path of its config.json"
            ) from None
    else:
        raise UnknownName.among("type of model", name, CONFIG_MAPPING, "is known to transformers")
    return model_from_config(config.to_dict(), name=name, source=f"transformers {__version__}, {where}")


def _not_usable(package: str, name: str, error: Exception) -> InputError:
    reason = " ".join(str(error).split())[:100]
    return InputError(
        f"'{package}:{name}' needs the package {package}, which cannot be used here ({reason}); pip install {package}, "
        "or give the path of a config.json or of an .onnx file, or the fields of the model"
    )
