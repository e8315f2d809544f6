"""Chinese names as letters, for sorting, searching and identifiers."""


def letters(text: str) -> str:
    """王芳 → wangfang, in lower case; what is not Chinese stays."""
    from pypinyin import lazy_pinyin  # its dictionary costs a second and 60 MB, which few processes ever need

    return "".join(lazy_pinyin(text)).lower()
