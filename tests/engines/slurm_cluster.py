"""A real Slurm on loopback: munge, a controller and nodes of its own, without systemd and without touching /etc."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

NEEDED = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "runuser")
NODES = ("n1", "n2")

CONFIGURATION = """
ClusterName=loop
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/munge.sock,cred_expire=10
CredType=cred/munge
MailProg=/bin/true
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/run/spool-%n
SlurmctldPidFile={folder}/run/slurmctld.pid
SlurmdPidFile={folder}/run/slurmd-%n.pid
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/slurmd-%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
ReturnToService=2
SlurmdTimeout=30
InactiveLimit=0
MinJobAge={remembers}
KillWait=5
{accounting}
"""
NO_ACCOUNTING = "JobAcctGatherType=jobacct_gather/none\nAccountingStorageType=accounting_storage/none"
# sacct finds munge by AccountingStoragePass, and by nothing else.
ACCOUNTING = """
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={port}
AccountingStoragePass={folder}/munge/munge.sock
JobAcctGatherType=jobacct_gather/linux
"""
ACCOUNTANT = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge/munge.sock
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={port}
SlurmUser=root
LogFile={folder}/log/slurmdbd.log
PidFile={folder}/run/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database}
StorageUser=slurm
StoragePass=slurm
StorageLoc=slurm_acct_db
"""


def why_not(needed: tuple[str, ...] = NEEDED) -> str:
    """What this machine lacks for a Slurm of its own, or ""."""
    lacking = [name for name in needed if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]
    if lacking:
        debian = "slurm-wlm munge; for accounting slurmdbd mariadb-server"
        return f"no Slurm to start here: {', '.join(lacking)} missing (Debian: {debian})"
    return "" if os.geteuid() == 0 else "starting a Slurm of one's own takes root"


