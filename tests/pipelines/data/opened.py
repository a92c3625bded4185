"""What tests ask of an opened data set."""

from pipelines.data.sources import ImageSource


def ignore(message: str) -> None:
    """Take a report and do nothing."""


def sizes(sources: dict[str, ImageSource]) -> dict[str, int]:
    """Images of each split."""
    return {name: len(source.split.images) for name, source in sources.items()}


def file_names(source: ImageSource) -> set[str]:
    return {image.file_name for image in source.split.images}
