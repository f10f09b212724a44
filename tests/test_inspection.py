"""Anybody's network: its pooling is found, its scores are taken apart, and it is left as it was."""

import contextlib
import copy
import io
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
import PIL.Image
import pytest
import timm
import torch
import torchvision
from timm.models.vision_transformer import VisionTransformer
from torch import nn
from torch.nn import functional

import gpcore
from gpcore.errors import DatasetError, GpcoreError, ImageError, InsightError, RecipeError
from gpcore.nets.pooling import LogSumExpPool
from gpcore.nets.trunks import load_network

EXACT, FEATURES, LINEARISED = "exact", "features exact, classes linearised", "linearised"

ROOT = Path(__file__).parent.parent


def torchvision_net(name, **options):
    return lambda: torchvision.models.get_model(name, num_classes=10, **options)


def timm_net(name, **options):
    return lambda: timm.create_model(name, num_classes=10, **options)


def small_vit(**options):
    return lambda: VisionTransformer(img_size=32, patch_size=8, embed_dim=32, depth=2, num_heads=2, num_classes=10, **options)


FAMILIES = {
    "torchvision ResNet": (torchvision_net("resnet18"), 64, "GAP", EXACT),
    "torchvision DenseNet": (torchvision_net("densenet121"), 64, "GAP", EXACT),
    "torchvision SqueezeNet": (torchvision_net("squeezenet1_1"), 64, "GAP", EXACT),
    "torchvision GoogLeNet": (torchvision_net("googlenet", init_weights=False, aux_logits=False), 64, "GAP", EXACT),
    "torchvision ShuffleNet": (torchvision_net("shufflenet_v2_x0_5"), 64, "GAP", EXACT),
    "torchvision MobileNetV2": (torchvision_net("mobilenet_v2"), 64, "GAP", EXACT),
    "torchvision MobileNetV3": (torchvision_net("mobilenet_v3_small"), 64, "GAP", FEATURES),
    "torchvision EfficientNet": (torchvision_net("efficientnet_b0"), 64, "GAP", EXACT),
    "torchvision RegNet": (torchvision_net("regnet_y_400mf"), 64, "GAP", EXACT),
    "torchvision MNASNet": (torchvision_net("mnasnet0_5"), 64, "GAP", EXACT),
    "torchvision ConvNeXt": (torchvision_net("convnext_tiny"), 64, "GAP", FEATURES),
    "torchvision Swin": (torchvision_net("swin_t"), 64, "GAP", EXACT),
    "torchvision ViT": (
        lambda: torchvision.models.VisionTransformer(32, 8, 2, 2, 32, 64, num_classes=10), 32, "the class token", LINEARISED
    ),
    "timm ResNet": (timm_net("resnet10t"), 64, "GAP", EXACT),
    "timm ResNet, average and maximum": (timm_net("resnet10t", global_pool="avgmax"), 64, "Avg+Max", EXACT),
    "timm ResNet, maximum": (timm_net("resnet10t", global_pool="max"), 64, "GMP", EXACT),
    "timm EfficientNet-Lite": (timm_net("tf_efficientnet_lite0"), 64, "GAP", EXACT),
    "timm MobileNetV3": (timm_net("mobilenetv3_small_050"), 64, "GAP", FEATURES),
    "timm MobileNetV4": (timm_net("mobilenetv4_conv_small_050"), 64, "GAP", FEATURES),
    "timm GhostNet": (timm_net("ghostnet_050"), 64, "GAP", FEATURES),
    "timm RegNet": (timm_net("regnetx_002"), 64, "GAP", EXACT),
    "timm ConvNeXt": (timm_net("convnext_atto"), 64, "GAP", FEATURES),
    "timm RepVGG": (timm_net("repvgg_a0"), 64, "GAP", EXACT),
    "timm LeViT": (timm_net("levit_128s"), 224, "GAP", EXACT),
    "timm Mixer": (timm_net("mixer_s32_224"), 224, "GAP", EXACT),
    "timm ViT, class token": (small_vit(), 32, "the class token", LINEARISED),
    "timm ViT, mean": (small_vit(global_pool="avg"), 32, "GAP", FEATURES),
    "timm ViT, attention": (small_vit(global_pool="map", class_token=False), 32, "AttentionPoolLatent", LINEARISED),
}  # fmt: skip
"""Networks with untrained weights, the side of an image, the pooling that each has, and what can be said of its classes."""


