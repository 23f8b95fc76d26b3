"""Django settings by place: base (what never differs), local (one machine), test, production; lens (every LENS_* knob)."""
