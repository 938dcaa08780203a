"""Feeds damaged and hostile files to everything that reads files, and counts what becomes of them.

    python scripts/benchmarks/hostile_files.py
    python scripts/benchmarks/hostile_files.py --bytes 100000 --seed 7

Of each kind of file that is read (pictures, archives of them, npz, HDF5, small NORB's matrices,
checkpoints of PyTorch and safetensors, saved models and weights, JSON, backups) a whole one is
written. From it come files with bits flipped, cut short, with bytes put in or taken out, and with
numbers overwritten by very large ones, as in a size that is a lie; and before them, some that are
made to harm. Each goes to its reader, in a process of its own kind, and must be read or be refused
by a `ValueError` that names it. Further it is counted:

- what ran: programs, code from a file, imports from elsewhere, unpickled names;
- which files were opened that are neither the file itself nor part of Python or this library; and
  whether what lies in a file beside it was given out;
- memory: at most twice what the whole file needs, plus 200 MB.

"same" and "other" are the numbers that were read: those of the whole file, or others. Formats with
checksums (zip, npz, checkpoints, saved models, backups) must give no others.

The exit status is 0 if there was nothing else than that, otherwise 1.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import pathlib
import random
import resource
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import warnings
import zipfile
import zlib

KINDS = (
    *("png", "jpg", "webp", "gif", "bmp", "tif", "ppm", "background.png", "pair.png"),
    *("images.zip", "images.npz", "labelled.npz", "dsprites.npz", "3dshapes.h5", "3dshapes.npz"),
    *("norb.mat", "norb.mat.gz", "checkpoint.pt", "old.pt", "checkpoint.safetensors"),
    *("directions.pt", "net.weights.h5", "app.weights.h5", "model.keras", "trunk.h5"),
    *("manifest.json", "results.json", "backup"),
)
# Those in which every bit counts and is checked.
CHECKED = {"images.zip", "images.npz", "labelled.npz", "checkpoint.pt", "directions.pt"}
CHECKED |= {"model.keras", "backup"}
SECRET = b"what lies in another file " * 40
LARGE = (2**31 - 1, 2**32 - 1, 2**31, 2**24, 10**9, 2**16, 0)
EXTRA_MEMORY = 200e6
RANDOM = ("flip", "flips", "cut", "lie", "block")
SECONDS = 120  # for one file


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bytes", type=int, default=10_000_000, help="of random files in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS, metavar="KIND")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return work(options)
    counts = {kind: new_count() for kind in options.kinds}
    failures = []
    for kind in options.kinds:
        share = options.bytes // len(options.kinds)
        for result in results_of(kind, share, options.seed):
            add(counts[kind], kind, result, failures)
        print(row(kind, counts[kind]), flush=True)
    total = new_count()
    for count in counts.values():
        for name, value in count.items():
            total[name] = max(total[name], value) if name == "memory" else total[name] + value
    print(f"{HEADER}\n{row('all', total)}\n")
    for failure in failures[:30]:
        print(failure)
    print(f"{len(failures)} failures; seed {options.seed}")
    return 1 if failures else 0


COLUMNS = ("files", "bytes", "same", "other", "refused", "wrong error", "crash", "ran", "outside")
HEADER = f"{'kind':24}" + "".join(f"{name:>12}" for name in COLUMNS) + f"{'MB at most':>12}"


def new_count():
    return dict.fromkeys((*COLUMNS, "memory"), 0)


def row(kind, count):
    numbers = "".join(f"{count[name]:12,}" for name in COLUMNS)
    return f"{kind:24}{numbers}{count['memory'] / 1e6:12.0f}"


def add(count, kind, result, failures):
    count["files"] += 1
    count["bytes"] += result["bytes"]
    count[result["outcome"]] += 1
    count["ran"] += bool(result["ran"])
    count["outside"] += bool(result["outside"])
    count["memory"] = max(count["memory"], result["memory"])
    reasons = []
    if result["outcome"] in ("wrong error", "crash"):
        reasons.append(f"{result['outcome']}: {result['error']}")
    if result["outcome"] == "other" and kind in CHECKED:
        reasons.append("other numbers, in spite of a checksum")
    if result["ran"] or result["outside"]:
        reasons.append(f"ran {result['ran']}, opened {result['outside']}")
    if result["memory"] > result["allowed"]:
        reasons.append(f"{result['memory'] / 1e6:.0f} MB")
    failures.extend(f"{kind} {result['name']}: {reason}" for reason in reasons)


def results_of(kind, share, seed):
    """What became of the files of a kind; a process that dies is started again after the file."""
    first = 0
    while True:
        command = [sys.executable, __file__, "--worker", f"{kind},{first}", "--seed", str(seed)]
        command += ["--bytes", str(share)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        begun = None
        for line in process.stdout:
            if not line.startswith("{"):
                continue
            result = json.loads(line)
            if "outcome" in result:
                first, begun = result["n"] + 1, None
                yield result
            else:
                begun = result
        if begun is None:
            if process.wait() != 0:
                raise SystemExit(f"the reader of {kind} did not work before any file was harmed")
            return
        first = begun["n"] + 1
        yield {**begun, "outcome": "crash", "error": f"exit status {process.wait()}"}


# What follows runs in the process that reads.


def work(options):
    """Reads the files of a kind, from number `first` on, and prints a line of JSON for each."""
    kind, first = options.worker.split(",")
    warnings.simplefilter("ignore")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="hostile-")).resolve()
    try:
        (folder / "secret").write_bytes(SECRET)
        path, read = honest(kind, folder)
        content = path.read_bytes()
        watch = Watch(folder)
        expected = None
        for _ in range(2):  # The first time, modules are imported.
            watch.begin()
            expected = digest(read(path))
        needed = watch.memory()
        spent = n = 0
        for name, bad in files(kind, content, options.seed, folder):
            if name.split()[0] in RANDOM:
                if spent and spent + len(bad) > max(options.bytes, 5 * len(content)):
                    break
                spent += len(bad)
            if n >= int(first):
                restore(path, bad)
                begun = {"n": n, "name": name, "bytes": len(bad), "ran": [], "outside": []}
                begun |= {"memory": 0, "allowed": 2 * needed + EXTRA_MEMORY}
                say(begun)
                signal.alarm(SECONDS)
                watch.begin()
                found = outcome(read, path, expected)
                signal.alarm(0)
                memory, (ran, outside) = watch.memory(), watch.end()
                say({**begun, **found, "ran": ran, "outside": outside, "memory": memory})
                restore(path, content)
            n += 1
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def say(content):
    sys.__stdout__.write(json.dumps(content) + "\n")
    sys.__stdout__.flush()


def restore(path, content):
    path.unlink(missing_ok=True)  # A file that is still mapped stays as it was.
    path.write_bytes(content)


def outcome(read, path, expected):
    try:
        found = read(path)
    except ValueError as error:
        named = path.name in str(error) or str(path.parent) in str(error)
        kind = "refused" if named else "wrong error"
        return {"outcome": kind, "error": f"ValueError: {str(error)[:300]}"}
    except BaseException as error:
        return {"outcome": "wrong error", "error": f"{type(error).__name__}: {str(error)[:300]}"}
    if SECRET[:26] in b"".join(x.tobytes() for x in found if x is not None):
        return {"outcome": "wrong error", "error": "gave out what lies in another file"}
    return {"outcome": "same" if digest(found) == expected else "other", "error": ""}


def digest(arrays):
    found = hashlib.sha256()
    for array in arrays:
        if array is not None:
            found.update(f"{array.shape} {array.dtype}".encode() + array.tobytes())
    return found.hexdigest()


class Watch:
    """What a reader starts and opens, and the memory that it takes."""

    def __init__(self, folder):
        library = pathlib.Path(__file__).resolve().parents[2]
        roots = [folder, library, sys.prefix, sys.base_prefix, "/proc", "/sys", "/dev", "/usr"]
        import keras

        roots += [pathlib.Path(keras.__file__).parents[1], "/etc", "/lib", "/tmp/torchinductor_"]
        self._roots = tuple(str(root) for root in roots)
        self._active, self._ran, self._outside = False, [], []
        sys.addaudithook(self._see)

    def begin(self):
        self._active, self._ran, self._outside = True, [], []
        self._before = resident("VmRSS")
        try:  # The highest so far is from now on.
            pathlib.Path("/proc/self/clear_refs").write_text("5")
        except OSError:
            self._before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

    def memory(self):
        return max(0, resident("VmHWM") - self._before)

    def end(self):
        self._active = False
        return self._ran, self._outside

    def _see(self, event, arguments):
        if not self._active:
            return
        if event in ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"):
            self._ran.append(event)
        elif event in ("pickle.find_class", "socket.connect", "ctypes.dlopen"):
            self._ran.append(f"{event} {arguments[:2]}"[:200])
        elif event == "exec":
            file = getattr(arguments[0], "co_filename", "")
            if not file.startswith((*self._roots, "<")):
                self._ran.append(f"code of {file}")
        elif event == "open" and isinstance(arguments[0], (str, bytes)):
            file = os.path.abspath(os.fsdecode(arguments[0]))
            is_secret = os.path.basename(file) == "secret"
            if is_secret or not file.startswith((*self._roots, tempfile.gettempdir())):
                self._outside.append(file)


def resident(name):
    """A line of the memory of this process, in bytes."""
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith(name):
                return 1024 * int(line.split()[1])
    return 0


def files(kind, content, seed, folder):
    """(name, bytes) of hostile files without end: those made to harm, then random ones."""
    yield from made_to_harm(kind, content, folder)
    n = 0
    while True:
        rng = random.Random(f"{seed} {kind} {n}")
        how = rng.choice((*RANDOM, "flip", "flip", "cut", "lie"))
        bad = bytearray(content)
        if how in ("flip", "flips"):
            for _ in range(1 if how == "flip" else rng.randint(2, 50)):
                bad[rng.randrange(len(bad))] ^= 1 << rng.randrange(8)
        elif how == "cut":
            del bad[rng.randrange(len(bad)) :]
        elif how == "lie":
            if content[:1] in b"{[":
                number = str(rng.choice((*LARGE, 2**70, "NaN", "null", '"x"', "[]", "{}")))
                at = rng.randrange(len(bad))
                bad[at : at + rng.randint(0, 4)] = number.encode()
            else:
                order, size = rng.choice("<>"), rng.choice("IHQ")
                number = rng.choice(LARGE) % 2 ** (8 * struct.calcsize(order + size))
                # Sizes stand at the beginning, and in zip files at the end.
                near = rng.choice((rng.randrange(len(bad)), rng.randrange(min(200, len(bad)))))
                at = rng.choice((near, len(bad) - 1 - near))
                number = struct.pack(order + size, number)
                bad[at : at + len(number)] = number
        else:
            at, length = rng.randrange(len(bad)), rng.randint(1, 400)
            piece = bad[rng.randrange(len(bad)) :][:length] if rng.random() < 0.7 else b""
            bad[at : at + (length if rng.random() < 0.5 else 0)] = piece
        yield f"{how} {n}", bytes(bad)
        n += 1


def honest(kind, folder):
    """A whole file of a kind, and the function that reads it: from a path to arrays."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import numpy as np
    from PIL import Image

    from keras_disentangle import datasets

    rng = np.random.default_rng(0)
    smooth = np.add.outer(np.arange(40), np.arange(48)) * 2
    colours = np.stack([smooth, smooth[::-1], 255 - smooth], axis=-1) % 256
    colours = (colours + rng.integers(0, 8, colours.shape)).clip(0, 255).astype(np.uint8)
    (folder / "files").mkdir()
    path = folder / "files" / (kind if "." in kind else f"1.{kind}")
    if kind in ("pair.png", "background.png") or "." not in kind and kind != "backup":
        suffix = {"jpg": "JPEG", "tif": "TIFF"}.get(kind, path.suffix[1:].upper())
        picture = Image.fromarray(colours)
        if kind == "background.png":
            picture = picture.resize((80, 70))
        exif = Image.Exif()
        exif[0x0112] = 6
        options = {"exif": exif} if suffix in ("PNG", "JPEG", "WEBP") else {}
        picture.save(path, suffix, **options)
        if kind == "pair.png":
            return path, lambda path: datasets.load_paired_images(path.parent)
        if kind == "background.png":
            return path, lambda path: [
                datasets.DSpritesVariant("scream", background=path).images([0, 99])
            ]
        return path, lambda path: [datasets.load_images(path.parent)[0]]
    if kind == "images.zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for i in range(4):
                stream = io.BytesIO()
                Image.fromarray(np.roll(colours, i, axis=1)).resize((12, 12)).save(stream, "PNG")
                archive.writestr(f"train/{'ab'[i % 2]}/{i}.png", stream.getvalue())
        return path, lambda path: list(datasets.load_images(path))
    if kind == "images.npz":
        images = rng.integers(0, 256, (20, 8, 8, 3), dtype=np.uint8)
        np.savez_compressed(path, x_train=images, y_train=np.arange(20))
        return path, lambda path: list(datasets.load_images(path))
    if kind == "labelled.npz":
        images, factors = rng.random((12, 8, 8)), np.indices((3, 4)).reshape(2, 12).T
        np.savez(path, images=images, factors=factors, factor_names=["hue", "size"])

        def read_labelled(path):
            data = datasets.load_labelled_images(path)
            return [data.images([0, 11]), data.factors(range(12))]

        return path, read_labelled
    return honest_of_others(kind, path, rng)


