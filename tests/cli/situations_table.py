"""The table: situations in which ``doctor`` is held against what a job then does. Each stands for its kind."""

from __future__ import annotations

from tests.cli.situations import (
    CHOSEN,
    NOWHERE,
    OFFLINE,
    SHORT,
    UTILS,
    Situation,
    all_of,
    exporters,
    folder,
    link,
    netrc,
    settings_file,
    write,
)
from tests.delivery.server import KEY, closed_port

_ENTRY = "login user password KEY"
_OWN = "ONE_LOGGER_V1_PYTHON"


def _key(text: str) -> Situation:
    return Situation({"WANDB_API_KEY": text})


def _netrc(text: str, name: str = ".netrc", mode: int = 0o600, **environ: str) -> Situation:
    return Situation(dict(environ), netrc(text, name, mode), key=False)


def _useless(text: str, **environ: str) -> Situation:
    """No key for the server: the runs are offline, which is no error."""
    return Situation(dict(environ), netrc(text), key=False, wanted=OFFLINE)


def _token(name: str, text: str = "", **more: str) -> Situation:
    return Situation({"WANDB_IDENTITY_TOKEN_FILE": name, **more}, write("token", text), key="WANDB_API_KEY" in more)


def _mode(text: str, wanted: str = OFFLINE) -> Situation:
    return Situation({"WANDB_MODE": text}, wanted=wanted)


def _file(text: str, name: str = ".config/wandb/settings", **more: str) -> Situation:
    return Situation(prepare=settings_file(text, name), **more)  # type: ignore[arg-type]


def _url(text: str, **more: object) -> Situation:
    return Situation({"WANDB_BASE_URL": text}, **more)  # type: ignore[arg-type]


def _limit(name: str, text: str) -> Situation:
    return Situation({f"ONE_LOGGER_V1_{name}_TIMEOUT": text})


def _exporters(text: str) -> Situation:
    return Situation(prepare=exporters(text), job=UTILS)


def _interpreter(text: str, mode: int = 0o755) -> Situation:
    return Situation({_OWN: "HOME/own/python3"}, write("own/python3", text, mode), python="real")


def _v2(text: str) -> Situation:
    """A v2 that does that when it is imported."""
    package = write("lib/nv_one_logger/__init__.py", text)
    return Situation({"PYTHONPATH": "HOME/lib"}, package, job=UTILS, python="without v2")


KEYS = {
    "all is well": Situation(),
    "no key": Situation(key=False, wanted=OFFLINE),
    "a short key": _key("short"),
    "key in quotes": _key(f'"{KEY}"'),
    "key with a blank inside": _key(f"{KEY[:20]} {KEY[20:]}"),
    "key with a blank at its end": _key(f"{KEY} "),
    "key of an own server": _key(f"local-{KEY}"),
    "key with a letter that is none of ASCII": _key(f"{KEY[:-1]}\xe9"),
    "an empty key": Situation({"WANDB_API_KEY": ""}, wanted=OFFLINE),
    "an empty key, and one in netrc": Situation({"WANDB_API_KEY": ""}, netrc(f"machine HOST:PORT {_ENTRY}")),
    "key in the settings file": Situation(key=False, prepare=settings_file("api_key = KEY")),
    "key in the folder's settings file": Situation(key=False, prepare=settings_file("api_key = KEY", "wandb/settings")),
    "netrc": _netrc(f"machine HOST:PORT {_ENTRY}"),
    "netrc without the port": _useless(f"machine HOST {_ENTRY}"),
    "netrc with a scheme": _useless(f"machine http://HOST:PORT {_ENTRY}"),
    "netrc of another server": _useless(f"machine api.wandb.ai {_ENTRY}"),
    "netrc with a default": _netrc(f"machine api.wandb.ai login user password nothing\ndefault {_ENTRY}"),
    "netrc with several machines": _netrc(f"machine a {_ENTRY}\nmachine HOST:PORT\n  password KEY\n  login user\n"),
    "netrc in quotes": _netrc('machine "HOST:PORT" login user password "KEY"'),
    "netrc for all to read": _netrc(f"machine HOST:PORT {_ENTRY}", mode=0o666),
    "netrc that is broken": _useless(f"machine HOST:PORT {_ENTRY}\nnonsense"),
    "netrc without a password": _useless("machine HOST:PORT login user"),
    "netrc with a short key": _netrc("machine HOST:PORT login user password short"),
    "netrc of bytes": Situation(key=False, prepare=netrc("machine \udcff")),
    "netrc that is a folder": Situation(key=False, prepare=folder(".netrc"), wanted=OFFLINE),
    "netrc elsewhere": _netrc(f"machine HOST:PORT {_ENTRY}", "elsewhere", NETRC="HOME/elsewhere"),
    "netrc elsewhere that is missing": _useless(f"machine HOST:PORT {_ENTRY}", NETRC="HOME/missing"),
    "netrc with Windows' name": _netrc(f"machine HOST:PORT {_ENTRY}", "_netrc"),
    "netrc before the settings file": Situation(
        key=False, prepare=all_of(netrc("machine HOST:PORT login user password short"), settings_file("api_key = KEY"))
    ),
    "a token file that is missing": Situation({"WANDB_IDENTITY_TOKEN_FILE": "/no/such/token"}, key=False),
    "a token file that is empty": _token("HOME/token"),
    "a token file that is a folder": _token("HOME"),
    "a token file and a key": _token("HOME/token", "a.b.c", WANDB_API_KEY="KEY"),
}

