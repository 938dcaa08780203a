"""What there is: applications, their recipes, and bundled weights with their scores."""

from keras_disentangle.applications._shared import registry
from keras_disentangle.applications._shared.parsers import JSON, Parser, output
from keras_disentangle.applications._shared.release import manifests
from keras_disentangle.applications._shared.tables import flat


def show(arguments):
    """Lists the applications, their models and recipes, and bundled weights with their scores."""
    options = Parser("list", show.__doc__, JSON).read(arguments)
    with output(options) as put:
        found = catalogue()
        put(found, _text(found))


def catalogue():
    """Dict from application to its models, recipes and weights."""
    bundled = {name: (title, entries) for name, title, entries in manifests()}
    found = {}
    for name in sorted({*registry.names(), *registry.names("convert.py")}):
        title, entries = bundled.get(name, (None, {}))
        application = registry.find(name) if name in registry.names() else None
        found[name] = {
            "factory": application.title if application else title,
            "models": list(application.variants) if application else [],
            "recipes": sorted(application.recipes) if application else [],
            "weights": {
                key: {"scores": entry.get("scores", {}), "recipe": entry.get("recipe")}
                for key, entry in sorted(entries.items())
            },
        }
    return found


def _text(found):
    lines = []
    for name, content in found.items():
        lines.append(name + (f", kd.applications.{content['factory']}" * bool(content["factory"])))
        for what in ("models", "recipes"):
            if content[what]:
                lines.append(f"  {what:8} {', '.join(content[what])}")
        for key, entry in content["weights"].items():
            scores = shown(name, entry["scores"])
            lines.append(f"  weights  {key}" + (f": {scores}" if scores else ""))
    return "\n".join(lines)


def shown(name, scores):
    """Those scores of an application's weights that have a column, on one line."""
    if not scores or name not in registry.names():
        return ""
    application = registry.find(name)
    values = flat(application.headline(scores))
    return "; ".join(
        f"{column.title} {column.cell(values[key])}"
        for key, column in application.columns.items()
        if key in values
    )
