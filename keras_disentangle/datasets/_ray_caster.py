"""A ray caster for a few solids on a grey floor, with CLEVR's camera and lamps.

Coordinates: x points right, y away from the camera along the floor, z up; the floor is z = 0. The
camera looks down, so every ray meets the floor. Lengths are in CLEVR's units, light is linear.
Arrays of rays are (solids, samples, rows, columns) or broadcast to it, vectors are tuples of their
three parts. All arithmetic is float32, element by element, so that an image does not depend on the
others drawn with it.
"""

import numpy as np

SHAPES = ("cube", "sphere", "cylinder")
MATERIALS = ("metal", "rubber")

# CLEVR's camera, moved to x = 0. The picture is square, like a centre crop of CLEVR's.
CAMERA = np.array([0, -9.9, 5.34], np.float32)
PITCH = np.deg2rad(26.4)
HALF_WIDTH = 0.33  # tangent of half the angle of view

# Key, fill and back lamp have CLEVR's positions and shine downwards; the sun is a distant lamp. The
# powers (red, green, blue) include the floor's albedo: they were fitted to the floor in CLEVR's
# sample pictures.
_LAMPS = np.array(
    [[1.9, -6.7, 4.3], [-6.5, 0.65, 3.0], [0.7, 2.65, 5.8], [143, -435, 889]], np.float32
)
_POWERS = np.array([[6.1, 5.6, 4.7], [1.0, 1.08, 1.37], [2.9, 2.9, 2.8], [1.265e5] * 3], np.float32)
_LAMP_RADII = (0.25, 0.25, 0.5, 80)
_AMBIENT = 0.04  # light from everywhere
_WHITE = np.ones(3, np.float32)
_FLOOR_ALBEDO = 0.5
_FLOOR_LIGHT = 0.2  # of a typical spot

_BEVEL = 0.15  # radius of rounded edges, relative to the solid's
_SAMPLES = 16  # rays for each pixel
# No two of them share a row or a column, so that upright edges too have this many levels.
_OFFSETS = np.array(
    [(i + 0.5, int(f"{i:04b}"[::-1], 2) + 0.5) for i in range(_SAMPLES)], np.float32
) / np.float32(_SAMPLES)

_HALF_ROOT = np.float32(0.5**0.5)
_TINY = np.float32(1e-6)
_LINEAR = np.linspace(0, 1, 4096)
_SRGB = np.rint(
    255 * np.where(_LINEAR < 0.0031308, 12.92 * _LINEAR, 1.055 * _LINEAR ** (1 / 2.4) - 0.055)
).astype(np.uint8)


def project(points, image_size, half_width=HALF_WIDTH):
    """Where points (..., 3) appear: (..., 2), column and row in pixels from the top left corner."""
    x, y, z = np.moveaxis(points - CAMERA, -1, 0)
    half = half_width * (y * np.cos(PITCH) - z * np.sin(PITCH))
    up = y * np.sin(PITCH) + z * np.cos(PITCH)
    return np.stack([1 + x / half, 1 - up / half], axis=-1) * (image_size / 2)


def height(shape, radius):
    """How high a solid is; `radius` is that of the circle around its footprint."""
    return radius * (2**0.5 if SHAPES[shape] == "cube" else 2)