SERVERS = {
    "a server in the settings file": Situation(server=False, prepare=settings_file("base_url = SERVER")),
    "a server in the folder's settings file": Situation(
        server=False, prepare=settings_file("base_url = SERVER", "wandb/settings")
    ),
    "a server with a trailing blank": _url("http://127.0.0.1:9 "),
    "a server with a trailing slash": _url("SERVER/"),
    "a server that is closed": _url(closed_port()),
    "a server that is no address": _url("nowhere"),
    "a server in capitals": _url("HTTP://HOST:PORT"),
    "a server with a port that is none": _url("http://HOST:port"),
    "a server that speaks no TLS": Situation({**SHORT, "WANDB_BASE_URL": "https://HOST:PORT"}),
    "a server with a query": _url("SERVER/?team=a"),
    "a server with a user and a password": _url("http://me:secretword@HOST:PORT"),
    "a server below a path": Situation(prefix="/wandb"),
    "a server that is not below its path": _url("SERVER/other", prefix="/wandb"),
    "a server that is unknown": _url("http://no-such-host.invalid"),
    "a server of pages": Situation(mode="html"),
    "a server of lists": Situation(mode="list"),
    "a server that hangs": Situation(dict(SHORT), mode="hang"),
    "a server that hangs up": Situation(dict(SHORT), mode="drop"),
    **{f"a server that has moved, {status}": Situation(mode=f"moved:{status}") for status in (302,)},
    "a server that refuses v1's entity": Situation(mode="entity:hwinf_dcm"),
    **{f"a server that answers {status}": Situation(mode=str(status))
       for status in (204, 301, 307, 401, 403, 404, 418)},
    **{f"a server that answers {status}": Situation(dict(SHORT), mode=str(status))
       for status in (429, 500)},
}  # fmt: skip

