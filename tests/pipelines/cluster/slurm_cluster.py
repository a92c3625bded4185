"""A SLURM of two nodes on this machine, its accounting included: the real programs."""

import getpass
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from tests.pipelines.cluster.toy import status

NODES = ("n1", "n2")
PROGRAMS = ("munged", "mariadb-install-db", "mariadbd", "slurmdbd", "slurmctld", "slurmd", "sbatch")
MUNGE_FILES = ("key", "log", "pid", "seed")
SECONDS_TO_START = 60
SECONDS_TO_END = 60

DATABASE = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost=localhost
DbdPort={ports[dbd]}
SlurmUser={user}
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={ports[mariadb]}
StorageUser=root
StorageLoc=slurm
PidFile={folder}/dbd.pid
"""
CONTROLLER = """\
ClusterName=test
SlurmctldHost=localhost
SlurmctldPort={ports[controller]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket,cred_expire=5
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
AccountingStoragePort={ports[dbd]}
AccountingStoragePass={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/%n
SlurmctldPidFile={folder}/controller.pid
SlurmdPidFile={folder}/%n.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
GresTypes=gpu
SchedulerParameters=sched_interval=2,bf_interval=2
ReturnToService=2
SlurmdTimeout=5
KillWait=5
SlurmdParameters=config_overrides
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
NodeName=DEFAULT CPUs=8 RealMemory=64000
NodeName=n1 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[n1]}
NodeName=n2 NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[n2]}
NodeName=big NodeHostname=localhost NodeAddr=127.0.0.1 Port={ports[big]} Gres=gpu:2 State=DOWN
PartitionName=all Nodes=n[1-2] Default=YES State=UP
PartitionName=urgent Nodes=n[1-2] PriorityTier=2 State=UP
PartitionName=gpu Nodes=big State=UP
"""


class SlurmCluster:
    """The cluster's processes, which end with this one.

    Two nodes take jobs; a third, with GPUs, is down, so that jobs wait for it.
    """

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="slurm-"))
        self.environment = {
            "SLURM_CONF": str(self.folder / "slurm.conf"),
            "MUNGE_SOCKET": str(self.folder / "munge.socket"),
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        names = ("mariadb", "dbd", "controller", *NODES, "big")
        ports = dict(zip(names, free_ports(len(names)), strict=True))
        words = {"folder": self.folder, "ports": ports, "user": getpass.getuser()}
        (self.folder / "state").mkdir()
        self._write("munge.key", secrets.token_hex(64))
        self._write("slurmdbd.conf", DATABASE.format(**words))
        self._write("slurm.conf", CONTROLLER.format(**words))
        self._write("gres.conf", "NodeName=big Name=gpu Count=2\n")
        self._start_database(ports["mariadb"])
        self._start("slurmdbd", "slurmdbd", "-D")
        self._wait_for(["sacctmgr", "-n", "list", "cluster"])
        self._start("slurmctld", "slurmctld", "-D")
        for node in NODES:
            self.start_node(node)
        self._wait_for(["srun", "--nodes=2", "true"])

    def start_node(self, node: str) -> None:
        """The node's daemon."""
        self._start(node, "slurmd", "-D", "-N", node)

    def lose_node(self, node: str) -> None:
        """Kill the node's daemons first and then its jobs, of whose end none is left to tell."""
        jobs = self._of_jobs(node)
        parents = {int(status(process)[1]) for process in jobs}
        keepers = [process for process in parents if name_of(process) == "slurmstepd"]
        for process in [self._processes.pop(node).pid, *keepers, *jobs]:
            os.kill(process, signal.SIGKILL)

    def call(self, *command: str) -> str:
        """What one of SLURM's commands prints; jobs leave their output in the cluster's folder."""
        environment = os.environ | self.environment
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True)
        return done.stdout.decode()

    def stop(self) -> None:
        """End every process, and remove what they wrote."""
        for process in reversed(self._processes.values()):
            process.terminate()
            process.wait(SECONDS_TO_END)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start_database(self, port: int) -> None:
        data, socket_file = self.folder / "db", self.folder / "munge.socket"
        self._start(
            "munged",
            "munged",
            "--foreground",
            "--force",
            f"--socket={socket_file}",
            *(f"--{name}-file={self.folder}/munge.{name}" for name in MUNGE_FILES),
        )
        install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--skip-test-db"]
        user = f"--user={getpass.getuser()}"
        without_password = "--auth-root-authentication-method=normal"
        subprocess.run([*install, user, without_password], check=True, capture_output=True)
        self._start(
            "mariadbd",
            "mariadbd",
            "--no-defaults",
            user,
            f"--datadir={data}",
            f"--port={port}",
            f"--socket={self.folder}/db.socket",
            "--bind-address=127.0.0.1",
        )
        deadline = time.monotonic() + SECONDS_TO_START
        while not answers(port):
            assert time.monotonic() < deadline, "the database does not answer"
            time.sleep(0.1)

    def _start(self, name: str, *command: str) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", *command],
                env=os.environ | self.environment,
                stdout=log,
                stderr=log,
            )

    def _write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text)
        (self.folder / name).chmod(0o600)

    def _wait_for(self, command: list[str]) -> None:
        environment = os.environ | self.environment
        deadline = time.monotonic() + SECONDS_TO_START
        while subprocess.run(command, env=environment, capture_output=True).returncode:
            assert time.monotonic() < deadline, f"{command[0]} fails; see {self.folder}"
            time.sleep(0.2)

    def _of_jobs(self, node: str) -> list[int]:
        """Processes that the node's jobs began."""
        wanted = {f"SLURMD_NODENAME={node}", f"SLURM_CONF={self.folder}/slurm.conf"}
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                variables = (process / "environ").read_text(errors="replace").split("\0")
                if wanted <= set(variables):
                    found.append(int(process.name))
        return found


def installed() -> bool:
    """Whether this machine has all of SLURM."""
    return all(shutil.which(program) for program in PROGRAMS)


def free_ports(count: int) -> list[int]:
    """Ports of this machine at which nothing listens."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def name_of(process: int) -> str:
    """Of its program."""
    return Path(f"/proc/{process}/comm").read_text().strip()


def answers(port: int) -> bool:
    """Whether something listens there."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0