def honest_of_others(kind, path, rng):
    import h5py
    import keras
    import numpy as np

    import keras_disentangle as kd
    from keras_disentangle import datasets
    from keras_disentangle.datasets import _original_dsprites, shapes3d

    keras.utils.set_random_seed(0)
    if kind == "dsprites.npz":
        sizes = (3, 2, 2, 1, 1)
        images = rng.integers(0, 2, (12, 64, 64), dtype=np.uint8)
        classes = np.concatenate([np.zeros((12, 1)), np.indices(sizes).reshape(5, 12).T], axis=1)
        np.savez_compressed(path, imgs=images, latents_classes=classes.astype(int))
        names = ("shape", "scale", "orientation", "x_position", "y_position")
        return path, lambda path: [
            _original_dsprites.from_file(path, sizes, names).images(range(12))
        ]
    if kind.startswith("3dshapes"):
        shapes3d._SIZES = sizes = (2, 2, 1, 1, 2, 1)  # so that a file has 100 kB and not 5 GB
        images = rng.integers(0, 256, (8, 64, 64, 3), dtype=np.uint8) // 64
        labels = np.indices(sizes).reshape(6, 8).T.astype(float)
        if kind.endswith(".npz"):
            np.savez_compressed(path, images=images, labels=labels)
        else:
            with h5py.File(path, "w") as file:
                file.create_dataset(
                    "images", data=images, compression="gzip", chunks=(2, 64, 64, 3)
                )
                file["labels"] = labels
        return path, lambda path: [
            datasets.Shapes3D.from_file(path).images([7, 0]),
            datasets.Shapes3D.from_file(path, in_memory=True).images([7, 0]),
        ]
    if kind.startswith("norb"):
        return honest_norb(kind, path, rng)
    if kind in ("checkpoint.pt", "old.pt", "directions.pt", "checkpoint.safetensors"):
        return honest_checkpoint(kind, path)
    if kind == "results.json":
        from keras_disentangle.applications._shared.runs import read_run
        from keras_disentangle.applications.info_gan.application import APPLICATION

        path = path.parent / "results.json"
        history = {"information_c1": [0.1, 0.2], "steps": [10, 20], "loss": [1.0, 0.5]}
        settings = {"categorical": 10, "preset": "mnist", "seed": 0}
        path.write_text(json.dumps({"settings": settings, "history": history, "backend": "torch"}))

        def read_json(path):
            # What is read of results goes on to be drawn; what is asked here is that it is JSON.
            from keras_disentangle._files import read_json

            try:
                read_run(APPLICATION, path.parent)
            except ValueError as error:
                if "results.json" not in str(error):
                    raise
            return [np.frombuffer(json.dumps(read_json(path)).encode(), np.uint8)]

        return path, read_json
    inputs = keras.Input((6, 6, 1))
    x = keras.layers.Conv2D(4, 3, activation="relu")(inputs)
    network = keras.Model(inputs, keras.layers.Dense(8)(keras.layers.Flatten()(x)))
    weights = lambda model: [np.array(x) for x in model.get_weights()]  # noqa: E731
    if kind == "net.weights.h5":
        network.save_weights(path)

        def read_weights(path):
            kd.metrics.ImageFeatures(network, weights=path)
            return weights(network)

        return path, read_weights
    if kind == "model.keras":
        from keras_disentangle.applications._shared.files import load_model

        network.save(path)
        return path, lambda path: weights(load_model(path))
    if kind == "trunk.h5":
        from keras_disentangle.applications.discriminative_vae import hed_trunk

        network.save_weights(path.with_name("trunk.weights.h5"))
        os.replace(path.with_name("trunk.weights.h5"), path)

        def read_trunk(path):
            try:
                hed_trunk.convert(path, path.with_name("out.weights.h5"))
            except ValueError as error:  # The real one has 59 MB.
                if "convolutions. Received: 0" not in str(error) and path.name not in str(error):
                    raise
            with kd._weights_files.open_hdf5(path) as file:
                kd._weights_files.check_finite(file)
            return []

        return path, read_trunk
    if kind == "backup":
        from keras_disentangle.callbacks._backup_folder import BackupFolder

        folder = BackupFolder(path.parent / "backup")
        folder.open()
        folder.write({"epoch": 3, "names": ["a", "b"]}, [rng.random((20, 30)), np.arange(5)])
        folder.close()

        def read_backup(path):
            _, arrays = BackupFolder(path.parent).read()
            return arrays

        return next((path.parent / "backup").glob("backup-*")), read_backup
    return honest_application(kind, path, weights)


