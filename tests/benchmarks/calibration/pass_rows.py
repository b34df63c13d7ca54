"""Measured rows of one-pass models (CNN, vision transformer, encoder), tidied for the fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from advisor.performance.architectures import (
    architecture_class,
    architecture_family,
    default_layers,
    operators_per_layer,
)

MEASUREMENTS = Path(__file__).resolve().parents[4] / "shared" / "measurements"

# device: (fp16 tensor peak with fp32 accumulation, tf32, fp32, int8, bandwidth, TDP), vendor data sheets.
GPUS = {
    "rtx-3090": (71e12, 35.6e12, 35.6e12, 284e12, 936e9, 350),
    "rtx-4090": (165.2e12, 82.6e12, 82.6e12, 660.6e12, 1008e9, 450),
    "rtx-5090": (209.5e12, 104.8e12, 104.8e12, 838e12, 1792e9, 575),
    "rtx-pro-6000-maxq": (438.9e12, 109.7e12, 109.7e12, 877.9e12, 1792e9, 300),
    "t4": (65e12, 8.1e12, 8.1e12, 130e12, 320e9, 70),
    "v100-sxm-16": (125e12, 15.7e12, 15.7e12, 62.8e12, 900e9, 300),
    "v100-sxm-32": (125e12, 15.7e12, 15.7e12, 62.8e12, 900e9, 300),
    "a100-sxm-40": (312e12, 156e12, 19.5e12, 624e12, 1555e9, 400),
    "a100-sxm-80": (312e12, 156e12, 19.5e12, 624e12, 2039e9, 400),
    "a30": (165e12, 82e12, 10.3e12, 330e12, 933e9, 165),
    "a10": (125e12, 62.5e12, 31.2e12, 250e12, 600e9, 150),
}
TIMM_DEVICES = {
    "NVIDIA RTX 3090 24GB": "rtx-3090",
    "NVIDIA RTX 4090 24GB": "rtx-4090",
    "NVIDIA RTX 5090 32GB": "rtx-5090",
    "NVIDIA RTX PRO 6000 Blackwell Max-Q": "rtx-pro-6000-maxq",
    "Intel Core i9-10940X": "i9-10940x",
    "Intel Core i7-12700H": "i7-12700h",
}
# CPU: cores, all-core GHz, fp32 operations a cycle and core (AVX-512 with two units 64, AVX2 32), bandwidth, int8 kind
CPUS = {
    "i9-10940x": (14, 3.3, 64, 94e9, "vnni", 1),
    "i7-12700h": (10, 3.5, 32, 76.8e9, "vnni", 1),  # 6 P + 8 E cores, an E core half a P core
    "i3-8100": (4, 3.6, 32, 38.4e9, "avx2", 1),
    "i5-10500te": (6, 2.8, 32, 42.7e9, "avx2", 1),
    "i5-13600k": (10, 4.5, 32, 89.6e9, "vnni", 1),
    "i5-8500": (6, 3.9, 32, 42.7e9, "avx2", 1),
    "i7-1185g7": (4, 3.6, 32, 51.2e9, "vnni", 1),
    "i7-1185gre": (4, 2.8, 32, 51.2e9, "vnni", 1),
    "i7-1360p": (8, 3.0, 32, 76.8e9, "vnni", 1),
    "i7-8700t": (6, 3.0, 32, 42.7e9, "avx2", 1),
    "ultra-7-165h": (11, 2.0, 32, 89.6e9, "vnni", 1),
    "i9-10900te": (10, 2.2, 32, 46.9e9, "avx2", 1),
    "i9-13900k": (16, 4.6, 32, 89.6e9, "vnni", 1),
    "xeon-w1290p": (10, 4.3, 32, 46.9e9, "avx2", 1),
    "xeon-e-2124g": (4, 4.0, 32, 42.7e9, "avx2", 1),
    "celeron-6305e": (2, 1.8, 32, 51.2e9, "vnni", 1),
    "atom-x7425e": (4, 2.6, 16, 38.4e9, "vnni", 1),
    "xeon-gold-5218t": (32, 2.3, 32, 256e9, "vnni", 2),
    "xeon-platinum-8270": (52, 2.6, 64, 282e9, "vnni", 2),
    "xeon-platinum-8380": (80, 2.6, 64, 410e9, "vnni", 2),
    "xeon-platinum-8490h": (120, 2.6, 64, 614e9, "amx", 2),
    "xeon-platinum-8580": (120, 2.6, 64, 717e9, "amx", 2),
    "xeon-silver-4216r": (32, 2.3, 32, 230e9, "vnni", 2),
    "xeon-silver-4316": (40, 2.4, 64, 342e9, "vnni", 2),
    "xeon-platinum-8380-socket": (40, 2.6, 64, 205e9, "vnni", 1),
    "xeon-platinum-8480-socket": (56, 2.6, 64, 307e9, "amx", 1),
}
# Two kinds of cores: PyTorch gives each the same work, so all wait for the slow ones. For an i7-12700H,
# 14 cores x 16 operations x 2.8 GHz against 6 x 32 x 3.5 GHz + 8 x 16 x 2.8 GHz.
HYBRIDS = frozenset({"i7-12700h", "i5-13600k", "i7-1360p", "ultra-7-165h", "i9-13900k"})
STATIC_SHARE = 0.61
# For each model: parameters, multiply-accumulates, activations and layers; from the timm table where it has the
# model, else recalled from the publications (MobileNet v1, Inception v1 and v2, AlexNet, SqueezeNet, ShuffleNet).
KNOWN = {
    "resnet18": (11.69e6, 1.82e9, 2.48e6, 21),
    "resnet50": (25.56e6, 4.11e9, 11.11e6, 54),
    "resnet101": (44.55e6, 7.83e9, 16.23e6, 105),
    "resnet152": (60.19e6, 11.56e9, 22.56e6, 156),
    "resnetv2_50": (25.55e6, 4.11e9, 11.11e6, 54),
    "resnetv2_101": (44.54e6, 7.83e9, 16.23e6, 105),
    "resnetv2_152": (60.19e6, 11.55e9, 22.56e6, 156),
    "resnext101_32x4d": (44.18e6, 8.01e9, 21.23e6, 105),
    "resnext101_32x8d": (88.79e6, 16.48e9, 31.21e6, 105),
    "seresnext101_32x4d": (48.96e6, 8.02e9, 21.26e6, 171),
    "seresnext50_32x4d": (27.56e6, 4.26e9, 14.42e6, 86),
    "efficientnet_b0": (5.29e6, 0.40e9, 6.75e6, 81),
    "efficientnet_b3_300": (12.23e6, 1.87e9, 23.83e6, 131),
    "efficientnet_b4_380": (19.34e6, 4.49e9, 49.49e6, 160),
    "efficientnetv2_s_384": (21.46e6, 8.44e9, 35.77e6, 170),
    "mobilenet_v1": (4.2e6, 0.57e9, 5.0e6, 28),
    "mobilenetv2_100": (3.5e6, 0.31e9, 6.68e6, 53),
    "inception_v1": (6.62e6, 1.5e9, 3.3e6, 58),
    "inception_v2": (11.2e6, 2.0e9, 4.5e6, 70),
    "inception_v3": (23.83e6, 5.73e9, 8.97e6, 95),
    "inception_v4": (42.68e6, 12.28e9, 15.09e6, 150),
    "inception_resnet_v2": (55.84e6, 13.18e9, 25.06e6, 245),
    "densenet121": (7.98e6, 2.87e9, 6.9e6, 121),
    "densenet169": (14.15e6, 3.4e9, 7.3e6, 169),
    "densenet161": (28.68e6, 7.79e9, 11.06e6, 161),
    "vgg16": (138.36e6, 15.47e9, 13.56e6, 16),
    "vgg19": (143.67e6, 19.63e9, 14.86e6, 19),
    "squeezenet": (1.24e6, 0.35e9, 2.8e6, 26),
    "alexnet": (61e6, 0.71e9, 0.66e6, 8),
    "shufflenet_v2": (2.28e6, 0.15e9, 1.95e6, 56),
    "xception": (22.86e6, 8.4e9, 35.83e6, 74),
}


_HEAD_DIM = 64


def encoder_size(*, layers: float, hidden: float, tokens: float, ffn_ratio: float = 4.0) -> tuple[float, ...]:
    """Return parameters without embeddings, MACs and activations of an encoder at a sequence length."""
    parameters = layers * (4 + 2 * ffn_ratio) * hidden**2
    macs = parameters * tokens + 2 * layers * hidden * tokens**2
    heads = hidden / _HEAD_DIM
    return parameters, macs, layers * tokens * ((6 + ffn_ratio) * hidden + heads * tokens), layers


def timm_rows() -> pd.DataFrame:
    """Return timm rows with sizes; the CPU rows without MACs take them from the same model and image size."""
    table = pd.read_csv(MEASUREMENTS / "timm_inference_benchmarks.csv")
    sizes = table.dropna(subset=["gmacs_per_image"]).drop_duplicates(["model", "img_size_px"])
    filled = table.merge(
        sizes[["model", "img_size_px", "gmacs_per_image", "macts_millions_per_image"]],
        on=["model", "img_size_px"],
        how="left",
        suffixes=("", "_same"),
    )
    for column in ("gmacs_per_image", "macts_millions_per_image"):
        filled[column] = filled[column].fillna(filled[column + "_same"])
    filled = filled.dropna(subset=["gmacs_per_image"])
    compiled = filled["torch_compile_dynamo"].astype(bool)
    eager = np.where(filled["memory_layout"] == "nhwc", "pytorch-nhwc", "pytorch")
    architecture = filled["model"].map(architecture_class)
    return pd.DataFrame(
        {
            "model": filled["model"],
            "source": "timm",
            "kind": filled["device_kind"],
            "device": filled["device"].map(TIMM_DEVICES),
            "runtime": np.where(compiled, "pytorch-compile", eager),
            "precision": np.where(filled["precision"] == "fp32", "fp32", "fp16"),
            "batch": filled["batch_size"].astype(float),
            "time_s": filled["batch_size"] / filled["throughput_images_per_s"],
            "parameters": filled["params_millions"] * 1e6,
            "flops": filled["gmacs_per_image"] * 2e9,
            "activations": filled["macts_millions_per_image"] * 1e6,
            "layers": architecture.map(default_layers),
        }
    )


def _sized(row: dict[str, object], size: tuple[float, ...]) -> dict[str, object]:
    parameters, macs, activations, layers = size
    return row | {"parameters": parameters, "flops": 2 * macs, "activations": activations, "layers": layers}


def _dle_model(row: pd.Series) -> tuple[str, tuple[float, ...]] | None:
    text = f"{row.readme} {row.section}"
    if "BERT" in text and "LanguageModeling/BERT" in text:
        large = "large" in str(row.context).rsplit("/", maxsplit=1)[-1].lower()
        layers, hidden = (24, 1024) if large else (12, 768)
        name = "bert-large" if large else "bert-base"
        return name, encoder_size(layers=layers, hidden=hidden, tokens=float(row.sequence_or_input_length))
    if "ELECTRA" in text:
        return "electra-base", encoder_size(layers=12, hidden=768, tokens=384)
    names = {
        "resnext101-32x4d/": "resnext101_32x4d",
        "se-resnext101": "seresnext101_32x4d",
        "resnet50": "resnet50",
        "RN50": "resnet50",
        "efficientnet_v2": "efficientnetv2_s_384",
        "v1-B0": "efficientnet_b0",
        "v1-B4": "efficientnet_b4_380",
    }
    if "efficientnet/README" in text:
        names = {"b0": "efficientnet_b0", "b4": "efficientnet_b4_380"}
        text = str(row.model_or_dataset)
    elif "se-resnext101" in text:
        names = {"se-resnext101": "seresnext101_32x4d"}
    elif "efficientnet_v" not in text and "RN50" not in text and "Classification/ConvNets" not in text:
        return None
    found = next((name for key, name in names.items() if key in text), None)
    return (found, KNOWN[found]) if found else None


def _dle_device(row: pd.Series) -> str | None:
    text = str(row.section)
    if "A10 " in text:
        return "a10"
    if row.gpu_guess == "A100":
        return "a100-sxm-80" if "80GB" in text else "a100-sxm-40"
    if row.gpu_guess == "V100":
        return "v100-sxm-32" if "32G" in text else "v100-sxm-16"
    return {"T4": "t4", "A30": "a30"}.get(row.gpu_guess)


def _dle_runtime(row: pd.Series) -> str:
    framework = row.readme.split("/")[0]
    if "TRT" in row.section:
        return "tensorrt"
    if framework == "TensorFlow" and "XLA" in str(row.context).rsplit("/", maxsplit=1)[-1]:
        return "tensorflow-xla"
    names = {"PyTorch": "pytorch-nhwc", "MxNet": "mxnet", "PaddlePaddle": "paddle"}
    return names.get(framework, "tensorflow")


def dle_rows() -> pd.DataFrame:
    """Return CNN and BERT rows of NVIDIA's example models, latency by batch."""
    table = pd.read_csv(MEASUREMENTS / "nvidia_dle_batch_latency.csv")
    rows = []
    for _, row in table.iterrows():
        if row.readme.count("Segmentation") or not (row.throughput_per_s > 0 and row.batch_size > 0):
            continue
        model, device = _dle_model(row), _dle_device(row)
        if model is None or device is None:
            continue
        mixed = row.readme.startswith("MxNet") or row.precision_guess in {"FP16", "Mixed Precision"}
        precision = "fp16" if mixed else str(row.precision_guess).lower()
        precision = "fp32" if precision == "tf32" and not device.startswith("a") else precision
        rows.append(
            _sized(
                {
                    "model": model[0],
                    "source": "dle",
                    "kind": "gpu",
                    "device": device,
                    "runtime": _dle_runtime(row),
                    "precision": precision,
                    "batch": row.batch_size,
                    "time_s": row.batch_size / row.throughput_per_s,
                },
                model[1],
            )
        )
    return pd.DataFrame(rows)


