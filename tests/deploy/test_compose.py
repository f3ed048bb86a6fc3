"""The compose file: valid by its published schema, and nothing in it is open, unbounded, unpinned or missing."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from string import Template
from typing import Any

import pytest
import yaml

from monitor import __version__
from monitor.config import load
from monitor.links import Links
from tests.deploy.files import COMPOSE, DEPLOY, ROOT, compose, image, seconds_of
from tests.kafka.broker import LIBS, need_broker, shared_broker

SERVICES: dict[str, dict[str, Any]] = compose()["services"]
VOLUMES = compose()["volumes"]
OWN = ("monitor", "producer")

each_service = pytest.mark.parametrize("name", SERVICES)


def mounts(name: str) -> Iterator[tuple[str, str, str]]:
    for each in SERVICES[name].get("volumes", ()):
        source, target, *mode = each.split(":")
        yield source, target, mode[0] if mode else "rw"


def binds(name: str) -> Iterator[tuple[Path, str, str]]:
    return (((DEPLOY / source).resolve(), target, mode) for source, target, mode in mounts(name) if "/" in source)


def provisioned(kind: str) -> list[Path]:
    """Grafana's provisioning files of a kind."""
    (folder,) = (path for path, target, _ in binds("grafana") if target == "/etc/grafana/provisioning")
    found = sorted(path for path in (folder / kind).glob("*") if path.suffix in (".yaml", ".yml"))
    assert found, f"{folder}/{kind} has no file"
    return found


def test_the_published_schema_finds_nothing() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(COMPOSE)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_all_that_it_takes_is_there() -> None:
    assert set(SERVICES) == {"kafka", "monitor", "producer", "prometheus", "alertmanager", "grafana"}


