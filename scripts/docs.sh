#!/usr/bin/env bash
# Builds the documentation site from a fresh clone, into build/site: open build/site/index.html.
#
#   bash scripts/docs.sh     executes the tutorials that changed, makes the pages, checks them
#
# The network is only used to set up the environment. Broken links, tutorials that fail and public
# names without a page stop it.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/environment.sh

environment .venv-docs docs,tensorflow,jax

export NO_MKDOCS_2_WARNING=1
python scripts/docs/tutorials.py
python -m mkdocs build --config-file scripts/docs/mkdocs.yml
python scripts/docs/check_site.py build/site
echo "The site is in build/site."