def triton_rows() -> pd.DataFrame:
    """Return BERT rows served one request at a time: the server's time of one static batch.

    PyTorch's `compute_infer` ends when the kernels are launched; waiting for them counts as `compute_output`.
    """
    table = pd.read_csv(MEASUREMENTS / "nvidia_triton_latency_vs_concurrency.csv")
    table = table[table.readme.str.contains("LanguageModeling/BERT") & (table.scenario == "offline")]
    shapes = {
        "large": ("bert-large", 24, 1024, 384),
        "dist6l": ("distilbert", 6, 768, 384),
        "dist4l": ("distilbert-4l", 4, 312, 384),
    }
    devices = {"A100": "a100-sxm-80", "V100": "v100-sxm-32", "T4": "t4"}
    rows = []
    for _, row in table.iterrows():
        name, layers, hidden, tokens = next(
            value for key, value in shapes.items() if f"/{key}/" in row.readme
        )
        ffn = 1200 / 312 if hidden == 312 else 4.0
        runtime = {"PyTorch": "torchscript", "NVIDIA TensorRT": "tensorrt"}.get(row.backend, "onnxruntime")
        runtime = "tensorrt" if row.backend_accelerator == "NVIDIA TensorRT" else runtime
        rows.append(
            _sized(
                {
                    "model": name,
                    "source": "triton",
                    "kind": "gpu",
                    "device": next(value for key, value in devices.items() if key in row.gpu),
                    "runtime": runtime,
                    "precision": "fp16",
                    "batch": row.client_batch_size,
                    "time_s": (row.server_compute_infer_ms + row.server_compute_output_ms) / 1e3,
                },
                encoder_size(layers=layers, hidden=hidden, tokens=tokens, ffn_ratio=ffn),
            )
        )
    return pd.DataFrame(rows)


