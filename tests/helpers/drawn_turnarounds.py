"""Turnarounds drawn with Pillow, as a game artist would have them on one sheet: a mushroom, a rocket, a character."""

import numpy as np
from PIL import Image, ImageDraw

SCALE = 2
"""Drawn so many times as large, then averaged: smooth edges."""
W, H = 300, 420


class Sheet:
    """Figures side by side on one plain background."""

    def __init__(self, count: int, background=(240, 240, 236)) -> None:
        self.image = Image.new("RGB", (count * W * SCALE, H * SCALE), background)
        self.draw, self.left = ImageDraw.Draw(self.image), 0

    def figure(self, number: int) -> "Sheet":
        self.left = number * W
        return self

    def _at(self, points):
        return [((x + W / 2 + self.left) * SCALE, y * SCALE) for x, y in points]

    def ellipse(self, x, y, rx, ry, color) -> None:
        self.pie((x - rx, y - ry), (x + rx, y + ry), 0, 360, color)

    def pie(self, low, high, first_deg, last_deg, color) -> None:
        self.draw.pieslice(self._at([low, high]), first_deg, last_deg, fill=color)

    def polygon(self, points, color) -> None:
        self.draw.polygon(self._at(points), fill=color)

    def box(self, x0, y0, x1, y1, color) -> None:
        self.polygon([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], color)

    def pixels(self) -> np.ndarray:
        size = (self.image.width // SCALE, self.image.height // SCALE)
        return np.asarray(self.image.resize(size, Image.Resampling.BOX))


def mushroom() -> np.ndarray:
    """Four sides; round, with spots that differ from side to side."""
    sheet = Sheet(4)
    spots = ([(-40, 130), (30, 100), (60, 150)], [(-60, 140), (10, 120)], [(0, 95), (-50, 150), (50, 135)],
             [(40, 125), (-20, 105)])  # fmt: skip
    for number in range(4):
        s = sheet.figure(number)
        s.polygon([(-32, 190), (32, 190), (46, 380), (-46, 380)], (236, 222, 196))
        s.ellipse(0, 378, 46, 14, (222, 205, 176))
        s.ellipse(0, 185, 110, 34, (214, 190, 160))
        s.pie((-112, 55), (112, 315), 180, 360, (196, 42, 38))
        for x, y in spots[number]:
            s.ellipse(x, y, 15, 12, (250, 240, 228))
    return sheet.pixels()


def rocket() -> np.ndarray:
    """Front, side and back; fins to both sides and behind, a window in front."""
    sheet = Sheet(3, (30, 34, 48))
    for number, side in enumerate(("front", "left", "back")):
        s = sheet.figure(number)
        fins = [(-1, 1), (1, 1)] if side != "left" else [(1, 1)]
        for sign, _ in fins:
            s.polygon([(sign * 40, 260), (sign * 100, 350), (sign * 100, 395), (sign * 40, 350)], (214, 60, 48))
        s.polygon([(-48, 150), (48, 150), (40, 370), (-40, 370)], (226, 228, 232))
        s.polygon([(-48, 152), (-34, 96), (0, 40), (34, 96), (48, 152)], (214, 60, 48))
        s.box(-30, 368, 30, 388, (90, 92, 100))
        s.box(-47, 290, 47, 302, (60, 90, 160))
        if side == "front":
            s.ellipse(0, 195, 26, 26, (60, 62, 70))
            s.ellipse(0, 195, 19, 19, (120, 190, 230))
    return sheet.pixels()


def character() -> np.ndarray:
    """Front, left, back and right, the front a little taller and higher than the rest, as drawn by hand."""
    sheet = Sheet(4, (255, 255, 255))
    skin, hair, shirt, trousers, shoe = (236, 188, 152), (92, 58, 36), (52, 120, 110), (70, 76, 120), (60, 44, 40)
    for number, side in enumerate(("front", "left", "back", "right")):
        s = sheet.figure(number)
        up = -6 if side == "front" else 0
        wide = side in ("front", "back")
        body = 42 if wide else 28
        if wide:
            for x in (-1, 1):
                s.polygon([(x * 38, 176 + up), (x * 52, 180 + up), (x * 74, 268 + up), (x * 60, 272 + up)], shirt)
                s.ellipse(x * 68, 278 + up, 11, 12, skin)
                s.box(x * 22 - 16, 270, x * 22 + 16, 372, trousers)
                s.box(x * 22 - 18, 370, x * 22 + 18, 390, shoe)
        else:
            face = -1 if side == "left" else 1
            s.box(-18, 270, 18, 372, trousers)
            s.polygon([(-20, 390), (20, 390), (20, 372), (-20, 372)], shoe)
            s.box(min(face * 34, 0), 374, max(face * 34, 0), 390, shoe)
        s.polygon([(-body, 172 + up), (body, 172 + up), (body - 2, 280), (2 - body, 280)], shirt)
        if not wide:
            s.polygon([(-12, 182), (12, 182), (10, 268), (-10, 268)], (44, 104, 96))
            s.ellipse(0, 276, 11, 12, skin)
        s.box(-14, 150 + up, 14, 178 + up, skin)
        s.ellipse(0, 100 + up, 56, 60, hair if side == "back" else skin)
        if side != "back":
            s.pie((-58, 38 + up), (58, 150 + up), 180, 360, hair)
        if side == "front":
            for x in (-20, 20):
                s.ellipse(x, 108, 7, 9, (40, 40, 48))
            s.box(-12, 132, 12, 136, (170, 90, 80))
        if not wide:
            face = -1 if side == "left" else 1
            s.ellipse(face * 30, 108, 6, 9, (40, 40, 48))
            s.pie((-58, 38), (58, 160), *((270, 420) if face < 0 else (120, 270)), hair)
    return sheet.pixels()


SHEETS = {
    "mushroom": (mushroom, "turnaround4"),
    "rocket": (rocket, "turnaround3"),
    "character": (character, "turnaround4"),
}