@pytest.mark.parametrize("name", FAMILIES)
def test_the_pooling_of_a_family_is_found_and_its_cells_add_up(name):
    make, side, title, said = FAMILIES[name]
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what torchvision and timm say when they make networks
        model = make()
    last = [module for module in model.modules() if isinstance(module, nn.Linear | nn.Conv2d)][-1]
    nn.init.normal_(last.weight, std=0.1)  # some start at zero, where every score is alike
    image = torch.rand(3, side, side)
    inside = gpcore.inspect(model, (3, side, side))
    assert inside.found.title == title
    assert inside.found.is_exact == (said == EXACT)
    found = inside.evidence(image)
    with torch.no_grad():
        own = model.eval()(image[None])[0]
    scale = own.abs().max().clamp(min=1e-3)
    assert (found.totals - own).abs().max() < 1e-4 * scale
    assert (found.scores - own).abs().max() < 1e-4 * scale
    assert found.is_exact == (said == EXACT)
    assert found.how.startswith("linearised") == (said != EXACT)
    if said != LINEARISED:
        features = inside.evidence(image, of="features")
        assert features.is_exact
        assert features.largest_error < 1e-4


class ByHand(nn.Module):
    """Maps, and a pooling that a test writes into `forward`."""

    def __init__(self, pool, width=8):
        super().__init__()
        self.trunk, self.pool, self.classifier = nn.Conv2d(3, 8, 3), [pool], nn.Linear(width, 4)

    def forward(self, x):
        return self.classifier(self.pool[0](self.trunk(x).relu()).flatten(1))


POOLS_BY_HAND = {
    "x.mean((2, 3))": (lambda x: x.mean((2, 3)), "GAP"),
    "x.flatten(2).mean(-1)": (lambda x: x.flatten(2).mean(-1), "GAP"),
    "adaptive_avg_pool2d": (lambda x: functional.adaptive_avg_pool2d(x, 1), "GAP"),
    "avg_pool2d": (lambda x: functional.avg_pool2d(x, x.shape[2:]), "GAP"),
    "sum over cells, divided": (lambda x: torch.einsum("nchw->nc", x) / x[0, 0].numel(), "GAP"),
    "channels last": (lambda x: x.permute(0, 2, 3, 1).mean((1, 2)), "GAP"),
    "x.amax((2, 3))": (lambda x: x.amax((2, 3)), "GMP"),
    "x.view(n, c, -1).max(2)": (lambda x: x.view(len(x), 8, -1).max(2).values, "GMP"),
    "adaptive_max_pool2d": (lambda x: functional.adaptive_max_pool2d(x, 1), "GMP"),
    "max_pool2d": (lambda x: functional.max_pool2d(x, x.shape[2:]), "GMP"),
    "mean and maximum": (lambda x: 0.5 * (x.mean((2, 3)) + x.amax((2, 3))), "Avg+Max"),
    "GeM": (lambda x: functional.avg_pool2d(x.clamp(min=1e-6) ** 2.7, x.shape[2:]) ** (1 / 2.7), "GeM"),
    "log-sum-exp": (lambda x: (torch.logsumexp(5 * x.flatten(2), 2) - np.log(x[0, 0].numel())) / 5, "LSE"),
}


@pytest.mark.parametrize("name", POOLS_BY_HAND)
def test_a_pooling_written_by_hand_is_known_by_its_numbers(name):
    pool, title = POOLS_BY_HAND[name]
    torch.manual_seed(0)
    model, image = ByHand(pool), torch.rand(3, 12, 12)
    inside = gpcore.inspect(model, (3, 16, 16))
    assert inside.found.title == title
    assert inside.found.is_exact
    found = inside.evidence(image)
    assert (found.totals - model(image[None])[0]).abs().max() < 1e-5
    assert torch.allclose(found.scores, model(image[None])[0], atol=1e-6)


