"""ZeroGPU: a Space there has a GPU only inside a decorated call. Anywhere else nothing changes."""

from collections.abc import Callable

SECONDS = 60  # of a GPU that one call may ask for; its drawing takes a few, the judges' first reading the rest


def on_gpu(handler: Callable) -> Callable:
    """`handler`, function or generator, with a GPU for each of its calls; itself where `spaces` is not installed.

    On ZeroGPU a call runs in a forked process: arguments, results and errors are pickled on their way. So a handler
    takes plain values, not gradio's events, and is guarded before it is decorated: only a `gr.Error` keeps its words.
    """
    try:
        import spaces
    except ModuleNotFoundError:
        return handler
    return spaces.GPU(duration=SECONDS)(handler)
