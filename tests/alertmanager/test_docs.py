"""What docs/alerting.md tells users to write."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from monitor.generate.alertmanager import PAGER, settings
from monitor.generate.facts import Facts
from tests.prometheus.tools import alerts, lay_out, need, run

PAGE = (Path(__file__).parents[2] / "docs/alerting.md").read_text()


def block(language: str) -> str:
    """The first block of code of a language."""
    [first, *_] = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    return str(first)


def test_alertmanager_takes_the_example_receivers(tmp_path: Path) -> None:
    config = lay_out(tmp_path) / "deploy/alertmanager/alertmanager.yml"
    made = yaml.safe_load(config.read_text())
    given = yaml.safe_load(block("yaml"))["receivers"]
    names = {each["name"] for each in given}
    assert names < {each["name"] for each in made["receivers"]}
    made["receivers"] = [each for each in made["receivers"] if each["name"] not in names] + given
    config.write_text(yaml.safe_dump(made))
    checked = run(need("amtool"), "check-config", config)
    assert checked.returncode == 0, checked.stdout


def test_the_example_message_is_one_that_the_rules_make() -> None:
    message = json.loads(block("json"))
    [told] = message["alerts"]
    [rule] = [
        rule for rule in alerts()
        if (rule["alert"], rule["labels"]["severity"]) == (told["labels"]["alertname"], told["labels"]["severity"])
    ]  # fmt: skip
    assert rule["labels"].items() <= told["labels"].items()
    assert set(rule["annotations"]) == set(told["annotations"])
    assert rule["annotations"]["runbook_url"] == told["annotations"]["runbook_url"]
    assert message["receiver"] == PAGER
    [*_, market] = settings(Facts())["route"]["routes"]
    assert list(message["groupLabels"]) == market["group_by"]