def honest_application(kind, path, weights):
    import keras_disentangle as kd
    from keras_disentangle.applications._shared import release

    settings = {"image_shape": [8, 8, 1], "rung_sizes": [2, 1], "networks": "small", "seed": 0}
    model = kd.applications.ProVLAE(**settings)
    release.ROOT = path.parent
    release.save_weights(model, "app", "ProVLAE", "tiny", settings)
    folder = path.parent / "app" / "weights"
    if kind == "app.weights.h5":

        def read_weights(path):
            release.Release("app", path).load(model)
            return weights(model)

        return folder / "tiny.weights.h5", read_weights

    def read_manifest(path):
        kd.applications.available_weights()
        release.Release("app", "tiny").load(model)
        return weights(model)

    return folder / "manifest.json", read_manifest


def honest_norb(kind, path, rng):
    import numpy as np

    from keras_disentangle import datasets
    from keras_disentangle.datasets import small_norb

    # Fewer toys, so that the files are small.
    small_norb._SIZES = sizes = (2, 2, 2, 3, 2)
    grid = np.indices(sizes).reshape(5, -1).T
    packed = ".gz" if kind.endswith(".gz") else ""
    for i, chunk in enumerate(small_norb._CHUNKS):
        rows = grid[grid[:, 1] == i].copy()
        rows[:, 3] *= 2
        matrices = {
            "cat": (rows[:, 0], "<i4"),
            "info": (rows[:, 1:], "<i4"),
            "dat": (rng.integers(0, 256, (len(rows), 2, 8, 8)), "u1"),
        }
        for name, (matrix, dtype) in matrices.items():
            head = [small_norb._TYPES[dtype], matrix.ndim, *matrix.shape, 1, 1]
            head = head[: 2 + max(3, matrix.ndim)]
            content = np.array(head, "<i4").tobytes() + matrix.astype(dtype).tobytes()
            file = path.parent / f"{chunk}-{name}.mat{packed}"
            file.write_bytes(gzip.compress(content) if packed else content)
    target = path.parent / f"{small_norb._CHUNKS[0]}-dat.mat{packed}"
    return target, lambda path: [datasets.SmallNORB(path.parent, image_size=8).images(range(48))]


