"""``ding-cls serve``."""

import argparse
import os

from ding_cls.cli.arguments import Verbs, add_allow_code, add_confidence, add_debug, add_threshold, add_tta
from ding_cls.common.process import launched_world_size
from ding_cls.errors import ConfigError

_MODULES = ("starlette", "uvicorn", "python_multipart", "prometheus_client")


def add_verbs(verbs: Verbs) -> None:
    """Enter this module's verbs."""
    serve = verbs.add_parser(
        "serve",
        help="predictions over HTTP, and a page to try them on",
        description="Answer POST /predict with what a trained network says of the images in it, until Ctrl-C "
        "or SIGTERM.",
        epilog="Example: ding-cls serve runs/flowers --port 8080",
    )
    serve.set_defaults(verb=_serve)
    serve.add_argument(
        "words",
        nargs="+",
        metavar="CKPT",
        help="a run's folder, or a file in its ckpt/, or several of them for their mean; or an ONNX file",
    )
    serve.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="default 127.0.0.1")
    serve.add_argument("--port", type=int, default=8000, metavar="N", help="default 8000; 0: a free one")
    serve.add_argument(
        "--token",
        metavar="TEXT",
        help="what each request must hold in Authorization: Bearer; any host but the loopback needs one; "
        "by default the environment variable DING_CLS_TOKEN",
    )
    serve.add_argument("--topk", type=int, default=5, metavar="K", help="classes of each image; 5")
    add_tta(serve)
    add_confidence(serve)
    add_threshold(serve)
    serve.add_argument(
        "--workers", type=int, default=1, metavar="N", help="processes, each with a network; 1"
    )
    serve.add_argument("--batch-size", type=int, default=4, metavar="N", help="images per batch at most; 4")
    add_allow_code(serve)
    add_debug(serve)


def _serve(arguments: argparse.Namespace) -> int:
    if launched_world_size() > 1:
        raise ConfigError("serve starts its own processes: --workers N; start it without a launcher")
    from ding_cls.serve.settings import TOKEN_VARIABLE, ServeSettings

    settings = ServeSettings(
        host=arguments.host,
        port=arguments.port,
        token=os.environ.get(TOKEN_VARIABLE) if arguments.token is None else arguments.token,
        name=", ".join(os.path.basename(os.path.normpath(word)) for word in arguments.words),
        topk=arguments.topk,
        workers=arguments.workers,
        max_batch=arguments.batch_size,
    )
    try:
        from ding_cls.serve.server import ServedModel, serve
        from ding_cls.serve.workers import serve_by_workers
    except ImportError as error:
        if (error.name or "").partition(".")[0] not in _MODULES:
            raise
        raise ConfigError(
            f"serve needs {error.name}, which is not installed: pip install 'ding_cls[serve]'; for an ONNX "
            "file, without torch: pip install starlette uvicorn python-multipart prometheus-client"
        ) from error
    names = ("threshold", "calibrated", "max_risk", "tta", "allow_code")
    model = ServedModel(arguments.words, **{name: getattr(arguments, name) for name in names})
    return (serve_by_workers if settings.workers > 1 else serve)(model, settings)