class RayCaster:
    """Draws scenes of a few solids.

    Args:
        image_size: height and width in pixels.
        material: one of `MATERIALS`.
        zoom: magnification relative to CLEVR.
    """

    def __init__(self, image_size, material, zoom=1.0):
        self._size = image_size
        self._half_width = HALF_WIDTH / zoom
        self._light = {"metal": _reflected, "rubber": _scattered}[material]
        self._part = max(1, 2**16 // image_size**2)
        middle = np.full((1, 2), 0.5, np.float32)
        u, v = self._screen(np.zeros((1, 2)), (image_size, image_size), middle)
        dx, dy, dz = _rays(u[0, 0], v[0, 0])
        length = -CAMERA[2] / dz
        self._floor = (CAMERA[0] + length * dx, CAMERA[1] + length * dy)
        self._floor_light = np.stack([_lamp_light(*self._floor, lamp) for lamp in _LAMPS])

    def draw(self, shape, colour, radius, position):
        """Images (n, h, w, 3), uint8, of n scenes of k solids.

        Args:
            shape: index into `SHAPES` (n, k).
            colour: share of the light that is reflected, in [0, 1], float32 (n, k, 3).
            radius: radius of the circle around the footprint, float32 (n, k).
            position: x and y of the centre, float32 (n, k, 2). A solid is drawn over the previous
                ones, casts its shadow on the floor only, and is not reflected in other solids.
        """
        light = np.empty((len(_LAMPS) + 1, len(shape), self._size, self._size), np.float32)
        light[:-1] = self._floor_light[:, None]
        light[-1] = _AMBIENT
        solids = range(shape.shape[1])
        for k in solids:
            for kind, rows in self._parts(shape[:, k], position[:, k]):
                light[:, rows] *= self._unshaded(kind, radius[rows, k], position[rows, k])
        out = np.empty((len(shape), 3, self._size, self._size), np.float32)
        for channel in range(3):
            out[:, channel] = light[-1]
            for layer, power in zip(light, _POWERS[:, channel], strict=False):
                out[:, channel] += layer * power
        for k in solids:
            for kind, rows in self._parts(shape[:, k], position[:, k]):
                self._add(out, rows, kind, colour[rows, k], radius[rows, k], position[rows, k])
        levels = (np.minimum(out, 1) * 4095 + 0.5).astype(np.uint16)
        return _SRGB[np.moveaxis(levels, 1, -1)]

    def _parts(self, shape, position):
        """Rows of solids of one shape, few and close in size, so that arrays fit the cache."""
        for kind in range(len(SHAPES)):
            rows = np.flatnonzero(shape == kind)
            rows = rows[np.argsort(position[rows, 1])]
            for start in range(0, len(rows), self._part):
                yield kind, rows[start : start + self._part]

    def _unshaded(self, kind, radius, position):
        """The share of each lamp's and of the ambient light that solids let reach the floor."""
        radius = radius[:, None, None]
        cx, cy = position.T[:, :, None, None]
        x, y = self._floor[0] - cx, self._floor[1] - cy
        out = np.empty((len(_LAMPS) + 1, *x.shape), np.float32)
        for i, (lamp, lamp_radius) in enumerate(zip(_LAMPS, _LAMP_RADII, strict=True)):
            to_lamp = (lamp[0] - cx - x, lamp[1] - cy - y, lamp[2])
            out[i] = 1 - _shadow(kind, radius, x, y, to_lamp, lamp_radius)
        out[-1] = 1 - _nearness(x, y, radius)
        return out

    def _add(self, out, rows, kind, colour, radius, position):
        """Draws solids of one shape into some rows of images (n, 3, h, w)."""
        first, shape = self._window(kind, radius, position)
        rays = _rays(*self._screen(first, shape, _OFFSETS))
        radius = radius[:, None, None, None]
        base = (*position.T[:, :, None, None, None], 0)
        origin = tuple(at - b for at, b in zip(CAMERA, base, strict=True))
        hit, t, normal = _TRACE[kind](radius, origin, rays)
        hit = hit / np.float32(_SAMPLES)
        point = tuple(o + t * d for o, d in zip(origin, rays, strict=True))
        light = np.zeros((len(rows), 3, *shape), np.float32)
        lamps = _lamps_from((*base[:2], height(kind, radius) / 2))
        for layer, tint in self._light(normal, rays, point, base, radius, lamps):
            light += (layer * hit).sum(axis=1)[:, None] * tint[:, None, None]
        window = (
            rows[:, None, None, None],
            np.arange(3)[:, None, None],
            (first[:, 1:] + np.arange(shape[0]))[:, None, :, None],
            (first[:, :1] + np.arange(shape[1]))[:, None, None, :],
        )
        uncovered = (1 - hit.sum(axis=1))[:, None]
        out[window] = out[window] * uncovered + light * colour[:, :, None, None]

    def _window(self, kind, radius, position):
        """First column and row (n, 2), and (height, width), of pixels that hold the solids."""
        corners = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (0, 1)])
        boxes = corners * np.stack([radius, radius, height(kind, radius)], axis=-1)[:, None]
        boxes[..., :2] += position[:, None]
        places = project(boxes, self._size, self._half_width)
        first = np.floor(places.min(axis=1)).astype(int)
        extent = (np.ceil(places.max(axis=1)).astype(int) - first).max(axis=0)
        extent = np.minimum(extent, self._size)
        return np.clip(first, 0, self._size - extent), tuple(extent[::-1])

    def _screen(self, first, shape, offsets):
        """Samples' positions, right (n, samples, 1, columns), up (n, samples, rows, 1), in rays."""
        half = np.float32(self._half_width)
        step = np.float32(2 * self._half_width / self._size)
        column, row = (
            first[:, axis, None, None] + np.arange(shape[1 - axis]) + offsets[:, axis, None]
            for axis in (0, 1)
        )
        u, v = column.astype(np.float32) * step - half, half - row.astype(np.float32) * step
        return u[:, :, None, :], v[:, :, :, None]


