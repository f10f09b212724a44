"""Decoding over real bytes: what must be read, and every kind of file that must be refused with one sentence."""

import contextlib
import io
import struct
import time
import zlib

import numpy as np
import PIL.Image
import pytest

from gpcore.data.decoding import MAX_BYTES, WORKING_SIDE, decode, read_photo, shown_name
from gpcore.errors import ImageError


@pytest.fixture(scope="module")
def colours() -> np.ndarray:
    """A picture (60, 40, 3) whose quarters differ, so that every turn of it shows."""
    rows, columns = np.mgrid[:60, :40]
    return np.stack([rows * 4, columns * 6, 255 - rows * 2 - columns], axis=2).astype(np.uint8)


def encoded(pixels: np.ndarray | PIL.Image.Image, kind: str, **options) -> bytes:
    image = pixels if isinstance(pixels, PIL.Image.Image) else PIL.Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def png_chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def huge_png(side: int = 50_000) -> bytes:
    """A complete and valid PNG of `side`×`side` black pixels in less than a megabyte."""
    packer, packed = zlib.compressobj(1), []
    row = bytes(1 + (side + 7) // 8) * 100
    for _ in range(side // 100):
        packed.append(packer.compress(row))
    packed.append(packer.flush())
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = png_chunk(b"IHDR", header) + png_chunk(b"IDAT", b"".join(packed)) + png_chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def checkered(kind: str) -> bytes:
    """Two pictures, the first one red with a black corner."""
    first = PIL.Image.new("RGB", (30, 30), "red")
    first.paste((0, 0, 0), (20, 20, 30, 30))
    return encoded(first, kind, save_all=True, append_images=[PIL.Image.new("RGB", (30, 30), "blue")], **LOSSLESS.get(kind, {}))


LOSSLESS = {"WEBP": {"lossless": True}}


HEIC = struct.pack(">I", 24) + b"ftypheic" + bytes(4) + b"mif1heic" + bytes(200)

PIXELS = np.arange(60 * 40 * 3, dtype=np.uint8).reshape(60, 40, 3)

BAD = {
    "empty": (b"", "is empty"),
    "text named .png": (b"this is no picture\n" * 20, "is not a picture that can be read: send JPEG"),
    "truncated JPEG": (encoded(PIXELS, "JPEG")[:700], "is damaged or cut short"),
    "JPEG without its pixels": (encoded(PIXELS, "JPEG")[:100], "is not a picture that can be read|is damaged or cut short"),
    "PNG with a broken stream": (
        encoded(PIXELS, "PNG")[:60] + bytes(300),
        "is damaged or cut short|is not a picture that can be read",
    ),
    "PNG of 50,000×50,000": (huge_png(), "50,000×50,000 pixels: reduce it to at most 24 megapixels|too many pixels"),
    "SVG": (b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'><rect/></svg>", "is an SVG drawing"),
    "HEIC without a picture": (HEIC, "is not a picture that can be read|is damaged or cut short"),
    "PDF": (b"%PDF-1.7\n" + bytes(50), "is a PDF document"),
    "1×1": (encoded(PIXELS[:1, :1], "PNG"), "has 1×1 pixels: at least 8"),
    "10,000×1": (encoded(np.zeros((1, 10_000), np.uint8), "PNG"), "has 10,000×1 pixels"),
    "10,000×100": (encoded(np.zeros((100, 10_000), np.uint8), "PNG"), "crop it"),
    "all one colour": (encoded(np.full((50, 50, 3), 90, np.uint8), "PNG"), "is all one colour"),
    "fully transparent": (encoded(np.zeros((50, 50, 4), np.uint8), "PNG"), "is fully transparent"),
    "21 MB": (encoded(PIXELS, "PNG") + bytes(21_000_000), "is larger than 20 MiB"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_clear_sentence(kind):
    data, sentence = BAD[kind]
    started = time.monotonic()
    with pytest.raises(ImageError, match=sentence) as caught:
        decode(data, "my picture.png")
    assert time.monotonic() - started < 1, "it was unpacked before it was refused"
    message = str(caught.value)
    assert message.startswith("my picture.png ")
    assert message.endswith(".")
    assert "\n" not in message


def test_a_corrupt_exif_block_costs_the_orientation_only(colours):
    exif = PIL.Image.Exif()
    exif[274] = 6
    data = encoded(colours, "JPEG", quality=95, exif=exif.tobytes())
    start = data.index(b"Exif\0\0") + 6
    damaged = data[:start] + b"\xff" * 12 + data[start + 12 :]
    photo = decode(damaged, "shoe.jpg")
    assert photo.pixels.shape == colours.shape
    assert np.abs(photo.pixels.astype(int) - colours).mean() < 6
    assert photo.notes == () or "EXIF block of shoe.jpg is damaged" in photo.notes[0]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_turned_upright(colours, orientation):
    """Against the table of the EXIF standard, written as NumPy turns of what the sensor saw."""
    upright = colours
    as_stored = {
        1: upright, 2: upright[:, ::-1], 3: upright[::-1, ::-1], 4: upright[::-1], 5: upright.transpose(1, 0, 2),
        6: np.rot90(upright), 7: np.rot90(upright.transpose(1, 0, 2), 2), 8: np.rot90(upright, -1),
    }[orientation]  # fmt: skip
    exif = PIL.Image.Exif()
    exif[274] = orientation
    data = encoded(np.ascontiguousarray(as_stored), "PNG", exif=exif.tobytes())
    assert np.array_equal(decode(data, "a").pixels, upright)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "GIF"])
def test_lossless_kinds_come_back_exactly(colours, kind):
    pixels = colours if kind != "GIF" else np.asarray(PIL.Image.fromarray(colours).quantize(64).convert("RGB"))
    options = {"lossless": True} if kind == "WEBP" else {}
    assert np.array_equal(decode(encoded(pixels, kind, **options), "a").pixels, pixels)


def test_grey_levels_of_8_and_16_bits_agree(colours):
    grey = colours[..., 0]
    deep = PIL.Image.fromarray(grey.astype(np.uint16) * 257)
    for image in (PIL.Image.fromarray(grey), deep):
        assert np.array_equal(decode(encoded(image, "PNG"), "a").pixels, np.repeat(grey[..., None], 3, axis=2))


def test_cmyk_and_palettes_become_colours(colours):
    cmyk = decode(encoded(PIL.Image.fromarray(colours).convert("CMYK"), "JPEG", quality=95), "a").pixels
    assert np.abs(cmyk.astype(int) - colours).mean() < 8
    palette = PIL.Image.fromarray(colours).quantize(256)
    assert np.array_equal(decode(encoded(palette, "PNG"), "a").pixels, np.asarray(palette.convert("RGB")))


def test_transparency_is_kept_and_shown_over_white(colours):
    alpha = np.full((60, 40), 255, np.uint8)
    alpha[:, :10] = 0
    photo = decode(encoded(np.dstack([colours, alpha]), "PNG"), "a")
    assert photo.opaque is not None
    assert np.array_equal(photo.opaque, alpha == 255)
    assert (photo.pixels[:, :10] == 255).all()
    assert np.array_equal(photo.pixels[:, 10:], colours[:, 10:])


def test_a_large_photograph_is_reduced(colours):
    large = PIL.Image.fromarray(colours).resize((3000, 4500))
    for kind in ("JPEG", "PNG"):
        photo = decode(encoded(large, kind), "a")
        assert max(photo.size) == WORKING_SIDE
        small = np.asarray(PIL.Image.fromarray(photo.pixels).resize((40, 60), PIL.Image.Resampling.BOX)).astype(int)
        assert np.abs(small - colours).mean() < 5


def test_a_phone_file_with_a_second_picture_is_a_photograph(colours):
    first, second = PIL.Image.fromarray(colours), PIL.Image.fromarray(colours[:20, :20])
    photo = decode(encoded(first, "MPO", save_all=True, append_images=[second], quality=95), "a")
    assert photo.pixels.shape == colours.shape


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd.png", "passwd.png"),
        ("C:\\photos\\shoe.jpg", "shoe.jpg"),
        ("<script>alert(1)</script>.png", "script_.png"),
        ("a<b>*`$[x](y)`.png", "a_b_____x_(y)_.png"),
        ("çà et là.jpg", "çà et là.jpg"),
        ("line\nbreak\x1b[31m.png", "line_break__31m.png"),
        ("..", "picture"),
        ("", "picture"),
    ],
)
def test_names_are_harmless(name, shown):
    assert shown_name(name) == shown


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_several_pictures_the_first_is_read_and_that_is_said(kind):
    photo = decode(checkered(kind), "a.bin")
    assert photo.pixels[5, 5].tolist() == [255, 0, 0]
    assert photo.notes == ("a.bin holds several pictures: the first one is used.",)


def test_a_file_is_read_up_to_the_limit_only(tmp_path, colours):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(colours, "PNG"))
    assert np.array_equal(read_photo(path).pixels, colours)
    with open(path, "ab") as file:
        file.truncate(MAX_BYTES * 50)
    with pytest.raises(ImageError, match="larger than 20 MiB"):
        read_photo(path)
    with pytest.raises(ImageError, match=r"missing\.png can't be read \(No such file"):
        read_photo(tmp_path / "missing.png")
    with pytest.raises(ImageError, match="can't be read"):
        read_photo(tmp_path)


def test_random_damage_never_escapes_as_anything_but_a_sentence(colours):
    random = np.random.default_rng(0)
    files = [encoded(colours, kind) for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "AVIF")]
    for data in files:
        for _ in range(40):
            damaged = bytearray(data)
            for position in random.integers(0, len(data), 6):
                damaged[position] = random.integers(256)
            with contextlib.suppress(ImageError):
                decode(bytes(damaged), "x")
