"""A study of several methods: which strength of each is taken, what comes out, and its page."""

import json
import statistics

import keras_disentangle as kd
from keras_disentangle.applications._shared.calls import in_batches, to_float
from keras_disentangle.applications._shared.tables import Column, markdown, table
from keras_disentangle.visualization import information_matrix, score_points

_SCORES = {
    "mig": "MIG",
    "mig_sup": "MIG-sup",
    "dci_disentanglement": "DCI",
    "factor_vae": "FactorVAE",
    "info_modularity": "InfoM",
    "info_compactness": "InfoC",
    "info_explicitness": "InfoE",
}
COLUMNS = {name: Column(title, 3) for name, title in _SCORES.items()}
_DIGITS = {**dict.fromkeys(_SCORES, 3), "reconstruction": 1, "seconds": 0}
_TITLES = {**_SCORES, "reconstruction": "reconstruction [nats]", "seconds": "seconds"}


def reconstruction(model, images, index):
    """-log p(x|z) in nats of images, each given its own code, averaged; of posteriors the means.

    Args:
        images: function from indices to uint8 images.
        index: the indices of some.
    """

    def loss(part):
        x = to_float(images(part))
        return -model.log_likelihood(x, model.represent(x))

    return float(in_batches(loss, index).astype("float64").mean())


def compare(application, runs, images, factors, factor_names):
    """What `Application.compare` returns.

    A kind of run is a method with its settings; its runs differ in their seeds. UDR compares the
    codes of runs of a kind, so a kind needs two, and of each method the kind with the highest
    median is taken.

    Args:
        application: the `Application`.
        runs: list of `FinishedRun`.
        images: uint8 (n, h, w, c), which all models encode.
        factors, factor_names: of these images, (n, k), or `None`.
    """
    labels = _labels(runs)
    udr = _ranked(application, runs, images, labels)
    kinds = _kinds(runs, labels, udr)
    content = {
        "kinds": kinds,
        "udr_and_mig": _agreement(kinds),
        "runs": {run.name: run.results.get("scores") for run in runs},
    }
    pictures = _charts(kinds)
    if factors is not None:
        best = runs[max(range(len(runs)), key=lambda i: udr[i] or 0)]
        content["best"] = best.name
        codes, _ = kd.encode_images(best.load(application), lambda i: images[i], len(images))
        information = kd.metrics.mutual_information(codes, factors)
        pictures["information_matrix.png"] = information_matrix(information, factor_names)
    parts = [table(*_scores_of_chosen(kinds), "method"), table(*_choices(kinds), "method")]
    return content, "\n\n".join([*parts, *_sentences(content)]), pictures


def page(content, pictures):
    """The Markdown page of a comparison."""
    kinds = content["kinds"]
    settings = kinds[0]["settings"]
    head = (
        f"{settings['data']}, {'×'.join(map(str, settings['image_shape']))}, "
        f"{settings['latent_dim']} latents, {settings['steps']:,} steps. Of each method the "
        "strength with the highest median UDR, which looks at no factors. Means over seeds with "
        "95% intervals by Student's t."
    )
    return "\n\n".join(
        [
            "# Comparison",
            head,
            markdown(*_scores_of_chosen(kinds), "method"),
            "## All strengths",
            markdown(*_choices(kinds), "method"),
            *_sentences(content),
            *(f"![{name.removesuffix('.png').replace('_', ' ')}]({name})" for name in pictures),
        ]
    )


def _labels(runs):
    """The label of the kind of each run: the method and its strength, and a number where other
    settings differ too."""
    found = {}
    for run in runs:
        kind = run.results["model"], json.dumps(run.results["settings"], sort_keys=True)
        name = f"{kind[0]} {run.recipe.strength:g}"
        same = sum(known.split(", ")[0] == name for known in found.values())
        found.setdefault(kind, f"{name}, {same + 1}" if same else name)
        run.results["kind"] = found[kind]
    return [run.results.pop("kind") for run in runs]


def _ranked(application, runs, images, labels):
    """The UDR of each run; `None` where there is no other of its kind."""
    several = [i for i, label in enumerate(labels) if labels.count(label) > 1]
    scores = [None] * len(runs)
    if several:
        models = (runs[i].load(application) for i in several)
        groups = [labels[i] for i in several]
        found = kd.rank_models(models, lambda i: images[i], len(images), groups)
        for i, score in zip(several, found["udr"].tolist(), strict=True):
            scores[i] = score
    return scores