def _rays(u, v):
    """Directions (x, y, z), of length 1 along the camera's axis."""
    cos, sin = np.float32(np.cos(PITCH)), np.float32(np.sin(PITCH))
    return u, cos + v * sin, v * cos - sin


def _lamp_light(x, y, lamp):
    """The light that the floor at (x, y) reflects from a lamp of power 1 shining downwards."""
    squared = (lamp[0] - x) ** 2 + (lamp[1] - y) ** 2 + lamp[2] ** 2
    return lamp[2] ** 2 / squared**2


def _lamps_from(point):
    """For each lamp its direction from a point, its light there at power 1, and its power."""
    for lamp, power in zip(_LAMPS, _POWERS, strict=True):
        x, y, z = (a - b for a, b in zip(lamp, point, strict=True))
        squared = x * x + y * y + z * z
        distance = np.sqrt(squared)
        yield (x / distance, y / distance, z / distance), z / (distance * squared), power


def _nearness(x, y, radius):
    """The ambient light that a sphere blocks from the floor at (x, y); used for all solids."""
    share = radius**2 / (x * x + y * y + radius**2)
    return share * np.sqrt(share)


def _shadow(kind, radius, x, y, to_lamp, lamp_radius):
    """How much (0…1) of a lamp a solid at the origin hides from the floor at (x, y).

    It depends on the distance by which the line to the lamp's centre misses the solid (negative if
    it meets it), relative to the lamp's size as seen through a pinhole at the floor.
    """
    ex, ey, ez = to_lamp
    along, flat = -(x * ex + y * ey), ex * ex + ey * ey + _TINY
    if SHAPES[kind] == "sphere":
        t = np.clip((along + radius * ez) / (flat + ez * ez), 0, 1)
        gap = np.sqrt((x + t * ex) ** 2 + (y + t * ey) ** 2 + (t * ez - radius) ** 2) - radius
    else:
        # Upright walls: seen from above, the line must pass the footprint before it is too high.
        top = height(kind, radius) / ez
        t = np.clip(along / flat, 0, top)
        if SHAPES[kind] == "cylinder":
            gap = np.sqrt((x + t * ex) ** 2 + (y + t * ey) ** 2) - radius
        else:  # the largest gap along a direction in which a line and a square can lie apart
            side = radius * _HALF_ROOT
            (p, q), (ep, eq) = _along_sides(x, y), _along_sides(ex, ey)
            gap = (np.abs(p * eq - q * ep) - side * (np.abs(ep) + np.abs(eq))) / np.sqrt(flat)
            for start, step in ((p, ep * (top / 2)), (q, eq * (top / 2))):
                gap = np.maximum(gap, np.abs(start + step) - np.abs(step) - side)
    shade = np.clip(0.5 - gap / (2 * lamp_radius * t + 0.08), 0, 1)  # never sharper than a pixel
    return shade * shade * (3 - 2 * shade)


def _along_sides(x, y):
    """Coordinates along the sides of a cube; it shows an upright edge to the camera."""
    return (x + y) * _HALF_ROOT, (y - x) * _HALF_ROOT