def honest_checkpoint(kind, path):
    import torch

    from keras_disentangle.applications.biggan import checkpoint

    numbers = torch.Generator().manual_seed(0)
    tensors = {f"layers.{i}.weight": torch.randn((10, 20 + i), generator=numbers) for i in range(4)}
    tensors["half"] = torch.randn(30, generator=numbers).half()
    if kind == "directions.pt":
        torch.save(tensors["layers.0.weight"], path)
        return path, lambda path: [checkpoint.read_directions(path)]
    if kind.endswith(".safetensors"):
        from safetensors.torch import save_file

        save_file(tensors, path)
    else:
        torch.save(tensors, path, _use_new_zipfile_serialization=kind != "old.pt")

    def read(path):
        found = checkpoint.read_state_dict(path)
        return [found[name] for name in sorted(found)]

    return path, read


def made_to_harm(kind, content, folder):
    """(name, bytes) of files of a kind that are made to run something or take too much."""
    secret, work = folder / "secret", folder / "made"
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    if kind in KINDS[:9]:
        yield "postscript", postscript
        yield "large PNG", png(60_000, 60_000)
        yield "wide PNG", png(2**31 - 1, 1)
        yield "PNG within the limit", png(2**12, 2**11)
        yield (
            "large BMP",
            b"BM"
            + struct.pack("<IHHIIiiHHI", 54, 0, 0, 54, 40, 30_000, 30_000, 1, 24, 0)
            + bytes(20),
        )
        yield "large PPM", b"P6 50000 50000 255\n" + bytes(99)
        yield "large GIF", b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + bytes(99)
    if kind == "images.zip":
        for name in ("../1.png", "/etc/1.png", ".", "..", "a/../../1.png", "C:/1.png"):
            yield f"member {name}", zipped({name: png(8, 8)})
        yield "postscript", zipped({"1.png": postscript})
        yield (
            "13000 and 4999",
            zipped({"0.png": png(13_000, 13_000)} | {f"{i}.png": png(2, 2) for i in range(1, 200)}),
        )
        yield "zeros", zipped({"0.bmp": bytes(100_000_000)})
        yield "many zeros", zipped({f"{i}.webp": bytes(30_000_000) for i in range(20)})
        yield "many members", zipped({f"{i}.png": b"" for i in range(3000)})
    if kind.endswith(".npz"):
        import numpy as np

        for shape in ((2**40,), (2**20, 2**20, 2**20, 3), (2**62, 4), (-1, 3)):
            head = io.BytesIO()
            names = ("images", "imgs", "labels", "factors", "latents_classes", "x_train", "y_train")
            described = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_2_0(head, described)
            yield f"npz {shape}", zipped({f"{x}.npy": head.getvalue() + bytes(99) for x in names})
        yield "pickle", zipped({"images.npy": pickled_array(), "factors.npy": pickled_array()})
    if kind in ("3dshapes.h5", "net.weights.h5", "app.weights.h5", "trunk.h5", "model.keras"):
        for name, bad in hostile_hdf5(kind, content, secret, work):
            yield name, bad
    if kind.endswith(".pt"):
        import torch

        strided = io.BytesIO()
        torch.save({"a": torch.ones(1).expand(25_000, 25_000)}, strided)
        yield "stride 0", strided.getvalue()
        half = io.BytesIO()
        torch.save({"a": torch.ones(1).half().expand(25_000, 25_000)}, half)
        yield "half, stride 0", half.getvalue()
        many = io.BytesIO()
        one = torch.ones(10_000)
        torch.save({f"a{i}": one for i in range(2000)}, many)
        yield "one tensor, many times", many.getvalue()
        yield "pickle", b"cos\nsystem\n(S'touch /tmp/hostile'\ntR."
    if kind.endswith(".safetensors"):
        head = json.dumps({"a": {"dtype": "F32", "shape": [2**30, 2**10], "data_offsets": [0, 4]}})
        yield "large shape", struct.pack("<Q", len(head)) + head.encode() + bytes(4)
        yield "large header", struct.pack("<Q", 2**62) + bytes(40)
    if kind.endswith(".gz"):
        yield "zeros", gzip.compress(bytes(300_000_000))
        head = struct.pack("<6i", 0x1E3D4C55, 4, 24, 2, 2**15, 2**15)
        yield "large shape", gzip.compress(head + bytes(1000))
    if kind == "model.keras":
        yield from hostile_configs(content)
    if kind.endswith(".json"):
        yield "deep", b"[" * 200_000
        yield "digits", b"[" + b"9" * 10_000 + b"]"


