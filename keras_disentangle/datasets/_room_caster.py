"""A ray caster for the room of 3D Shapes: a solid on the floor, three walls, a sky, a lamp.

Coordinates: x points right and y away from the camera at angle 0, z up. The solid stands at the
origin, on the floor z = 0; the camera moves around it on an arc. Arrays of rays are (samples, rows,
columns), vectors are tuples of their three parts, in float32.

The figures were fitted to 75 frames of the original 3D Shapes (Apache-2.0): the 50 in its example
notebook and the first 25 of its animation, which show every orientation, shape and scale. Lengths
are in fifths of the distance from the origin to the walls.
"""

import numpy as np

SHAPES = ("cube", "cylinder", "sphere", "capsule")
LAYERS = ("floor", "wall", "solid", "sky", "white")
SKY = (153 / 255, 226 / 255, 249 / 255)

_DISTANCE, _EYE = 3.887, 1.19  # of the camera from the z axis and from the floor
_PITCH = 0.0103  # how far it looks down
_HALF_WIDTH = 0.4586  # tangent of half the angle of view
_WALL, _WALL_HEIGHT = 5.0, 3.01
# Of each shape at scale 1: half the width, and the height.
_RADII = (0.5394, 0.5758, 0.6995, 0.4983)
_HEIGHTS = (1.0788, 1.169, 1.399, 2.028)

_AMBIENT = 0.347  # light from everywhere
_HEADLIGHT = 0.594  # from the camera, along its axis
_LAMP = (-1.98, 0.48, 10.51)  # a spotlight that shines down
_LAMP_LIGHT, _LAMP_FOCUS = 0.925, 9.56  # on its axis, and how fast it fades beside it
_GLOSS = 0.114  # white reflected by solids, not by the room, wherever the lamp lights them

_SAMPLES = 16  # rays for each pixel
# No two of them share a row or a column, so that upright edges too have this many levels.
_OFFSETS = np.array(
    [(i + 0.5, int(f"{i:04b}"[::-1], 2) + 0.5) for i in range(_SAMPLES)], np.float32
) / np.float32(_SAMPLES)


class RoomCaster:
    """Computes the brightness of a room with one solid, without the colours of its surfaces.

    Args:
        image_size: height and width in pixels.
    """

    def __init__(self, image_size):
        self._size = image_size
        self._rooms = {}

    def layers(self, shape, scale, angle):
        """The light (h, w, 5), float32, of each pixel from each of `LAYERS`.

        With their colours C (5, 3), the image is `layers @ C`. 1 is full brightness, which lit
        surfaces can exceed.

        Args:
            shape: index into `SHAPES`.
            scale: size of the solid, as a factor.
            angle: angle of the camera on its arc, in radians; positive to the right.
        """
        if angle not in self._rooms:
            everything = np.arange(self._size)
            self._rooms[angle] = self._cast(angle, everything, everything)
        out = self._rooms[angle].copy()
        solid = shape, np.float32(_RADII[shape] * scale), np.float32(_HEIGHTS[shape] * scale)
        rows, columns = self._window(angle, *solid[1:])
        out[rows[:, None], columns] = self._cast(angle, rows, columns, solid)
        return out

    def _window(self, angle, radius, height):
        """Rows and columns of pixels that hold a solid and its shadow."""
        corners = np.array([(x, y, z) for x in (-1, 1) for y in (-1, 1) for z in (0, 1)])
        box = corners * (radius, radius, height)
        shadow = _LAMP + (box - _LAMP) * (_LAMP[2] / (_LAMP[2] - box[:, 2:]))
        places = self._project(np.concatenate([box, shadow]), angle)
        first = np.clip(np.floor(places.min(axis=0)).astype(int), 0, self._size)
        last = np.clip(np.ceil(places.max(axis=0)).astype(int), 0, self._size)
        return np.arange(first[1], last[1]), np.arange(first[0], last[0])

    def _project(self, points, angle):
        """Where points (n, 3) appear: (n, 2), column and row in pixels from the top left corner."""
        x, y, z = points.T
        cos, sin = np.cos(angle), np.sin(angle)
        x, y, z = cos * x + sin * y, cos * y - sin * x + _DISTANCE, z - _EYE
        half = _HALF_WIDTH * (y * np.cos(_PITCH) - z * np.sin(_PITCH))
        up = y * np.sin(_PITCH) + z * np.cos(_PITCH)
        return np.stack([1 + x / half, 1 - up / half], axis=-1) * (self._size / 2)

    def _rays(self, angle, rows, columns):
        """The camera, and the rays' directions, of length 1 along its axis."""
        step, half = np.float32(2 * _HALF_WIDTH / self._size), np.float32(_HALF_WIDTH)
        right, down = (
            (pixels + _OFFSETS[:, axis, None]).astype(np.float32) * step - half
            for axis, pixels in enumerate((columns, rows))
        )
        x, up = right[:, None, :], -down[:, :, None]
        cos, sin = np.float32(np.cos(_PITCH)), np.float32(np.sin(_PITCH))
        y, z = cos + up * sin, up * cos - sin
        cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        camera = (sin * np.float32(_DISTANCE), -cos * np.float32(_DISTANCE), np.float32(_EYE))
        return camera, (cos * x - sin * y, sin * x + cos * y, z)

    def _cast(self, angle, rows, columns, solid=None):
        """The layers of some rows and columns, of the room or of the room with a solid."""
        camera, rays = self._rays(angle, rows, columns)
        axis = _axis(angle)
        out = _room(camera, rays, axis, solid)
        if solid is not None:
            hit, t, normal = _trace(*solid, camera, rays)
            point, normal = (
                tuple(np.broadcast_to(part, hit.shape)[hit] for part in vector)
                for vector in (_at(camera, rays, t), normal)
            )
            steady, lamp = _light(normal, point, axis)
            out[:, hit] = 0
            out[LAYERS.index("solid"), hit] = steady + lamp
            out[LAYERS.index("white"), hit] = _GLOSS * (lamp > 0)
        return np.moveaxis(out.mean(axis=1), 0, -1)


