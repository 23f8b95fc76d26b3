"""The yardstick for the gateway's cost: settings that serve, beside the product, a bare DRF view inserting one row."""

from lens_project.settings.local import *  # noqa: F403

ROOT_URLCONF = "bench.bare_urls"
