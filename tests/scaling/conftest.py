"""A cluster of two machines, both of them processes of this one."""

import os

import pytest

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

NODE = {"num_cpus": 2, "object_store_memory": 2 * 10**8}


@pytest.fixture
def two_nodes():
    """A cluster with its second node, `cluster.second`; this process is connected to it."""
    ray = pytest.importorskip("ray", reason="needs the extra: pip install 'h5transfer[ray]'")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args=NODE)
    cluster.second = cluster.add_node(**NODE)
    ray.init(address=cluster.address, logging_level="CRITICAL", log_to_driver=False)
    yield cluster
    ray.shutdown()
    cluster.shutdown()