def _trace_sphere(radius, origin, rays):
    """Traces a solid: which rays meet it, at which length, and the normal there."""
    dx, dy, dz = rays
    ox, oy, oz = origin[0], origin[1], origin[2] - radius
    a = dx * dx + (dy * dy + dz * dz)
    b = dx * ox + (dy * oy + dz * oz)
    root = b * b - a * (ox * ox + oy * oy + oz * oz - radius**2)
    t = -(b + np.sqrt(np.maximum(root, 0))) / a
    return root > 0, t, ((ox + t * dx) / radius, (oy + t * dy) / radius, (oz + t * dz) / radius)


def _trace_cylinder(radius, origin, rays):
    (ox, oy, oz), (dx, dy, dz) = origin, rays
    top, bevel = height(SHAPES.index("cylinder"), radius), radius * _BEVEL
    a = dx * dx + dy * dy
    b = dx * ox + dy * oy
    square = b * b - a * (ox * ox + oy * oy - radius**2)
    root = np.sqrt(np.maximum(square, 0))
    t = np.maximum(-(b + root) / a, (top - oz) / dz)
    hit = (square > 0) & (t < np.minimum((root - b) / a, -oz / dz))
    x, y, z = ox + t * dx, oy + t * dy, oz + t * dz
    axis = np.sqrt(x * x + y * y) + _TINY
    out, up = np.maximum(axis - (radius - bevel), 0), np.maximum(z - (top - bevel), 0)
    length = np.sqrt(out * out + up * up) + _TINY
    out /= length * axis
    return hit, t, (x * out, y * out, up / length)


def _trace_cube(radius, origin, rays):
    (ox, oy, oz), (dx, dy, dz) = origin, rays
    side, top, bevel = radius * _HALF_ROOT, height(SHAPES.index("cube"), radius), radius * _BEVEL
    (op, oq), (dp, dq) = _along_sides(ox, oy), _along_sides(dx, dy)
    # All rays run towards greater p and q, and down.
    t = np.maximum(np.maximum((-side - op) / dp, (-side - oq) / dq), (top - oz) / dz)
    hit = t < np.minimum(np.minimum((side - op) / dp, (side - oq) / dq), -oz / dz)
    p, q, z = op + t * dp, oq + t * dq, oz + t * dz
    inner = side - bevel
    p -= np.clip(p, -inner, inner)
    q -= np.clip(q, -inner, inner)
    up = np.maximum(z - (top - bevel), 0)
    length = np.sqrt(p * p + q * q + up * up) + _TINY
    scale = _HALF_ROOT / length
    return hit, t, ((p - q) * scale, (p + q) * scale, up / length)


_TRACE = (_trace_cube, _trace_sphere, _trace_cylinder)


def _scattered(normal, rays, point, base, radius, lamps):
    """Rubber: layers of the light that a white solid reflects, each with its tint."""
    nx, ny, nz = normal
    for (x, y, z), light, power in lamps:
        yield np.maximum(nx * x + ny * y + nz * z, 0) * (light / _FLOOR_ALBEDO), power
    yield _AMBIENT + _FLOOR_LIGHT * (0.5 - 0.5 * nz), _WHITE


def _reflected(normal, rays, point, base, radius, lamps):
    """Metal: the same, for a slightly rough mirror of lamps, sky and floor."""
    twice = 2 * sum(n * d for n, d in zip(normal, rays, strict=True))
    length = np.sqrt(sum(d * d for d in rays))
    x, y, z = ((d - twice * n) / length for n, d in zip(normal, rays, strict=True))
    floor = np.clip(0.5 - 4 * z, 0, 1)  # 0 where the sky is reflected
    yield (1 - floor) * (0.22 - 0.19 * z), _WHITE  # darker overhead, as CLEVR's backdrop is
    t = point[2] / np.maximum(-z, 0.1)
    fx, fy = point[0] + t * x, point[1] + t * y
    floor *= 1.3 * (1 - _nearness(fx, fy, radius))  # brighter, for other reflections
    yield floor * _AMBIENT, _WHITE
    fx, fy = fx + base[0], fy + base[1]
    for lamp, ((lx, ly, lz), light, power) in zip(_LAMPS, lamps, strict=True):
        away = 1 - (x * lx + y * ly + z * lz)
        glint, sheen = 1 / (1 + 120 * away), 1 / (1 + 15 * away)
        mirrored = (15 * glint * glint + 2 * sheen * sheen) * light
        yield mirrored + floor * _lamp_light(fx, fy, lamp), power