def test_class_maps_are_those_of_the_paper():
    torch.manual_seed(0)
    model = ByHand(lambda x: x.mean((2, 3)))
    images = torch.rand(3, 3, 10, 10)
    maps = gpcore.inspect(model, (3, 10, 10)).maps(images)
    features = model.trunk(images).relu()
    expected = torch.einsum("kc,ncij->nkij", model.classifier.weight, features)
    assert torch.allclose(maps, expected, atol=1e-6)
    assert torch.allclose(maps.mean((2, 3)) + model.classifier.bias, model(images), atol=1e-6)


class Nothing(nn.Module):
    """A network that flattens its maps, one that pools twice, and one that fails."""

    def __init__(self, kind):
        super().__init__()
        self.kind, self.trunk = kind, nn.Conv2d(3, 8, 3)
        self.average, self.classifier = nn.AdaptiveAvgPool2d(1), nn.LazyLinear(4)
        self.running = nn.BatchNorm2d(8)

    def forward(self, x):
        x = self.running(self.trunk(x))
        if self.kind == "fails" and not torch.is_grad_enabled():
            raise RuntimeError("out of luck")
        twice = torch.cat([self.average(x).flatten(1), x.amax((2, 3))], 1)
        return self.classifier(x.flatten(1) if self.kind == "flattens" else twice)


def made(kind):
    model = Nothing(kind)
    model(torch.rand(2, 3, 8, 8))
    return model


def test_where_none_or_several_are_found_the_sentence_says_what_settles_it():
    with pytest.raises(InsightError, match=r"No global pooling was found: `flatten` in forward makes 288 numbers of 8×6×6"):
        gpcore.inspect(made("flattens"), (3, 8, 8))
    model = made("twice")
    with pytest.raises(InsightError, match=r"pools in 2 places: choose pooling=1 \(average .*pooling='average'") as error:
        gpcore.inspect(model, (3, 8, 8))
    assert "pooling=2 (`amax` in forward)" in str(error.value)
    image = torch.rand(3, 8, 8)
    for pooling, title in ((1, "GAP"), ("average", "GAP"), (2, "GMP")):
        inside = gpcore.inspect(model, (3, 8, 8), pooling=pooling)
        assert inside.found.title == title
        found = inside.evidence(image)
        assert (found.totals - inside.scores(image)[0]).abs().max() < 1e-5
        assert found.remainder_name == "bias and the other places"
    with pytest.raises(InsightError, match="pooling is 'trunk': choose pooling=1"):
        gpcore.inspect(model, (3, 8, 8), pooling="trunk")


def test_what_cannot_be_traced_or_run_is_a_sentence():
    with pytest.raises(InsightError, match=r"does not take an image of 1×8×8 .*give `example`"):
        gpcore.inspect(made("twice"), (1, 8, 8))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch advises against TorchScript
        scripted = torch.jit.script(nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()))
    with pytest.raises(InsightError, match=r"give the nn.Module that it was created from"):
        gpcore.inspect(scripted, (3, 8, 8))
    with pytest.raises(InsightError, match="not one score per class"):
        gpcore.inspect(nn.Conv2d(3, 4, 3), (3, 8, 8))


def state(model):
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks")
    return (
        {name: value.clone() for name, value in model.state_dict().items()},
        [module.training for module in model.modules()],
        [len(getattr(module, name)) for module in model.modules() for name in hooks],
        [(weight.requires_grad, weight.grad is None, weight.device, weight.dtype) for weight in model.parameters()],
    )


def same(one, other):
    return one[1:] == other[1:] and all(torch.equal(value, other[0][name]) for name, value in one[0].items())


def test_a_network_is_left_as_it_was_also_after_an_exception():
    model = made("twice").train()
    model.running.eval()
    before, grad = state(model), torch.is_grad_enabled()
    inside = gpcore.inspect(model, (3, 8, 8), pooling=1)
    image = torch.rand(3, 8, 8)
    inside.evidence(image), inside.maps(image), inside.features(image), inside.scores(image)
    swapped = inside.swap("gmp")
    swapped.accuracy([(image[None], torch.tensor([0]))])
    assert same(before, state(model))
    failing = made("fails").train()
    before = state(failing)
    with pytest.raises(InsightError, match="out of luck"):
        gpcore.inspect(failing, (3, 8, 8))
    assert same(before, state(failing))
    assert torch.is_grad_enabled() == grad