MODES = {
    "mode offline": _mode("offline"),
    "mode in capitals": _mode("OFFLINE"),
    "mode dryrun": _mode("dryrun"),
    "mode shared": _mode("shared", "online"),
    "an empty mode": _mode("", "online"),
    "mode with a blank": _mode("offline "),
    "a mode that there is not": _mode("sometimes", "online"),
    "mode disabled": _mode("disabled", NOWHERE),
    "mode disabled in capitals": _mode("Disabled"),
    "mode offline in the settings file": _file("mode = offline", wanted=OFFLINE),
    "mode in capitals in the settings file": _file("mode = OFFLINE"),
    "mode offline in the folder's settings file": _file("mode = offline", "wandb/settings", wanted=OFFLINE),
    "mode offline in .wandb's settings file": _file("mode = offline", ".wandb/settings", wanted=OFFLINE),
    "mode disabled in the settings file": _file("mode = disabled", wanted=NOWHERE),
    "mode online over the settings file": Situation({"WANDB_MODE": "online"}, settings_file("mode = offline")),
    "mode in the settings file, an empty variable": Situation(
        {"WANDB_MODE": ""}, settings_file("mode = offline"), wanted=OFFLINE
    ),
    "the folder's mode over the user's": Situation(
        prepare=all_of(settings_file("mode = offline"), settings_file("mode = online", "wandb/settings"))
    ),
}

FILES = {
    "a settings file with a percent sign": _file("notes = 50%"),
    "a settings file of bytes": _file("notes = \udcff"),
    "a settings file without a section": Situation(prepare=write(".config/wandb/settings", "mode = offline\n")),
    "a settings file with a byte order mark": Situation(
        prepare=write(".config/wandb/settings", "\ufeff[default]\nmode = offline\n")
    ),
    "a settings file that is a folder": Situation(prepare=folder(".config/wandb/settings")),
    "a settings file that leads nowhere": Situation(prepare=link(".config/wandb/settings", "/no/such/file")),
    "a settings file by a link": Situation(
        prepare=all_of(write("mine", "[default]\nmode = offline\n"), link(".config/wandb/settings", "../../mine")),
        wanted=OFFLINE,
    ),
    "a settings file with a value that is none": _file("console = sometimes"),
    "a settings file elsewhere": Situation(
        {"WANDB_CONFIG_DIR": "HOME/mine"}, settings_file("mode = offline", "mine/settings"), wanted=OFFLINE
    ),
    "the folder's settings file of bytes": Situation(prepare=write("wandb/settings", "\udcff\n")),
    "the script's folder has a settings file": Situation(
        prepare=settings_file("mode = offline", "wandb/settings"), folder="elsewhere"
    ),
    "a `wandb` folder with an odd name": Situation(prepare=write("wandb/\udce9", "")),
}

WHERE = {
    "all in variables": Situation(
        {"WANDB_ENTITY": "team", "WANDB_PROJECT": "mine", "WANDB_NAME": "night", "WANDB_TAGS": "one,two"}
    ),
    "all in the settings file": _file("entity = theirs\nproject = theirs\nrun_name = night\nrun_tags = one"),
    "tags that wandb refuses": Situation({"WANDB_TAGS": ""}),
    "a project that wandb refuses": Situation({"WANDB_PROJECT": "a/b"}),
    "an empty project": Situation({"WANDB_PROJECT": "", "WANDB_MODE": "offline"}, wanted=OFFLINE),
    "a project that the program names": Situation({"WANDB_PROJECT": "mine", "WANDB_NAME": "n"}, job=CHOSEN),
    "an empty entity": Situation({"WANDB_ENTITY": ""}),
    "an empty entity over the settings file": Situation({"WANDB_ENTITY": ""}, settings_file("entity = theirs")),
    "a run id of the user's": Situation({"WANDB_RUN_ID": "a/b", "WANDB_RESUME": "must"}),
    "a service of the user's": Situation({"WANDB_SERVICE": "nonsense"}),
    "a variable that wandb refuses": Situation({"WANDB_CONSOLE": "sometimes"}),
}

