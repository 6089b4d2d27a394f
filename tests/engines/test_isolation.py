"""What a person tries from inside a session, on every engine (X1 to X3, invariants 1 to 3).

Every test tries for real and looks at what happened.
"""

import os

import pytest

from tests.engines.sessions import Sessions
from tests.engines.world import OURS, THEIRS, UIDS, folder, needs_root

pytestmark = pytest.mark.isolation
RAW = "~/Proposals/ours/raw"
#: An image may bring an empty home of its own.
IMAGE_USER = "daas"
PROCESSED = "~/Proposals/ours/processed"


@needs_root
async def test_a_session_is_the_person_with_her_groups(sessions: Sessions) -> None:
    """I3: the numbers of her account, and nothing of whoever runs the portal."""
    session = await sessions.open("pi", "ours")
    said = (await session.run("id -u; id -g; id -G; id -nG"))[1].splitlines()
    assert said[:2] == [str(UIDS["pi"])] * 2
    assert {int(group) for group in said[2].split()} == {UIDS["pi"], OURS, THEIRS}
    assert set(said[3].split()) == {"pi", "ours", "theirs"}
    made = sessions.world.top / "homes" / "pi" / "made"
    assert await session.run("echo x > ~/made") == (0, "")
    assert (made.stat().st_uid, made.stat().st_gid) == (UIDS["pi"], UIDS["pi"])


@needs_root
async def test_a_file_that_only_a_further_group_may_read_is_read_by_its_members_only(
    sessions: Sessions,
) -> None:
    """Groups count for what the kernel allows, not only for what `id` says."""
    for name, group in (("ours.h5", OURS), ("theirs.h5", THEIRS)):
        file = sessions.world.top / "data" / "ours" / "raw" / name
        file.write_text("counts")
        os.chown(file, 0, group)
        file.chmod(0o640)
    pi = await sessions.open("pi", "ours")
    assert await pi.run(f"cat {RAW}/ours.h5 {RAW}/theirs.h5") == (0, "countscounts")
    coproposer = await sessions.open("coproposer", "ours")
    assert await coproposer.run(f"cat {RAW}/ours.h5") == (0, "counts")
    assert (await coproposer.run(f"cat {RAW}/theirs.h5"))[0] != 0


async def test_raw_data_cannot_be_changed_by_any_means(sessions: Sessions) -> None:
    """D3: the bits would allow all of it."""
    session = await sessions.open("pi", "ours")
    assert await session.run(f"cat {RAW}/scan.h5") == (0, "raw of ours")
    for attempt in (
        f"echo x > {RAW}/new",
        f"echo x >> {RAW}/scan.h5",
        f"rm -f {RAW}/scan.h5",
        f"chmod 777 {RAW}",
        f"touch {RAW}/scan.h5",
        f"mv {RAW}/scan.h5 {RAW}/other.h5",
        f"mount -o remount,rw {RAW}",
        f"umount {RAW}",
        f"unshare -Ur sh -c 'mount -o remount,rw,bind {RAW} && echo x > {RAW}/new'",
        f"ln {RAW}/scan.h5 {PROCESSED}/link && echo x > $_",
    ):
        status, said = await session.run(attempt)
        assert status != 0, (attempt, said)
    kept = sessions.world.top / "data" / "ours" / "raw"
    assert [file.name for file in kept.iterdir()] == ["scan.h5"]
    assert (kept / "scan.h5").read_text() == "raw of ours"


async def test_processed_data_is_kept_when_the_session_has_ended(sessions: Sessions) -> None:
    """D4."""
    session = await sessions.open("pi", "ours")
    assert (await session.run(f"echo fit > {PROCESSED}/fit.txt"))[0] == 0
    await session.stop()
    session = await sessions.open("pi", "ours")
    assert await session.run(f"cat {PROCESSED}/fit.txt") == (0, "fit\n")


async def test_no_other_proposal_exists(sessions: Sessions) -> None:
    """X3: pi is a member of `theirs` too, but this session is for `ours`."""
    session = await sessions.open("pi", "ours")
    top = sessions.world.top
    assert await session.run("ls ~/Proposals") == (0, "ours\n")
    _, found = await session.run("find / -path /proc -prune -o -name '*theirs*' -print")
    assert "theirs" not in found.replace("Permission denied", "")
    for guess in (top, top / "data", top / "data" / "theirs" / "raw"):
        assert (await session.run(f"ls {guess}"))[0] != 0


async def test_without_a_proposal_the_folder_of_proposals_is_empty(sessions: Sessions) -> None:
    """D10."""
    session = await sessions.open("coproposer")
    assert await session.run("ls ~/Proposals/") == (0, "")
    assert (await session.run("touch ~/Proposals/x"))[0] != 0
    assert await session.run("pwd; cd ~/Examples && pwd -P") == (0, "/examples\n/examples\n")
    assert (await session.run("touch ~/Examples/x"))[0] != 0
    assert (await session.run("touch ~/mine"))[0] == 0