def _room(camera, rays, axis, solid):
    """The layers of rays (5, samples, rows, columns): a room, with a solid's shadow if given."""
    dx, dy, dz = rays
    with np.errstate(divide="ignore"):
        back = (np.float32(_WALL) - camera[1]) / dy
        side = (np.copysign(np.float32(_WALL), dx) - camera[0]) / dx
        floor = np.where(dz < 0, -camera[2] / dz, np.float32(np.inf))
    wall = np.minimum(back, side)
    point = _at(camera, rays, np.minimum(floor, wall))
    on_floor = floor < wall
    on_wall = ~on_floor & (point[2] < _WALL_HEIGHT)
    out = np.zeros((len(LAYERS), *dx.shape), np.float32)
    steady, lamp = _light((0, 0, 1), point, axis)
    if solid is not None:
        to_lamp = tuple(np.float32(end) - start for end, start in zip(_LAMP, point, strict=True))
        lamp *= ~_trace(*solid, point, to_lamp)[0]
    out[LAYERS.index("floor")] = on_floor * (steady + lamp)
    normal = (np.where(side < back, -np.sign(dx), 0), np.where(side < back, 0, np.float32(-1)), 0)
    out[LAYERS.index("wall")] = on_wall * sum(_light(normal, point, axis))
    out[LAYERS.index("sky")] = ~(on_floor | on_wall)
    return out


def _at(origin, rays, t):
    return tuple(o + t * d for o, d in zip(origin, rays, strict=True))


def _axis(angle):
    """The direction in which the camera looks."""
    flat = np.cos(_PITCH)
    return np.array([-np.sin(angle) * flat, np.cos(angle) * flat, -np.sin(_PITCH)], np.float32)


def _light(normal, point, axis):
    """The light that white surfaces reflect: of ambient light and headlight, and of the lamp."""
    facing = -sum(n * a for n, a in zip(normal, axis, strict=True))
    x, y, z = (np.float32(end) - start for end, start in zip(_LAMP, point, strict=True))
    distance = np.sqrt(x * x + y * y + z * z)
    cosine = (normal[0] * x + normal[1] * y + normal[2] * z) / distance
    lamp = _LAMP_LIGHT * np.maximum(cosine, 0) * (z / distance) ** np.float32(_LAMP_FOCUS)
    return _AMBIENT + _HEADLIGHT * np.maximum(facing, 0), lamp


def _trace(shape, radius, height, origin, rays):
    """Which rays from outside meet the solid, at which length, and its normal there."""
    trace = (_trace_cube, _trace_cylinder, _trace_capsule, _trace_capsule)[shape]
    return trace(radius, height, origin, rays)


def _trace_cube(radius, height, origin, rays):
    (dx, dy, dz), low = rays, (-radius, -radius, 0)
    (x0, x1), (y0, y1), (z0, z1) = map(_slab, origin, rays, low, (radius, radius, height))
    t = np.maximum(np.maximum(x0, y0), z0)
    hit = (t < np.minimum(np.minimum(x1, y1), z1)) & (t > 0)
    normal = (-np.sign(dx) * (t == x0), -np.sign(dy) * (t == y0), -np.sign(dz) * (t == z0))
    return hit, t, normal


def _slab(origin, ray, low, high):
    """Where rays enter and leave the space between two planes."""
    with np.errstate(divide="ignore"):
        a, b = (low - origin) / ray, (high - origin) / ray
    return np.minimum(a, b), np.maximum(a, b)


def _trace_cylinder(radius, height, origin, rays):
    (ox, oy, oz), (dx, dy, dz) = origin, rays
    a = dx * dx + dy * dy
    b = dx * ox + dy * oy
    square = b * b - a * (ox * ox + oy * oy - radius * radius)
    root = np.sqrt(np.maximum(square, 0))
    below, above = _slab(oz, dz, 0, height)
    side = -(b + root) / a
    t = np.maximum(side, below)
    hit = (square > 0) & (t < np.minimum((root - b) / a, above)) & (t > 0)
    on_side = side > below
    scale = on_side / radius
    return hit, t, ((ox + t * dx) * scale, (oy + t * dy) * scale, -np.sign(dz) * ~on_side)


def _trace_capsule(radius, height, origin, rays):
    (ox, oy, oz), (dx, dy, dz) = origin, rays
    a = dx * dx + dy * dy
    b = dx * ox + dy * oy
    square = b * b - a * (ox * ox + oy * oy - radius * radius)
    # The ray meets the ball inside the capsule at the height where it enters the cylinder.
    enter = -(b + np.sqrt(np.maximum(square, 0))) / a
    middle = np.clip(oz + enter * dz, radius, height - radius)
    up = oz - middle
    a, b = a + dz * dz, b + dz * up
    root = b * b - a * (ox * ox + oy * oy + up * up - radius * radius)
    t = -(b + np.sqrt(np.maximum(root, 0))) / a
    hit = (square > 0) & (root > 0) & (t > 0)
    return hit, t, ((ox + t * dx) / radius, (oy + t * dy) / radius, (up + t * dz) / radius)
