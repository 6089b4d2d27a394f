"""What a session's pod has beside its walls: folders, files, labels, a way to the hub (X1)."""

from dataclasses import replace
from pathlib import PurePosixPath

import pytest

from daas_model.apps import Machine
from daas_model.errors import StorageProblem
from daas_spawner.kubernetes.rendering import MOST_FILE_BYTES, Manifest, PodPlace, variables
from tests.spawner.kubernetes.manifests import VOLUMES, container_of, manifest, place, plan

Seen = dict[str, tuple[str, str, bool]]


def seen(pod: Manifest) -> Seen:
    """Return by each path in the session: claim or volume, folder of it, whether read-only."""
    claims = {
        one["name"]: one.get("persistentVolumeClaim", {}).get("claimName", one["name"])
        for one in pod["spec"]["volumes"]
    }
    return {
        one["mountPath"]: (claims[one["name"]], one.get("subPath", ""), one.get("readOnly", False))
        for one in container_of(pod)["volumeMounts"]
    }


def files(pod: Manifest) -> dict[str, str]:
    """Return the texts that the session sees, by their paths."""
    (volume,) = (one for one in pod["spec"]["volumes"] if one["name"] == "session")
    fields = {one["path"]: one["fieldRef"]["fieldPath"] for one in volume["downwardAPI"]["items"]}
    said = pod["metadata"]["annotations"]
    return {
        path: said[fields[name].removeprefix("metadata.annotations['").removesuffix("']")]
        for path, (volume_name, name, _) in seen(pod).items()
        if volume_name == "session" and name in fields
    }


OWN: Seen = {
    "/proposals": ("session", "frame", True),
    "/etc/passwd": ("session", "passwd", True),
    "/etc/group": ("session", "group", True),
    "/etc/nsswitch.conf": ("session", "nsswitch.conf", True),
    "/opt/daas/apps/pymca/icon.svg": ("session", "icon", True),
    "/tmp": ("tmp", "", False),
    "/var/tmp": ("var-tmp", "", False),
    "/dev/shm": ("shm", "", False),
    "/home/pi": ("homes", "pi", False),
    "/examples": ("examples", ".", True),
}
FOLDERS: dict[str, tuple[tuple[str, ...], Seen]] = {
    "no proposal": ((), {}),
    "one proposal": (
        ("p-1",),
        {
            "/proposals/p-1/raw": ("data", "p-1/raw", True),
            "/proposals/p-1/processed": ("data", "p-1/processed", False),
        },
    ),
    "two proposals": (
        ("p-1", "p-2"),
        {
            "/proposals/p-1/raw": ("data", "p-1/raw", True),
            "/proposals/p-1/processed": ("data", "p-1/processed", False),
            "/proposals/p-2/raw": ("data", "p-2/raw", True),
            "/proposals/p-2/processed": ("data", "p-2/processed", False),
        },
    ),
}


@pytest.mark.parametrize(("proposals", "folders"), FOLDERS.values(), ids=FOLDERS.keys())
async def test_a_session_sees_its_own_files_and_the_folders_of_its_plan(
    proposals: tuple[str, ...], folders: Seen
) -> None:
    assert seen(await manifest(plan("pymca", *proposals))) == {**OWN, **folders}


async def test_only_the_claims_that_are_needed_are_in_the_pod() -> None:
    volumes = {**VOLUMES, "scratch": PurePosixPath("/scratch")}
    pod = await manifest(plan("pymca", "p-1"), place(volumes=volumes))
    claims = [
        one.get("persistentVolumeClaim", {}).get("claimName") for one in pod["spec"]["volumes"]
    ]
    assert [claim for claim in claims if claim] == ["data", "examples", "homes"]
    assert all(
        volume.keys() <= {"name", "persistentVolumeClaim", "downwardAPI", "emptyDir"}
        for volume in pod["spec"]["volumes"]
    )


async def test_no_claim_is_mounted_whole() -> None:
    """Kubernetes binds a whole claim with all that is mounted in it, which would be writable."""
    volumes = {**VOLUMES, "homes": PurePosixPath("/nfs/home/pi")}
    pod = await manifest(plan("pymca", "p-1"), place(volumes=volumes))
    assert seen(pod)["/home/pi"] == ("homes", ".", False)
    mounts = container_of(pod)["volumeMounts"]
    assert all(mount["subPath"] for mount in mounts if mount["name"].startswith("claim-"))


async def test_a_claim_may_have_any_name_that_kubernetes_allows() -> None:
    long = "proposals.of.all.beamlines-" + 37 * "x"
    volumes = {long if name == "data" else name: top for name, top in VOLUMES.items()}
    pod = await manifest(plan("pymca", "p-1"), place(volumes=volumes))
    assert seen(pod)["/proposals/p-1/raw"] == (long, "p-1/raw", True)
    assert all(len(one["name"]) < 64 and "." not in one["name"] for one in pod["spec"]["volumes"])