def _open_files(pid: int) -> list[Path]:
    """What a process has open; nothing of one that has ended."""
    try:
        return [path.readlink() for path in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:
        return []


@dataclass(frozen=True)
class SlurmCluster:
    """Two nodes with two processors each. ``folder``'s path is short: sockets have short names."""

    folder: Path
    port: int
    cpus: int = 2
    remembers: int = 300
    """Seconds for which the controller knows a job that has ended."""

    @property
    def conf(self) -> Path:
        return self.folder / "slurm.conf"

    def start(self, *, accounts: bool = False) -> None:
        for name in ("state", "log", "run", "munge"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o755)
        self._start_munge()
        accounting = ACCOUNTING.format(folder=self.folder, port=self.port + 91) if accounts else NO_ACCOUNTING
        host = socket.gethostname().split(".")[0]
        text = CONFIGURATION.format(
            host=host, port=self.port, folder=self.folder, accounting=accounting, remembers=self.remembers
        )
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 9 // 10 // 2**20
        for i, name in enumerate(NODES, 1):
            text += (
                f"NodeName={name} NodeHostname={host} NodeAddr=127.0.0.1 Port={self.port + i} CPUs={self.cpus} "
                f"RealMemory={memory} State=UNKNOWN\n"
            )
        text += f"PartitionName=debug Nodes={','.join(NODES)} Default=YES MaxTime=INFINITE State=UP\n"
        self.conf.write_text(text)
        if accounts:
            self._start_accountant()
        self.run("/usr/sbin/slurmctld", "-c", "-f", str(self.conf))
        for name in NODES:
            self.start_node(name)
        self._wait_for_nodes()

    def start_node(self, name: str) -> None:
        (self.folder / "run" / f"spool-{name}").mkdir(exist_ok=True)
        self.run("/usr/sbin/slurmd", "-N", name, "-f", str(self.conf))

    def kill_node(self, name: str) -> None:
        """A node's crash: its daemon and the watchers of its jobs die at once; what they watched lives on."""
        own = (self.folder / "log" / f"slurmd-{name}.log").resolve()
        os.kill(int((self.folder / "run" / f"slurmd-{name}.pid").read_text()), signal.SIGKILL)
        listed = subprocess.run(["pgrep", "slurmstepd"], capture_output=True, text=True, check=False).stdout
        for watcher in map(int, listed.split()):
            if own in _open_files(watcher):  # and not another Slurm's on this machine
                os.kill(watcher, signal.SIGKILL)
        self.run("scontrol", "update", f"nodename={name}", "state=down", "reason=crashed")

    def revive(self, name: str) -> None:
        """Have a crashed node serve again: it registers, and is resumed unless that was enough."""
        self.start_node(name)
        subprocess.run(["scontrol", "update", f"nodename={name}", "state=resume"], env=self.environment, check=False)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "SLURM_CONF": str(self.conf), "PATH": f"{os.environ['PATH']}:/usr/sbin"}

    def run(self, *words: str) -> str:
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{words}: {done.stderr}"
        return done.stdout

    def stop(self) -> None:
        """Stop what was started here, by its pid files, and nothing else."""
        subprocess.run(["scancel", "--user=root"], env=self.environment, check=False)
        for path in (*self.folder.glob("run/*.pid"), self.folder / "munge" / "munged.pid"):
            try:
                os.kill(int(path.read_text()), signal.SIGTERM)
            except (FileNotFoundError, ProcessLookupError, ValueError):
                continue

    def _start_munge(self) -> None:
        """munged takes only a folder and a key that belong to its own user."""
        own = self.folder / "munge"
        (own / "munge.key").write_bytes(os.urandom(128))
        self.run("chown", "-R", "munge:munge", str(own))
        own.chmod(0o755)
        (own / "munge.key").chmod(0o400)
        places = {
            "key-file": "munge.key",
            "socket": "munge.sock",
            "pid-file": "munged.pid",
            "log-file": "munged.log",
            "seed-file": "munged.seed",
        }
        options = [f"--{option}={own / name}" for option, name in places.items()]
        self.run("runuser", "-u", "munge", "--", "/usr/sbin/munged", "--force", "--num-threads=2", *options)

    def _start_accountant(self) -> None:
        """slurmdbd, on a MariaDB of its own that listens on loopback."""
        own, database = self.folder / "mysql", self.port + 90
        own.mkdir()
        self.run(
            "mariadb-install-db",
            *("--user=root", "--auth-root-authentication-method=normal", f"--datadir={own}/data", "--skip-test-db"),
        )
        self.run(
            *("sh", "-c", 'exec "$@" >/dev/null 2>&1 &', "sh"),
            *("/usr/sbin/mariadbd", "--no-defaults", "--user=root", f"--datadir={own}/data", f"--socket={own}/s.sock"),
            *(f"--pid-file={self.folder}/run/mariadbd.pid", "--bind-address=127.0.0.1", f"--port={database}"),
            *("--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900", f"--log-error={own}/err.log"),
        )
        ask = ("mariadb", "--no-defaults", "-uroot", f"--socket={own}/s.sock", "-e")
        self._until(*ask, "select 1")
        rights = "grant all on slurm_acct_db.* to 'slurm'@'{}' identified by 'slurm';"
        self.run(*ask, f"create database slurm_acct_db; {rights.format('localhost')} {rights.format('127.0.0.1')}")
        conf = self.folder / "slurmdbd.conf"
        conf.write_text(ACCOUNTANT.format(folder=self.folder, port=self.port + 91, database=database))
        conf.chmod(0o600)
        self.run("/usr/sbin/slurmdbd")
        self._until("sacctmgr", "-n", "-i", "show", "cluster")
        self.run("sacctmgr", "-i", "add", "cluster", "loop")

    def _until(self, *words: str) -> None:
        """Say it until it succeeds."""
        deadline = time.monotonic() + 60
        while subprocess.run(words, env=self.environment, capture_output=True, check=False).returncode:
            assert time.monotonic() < deadline, f"{words} does not succeed"
            time.sleep(0.2)

    def _wait_for_nodes(self) -> None:
        deadline = time.monotonic() + 30
        while self.run("sinfo", "-h", "-N", "-o", "%T").split() != ["idle"] * len(NODES):
            assert time.monotonic() < deadline, "the nodes did not come up"
            time.sleep(0.1)