def hostile_hdf5(kind, content, secret, work):
    import h5py
    import numpy as np

    weights = content
    if kind == "model.keras":
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        weights = members["model.weights.h5"]

    def external(file, name, old):
        file.create_dataset(name, old.shape, old.dtype, external=[(str(secret), 0, old.nbytes)])

    def virtual(file, name, old):
        layout = h5py.VirtualLayout(old.shape, old.dtype)
        layout[:] = h5py.VirtualSource(str(secret) + ".h5", "x", old.shape)
        file.create_virtual_dataset(name, layout)

    def link(file, name, old):
        file[name] = h5py.ExternalLink(str(secret) + ".h5", "/x")

    def soft(file, name, old):
        file[name] = h5py.SoftLink("/nowhere")

    def large(file, name, old):
        rank = len(old.shape)
        file.create_dataset(name, (2**14,) * rank, old.dtype, chunks=(64,) * rank)

    def chunks(file, name, old):
        rank = len(old.shape)
        sizes = (2**20, *(1,) * (rank - 1))
        file.create_dataset(name, old.shape, old.dtype, maxshape=(None,) * rank, chunks=sizes)

    def nan(file, name, old):
        file[name] = np.full(old.shape, np.nan)

    for change in (external, virtual, link, soft, large, chunks, nan):
        work.write_bytes(weights)
        with h5py.File(work, "a") as file:
            names = []
            file.visititems(lambda name, x: names.append(name) if getattr(x, "shape", ()) else None)  # noqa: B023
            old = file[names[0]]
            shape, dtype, nbytes = old.shape, old.dtype, old.nbytes
            del file[names[0]]
            change(file, names[0], argparse.Namespace(shape=shape, dtype=dtype, nbytes=nbytes))
        bad = work.read_bytes()
        if kind == "model.keras":
            bad = zipped({**members, "model.weights.h5": bad})
        yield f"HDF5 {change.__name__}", bad


def hostile_configs(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = members["config.json"].decode()
    for old, new in (
        ('"units": 8', '"units": 30000000'),
        ('"filters": 4', '"filters": 200000000'),
        ('"module": "keras.layers"', '"module": "os"'),
        ('"class_name": "Dense"', '"class_name": "Lambda"'),
    ):
        yield f"config {new}", zipped({**members, "config.json": config.replace(old, new)})
    yield "config zeros", zipped({**members, "config.json": " " * 200_000_000})
    yield "config deep", zipped({**members, "config.json": "[" * 200_000})


def zipped(members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def png(width, height):
    """A PNG that declares this size, and holds as much of it as one row of 8 MB at most."""

    def chunk(kind, content):
        sum_ = zlib.crc32(content, zlib.crc32(kind))
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", sum_)

    rows = bytes(min(2**23, (1 + 3 * min(width, 2**12)) * min(height, 2**11)))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def pickled_array():
    import numpy as np

    stream = io.BytesIO()
    np.save(stream, np.array([print, os.system], dtype=object), allow_pickle=True)
    return stream.getvalue()


if __name__ == "__main__":
    sys.exit(main())
