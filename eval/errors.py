"""The one error that is meant for people, under the name that `eval` uses."""

from diffusion_core.errors import UserError

__all__ = ["UserError"]