async def test_a_folder_in_no_claim_is_a_sentence_and_its_path_is_for_the_log() -> None:
    volumes = {"homes": VOLUMES["homes"]}
    with pytest.raises(StorageProblem, match="no volume for a folder") as said:
        await manifest(plan("pymca", "p-1"), place(volumes=volumes))
    assert "/data" not in str(said.value)
    assert said.value.detail == "/data/p-1/raw lies in none of the engine's volumes"


async def test_a_session_knows_its_person_and_nobody_else() -> None:
    told = files(await manifest(plan("pymca", "p-1")))
    assert told["/etc/passwd"].splitlines()[1] == "pi:x:61001:61001::/home/pi:/bin/bash"
    assert "p-1:x:62001:pi" in told["/etc/group"].splitlines()
    assert len(told["/etc/passwd"].splitlines()) == 3


async def test_the_frame_has_a_folder_for_each_mount_and_nothing_to_read() -> None:
    pod = await manifest(plan("pymca", "p-1"))
    (volume,) = (one for one in pod["spec"]["volumes"] if one["name"] == "session")
    paths = [one["path"] for one in volume["downwardAPI"]["items"]]
    frame = [path.removeprefix("frame/") for path in paths if path.startswith("frame/")]
    assert frame == [".frame", "p-1/raw/.frame", "p-1/processed/.frame"]
    assert volume["downwardAPI"]["defaultMode"] == 0o444


ICONS = {
    "there is none": (place(icon=""), False),
    "it is too large": (place(icon="x" * (MOST_FILE_BYTES + 1)), False),
    "as large as may be": (place(icon="x" * MOST_FILE_BYTES), True),
    "too large in bytes": (place(icon="ä" * MOST_FILE_BYTES), False),
    "the apps are in a claim": (
        place(volumes={**VOLUMES, "apps": PurePosixPath("/opt/images")}),
        False,
    ),
}


@pytest.mark.parametrize(("at", "is_file"), ICONS.values(), ids=ICONS.keys())
async def test_the_apps_picture_is_a_file_of_the_pod_where_no_claim_has_it(
    at: PodPlace, is_file: bool
) -> None:
    pod = await manifest(plan(), at)
    assert ("/opt/daas/apps/pymca/icon.svg" in seen(pod)) is is_file
    assert ("/opt/daas/apps" in seen(pod)) is ("apps" in at.volumes)


async def test_the_home_has_links_to_what_lies_beside_it() -> None:
    """D5: the first program makes them, inside and as the person."""
    session = {one["name"]: one["value"] for one in container_of(await manifest(plan()))["env"]}
    assert session["DAAS_LINKS"] == "Proposals=/proposals Examples=/examples"
    assert (session["DAAS_FOLDER"], session["DAAS_LISTEN"]) == ("/examples", "8888")
    assert session["DAAS_MOST_PROCESSES"] == "1024"


async def test_no_variable_of_a_facility_replaces_one_of_the_session() -> None:
    facility = {"HOME": "/root", "JUPYTERHUB_API_TOKEN": "x", "LICENCE": "{username}@licence"}
    env = container_of(await manifest(plan(), environment=facility))["env"]
    session = {one["name"]: one["value"] for one in env}
    assert session["HOME"] == "/home/pi"
    assert session["JUPYTERHUB_API_TOKEN"] == "a-secret"
    assert session["LICENCE"] == "pi@licence"


async def test_what_looks_like_a_variable_of_the_cluster_reaches_the_app_as_it_is() -> None:
    """A cluster makes `$` of `$$`, and a variable's value of `$(NAME)`."""
    made = plan()
    odd = replace(
        made,
        argv=("sh", "-c", "echo $$ $(HOME) $HOME"),
        environment={**made.environment, "ODD": "$(HOME)"},
    )
    pod = await manifest(odd)
    assert container_of(pod)["args"] == ["sh", "-c", "echo $$$$ $$(HOME) $$HOME"]
    assert variables(odd)["ODD"] == "$$(HOME)"


def machine(**more: object) -> Machine:
    return Machine.parse("m", {"title": "M", "cpus": 1.5, "memory_gib": 2, **more})


async def test_a_session_gets_its_machine_and_no_more() -> None:
    settings = {"cpu_limit": 64, "mem_limit": "1T", "cpu_guarantee": 0.1}
    pod = await manifest(plan(machine=machine()), **settings)
    assert container_of(pod)["resources"] == {
        "limits": {"cpu": "1500m", "memory": str(2**31)},
        "requests": {"cpu": 0.1, "memory": str(2**31)},
    }
    assert "nodeSelector" not in pod["spec"] or pod["spec"]["nodeSelector"] == {}


async def test_a_machine_with_gpus_and_labels_chooses_its_node() -> None:
    made = plan(machine=machine(gpus=2, node_labels={"gpu": "a100"}))
    settings = {"node_selector": {"zone": "hall-2", "gpu": "old"}}
    pod = await manifest(made, **settings)
    resources = container_of(pod)["resources"]
    assert (resources["limits"]["nvidia.com/gpu"], resources["requests"]["nvidia.com/gpu"]) == (
        "2",
        "2",
    )
    assert pod["spec"]["nodeSelector"] == {"zone": "hall-2", "gpu": "a100"}