class TestEachService:
    @each_service
    def test_its_image_is_pinned(self, name: str) -> None:
        assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", SERVICES[name]["image"])

    @each_service
    def test_what_it_mounts_is_in_the_project_and_read_only(self, name: str) -> None:
        for path, _, mode in binds(name):
            assert path.exists(), f"{path} is missing"
            assert path.is_relative_to(ROOT)
            assert mode == "ro"

    @each_service
    def test_the_files_that_its_command_names_are_mounted(self, name: str) -> None:
        folders = {target: path for path, target, _ in binds(name)}
        for word in SERVICES[name].get("command", ()):
            if found := re.search(r"(?:^|=)(/etc/.*)$", word):
                named = Path(found[1])
                folder = next(each for each in (named, *named.parents) if str(each) in folders)
                path = folders[str(folder)] / named.relative_to(folder)
                assert path.is_file(), f"{path} is missing"

    @each_service
    def test_what_it_keeps_is_in_a_named_volume(self, name: str) -> None:
        for source, _, _ in mounts(name):
            assert "/" in source or source in VOLUMES

    @each_service
    def test_it_is_reached_from_this_machine_only(self, name: str) -> None:
        for port in SERVICES[name].get("ports", ()):
            assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port)

    @each_service
    def test_it_may_do_no_more_than_it_must(self, name: str) -> None:
        service = SERVICES[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["user"].split(":")[0] not in ("", "0", "root")
        assert not {"privileged", "cap_add", "network_mode", "pid", "ipc", "devices"} & set(service)

    @each_service
    def test_it_is_bounded(self, name: str) -> None:
        service = SERVICES[name]
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory", "pids"}
        assert service["logging"]["options"].keys() >= {"max-size", "max-file"}
        assert seconds_of(service["stop_grace_period"]) > 0
        for each in service.get("tmpfs", ()):
            assert "size=" in each, "what is written there is memory"

    @each_service
    def test_it_is_asked_how_it_is(self, name: str) -> None:
        check = SERVICES[name].get("healthcheck", {})
        if name == "monitor":
            assert not check, "the image brings its own"
        elif name == "producer":
            assert check == {"disable": True}
        else:
            assert check["test"][0] == "CMD"
            assert {"interval", "timeout", "retries", "start_period"} <= set(check)

    @each_service
    def test_it_waits_for_what_can_be_waited_for(self, name: str) -> None:
        for other, how in SERVICES[name].get("depends_on", {}).items():
            assert how == {"condition": "service_healthy"}
            assert SERVICES[other].get("healthcheck") != {"disable": True}

    @each_service
    def test_it_holds_no_secret(self, name: str) -> None:
        said = json.dumps(SERVICES[name]).lower()
        assert not re.search(r"(passw|secret|token|api_?key)[a-z_]*\"?\s*[:=]", said)


def test_prometheus_does_not_wait_for_the_monitor_whose_absence_it_tells() -> None:
    assert "monitor" not in SERVICES["prometheus"].get("depends_on", {})


def test_all_volumes_and_networks_are_used() -> None:
    used = {source for name in SERVICES for source, _, _ in mounts(name)}
    assert set(VOLUMES) <= used
    assert {each for service in SERVICES.values() for each in service["networks"]} == set(compose()["networks"])


def test_brokers_without_passwords_are_not_published_and_alone_with_what_they_feed() -> None:
    feed = {name for name, service in SERVICES.items() if "feed" in service["networks"]}
    assert feed == {"kafka", *OWN}
    assert compose()["networks"]["feed"] == {"internal": True}
    assert SERVICES["kafka"]["networks"] == ["feed"]
    assert "ports" not in SERVICES["kafka"]


class TestKafka:
    def test_it_is_of_the_version_of_the_tests(self) -> None:
        namespace = "{http://maven.apache.org/POM/4.0.0}"
        found = ET.parse(DEPLOY / "kafka/pom.xml").findall(f".//{namespace}dependency")  # noqa: S314 - our own file
        versions = {
            each.findtext(f"{namespace}artifactId"): each.findtext(f"{namespace}version")
            for each in found
        }  # fmt: skip
        assert SERVICES["kafka"]["image"] == f"apache/kafka:{versions['kafka_2.13']}"

    def test_the_image_makes_properties_of_it_that_kafka_takes(self, tmp_path: Path) -> None:
        need_broker(own=True)
        shared_broker()  # its jars are there then
        (tmp_path / "final").mkdir()  # empty, as a new tmpfs is
        data = tmp_path / "data"
        environment = {**SERVICES["kafka"]["environment"], "KAFKA_LOG_DIRS": str(data)}
        java = f"{os.environ['JAVA_HOME']}/bin/java" if "JAVA_HOME" in os.environ else "java"
        mounted = next(path for path, target, _ in binds("kafka") if target == "/mnt/shared/config")
        done = subprocess.run(
            [
                *(java, "-cp", f"{LIBS}/*", "kafka.docker.KafkaDockerWrapper", "setup"),
                *("--default-configs-dir", str(tmp_path / "none")),
                *("--mounted-configs-dir", str(mounted)),
                *("--final-configs-dir", str(tmp_path / "final")),
            ],
            env={"PATH": os.environ["PATH"], **environment}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert (data / "meta.properties").exists(), "the storage is formatted"
        lines = (tmp_path / "final/server.properties").read_text(encoding="utf-8").splitlines()
        made = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
        assert made["listeners"] == "PLAINTEXT://:9092,CONTROLLER://127.0.0.1:9093"
        assert made["advertised.listeners"] == "PLAINTEXT://kafka:9092"
        assert made["auto.create.topics.enable"] == "true"  # of ours, which the producer relies upon
        assert made["log.retention.ms"] == "-1"  # what is played lies years back
        unknown = {"heap.opts", "log4j.root.loglevel"} & set(made)
        assert not unknown


class TestOurOwn:
    def test_image_and_user_are_those_of_the_dockerfile(self) -> None:
        for name in OWN:
            assert SERVICES[name]["image"] == f"market-stress-monitor:{__version__}"
            build = SERVICES[name]["build"]
            assert (DEPLOY / build["context"]).resolve() == ROOT
            assert (DEPLOY / build["context"] / build["dockerfile"]).exists()
            assert SERVICES[name]["user"] == image().last("USER")

    def test_the_settings_are_valid_and_of_this_compose_file(self) -> None:
        (path, target, _), = binds("monitor")  # fmt: skip
        assert SERVICES["monitor"]["command"] == ["run", "--config", target]
        settings = load(path)
        (source,) = settings.sources.values()
        assert source.kind == "kafka"
        _, _, url = SERVICES["producer"]["command"][:3]
        assert source.url == url
        advertised = SERVICES["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
        assert url.removeprefix("kafka://") == advertised.removeprefix("PLAINTEXT://")
        assert url.partition("://")[2].partition(":")[0] in SERVICES
        assert {str(settings.run.state)} == {to for volume, to, _ in mounts("monitor") if volume == "state"}
        assert str(settings.run.state) in image().command("VOLUME")

    def test_links_of_the_default_lead_to_what_is_published(self) -> None:
        (path, _, _), = binds("monitor")  # fmt: skip
        links = load(path).links
        assert Links(links.base_url, links.grafana_url) == Links(), "the rules that are mounted are of the default"
        assert f"{links.base_url.removeprefix('http://')}:9464" in SERVICES["monitor"]["ports"]
        assert f"{links.grafana_url.removeprefix('http://')}:3000" in SERVICES["grafana"]["ports"]

    def test_there_is_time_to_stop(self) -> None:
        (path, _, _), = binds("monitor")  # fmt: skip
        within = load(path).run.stop_within_seconds
        for name in OWN:
            assert seconds_of(SERVICES[name]["stop_grace_period"]) >= 2 * within

    def test_the_story_begins_where_the_settings_say(self) -> None:
        (path, _, _), = binds("monitor")  # fmt: skip
        kafka = tomllib.loads((DEPLOY / "monitor.kafka.toml").read_text(encoding="utf-8"))
        assert load(path).run.begin == kafka["run"]["begin"]


class TestGrafana:
    def test_nobody_is_let_in_by_a_password(self) -> None:
        environment = SERVICES["grafana"]["environment"]
        assert environment["GF_AUTH_ANONYMOUS_ENABLED"] == "true"
        assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
        assert environment["GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"] == "true"  # else there is admin, admin
        assert environment["GF_AUTH_BASIC_ENABLED"] == "false"

    def test_its_data_source_is_the_prometheus_of_this_file(self) -> None:
        environment = SERVICES["grafana"]["environment"]
        read = [yaml.safe_load(path.read_text("utf-8")) for path in provisioned("datasources")]
        urls = [Template(source["url"]).substitute(environment) for each in read for source in each["datasources"]]
        assert "http://prometheus:9090" in urls
        for url in urls:
            host, _, port = url.removeprefix("http://").partition(":")
            assert port in SERVICES[host]["ports"][0].split(":")

    def test_its_boards_are_where_they_are_looked_for(self) -> None:
        targets = {target: path for path, target, _ in binds("grafana")}
        read = [yaml.safe_load(path.read_text("utf-8")) for path in provisioned("dashboards")]
        for folder in [Path(provider["options"]["path"]) for each in read for provider in each["providers"]]:
            above = next(each for each in (folder, *folder.parents) if str(each) in targets)
            assert list((targets[str(above)] / folder.relative_to(above)).rglob("*.json")), f"{folder} has no board"

    def test_it_is_of_the_series_that_the_boards_are_for(self) -> None:
        assert SERVICES["grafana"]["image"].startswith("grafana/grafana:12.")


class TestPrometheus:
    def test_it_is_of_the_third_series(self) -> None:
        assert SERVICES["prometheus"]["image"].startswith("prom/prometheus:v3.")

    def test_what_it_scrapes_and_tells_are_services_at_their_ports(self) -> None:
        (named,) = (word for word in SERVICES["prometheus"]["command"] if word.startswith("--config.file="))
        settings = yaml.safe_load((DEPLOY / "prometheus" / Path(named).name).read_text(encoding="utf-8"))
        alone = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text(encoding="utf-8"))
        told = settings["alerting"]["alertmanagers"]
        for groups in (told, *(job["static_configs"] for job in settings["scrape_configs"])):
            for group in groups:
                for target in [t for each in group.get("static_configs", [group]) for t in each["targets"]]:
                    host, _, port = target.partition(":")
                    assert port in SERVICES[host]["ports"][0].split(":")
                    assert "watch" in SERVICES[host]["networks"]
        at_home = json.dumps(settings)
        for host, port in (("monitor", 9464), ("alertmanager", 9093), ("prometheus", 9090)):
            at_home = at_home.replace(f"{host}:{port}", f"127.0.0.1:{port}")
        assert json.loads(at_home) == alone, "but for its targets it is the one for a single machine"
