"""What others report on FashionMNIST's test images, for scale beside the runs here: the article, and the dataset's own list."""

from dataclasses import dataclass

from gpcore.recipe import Pool


@dataclass(frozen=True)
class Milestone:
    """What the article reports about one of its curves: validation accuracy `accuracy` at `epoch`, in its own words."""

    epoch: int
    accuracy: float
    words: str


ARTICLE_MILESTONES: dict[Pool, list[Milestone]] = {
    "gap": [
        Milestone(1, 0.66, "starts near 66 %"),
        Milestone(28, 0.80, "just under 80 % by epoch 28"),
        Milestone(31, 0.85, "jumps to almost 85 % by epoch 31"),
        Milestone(60, 0.87, "ends near 87 %"),
    ],
    "gmp": [
        Milestone(1, 0.70, "starts just under 70 %"),
        Milestone(60, 0.85, "ends just under 85 %"),
    ],
}
"""Read off the article's text, so to about a point; shown beside what the same recipe gives here."""


SOURCE = "https://github.com/zalandoresearch/fashion-mnist#benchmark"
"""The README of Xiao, Rasul and Vollgraf (2017) at commit 02cf067. Its authors say that they have not tested the results."""


@dataclass(frozen=True)
class Published:
    """A line of the list; `parameters` only where the list gives them."""

    name: str
    accuracy: float
    parameters: int | None = None


PUBLISHED = (
    Published("people without fashion expertise", 0.835),
    Published("2 convolutions, max pooling (Keras)", 0.876),
    Published("GRU and SVM with dropout", 0.897),
    Published("XGBoost", 0.898),
    Published("MLP 256-128-64", 0.900),
    Published("SqueezeNet", 0.900),
    Published("2 convolutions, ELU", 0.903),
    Published("3 convolutions, batch normalisation", 0.903),
    Published("3 convolutions, 2 linear layers", 0.907),
    Published("2 convolutions, over 300 epochs", 0.916),
    Published("2 convolutions, augmented", 0.919),
    Published("2 convolutions, 113K parameters", 0.922, 113_000),
    Published("2 convolutions, under 100K parameters", 0.925, 100_000),  # the list gives this bound alone
    Published("HOG and SVM", 0.926),
    Published("3 convolutions, 2 linear layers, dropout", 0.926),
    Published("2 convolutions, 3 linear layers", 0.932, 1_800_000),
    Published("VGG16", 0.935, 26_000_000),
    Published("Capsule network", 0.936, 8_000_000),
    Published("GoogLeNet", 0.937),
    Published("ResNet18, augmented", 0.949),
    Published("MobileNet, flipped", 0.950),
    Published("DenseNet-BC, augmented", 0.954, 768_000),
    Published("WRN-40-4, augmented", 0.967, 8_900_000),
)


THEIRS = "What others found with other networks and images. Their words and numbers, not measured here."

LITERATURE = (
    (
        "In very large images with tiny objects the choice of global pooling changes whether a network learns; where objects "
        "are larger, all poolings that were tried perform alike.",
        "Pawlowski et al. (2019), Needles in haystacks, arXiv:1908.06037",
    ),
    (
        "GoogLeNet on ImageNet: top-1 error 35.0 % with GAP, 35.6 % with GMP; localisation error from class activation maps "
        "56.4 % with GAP, 57.8 % with GMP.",
        "Zhou et al. (2016), Learning deep features for discriminative localization, tables 1 and 2, arXiv:1512.04150",
    ),
    (
        "An attention-based pooling at the end of a network improves on average pooling, and its maps follow the outlines of "
        "objects.",
        "Psomas et al. (2023), Keep it SimPool, arXiv:2309.06891",
    ),
)
"""Findings on the same question, with their sources."""


def rows() -> list[dict[str, str]]:
    """The list as a table."""
    return [
        {
            "result": each.name,
            "accuracy": f"{each.accuracy:.1%}",
            "parameters": "not given" if each.parameters is None else f"{each.parameters:,}",
        }
        for each in PUBLISHED
    ]