def gpu_rows() -> pd.DataFrame:
    """Return every GPU row with its chip's peaks."""
    timm = timm_rows()
    return _finished(pd.concat([timm[timm["kind"] == "gpu"], dle_rows(), triton_rows()], ignore_index=True))


def _finished(rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.copy()
    rows["architecture"] = rows["model"].map(architecture_class)
    rows["family"] = rows["model"].map(architecture_family)
    rows["operators"] = rows["layers"] * rows["architecture"].map(operators_per_layer)
    column = {"fp16": 0, "tf32": 1, "fp32": 2, "int8": 3}
    gpu = rows["device"].isin(GPUS)
    rows.loc[gpu, "peak"] = [
        GPUS[d][column[p]] for d, p in zip(rows.device[gpu], rows.precision[gpu], strict=True)
    ]
    rows.loc[gpu, "bandwidth"] = rows.device[gpu].map(lambda name: GPUS[name][4])
    if "peak" in rows:
        rows["sustained_peak"] = rows["peak"]
    rows["bytes"] = rows["precision"].map({"fp16": 2.0, "tf32": 4.0, "fp32": 4.0, "int8": 1.0})
    return rows


# Words in a model's name of the Intel tables, in the order they are looked for: size, and sequence length of encoders.
_INTEL_NAMES = (
    ("resnet18", "resnet18"), ("resnet152", "resnet152"), ("resnetv2101", "resnetv2_101"),
    ("resnetv2152", "resnetv2_152"), ("resnetv250", "resnetv2_50"), ("resnet101", "resnet101"),
    ("seresnext50", "seresnext50_32x4d"), ("resnext10132x8d", "resnext101_32x8d"), ("resnet50", "resnet50"),
    ("inceptionresnetv2", "inception_resnet_v2"), ("inceptionv1", "inception_v1"), ("googlenet", "inception_v1"),
    ("inceptionv2", "inception_v2"), ("inceptionv3", "inception_v3"), ("inceptionv4", "inception_v4"),
    ("mobilenetv2", "mobilenetv2_100"), ("mobilenetv1", "mobilenet_v1"), ("vgg16", "vgg16"), ("vgg19", "vgg19"),
    ("efficientnetb0", "efficientnet_b0"), ("efficientnetb3", "efficientnet_b3_300"), ("densenet121", "densenet121"),
    ("densenet169", "densenet169"), ("densenet161", "densenet161"), ("squeezenet", "squeezenet"),
    ("alexnet", "alexnet"), ("shufflenetv2", "shufflenet_v2"), ("xception", "xception"),
)  # fmt: skip
_DETECTORS = ("ssd", "rcnn", "yolo", "fashion")
_INTEL_ENCODERS = {
    "distilbert": ("distilbert", 6, 768), "minilml6": ("minilm-l6", 6, 384), "minilml12": ("minilm-l12", 12, 384),
    "robertabase": ("roberta-base", 12, 768), "camembertbase": ("camembert-base", 12, 768),
    "bertbase": ("bert-base", 12, 768), "bertlarge": ("bert-large", 24, 1024),
}  # fmt: skip
_GLUE_TOKENS, _SQUAD_TOKENS = 128.0, 384.0


def _squeezed(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())


def intel_size(name: str) -> tuple[str, tuple[float, ...]] | None:
    """Return the zoo name and the size of a model of the Intel tables; None for one whose size is not known."""
    key = _squeezed(name)
    if any(word in key for word in _DETECTORS):
        return None
    for word, known in _INTEL_NAMES:
        if word in key:
            return known, KNOWN[known]
    tokens = _SQUAD_TOKENS if "squad" in key else _GLUE_TOKENS
    for word, (known, layers, hidden) in _INTEL_ENCODERS.items():
        if word in key:
            return known, encoder_size(layers=layers, hidden=hidden, tokens=tokens)
    return None


def intel_runtime(section: str) -> str:
    """Return the runtime id of a section of the Intel tables."""
    text = section.lower()
    if "onnx" in text:
        return "onnxruntime"
    if "ipex" in text or ("extension for" in text and "torch" in text):
        return "ipex"
    if "torch" in text:
        return "pytorch"
    return "mxnet" if "mxnet" in text else "tensorflow"


def intel_table() -> pd.DataFrame:
    """Return the Intel INT8 table with runtime, instruction set and the name of the model."""
    table = pd.read_csv(MEASUREMENTS / "intel_neural_compressor_int8_vs_fp32.csv")
    named = table["model"].fillna("").str.contains("[A-Za-z]{3}")
    table = table[named & (table["perf_setup"] != "1s56c1ins1bs")].copy()
    table["runtime"] = table["framework_section"].map(intel_runtime)
    table["isa"] = np.where(table["cpu"].str.contains("8480"), "amx", "vnni")
    table["device"] = np.where(
        table["isa"] == "amx", "xeon-platinum-8480-socket", "xeon-platinum-8380-socket"
    )
    table["key"] = table["model"].map(lambda name: (intel_size(name) or (_squeezed(name),))[0])
    return table


def speedup_rows() -> pd.DataFrame:
    """Return measured INT8 over FP32 throughput on CPUs: Intel's tables and OpenVINO's BERT."""
    intel = intel_table()
    left = pd.DataFrame({
        "key": intel["key"], "runtime": intel["runtime"], "isa": intel["isa"], "device": intel["device"],
        "speedup": intel["speedup_int8_over_fp32_computed"],
    })  # fmt: skip
    vino = _openvino()
    right = pd.DataFrame({
        "key": np.where(vino["model"].str.contains("large"), "bert-large", "bert-base"), "runtime": "openvino",
        "isa": vino["id"].map(lambda name: CPUS[name][4]), "device": vino["id"],
        "speedup": vino["speedup_int8_over_fp32"],
    })  # fmt: skip
    rows = pd.concat([left, right], ignore_index=True)
    rows["architecture"] = rows["key"].map(speedup_class)
    return rows


def speedup_class(key: str) -> str:
    """Return the class of a model for INT8 speed-ups: an architecture class, or what else the tables hold."""
    for word in (
        "rcnn",
        "yolo",
        "ssd",
        "gpt",
        "vgg",
        "alexnet",
        "caffenet",
        "zfnet",
        "densenet",
        "albert",
        "whisper",
    ):
        if word in key:
            return {"caffenet": "alexnet", "zfnet": "alexnet"}.get(word, word)
    if "resnetv2" in key:
        return "resnetv2"
    return architecture_class(key, default="encoder" if "bert" in key or "mrpc" in key else "resnet")


def _openvino() -> pd.DataFrame:
    table = pd.read_csv(MEASUREMENTS / "openvino_2024_1_bert_int8_vs_fp.csv")
    table = table[(table["device_used"] == "CPU") & table["throughput_fp32_fps"].notna()].copy()
    names = (
        table["platform"].str.lower().str.replace("intel ", "").str.replace("core ", "").str.replace(" ", "-")
    )
    table["id"] = names.str.replace("xeon-w1290p", "xeon-w1290p")
    return table


def cpu_rows() -> pd.DataFrame:
    """Return FP32 rows on CPUs: timm at batch 1, Intel's tables a socket, OpenVINO's BERT."""
    timm = timm_rows()
    rows = [timm[timm["kind"] == "cpu"]]
    more = []
    for _, row in intel_table().iterrows():
        size = intel_size(row.model)
        if size is not None:
            more.append(
                _sized(
                    _cpu_row(size[0], "intel", row.device, row.runtime, row.throughput_fp32_samples_per_s),
                    size[1],
                )
            )
    for _, row in _openvino().iterrows():
        large = "large" in row.model
        layers, hidden, tokens = (24, 1024, 384) if large else (12, 768, 128)
        name = "bert-large" if large else "bert-base"
        size = encoder_size(layers=layers, hidden=hidden, tokens=tokens)
        more.append(_sized(_cpu_row(name, "openvino", row.id, "openvino", row.throughput_fp32_fps), size))
    frame = _finished(pd.concat([*rows, pd.DataFrame(more)], ignore_index=True))
    frame["peak"] = frame["device"].map(lambda name: CPUS[name][0] * CPUS[name][1] * 1e9 * CPUS[name][2])
    frame["bandwidth"] = frame["device"].map(lambda name: CPUS[name][3])
    static = frame["runtime"].str.startswith("pytorch") & frame["device"].isin(HYBRIDS)
    frame["sustained_peak"] = frame["peak"] * np.where(static, STATIC_SHARE, 1.0)
    return frame


def _cpu_row(model: str, source: str, device: str, runtime: str, throughput: float) -> dict[str, object]:
    return {
        "model": model, "source": source, "kind": "cpu", "device": device, "runtime": runtime, "precision": "fp32",
        "batch": 1.0, "time_s": 1.0 / throughput,
    }  # fmt: skip
