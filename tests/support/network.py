"""What a label selector selects, and what network policies allow between pods."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from typing import Any

Data = dict[str, Any]


def selects(selector: Data, labels: Data) -> bool:
    """Tell whether a label selector fits; an empty one fits everything."""
    exact = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    return exact and all(_fits(each, labels) for each in selector.get("matchExpressions", []))


def _fits(expression: Data, labels: Data) -> bool:
    key, values = expression["key"], expression.get("values", [])
    match expression["operator"]:
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case "In":
            return labels.get(key) in values
        case _:
            return labels.get(key) not in values


def may_reach(policies: list[Data], sender: Data, receiver: Data, port: int) -> bool:
    """Tell whether a pod may connect to another one of its namespace, both given by their labels."""
    return _allows(policies, "Egress", sender, receiver, port) and _allows(policies, "Ingress", receiver, sender, port)


def may_leave(policies: list[Data], labels: Data, address: str, port: int) -> bool:
    """Tell whether a pod may connect to an IPv4 address outside of the cluster."""
    for rule in _rules(policies, "Egress", labels):
        blocks = [peer["ipBlock"] for peer in rule.get("to", []) if "ipBlock" in peer]
        inside = any(
            ip_address(address) in ip_network(block["cidr"])
            and not any(ip_address(address) in ip_network(each) for each in block.get("except", []))
            for block in blocks
        )
        if _is_open(rule, port) and ("to" not in rule or inside):
            return True
    return False


def _allows(policies: list[Data], direction: str, own: Data, other: Data, port: int) -> bool:
    side = "to" if direction == "Egress" else "from"
    for rule in _rules(policies, direction, own):
        peers = [peer["podSelector"] for peer in rule.get(side, []) if set(peer) == {"podSelector"}]
        if _is_open(rule, port) and (side not in rule or any(selects(peer, other) for peer in peers)):
            return True
    return False


def _rules(policies: list[Data], direction: str, labels: Data) -> list[Data]:
    """Return the rules that count for a pod; a pod that no policy selects would be open, which these tests rule out."""
    mine = [policy["spec"] for policy in policies if selects(policy["spec"]["podSelector"], labels)]
    assert any(direction in spec["policyTypes"] for spec in mine), "no policy isolates the pod"
    return [rule for spec in mine for rule in spec.get(direction.lower(), [])]


def _is_open(rule: Data, port: int) -> bool:
    return "ports" not in rule or any(each["port"] == port for each in rule["ports"])
