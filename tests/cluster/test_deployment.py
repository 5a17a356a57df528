"""The files that start a Ray cluster: they parse, Ray takes them, versions in them are those of this tree."""

import re
import shlex
from pathlib import Path

import pytest
import typer
import yaml

from steelsight.cli import app
from steelsight.version import __version__

ROOT = Path(__file__).parents[2]
LABELS = {"app.kubernetes.io/part-of": "steelsight-ray"}


@pytest.fixture(scope="module")
def pinned():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


@pytest.fixture(scope="module")
def launcher():
    return yaml.safe_load((ROOT / "deploy" / "ray-cluster.yaml").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def manifests():
    text = (ROOT / "deploy" / "kuberay.yaml").read_text(encoding="utf-8")
    return {each["kind"]: each for each in yaml.safe_load_all(text)}


def pods(manifests):
    """Pod templates by what they are."""
    spec = manifests["RayCluster"]["spec"]
    (workers,) = spec["workerGroupSpecs"]
    return {
        "head": spec["headGroupSpec"]["template"],
        "workers": workers["template"],
        "scan": manifests["Job"]["spec"]["template"],
    }


def containers(manifests):
    return {name: pod["spec"]["containers"][0] for name, pod in pods(manifests).items()}


def test_every_named_version_is_that_of_this_tree(pinned, manifests):
    for name in ("ray-cluster.yaml", "kuberay.yaml"):
        text = (ROOT / "deploy" / name).read_text(encoding="utf-8")
        for found in re.findall(r"steelsight(?:\[\w+\]==|:)(\d[\w.]*)", text):
            assert found == __version__, name
        for package, found in re.findall(r"\b([\w-]+)==(\d[\w.]*)", text):
            assert found == pinned[package], name
    assert manifests["RayCluster"]["spec"]["rayVersion"] == pinned["ray"]
    images = {each["image"] for each in containers(manifests).values()}
    assert images == {f"REGISTRY/steelsight:{__version__}-cluster"}


# ---- the cluster launcher ----


def test_ray_takes_the_cluster_file(launcher, pinned):
    ray = pytest.importorskip("ray", reason="the extra [cluster] is not installed")
    from ray.autoscaler._private.util import prepare_config, validate_config

    assert ray.__version__ == pinned["ray"]
    prepared = prepare_config(launcher)
    validate_config(prepared)
    (kind,) = prepared["available_node_types"].values()
    workers = len(launcher["provider"]["worker_ips"])
    assert (kind["min_workers"], kind["max_workers"]) == (workers, workers)  # a scan asks for no nodes


def test_every_node_of_the_launcher_has_the_pinned_versions_and_the_token(launcher):
    mounts = launcher["file_mounts"]
    home = f"/home/{launcher['auth']['ssh_user']}"
    assert mounts[f"{home}/constraints.txt"] == "constraints.txt"
    assert mounts[f"{home}/.ray/auth_token"] == "~/.ray/auth_token"
    (install,) = [words for words in launcher["setup_commands"] if "pip install" in words]
    assert "-c ~/constraints.txt 'steelsight[cluster]" in install
    starts = [launcher["head_start_ray_commands"][-1], launcher["worker_start_ray_commands"][-1]]
    for start in starts:
        assert "RAY_AUTH_MODE=token" in start
        assert "RAY_USAGE_STATS_ENABLED=0" in start
    assert "--include-dashboard=false" in starts[0]
    assert "$RAY_HEAD_IP:6379" in starts[1]


@pytest.mark.parametrize("place", ["head_start_ray_commands", "worker_start_ray_commands"])
def test_the_options_of_ray_start_exist(launcher, place):
    pytest.importorskip("ray", reason="the extra [cluster] is not installed")
    check_ray_start(shlex.split(launcher[place][-1].partition("ray start ")[2]))


def check_ray_start(words):
    from ray.scripts.scripts import start

    known = {flag for each in start.params for flag in (*each.opts, *each.secondary_opts)}
    assert {word.partition("=")[0] for word in words if word.startswith("--")} <= known


# ---- Kubernetes ----


def test_only_the_pods_of_the_cluster_reach_each_other(manifests):
    spec = manifests["NetworkPolicy"]["spec"]
    assert spec["podSelector"] == {"matchLabels": LABELS}
    assert spec["policyTypes"] == ["Ingress"]
    assert spec["ingress"] == [{"from": [{"podSelector": {"matchLabels": LABELS}}]}]
    for pod in pods(manifests).values():
        assert LABELS.items() <= pod["metadata"]["labels"].items()


def test_ray_asks_for_its_token_and_has_no_dashboard(manifests):
    cluster, scan = manifests["RayCluster"], containers(manifests)["scan"]
    assert cluster["spec"]["authOptions"] == {"mode": "token"}
    head = cluster["spec"]["headGroupSpec"]
    assert head["serviceType"] == "ClusterIP"
    assert head["rayStartParams"]["include-dashboard"] == "false"
    env = {each["name"]: each for each in scan["env"]}
    assert env["RAY_AUTH_MODE"]["value"] == "token"
    secret = env["RAY_AUTH_TOKEN"]["valueFrom"]["secretKeyRef"]
    assert secret == {"name": cluster["metadata"]["name"], "key": "auth_token"}


def test_pods_have_limits_and_few_rights(manifests):
    for name, pod in pods(manifests).items():
        spec, container = pod["spec"], containers(manifests)[name]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        resources = container["resources"]
        assert set(resources["limits"]) == {"cpu", "memory"}
        assert resources["limits"] == resources["requests"]
        assert resources["limits"]["cpu"].isdigit()  # whole cores: as many workers
        mounted = {each["name"] for each in container["volumeMounts"]}
        assert mounted == {each["name"] for each in spec["volumes"]}


def test_probes_need_no_program_of_the_image_and_no_dashboard(manifests):
    """Where one is missing, KubeRay asks the dashboard's server by wget."""
    ports = {"head": 6379, "workers": 6380}
    for name, port in ports.items():
        container = containers(manifests)[name]
        for probe in ("readinessProbe", "livenessProbe"):
            assert container[probe]["tcpSocket"] == {"port": port}
    (workers,) = manifests["RayCluster"]["spec"]["workerGroupSpecs"]
    assert workers["rayStartParams"]["node-manager-port"] == "6380"
    assert workers["minReplicas"] == workers["replicas"] == workers["maxReplicas"]


def test_the_job_joins_the_cluster_and_runs_a_scan_that_exists(manifests):
    cluster, job = manifests["RayCluster"]["metadata"]["name"], manifests["Job"]["spec"]
    (line,) = containers(manifests)["scan"]["args"]
    start, scan = (shlex.split(words) for words in line.split("&&"))
    assert start[:2] == ["ray", "start"]
    assert f"--address={cluster}-head-svc:6379" in start
    assert "--num-cpus=0" in start
    assert scan[:3] == ["exec", "steelsight", "scan"]
    verb = typer.main.get_command(app).commands["scan"]
    verb.make_parser(typer.Context(verb)).parse_args(list(scan[3:]))
    assert {flag for flag in scan if flag.startswith("--")} <= {f for each in verb.params for f in each.opts}
    # Code 2 is final; every other end is tried again, and goes on.
    (rule,) = job["podFailurePolicy"]["rules"]
    assert (rule["action"], rule["onExitCodes"]["values"]) == ("FailJob", [2])
    assert job["template"]["spec"]["restartPolicy"] == "Never"


def test_ray_start_knows_the_options_of_the_manifests(manifests):
    pytest.importorskip("ray", reason="the extra [cluster] is not installed")
    spec = manifests["RayCluster"]["spec"]
    for group in (spec["headGroupSpec"], *spec["workerGroupSpecs"]):
        check_ray_start([f"--{name}" for name in group["rayStartParams"]])
    (line,) = containers(manifests)["scan"]["args"]
    check_ray_start(shlex.split(line.partition("&&")[0]))


def test_the_image_can_be_built_with_ray(manifests):
    docker = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    command = "docker build --build-arg EXTRAS=serve,cluster"
    assert command in docker
    assert command in (ROOT / "deploy" / "kuberay.yaml").read_text(encoding="utf-8")
    uid = manifests["RayCluster"]["spec"]["headGroupSpec"]["template"]["spec"]["securityContext"]["runAsUser"]
    assert f"USER {uid}:{uid}" in docker