def test_another_pooling_on_the_same_weights():
    torch.manual_seed(0)
    model = ByHand(lambda x: x.mean((2, 3)))
    inside = gpcore.inspect(model, (3, 10, 10))
    images = torch.rand(6, 3, 10, 10)
    features = model.trunk(images).relu()
    expected = {"gap": features.mean((2, 3)), "gmp": features.amax((2, 3)), "gem": (features**3).mean((2, 3)) ** (1 / 3)}
    for pool, pooled in expected.items():
        swapped = inside.swap(pool)
        assert torch.allclose(swapped(images), model.classifier(pooled), atol=1e-5)
        assert gpcore.inspect(swapped, (3, 10, 10)).found.title == {"gap": "GAP", "gmp": "GMP", "gem": "GeM"}[pool]
    answers = model.classifier(expected["gmp"]).argmax(1)
    labels = torch.where(torch.arange(6) < 2, answers, (answers + 1) % 4)
    assert inside.swap("gmp").accuracy([(images[:4], labels[:4]), (images[4:], labels[4:])]) == pytest.approx(2 / 6)
    assert isinstance(inside.swap(LogSumExpPool(r=2.0)), nn.Module)
    swapped(images).sum().backward()  # it learns like any network
    assert model.trunk.weight.grad is not None
    for pool, said in (("attention", "has weights to learn"), ("median", "choose one of gap, gmp")):
        with pytest.raises(InsightError, match=said):
            inside.swap(pool)
    with pytest.raises(InsightError, match="GeM is defined for values of 0 and more"):
        gpcore.inspect(nn.Sequential(nn.Conv2d(3, 4, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()), (3, 8, 8)).swap("gem")


def test_images_come_as_tensors_arrays_pictures_and_paths(tmp_path):
    inside = gpcore.inspect(ByHand(lambda x: x.mean((2, 3))), (3, 32, 32))
    pixels = np.random.default_rng(0).integers(0, 255, (40, 48, 3), np.uint8)
    PIL.Image.fromarray(pixels).save(tmp_path / "picture.png")
    scores = inside.scores(pixels)
    assert torch.equal(inside.scores(PIL.Image.fromarray(pixels)), scores)
    assert torch.equal(inside.scores(str(tmp_path / "picture.png")), scores)
    assert torch.allclose(inside.scores([pixels, tmp_path / "picture.png"]), scores.expand(2, -1))
    assert inside.maps(torch.rand(5, 3, 32, 32)).shape == (5, 4, 30, 30)
    for wrong in (3.5, np.zeros((4, 4, 3)), torch.zeros(3, 4, 4, dtype=torch.uint8), []):
        with pytest.raises((ImageError, TypeError)):
            inside.scores(wrong)


def test_the_usual_preparation_is_torchvisions():
    pixels = np.random.default_rng(0).integers(0, 255, (300, 400, 3), np.uint8)
    picture = PIL.Image.fromarray(pixels)
    from torchvision.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor

    usual = Compose([Resize(256), CenterCrop(224), ToTensor(), Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))])
    ours = gpcore.inspect(ByHand(lambda x: x.mean((2, 3)))).batch(picture)[0]
    assert (ours - usual(picture)).abs().mean() < 0.02


@pytest.mark.parametrize("precision", [torch.bfloat16, torch.float16, torch.float64])
def test_any_precision(precision):
    torch.manual_seed(0)
    for pool, title in (POOLS_BY_HAND["x.mean((2, 3))"], POOLS_BY_HAND["x.amax((2, 3))"]):
        inside = gpcore.inspect(ByHand(pool).to(precision), (3, 16, 16))
        assert inside.found.title == title
        assert inside.evidence(torch.rand(3, 16, 16)).largest_error < 0.05


def test_drawn_results_need_nothing_else(tmp_path):
    inside = gpcore.inspect(torchvision.models.resnet18(num_classes=10), (3, 64, 64))
    found = inside.evidence(torch.rand(3, 64, 64))
    for each in (inside, found):
        html = each._repr_html_()
        assert html.startswith("<svg")
        assert "http" not in html.replace("http://www.w3.org/2000/svg", "")
        assert "<script" not in html
        each.save(tmp_path / "drawn.png")
        with PIL.Image.open(tmp_path / "drawn.png") as picture:
            assert picture.width > 500
        each.save(tmp_path / "drawn.svg")
        assert (tmp_path / "drawn.svg").read_text() == html
    assert "512 maps of 2×2 cells, in avgpool (AdaptiveAvgPool2d)" in repr(inside)
    with pytest.raises(InsightError, match=r"end its name in .png or in .svg"):
        found.save(tmp_path / "drawn.pdf")
    with pytest.raises(GpcoreError, match="Could not write"):
        found.save(tmp_path / "nowhere" / "drawn.png")


