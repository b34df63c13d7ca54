"""Models that `timm` and `transformers` know by name, without a download."""

from __future__ import annotations

import importlib
import socket

import pytest

from advisor import InputError
from advisor.models import find_model, named_model


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing may connect."""

    def refuse(*arguments: object) -> None:
        raise AssertionError(f"a connection was opened: {arguments}")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.mark.usefixtures("no_network")
class TestTransformers:
    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        pytest.importorskip("transformers", reason="needs pip install transformers")

    def test_a_type_is_its_default_configuration(self) -> None:
        found = named_model("transformers:bert")
        assert ("encoder", 12, 768) == (found.family, found.layers, found.hidden_size)
        assert find_model("bert-base").parameters == pytest.approx(found.parameters, rel=0.001)
        assert "default configuration" in found.source

    def test_a_name_that_is_not_cached_is_not_downloaded(self) -> None:
        with pytest.raises(InputError, match="nothing is downloaded"):
            named_model("transformers:nobody/nothing")

    def test_an_unknown_type_is_told_the_nearest(self) -> None:
        with pytest.raises(InputError, match="did you mean 'bert'"):
            named_model("transformers:brt")


@pytest.mark.usefixtures("no_network")
class TestTimm:
    @pytest.fixture(autouse=True)
    def _installed(self) -> None:
        try:
            importlib.import_module("timm")
        except (ImportError, RuntimeError) as error:
            pytest.skip(f"needs a timm that works, and with it torch and torchvision ({error})")

    def test_a_network_is_counted_without_weights(self) -> None:
        found, known = named_model("timm:resnet50"), find_model("resnet50")
        assert known.parameters == pytest.approx(found.parameters, rel=0.001)
        assert known.macs_per_item == pytest.approx(found.macs_per_item, rel=0.01)
        assert known.activations_per_item == pytest.approx(found.activations_per_item, rel=0.01)

    def test_an_unknown_name_is_told_the_nearest(self) -> None:
        with pytest.raises(InputError, match="did you mean 'resnet50"):
            named_model("timm:resnt50")