FOLDERS = {
    "a home that is missing": Situation({"HOME": "/no/such/folder"}),
    "a folder with a module of Python's name": Situation(prepare=write("json.py", "raise SystemExit(3)\n")),
    "a folder that is none": Situation({"WANDB_DIR": "/dev/null"}),
    "a folder that is to be made": Situation({"WANDB_DIR": "HOME/a/b"}),
    "a folder with a tilde": Situation({"WANDB_DIR": "~/a"}),
    "`wandb` leads nowhere": Situation(prepare=link("wandb", "/no/such/folder")),
    "`wandb` is a file": Situation(prepare=write("wandb", "")),
    "`wandb` is a link": Situation(prepare=all_of(folder("real"), link("wandb", "real"))),
    "`.wandb` is there": Situation(prepare=folder(".wandb")),
    "a temp folder that is missing": Situation({"TMPDIR": "/no/such/folder"}),
    "no folder and no temp folder": Situation(
        {"WANDB_DIR": "/dev/null", "TMPDIR": "HOME/none"}, folder=".", prepare=write("none", "")
    ),
    "a umask for nobody": Situation(umask=0o077),
    "a umask for everybody": Situation(umask=0),
}

OURS = {
    "connect limit soon": _limit("CONNECT", "soon"),
    "connect limit 0": _limit("CONNECT", "0"),
    **{f"init limit {text}": _limit("INIT", text) for text in ("0", "-5")},
    "init limit 0, offline": Situation({"ONE_LOGGER_V1_INIT_TIMEOUT": "0", "WANDB_MODE": "offline"}, wanted=OFFLINE),
    "finish limit 0": _limit("FINISH", "0"),
    "variables of earlier versions": Situation({"ONE_LOGGER_V1_DELIVERY": "inline", "ONE_LOGGER_V1_FORWARD": "job"}),
    "a variable that there is not": Situation({"ONE_LOGGER_V1_JORNAL": "0"}),
    "no journal is to stay": Situation({"ONE_LOGGER_V1_JOURNAL": "0"}),
    "inside of a worker": Situation({"ONE_LOGGER_V1_WORKER": "1"}),
    "switched off": Situation({"ONE_LOGGER_V1_DISABLED": "1"}),
    "warnings are errors": Situation({"PYTHONWARNINGS": "error"}, python="real"),
    "rank 3 of 4": Situation({"RANK": "3", "WORLD_SIZE": "4"}),
    "a rank that is no number": Situation({"RANK": "first"}),
    "an interpreter that is not there": Situation({_OWN: "/no/such/python"}),
    "an interpreter that is no Python": Situation({_OWN: "/bin/true"}),
    "an interpreter that is no program": _interpreter("#!/bin/sh\n", 0o600),
    "an interpreter that hangs": _interpreter("#!/bin/sh\nexec sleep 14\n"),
}

V2 = {
    "an exporter that is not there": _exporters("exporters:\n- {class_name: nobody.Has}\n"),
    "an exporter without a module": _exporters("exporters:\n- {class_name: Nobody}\n"),
    "an exporter of a module that has none": _exporters("exporters:\n- {class_name: json.Nobody}\n"),
    "an exporter without a name": _exporters("exporters:\n- {config: {}}\n"),
    "an exporter that is off": _exporters("exporters:\n- {class_name: nobody.Has, enabled: false}\n"),
    "an export configuration that is none": _exporters("a: b: c"),
    "an export configuration that is elsewhere": Situation(
        {"ONE_LOGGER_EXPORTER_CONFIG_PATH": "/no/such/file.yaml"}, job=UTILS
    ),
    "an exporter that raises at import": Situation(
        {"PYTHONPATH": "HOME/lib"},
        all_of(
            write("lib/raising.py", "raise RuntimeError('no')\n"), exporters("exporters:\n- {class_name: raising.It}\n")
        ),
        job=UTILS,
    ),
    "v2 raises": _v2("raise RuntimeError('broken')\n"),
    "v2 exits": _v2("raise SystemExit(3)\n"),
    "v2 is half there": _v2(""),
}

SITUATIONS: dict[str, Situation] = {**KEYS, **SERVERS, **MODES, **FILES, **WHERE, **FOLDERS, **OURS, **V2}

#: before each commit; the others in CI
FEW = ("all is well", "netrc without the port", "a token file that is missing", "a server of pages", "mode in capitals",
       "an empty entity over the settings file", "an exporter without a module", "`wandb` leads nowhere")  # fmt: skip