async def test_a_folder_that_is_in_the_way_of_a_link_is_left_as_it_is(sessions: Sessions) -> None:
    """An empty one was ours; whatever is in it is hers, and the session begins all the same."""
    home = sessions.world.top / "homes" / "pi"
    folder(home / "Proposals", UIDS["pi"], UIDS["pi"], 0o755)
    (home / "Proposals" / "mine").write_text("kept")
    session = await sessions.open("pi", "ours")
    assert await session.run("pwd; ls ~/Proposals") == (0, "/proposals/ours\nmine\n")
    await session.stop()
    (home / "Proposals" / "mine").unlink()
    session = await sessions.open("pi", "ours")
    assert await session.run("ls ~/Proposals") == (0, "ours\n")


async def test_a_link_in_the_place_of_the_proposals_leads_nobody_astray(sessions: Sessions) -> None:
    """She exchanges it for one of her own: nothing is mounted there, or made."""
    away = sessions.world.top / "away"
    folder(away, UIDS["pi"], UIDS["pi"], 0o755)
    (sessions.world.top / "homes" / "pi" / "Proposals").symlink_to(away)
    session = await sessions.open("pi", "ours")
    assert await session.run("pwd; cat raw/scan.h5") == (0, "/proposals/ours\nraw of ours")
    assert not list(away.iterdir())


async def test_other_peoples_homes_do_not_exist(sessions: Sessions) -> None:
    """X3."""
    session = await sessions.open("coproposer", "ours")
    homes = (await session.run("ls /home"))[1].split()
    assert set(homes) - {IMAGE_USER} == {"coproposer"}
    assert await session.run("cat ~/diary.txt") == (0, "diary of coproposer")
    assert "diary of pi" not in (await session.run("cat /home/*/diary.txt ~pi/diary.txt"))[1]


async def test_other_peoples_processes_do_not_exist(sessions: Sessions) -> None:
    """Nor those of the machine."""
    await sessions.open("pi", "ours")
    session = await sessions.open("coproposer", "ours")
    _, numbers = await session.run("ls /proc | grep -c '^[0-9]'")
    assert int(numbers) < 10
    assert (await session.run(f"test -e /proc/{os.getpid()}/root/etc"))[0] != 0
    _, environments = await session.run("cat /proc/[0-9]*/environ | tr '\\0' '\\n'")
    assert "token-of-coproposer" in environments
    assert "token-of-pi" not in environments


async def test_the_machines_secrets_cannot_be_read(sessions: Sessions) -> None:
    """No shadow file, no devices, no kernel memory; of an image's own nothing that says more."""
    session = await sessions.open("pi", "ours")
    for path in (
        "/etc/shadow",
        "/root",
        "/dev/mem",
        "/dev/kmsg",
        "/proc/1/root/etc/shadow",
        "/proc/kcore",
    ):
        # An empty device stands for what an engine hides: there is nothing in it.
        status, said = await session.run(f"cat {path} | grep -q . || ls {path}/")
        assert status != 0, (path, said)
    assert (await session.run("grep -c . /etc/passwd"))[1].strip() in {"2", "3"}
    assert (await session.run(f"ls {sessions.world.top}/run"))[0] != 0


async def test_the_session_has_no_rights_to_gain(sessions: Sessions) -> None:
    """Invariant 2: no root, no capability, no way to one."""
    session = await sessions.open("pi", "ours")
    _, status = await session.run("cat /proc/self/status")
    lines = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert int(lines["CapEff"], 16) == int(lines["CapPrm"], 16) == int(lines["CapBnd"], 16) == 0
    assert lines["NoNewPrivs"] == "1"
    assert lines["Uid"].split()[0] != "0"
    for attempt in (
        "mknod ~/disk b 254 0",
        "chown 0:0 ~/diary.txt",
        "su -c id root",
        "mount -t tmpfs none /mnt",
        "hostname other",
        "cp /bin/sh ~/sh && chmod u+s ~/sh && ~/sh -pc 'test $(id -u) = 0'",
        "echo x > /usr/bin/x",
        "echo x > /etc/passwd",
    ):
        assert (await session.run(attempt))[0] != 0, attempt
    await session.run("kill -9 1")  # in a namespace of processes its first one is not killed
    assert await session.run("echo here") == (0, "here\n")


async def test_programs_find_what_they_need_of_a_machine(sessions: Sessions) -> None:
    """Shared memory for processes that work together, certificates to check."""
    session = await sessions.open("pi", "ours")
    pool = "import multiprocessing as m; print(sum(m.Pool(2).map(abs, [-1, -2])))"
    assert await session.run(f'python3 -c "{pool}"') == (0, "3\n")
    assert (await session.run("ls /etc/ssl/certs > /dev/null"))[0] == 0
    assert (await session.run("touch /var/tmp/x /tmp/x /dev/shm/x"))[0] == 0
    assert await session.run("stat -c %a $XDG_RUNTIME_DIR") == (0, "700\n")


async def test_the_session_says_its_name_and_not_the_machines(sessions: Sessions) -> None:
    """A prompt that a person recognises."""
    session = await sessions.open("pi", "ours")
    assert await session.run("hostname; whoami; umask") == (0, "probe-ours\npi\n0007\n")
