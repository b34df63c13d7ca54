"""Chips by the names that measurements use: peaks and bandwidth from vendor data sheets."""

from __future__ import annotations

from typing import Any

from pass_rows import CPUS, HYBRIDS, STATIC_SHARE

_NVIDIA = "NVIDIA data sheets as recalled, dense tensor rates with FP32 accumulation"
# id: pattern of its names, fp16, fp32, int8, bandwidth
_GPUS = {
    "rtx-2080-ti": (r"2080-?ti", 53.8e12, 13.4e12, 215e12, 616e9),
    "titan-rtx": (r"titan-rtx", 130.5e12, 16.3e12, 261e12, 672e9),
    "rtx-3060": (r"(rtx|geforce)-?3060(?!-?ti)", 25.5e12, 12.7e12, 102e12, 360e9),
    "rtx-3070": (r"(rtx|geforce)-?3070(?!-?ti)", 40.6e12, 20.3e12, 163e12, 448e9),
    "rtx-3080": (r"(rtx|geforce)-?3080(?!-?ti)", 59.5e12, 29.8e12, 238e12, 760e9),
    "rtx-3090-ti": (r"3090-?ti", 80e12, 40e12, 320e12, 1008e9),
    "rtx-3090": (r"3090", 71e12, 35.6e12, 284e12, 936e9),
    "rtx-4060-ti": (r"4060-?ti", 44.1e12, 22.1e12, 177e12, 288e9),
    "rtx-4070": (r"(rtx|geforce)-?4070(?!-?ti|-?s)", 58.3e12, 29.1e12, 233e12, 504e9),
    "rtx-4080": (r"(rtx|geforce)-?4080", 97.5e12, 48.7e12, 390e12, 717e9),
    "rtx-4090": (r"4090", 165.2e12, 82.6e12, 660.6e12, 1008e9),
    "rtx-5070": (r"(rtx|geforce)-?5070(?!-?ti)", 61.7e12, 30.9e12, 247e12, 672e9),
    "rtx-5080": (r"(rtx|geforce)-?5080", 112.6e12, 56.3e12, 450e12, 960e9),
    "rtx-5090": (r"5090", 209.5e12, 104.8e12, 838e12, 1792e9),
    "rtx-pro-6000-maxq": (r"pro-6000.*max-?q", 438.9e12, 109.7e12, 877.9e12, 1792e9),
    "rtx-pro-6000": (r"pro-6000(?!.*server)", 503.8e12, 126e12, 1007.6e12, 1792e9),
    "rtx-a6000": (r"(?<!pro-)a6000", 154.8e12, 38.7e12, 309.7e12, 768e9),
    "rtx-6000-ada": (r"6000-ada", 364.2e12, 91.1e12, 728.5e12, 960e9),
    "t4": (r"\bt4\b", 65e12, 8.1e12, 130e12, 320e9),
    "l4": (r"\bl4\b", 121e12, 30.3e12, 242e12, 300e9),
    "l40s": (r"\bl40s\b", 362e12, 91.6e12, 733e12, 864e9),
    "a10g": (r"\ba10g\b", 70e12, 31.5e12, 140e12, 600e9),
    "a10": (r"\ba10\b", 125e12, 31.2e12, 250e12, 600e9),
    "a30": (r"\ba30\b", 165e12, 10.3e12, 330e12, 933e9),
    "a40": (r"\ba40\b", 149.7e12, 37.4e12, 299.3e12, 696e9),
    "a100-sxm-40": (r"\ba100(?!.*80).*40", 312e12, 19.5e12, 624e12, 1555e9),
    "a100-pcie-80": (r"\ba100.*pcie.*80|\ba100.*80.*pcie", 312e12, 19.5e12, 624e12, 1935e9),
    "a100-sxm-80": (r"\ba100", 312e12, 19.5e12, 624e12, 2039e9),
    "v100-sxm-32": (r"\bv100.*32", 125e12, 15.7e12, 62.8e12, 900e9),
    "v100-pcie-16": (r"\bv100.*pcie", 112e12, 14e12, 56e12, 900e9),
    "v100-sxm-16": (r"\bv100", 125e12, 15.7e12, 62.8e12, 900e9),
    "h100-pcie": (r"\bh100.*pcie", 756e12, 51e12, 1513e12, 2000e9),
    "h200-sxm": (r"\bh200", 989e12, 67e12, 1979e12, 4800e9),
    "h100-sxm": (r"\bh100(?!.*nvl)", 989e12, 67e12, 1979e12, 3350e9),
}
# chips held back by power or software; 1 / (share of the peak that long matrix products reach, against 0.85)
ASSUMED_COMPUTE_TIME = {"l4": 1.7, "h100-pcie": 1.4, "mi300x": 1.65, "mi325x": 1.4, "mi355x": 1.25}
_INTEL = "Intel ARK; cores, all-core clock and memory channels, clocks under vector load assumed"
_PATTERNS = {
    "i9-10940x": r"i9-10940x", "i7-12700h": r"i7-12700h", "xeon-platinum-8380": r"platinum-8380(?!.*socket)",
    "xeon-platinum-8380-socket": r"platinum-8380.*socket", "xeon-platinum-8480-socket": r"platinum-8480",
}  # fmt: skip
_INT8 = {"vnni": 4.0, "avx2": 4 / 3, "amx": 32.0}


