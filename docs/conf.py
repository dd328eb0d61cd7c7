"""How Sphinx builds the pages; `make docs` runs it with every warning an error."""

project = "simonides"
author = "the simonides authors"
extensions = ["myst_parser"]
myst_heading_anchors = 3
html_theme = "alabaster"
html_title = "simonides"
html_show_copyright = False
html_copy_source = False
html_theme_options = {
    "description": "A memory for AI, in one file",
    "fixed_sidebar": True,
    "page_width": "1080px",
    "sidebar_width": "240px",
}
html_sidebars = {"**": ["about.html", "searchfield.html", "navigation.html"]}
exclude_patterns = ["_build"]
