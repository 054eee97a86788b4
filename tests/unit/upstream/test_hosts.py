from __future__ import annotations

from relay.core.config import Security, SmtpHost
from relay.upstream.hosts import MEMORY_S, Hosts

A, B, C = (SmtpHost(name, 25, Security.NONE) for name in "abc")


def test_hosts_are_tried_in_the_order_of_the_config():
    assert Hosts([A, B, C]).in_order(0) == [A, B, C]


def test_a_host_that_failed_is_tried_last_for_a_while():
    hosts = Hosts([A, B, C])
    hosts.failed(A, 100)
    assert hosts.in_order(100) == [B, C, A]
    assert hosts.in_order(100 + MEMORY_S - 0.1) == [B, C, A]


def test_when_its_time_is_over_one_caller_alone_tries_it_first():
    hosts = Hosts([A, B])
    hosts.failed(A, 0)
    assert hosts.in_order(MEMORY_S) == [A, B]
    assert hosts.in_order(MEMORY_S) == [B, A]
    assert hosts.in_order(2 * MEMORY_S) == [A, B]


def test_asking_often_does_not_keep_a_host_dead():
    hosts = Hosts([A, B])
    hosts.failed(A, 0)
    orders = [hosts.in_order(float(second)) for second in range(1, 40)]
    assert orders[0] == [B, A]
    assert [A, B] in orders


def test_a_host_that_answers_is_back_at_its_place():
    hosts = Hosts([A, B])
    hosts.failed(A, 0)
    hosts.answered(A)
    assert hosts.in_order(1) == [A, B]


def test_all_dead_are_all_tried():
    hosts = Hosts([A, B])
    hosts.failed(A, 0)
    hosts.failed(B, 0)
    assert hosts.in_order(1) == [A, B]