async def test_a_session_can_be_told_from_others() -> None:
    labels = {"daas.hub": "mine", "daas.network": "open", "cost-centre": "x7"}
    pod = await manifest(plan(), extra_labels=labels)
    told = pod["metadata"]["labels"]
    assert (told["daas.hub"], told["daas.session"], told["daas.network"]) == (
        "77aa",
        "5f1c",
        "none",
    )
    assert told["cost-centre"] == "x7"
    assert pod["metadata"]["name"] == "jupyter-pi-5f1c"


async def test_a_session_without_a_network_asks_no_name_server() -> None:
    settings = {"extra_pod_config": {"dnsPolicy": "ClusterFirst"}}
    pod = await manifest(plan(), **settings)
    assert pod["spec"]["dnsPolicy"] == "None"
    assert pod["spec"]["dnsConfig"] == {"nameservers": ["127.0.0.1"]}
    assert "hosts: files\n" in files(pod)["/etc/nsswitch.conf"]


async def test_a_session_with_a_network_asks_the_clusters_name_server() -> None:
    pod = await manifest(plan(), place(network="licences"))
    assert "dnsPolicy" not in pod["spec"]
    assert "hosts: files dns\n" in files(pod)["/etc/nsswitch.conf"]
    assert pod["metadata"]["labels"]["daas.network"] == "licences"


LICENCES = {"ip": "192.0.2.40", "hostnames": ["licence.facility.example"]}
HUB = {"ip": "10.0.0.7", "hostnames": ["hub.daas.svc"]}
ALIASES = {
    "the hub has a name": (place(), [], [HUB]),
    "the hub has an address only": (place(hub_address=""), [], []),
    "a facility names hosts, too": (place(), [LICENCES], [HUB, LICENCES]),
}


@pytest.mark.parametrize(("at", "given", "known"), ALIASES.values(), ids=ALIASES.keys())
async def test_a_session_knows_the_hub_without_a_name_server(
    at: PodPlace, given: list[object], known: list[object]
) -> None:
    settings = {"extra_pod_config": {"hostAliases": given}} if given else {}
    pod = await manifest(plan(), at, **settings)
    assert pod["spec"]["hostAliases"] == known


NOTICES = {
    "two minutes": (120, {}, {"preStop": {"sleep": {"seconds": 120}}}, 130),
    "none": (0, {}, {}, 10),
    "none, and a hook of the facility's": (
        0,
        {"preStop": {"exec": {"command": ["save"]}}},
        {"preStop": {"exec": {"command": ["save"]}}},
        10,
    ),
    "two minutes, and hooks of the facility's": (
        120,
        {"postStart": {"exec": {"command": ["hello"]}}, "preStop": {"exec": {"command": ["x"]}}},
        {
            "postStart": {"exec": {"command": ["hello"]}},
            "preStop": {"sleep": {"seconds": 120}},
        },
        130,
    ),
}


@pytest.mark.parametrize(
    ("seconds", "hooks", "lifecycle", "grace"), NOTICES.values(), ids=NOTICES.keys()
)
async def test_a_session_that_the_cluster_ends_has_time_only_where_there_is_a_notice(
    seconds: int, hooks: Manifest, lifecycle: Manifest, grace: int
) -> None:
    """S8."""
    pod = await manifest(plan(), place(notice_seconds=seconds), lifecycle_hooks=hooks)
    assert container_of(pod)["lifecycle"] == lifecycle
    assert pod["spec"]["terminationGracePeriodSeconds"] == grace


async def test_what_a_session_may_write_beside_its_folders_is_bounded() -> None:
    pod = await manifest(plan(), place(scratch_gib=0.5))
    sizes = {one["name"]: one["emptyDir"] for one in pod["spec"]["volumes"] if "emptyDir" in one}
    assert sizes == {
        "tmp": {"sizeLimit": "512Mi"},
        "var-tmp": {"sizeLimit": "512Mi"},
        "shm": {"medium": "Memory", "sizeLimit": str(2 * 2**30)},
    }


async def test_an_app_that_writes_beside_itself_may() -> None:
    made = plan()
    writable = replace(made, app=replace(made.app, writable_root=True))
    context = container_of(await manifest(writable))["securityContext"]
    assert context["readOnlyRootFilesystem"] is False
    assert context["capabilities"] == {"drop": ["ALL"]}


NAMES = {
    "Pymca P-1": "pymca-p-1",
    "--": "session",
    "Ä": "session",
    "a" * 70: "a" * 63,
    "a" * 62 + "--b": "a" * 62,
}


@pytest.mark.parametrize(("session", "hostname"), NAMES.items(), ids=NAMES.values())
async def test_the_prompt_of_a_shell_names_the_session(session: str, hostname: str) -> None:
    pod = await manifest(plan(), place(session=session))
    assert pod["spec"]["hostname"] == hostname