def _kinds(runs, labels, udr):
    """A dict for each kind, in the order of the runs."""
    found = {}
    for run, label, score in zip(runs, labels, udr, strict=True):
        results = run.results
        kind = found.setdefault(
            label,
            {
                "kind": label,
                "method": results["model"],
                "strength": run.recipe.strength,
                "settings": results["settings"],
                "seeds": [],
                "udr": [],
                "scores": {},
            },
        )
        kind["seeds"].append(results["seed"])
        kind["udr"].append(score)
        values = dict(results["scores"])
        if results["timed_steps"]:  # Of a resumed run those after the last interruption.
            values["seconds"] = results["seconds"] * results["steps"] / results["timed_steps"]
        for name in _DIGITS:
            if name in values:
                kind["scores"].setdefault(name, []).append(values[name])
    kinds = list(found.values())
    for method in {kind["method"]: None for kind in kinds}:
        own = [kind for kind in kinds if kind["method"] == method]
        best = max(map(_median_udr, own))
        for kind in own:
            kind["chosen"] = _median_udr(kind) == best
    return kinds


def _median_udr(kind):
    """Of a kind of one run, which has none, less than any."""
    return -1.0 if kind["udr"][0] is None else statistics.median(kind["udr"])


def _scores_of_chosen(kinds):
    """The rows and columns of the first table."""
    rows = {}
    for kind in kinds:
        if kind["chosen"]:
            scores = {
                name: interval(kind["scores"][name], _DIGITS[name]) for name in kind["scores"]
            }
            rows[kind["kind"]] = {"seeds": len(kind["seeds"]), **scores}
    return rows, {"seeds": Column("seeds"), **{n: Column(t) for n, t in _TITLES.items()}}


def _choices(kinds):
    """The rows and columns of the table of all strengths."""
    names = {"mig": "MIG", "mig_sup": "MIG-sup", "info_modularity": "InfoM"}
    rows = {}
    for kind in kinds:
        found = {n: statistics.mean(kind["scores"][n]) for n in names if n in kind["scores"]}
        udr = None if kind["udr"][0] is None else _median_udr(kind)
        rows[kind["kind"]] = {"udr": udr, **found, "chosen": "x" if kind["chosen"] else ""}
    columns = {name: Column(title, 3) for name, title in {"udr": "UDR", **names}.items()}
    return rows, {**columns, "chosen": Column("chosen")}


def interval(values, digits):
    """A mean with its 95% interval by Student's t, as text; of one value the value."""
    mean = statistics.mean(values)
    if len(values) == 1:
        return f"{mean:.{digits}f}"
    from scipy.stats import t

    half = t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / len(values) ** 0.5
    return f"{mean:.{digits}f} ± {half:.{digits}f}"


def _agreement(kinds):
    """Spearman's rank correlation of UDR and MIG over runs: of all methods, and of each."""
    from scipy.stats import spearmanr

    pairs = {"all": []}
    for kind in kinds:
        if kind["udr"][0] is not None and "mig" in kind["scores"]:
            found = list(zip(kind["udr"], kind["scores"]["mig"], strict=True))
            pairs["all"] += found
            pairs.setdefault(kind["method"], []).extend(found)
    agreement = {}
    for name, found in pairs.items():
        if len({x for x, _ in found}) > 1 and len({y for _, y in found}) > 1:
            agreement[name] = {"spearman": float(spearmanr(found)[0]), "runs": len(found)}
    return agreement


def _sentences(content):
    found = []
    if agreement := content["udr_and_mig"]:
        each = ", ".join(
            f"{name} {x['spearman']:z.2f} ({x['runs']})" for name, x in agreement.items()
        )
        found.append(f"Spearman's correlation of UDR and MIG over (so many) runs: {each}.")
    if "best" in content:
        found.append(f"The information matrix is that of {content['best']}.")
    return found


def _charts(kinds):
    def means(x, y):
        points = {}
        for kind in kinds:
            scores = {"udr": kind["udr"], **kind["scores"]}
            if None not in scores["udr"] or "udr" not in (x, y):
                if x in scores and y in scores:
                    place = statistics.mean(scores[x]), statistics.mean(scores[y])
                    points.setdefault(kind["method"], {})[f"{kind['strength']:g}"] = place
        return points

    pictures = {}
    for x, y, x_label, y_label in (
        ("mig", "mig_sup", "MIG", "MIG-sup"),
        ("udr", "mig", "UDR", "MIG"),
        ("reconstruction", "mig", "reconstruction error [nats]", "MIG"),
    ):
        if points := means(x, y):
            labels = {"x_label": x_label, "y_label": y_label, "size": (6.4, 4.8)}
            pictures[f"{x}_and_{y}.png"] = score_points(points, **labels)
    return pictures
