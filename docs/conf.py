"""How the handbook is built: `make docs`. Nothing is fetched, neither while building nor while reading."""

project = "SigmaPilot Lens"
author = "The SigmaPilot Lens authors"
copyright = "the SigmaPilot Lens authors"

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
# The rest of the repository is linked to as it lies there.
suppress_warnings = ["myst.xref_missing"]

html_theme = "furo"
html_title = "SigmaPilot Lens"
html_static_path = ["_static"]
html_css_files = ["handbook.css"]
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}
exclude_patterns = ["_build"]
