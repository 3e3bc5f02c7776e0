"""The text files of a configuration, as editors on any system save them."""

import codecs
from pathlib import Path

from clickscore.errors import ConfigError

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def read_text(file: Path) -> str:
    """Return the text of a file, without a byte order mark, with its line ends.

    Args:
        file: in UTF-8; a byte order mark and Windows line ends are fine.

    Raises:
        ConfigError: if it cannot be read, or is in another encoding, with the first byte that shows it.
    """
    try:
        content = file.read_bytes()
    except OSError as error:
        raise ConfigError(str(file), [f"it cannot be read: {error.strerror}"]) from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _encoding_error(file, content, error.start) from None
    if "\0" in text:  # English in UTF-16 without a mark is UTF-8 as well, with a null after each letter
        raise _encoding_error(file, content, content.index(b"\0"))
    return text


def _encoding_error(file: Path, content: bytes, position: int) -> ConfigError:
    is_utf_16 = content.startswith(_UTF_16) or b"\0" in content
    looks = ", as in UTF-16" if is_utf_16 else ""
    found = f"found the byte 0x{content[position]:02x} at position {position}{looks}"
    return ConfigError(str(file), [f"expected UTF-8, {found}; save the file as UTF-8"])