def test_chosen_classes_and_unknown_subjects():
    inside = gpcore.inspect(ByHand(lambda x: x.mean((2, 3))), (3, 16, 16))
    image = torch.rand(3, 16, 16)
    some = inside.evidence(image, classes=[2, 0])
    assert some.labels.tolist() == [2, 0]
    assert torch.equal(some.shares, inside.evidence(image).shares[[2, 0]])
    with pytest.raises(InsightError, match="of is 'pixels': choose one of classes, features"):
        inside.evidence(image, of="pixels")


def nin(pool):
    """Network in network (Lin et al. 2014) for images of 28×28, after its paper: a pooled map per class ends it."""

    def block(inputs, outputs, size):
        layers = [nn.Conv2d(inputs, outputs, size, padding=size // 2), nn.ReLU()]
        for _ in range(2):
            layers += [nn.Conv2d(outputs, outputs, 1), nn.ReLU()]
        return layers

    return nn.Sequential(
        *block(1, 16, 5), nn.MaxPool2d(3, 2), *block(16, 32, 3), nn.MaxPool2d(3, 2), *block(32, 10, 3), pool, nn.Flatten()
    )


@pytest.mark.parametrize(("pool", "title"), [(nn.AdaptiveMaxPool2d((1, 1)), "GMP"), (nn.AdaptiveAvgPool2d((1, 1)), "GAP")])
def test_inspect_tells_a_network_in_network_that_takes_the_maximum_from_the_papers(pool, title, fashion):
    torch.manual_seed(0)
    model = nin(pool)
    inside = gpcore.inspect(model, (1, 28, 28))
    assert inside.found.title == title
    assert inside.found.classifier == "nothing, as there is one map per class"
    found = inside.evidence(fashion.test.images[:1].float() / 255)
    assert found.is_exact
    assert found.largest_error < 1e-5


def test_the_projects_own_networks_say_the_same_by_either_way():
    run = gpcore.open_run(ROOT / "checkpoints" / "modern-gmp-seed0")
    network, image = run.network(), torch.rand(1, 1, 28, 28)
    found = gpcore.inspect(network, (1, 28, 28)).evidence(image)
    from gpcore.insight.evidence import evidence_of

    assert torch.allclose(found.shares, evidence_of(network, image).shares, atol=1e-5)


def test_a_copy_and_a_compiled_networks_inside_are_found_too():
    model = ByHand(lambda x: x.mean((2, 3)))
    swapped = copy.deepcopy(gpcore.inspect(model, (3, 16, 16)).swap("gmp"))
    assert gpcore.inspect(torch.compile(swapped), (3, 16, 16)).found.title == "GMP"


@pytest.fixture(scope="module")
def folder(fashion, tmp_path_factory):
    """Trousers, bags and ankle boots of FashionMNIST, 30 each, as files."""
    root = tmp_path_factory.mktemp("items")
    for label in (1, 8, 9):
        (root / fashion.classes[label]).mkdir()
        for number, image in enumerate(fashion.test.images[fashion.test.labels == label][:30]):
            PIL.Image.fromarray(image[0].numpy()).save(root / fashion.classes[label] / f"{number:02}.png")
    return root


@pytest.fixture(scope="module")
def study(folder, tmp_path_factory):
    """Two poolings behind a network in network that never learnt."""
    torch.manual_seed(0)
    inside = gpcore.inspect(nin(nn.AdaptiveAvgPool2d((1, 1))), (1, 28, 28))
    cache = tmp_path_factory.mktemp("cache")
    return gpcore.which_pooling(inside, folder, pools=["gap", "gmp"], seeds=6, cache=cache, progress=False), cache


def test_which_pooling_is_a_verdict_on_paired_seeds(study, folder):
    result, cache = study
    frame = result.to_frame()
    assert set(frame["pool"]) == {"gap", "gmp"}
    assert set(frame["seeds"]) == {6}
    assert "6 seeds, 72 training images, 18 for validation" in result.sentence
    assert result.sentence.startswith("Against GAP, ")
    assert result.best.pool == frame["pool"][0]
    assert frame["accuracy"][0] == pytest.approx(np.mean(list(result.table.standings[0].accuracies.values())))
    assert "<svg" in result._repr_html_()
    kept = {path: path.stat().st_mtime_ns for path in cache.rglob("*.f16")}
    assert len(kept) == 2
    again = gpcore.which_pooling(
        gpcore.inspect(result.best.inside.model, (1, 28, 28)), folder, ["gap", "gmp"], 6, cache=cache, progress=False
    )
    assert again.table.standings == result.table.standings
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.f16")} == kept


def test_batches_give_the_same_verdict_as_the_files_they_came_from(study, folder):
    result, _ = study
    inside = result.best.inside
    files = [(path, label) for label, name in enumerate(sorted(folder.iterdir())) for path in sorted(name.iterdir())]
    paths, labels = zip(*files, strict=True)
    batches = [(inside.batch(list(paths)), torch.tensor(labels))]
    same = gpcore.which_pooling(inside, batches, ["gmp", "gap"], 6, progress=False)
    for one, other in zip(same.table.standings, result.table.standings, strict=True):
        assert one.mean.value == pytest.approx(other.mean.value, abs=0.06)  # features of files are kept in half precision


def test_the_trained_head_goes_back_and_leaves_for_onnx(study, folder, tmp_path):
    result, _ = study
    inside = result.best.inside
    model = result.best.apply(inside.model)
    files = [(path, label) for label, name in enumerate(sorted(folder.iterdir())) for path in sorted(name.iterdir())[4::5]]
    images = inside.batch([path for path, _ in files])
    labels = torch.tensor([label for _, label in files])
    right = (model(images).argmax(1) == labels).float().mean().item()
    assert right == pytest.approx(result.best.accuracy, abs=0.06)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        program = torch.onnx.export(model, (images[:2],), input_names=["images"], dynamic_shapes=({0: torch.export.Dim("n")},))
    program.save(tmp_path / "model.onnx")
    [scores] = onnxruntime.InferenceSession(tmp_path / "model.onnx").run(None, {"images": images.numpy()})
    assert np.abs(scores - model(images).detach().numpy()).max() < 1e-4


def test_heads_without_a_meaning_and_without_a_name(study, folder):
    inside = gpcore.inspect(nn.Sequential(nn.Conv2d(1, 4, 9, 4), nn.AdaptiveAvgPool2d(1), nn.Flatten()), (1, 28, 28))
    batches = [(torch.rand(24, 1, 28, 28), torch.arange(24) % 2)]
    result = gpcore.which_pooling(inside, batches, ["gap", "gem"], 1, progress=False)
    assert "GeM is defined for values of 0 and more" in result.sentence
    assert [one.pool for one in result.table.standings] == ["gap"]
    with pytest.raises(RecipeError, match="pools has 'median': choose from gap"):
        gpcore.which_pooling(inside, batches, ["median"], 1, progress=False)
    with pytest.raises(DatasetError, match="The loader gives no images"):
        gpcore.which_pooling(inside, [], progress=False)
    with pytest.raises(DatasetError, match="24 images of 1 classes: give two classes or more"):
        gpcore.which_pooling(inside, [(batches[0][0], torch.zeros(24))], progress=False)


def test_a_network_that_has_learnt_adds_up_on_real_photographs():
    paths = sorted((ROOT / "data" / "clothes" / "test").glob("*/*.webp"))[::200]
    assert len(paths) > 2
    model = load_network("efficientnet-lite0").eval()
    inside = gpcore.inspect(model)
    assert inside.found.is_exact
    assert inside.found.shape == (1280, 7, 7)
    for path in paths:
        found = inside.evidence(path)
        with torch.no_grad():
            own = model(inside.batch(path))[0]
        assert (found.totals - own).abs().max() < 1e-4 * own.abs().max()
        assert found.maps.shape == (1000, 7, 7)
