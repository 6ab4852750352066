"""The private names of v2 and of wandb that the package touches, and how each is renamed in a copy.

v2's stand in the package (``_v2/private.py``). wandb's stand here; ``tests/matrix/test_drift.py`` fails when the
worker's code uses one that is missing here, and when one that stands here is used no more.
"""

from __future__ import annotations

from dataclasses import dataclass

V2, WANDB = "nv_one_logger", "wandb"

#: how a name is renamed
IDENTIFIER = "identifier"  # wherever it stands as a whole word
MODULE = "module"  # the folder or file of that name, and the word wherever it stands
PROPERTY = "property"  # where it is defined only: elsewhere in the package it is a field of a protobuf message
GLOBAL = "global"  # what a module imports: ``import time as time_renamed``
TEXT = "text"  # in file names, folder names and messages
READ = "read"  # text that is looked for in W&B's logs and sources; a copy in Python cannot change it


@dataclass(frozen=True)
class Name:
    """``text`` in ``package``. ``file``: the one file that is changed; "" is all of them."""

    package: str
    text: str
    how: str = IDENTIFIER
    file: str = ""

    @property
    def label(self) -> str:
        """As the table shows it."""
        return f"{'v2' if self.package == V2 else 'wandb'}:{self.text}"


_V2_OTHERWISE = {
    "core.internal": Name(V2, "internal", MODULE),
    "time": Name(V2, "time", GLOBAL, "core/time.py"),
    "uuid": Name(V2, "uuid", GLOBAL, "core/span.py"),
}

#: private name of wandb -> what becomes of the run where wandb does not have it
WANDB_NAMES: dict[str, tuple[Name, str]] = {
    name.text: (name, otherwise)
    for name, otherwise in (
        (Name(WANDB, "wandb_setup", MODULE), "environment and documented defaults say where the run goes"),
        (Name(WANDB, "singleton"), "wandb.setup(), which may start a process"),
        (Name(WANDB, "wbauth", MODULE), "netrc is read as wandb did before 0.22, or by our own code"),
        (Name(WANDB, "sync_dir"), "the folder above run.dir"),
        (Name(WANDB, "starting_step", PROPERTY), "what is on disk says how many rows the server has"),
        (Name(WANDB, "update_from_env_vars"), "a refused variable is found when wandb.init raises"),
        (Name(WANDB, "_apply_env_vars"), "the same, up to wandb 0.18"),
        (Name(WANDB, "x_disable_stats"), "system metrics of the worker stand in the run"),
        (Name(WANDB, "_disable_stats"), "the same, up to wandb 0.18"),
        (Name(WANDB, "x_primary"), "wandb's default, which is the same"),
        (Name(WANDB, "x_skip_transaction_log"), "wandb's default, which is the same"),
        (Name(WANDB, "x_update_finish_state"), "wandb's default, which is the same"),
        (Name(WANDB, "x_proxies"), "a proxy that only this setting names is not known to the first question"),
        (Name(WANDB, "_proxies"), "the same, up to wandb 0.18"),
        (Name(WANDB, "x_extra_http_headers"), "a gateway's headers are not known to the first question"),
        (Name(WANDB, "_extra_http_headers"), "the same, up to wandb 0.18"),
        (Name(WANDB, "debug-internal.log", TEXT), "an upload that wandb has given up is found by asking the server"),
        (Name(WANDB, "filestream: fatal error", READ), "the same"),
        (Name(WANDB, "failed to init run", READ), "what wandb.init raises says alone whether the entity was refused"),
        (Name(WANDB, "cli", READ), "the sync command of a run of several folders does not say --append"),
        (Name(WANDB, "cli.py", READ), "the same"),
        (Name(WANDB, "--append", READ), "the same; newer versions need no such option"),
    )
}


_SETTINGS = "sdk/wandb_settings.py"

#: what wandb calls its folders and files on disk
LAYOUT = (
    Name(WANDB, "offline-run", TEXT, _SETTINGS),
    Name(WANDB, "run-{self.run_id}", TEXT, _SETTINGS),
    Name(WANDB, 'else "wandb', TEXT, _SETTINGS),  # the folder itself
)


def all_names() -> list[Name]:
    """v2's and wandb's."""
    from one_logger_v1_shim._v2.private import NAMES

    of_v2 = (_V2_OTHERWISE.get(name, Name(V2, name)) for name in NAMES)
    return [*of_v2, *(name for name, _ in WANDB_NAMES.values()), *LAYOUT]