def _gpu(pattern: str, fp16: float, fp32: float, int8: float, bandwidth: float) -> dict[str, Any]:
    tf32 = fp16 / 2 if fp16 / fp32 > 2.5 else fp32
    peaks = {"fp16": fp16, "bf16": fp16, "tf32": tf32, "fp32": fp32, "int8": int8}
    return {
        "kind": "gpu", "pattern": pattern, "peak_flops": peaks, "memory_bandwidth_bytes_per_s": bandwidth,
        "source": _NVIDIA,
    }  # fmt: skip


def _cpu(device: str) -> dict[str, Any]:
    cores, clock_ghz, operations, bandwidth, int8, _ = CPUS[device]
    peak = cores * clock_ghz * 1e9 * operations
    peaks = {"fp32": peak, "int8": peak * _INT8[int8]} | ({"bf16": peak * 16} if int8 == "amx" else {})
    return {
        "kind": "cpu", "pattern": _PATTERNS.get(device, device.replace("xeon-", "")), "peak_flops": peaks,
        "memory_bandwidth_bytes_per_s": bandwidth, "int8": int8, "source": _INTEL,
        **({"static_share": STATIC_SHARE} if device in HYBRIDS else {}),
    }  # fmt: skip


DEVICES: dict[str, dict[str, Any]] = {name: _gpu(*values) for name, values in _GPUS.items()} | {
    name: _cpu(name) for name in CPUS
}
"""Chips by id."""

NAMES: dict[str, Any] = {
    "devices": DEVICES,
    "model_aliases": {
        "mobilenetv2": "mobilenetv2_100",
        "mobilenet_v2": "mobilenetv2_100",
        "mobilenetv3_small": "mobilenetv3_small_100",
        "mobilenetv3_large": "mobilenetv3_large_100",
        "googlenet": "inception_v1",
        "resnet-18": "resnet18",
        "resnet-50": "resnet50",
        "resnet-101": "resnet101",
        "efficientnet-b0": "efficientnet_b0",
        "efficientnet-b4": "efficientnet_b4_380",
        "efficientnet_b4": "efficientnet_b4_380",
        "efficientnetv2_s": "efficientnetv2_s_384",
        "vit_tiny": "deit_tiny_patch16_224",
        "vit_small": "vit_small_patch16_224",
        "vit_base": "vit_base_patch16_224",
        "vit_large": "vit_large_patch16_224",
        "deit_small": "deit_small_patch16_224",
        "deit_base": "deit_base_patch16_224",
        "swin_tiny": "swin_tiny_patch4_window7_224",
        "swin_small": "swin_small_patch4_window7_224",
        "beit_base": "beit_base_patch16_224",
    },
}
"""What the table says beside fitted numbers: chips, and which model of the measurements a shorter name means."""
