"""A plot as a PNG, for the page and for the folder."""

import base64
from dataclasses import dataclass

from matplotlib.figure import Figure

from training.report.figures.style import CSS_PIXELS_PER_INCH, png_of


@dataclass(frozen=True)
class Image:
    """file: its name in the folder. alt: a description, for readers who cannot see it. width: in CSS pixels."""

    file: str
    png: bytes
    alt: str
    width: int

    @property
    def data_uri(self) -> str:
        """The PNG as a data URI, so that the page needs no other file."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode()}"


def image_of(figure: Figure, file: str, alt: str) -> Image:
    """Renders a finished figure. file, alt: as in Image."""
    return Image(file, png_of(figure), alt, round(figure.get_figwidth() * CSS_PIXELS_PER_INCH))
