"""The kinds of object that the stand-in serves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Resource:
    """One kind of object, by the word that stands in addresses."""

    plural: str
    kind: str
    group: str = ""
    version: str = "v1"
    namespaced: bool = True
    has_status: bool = False
    """Whether the status is written through `/status` only."""
    is_custom: bool = False

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """The name in messages and of the definition, such as `workflows.argoproj.io`."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def path(self, namespace: str | None) -> str:
        """Return the address of the collection."""
        start = f"/apis/{self.api_version}" if self.group else f"/api/{self.version}"
        return f"{start}/namespaces/{namespace}/{self.plural}" if namespace else f"{start}/{self.plural}"


def _custom(
    plural: str, kind: str, group: str, version: str, *, namespaced: bool = True, has_status: bool = True
) -> Resource:
    return Resource(plural, kind, group, version, namespaced, has_status, is_custom=True)


ALL = (
    Resource("namespaces", "Namespace", namespaced=False, has_status=True),
    Resource("nodes", "Node", namespaced=False, has_status=True),
    Resource("pods", "Pod", has_status=True),
    Resource("configmaps", "ConfigMap"),
    Resource("secrets", "Secret"),
    Resource("services", "Service", has_status=True),
    Resource("events", "Event"),
    Resource("persistentvolumeclaims", "PersistentVolumeClaim", has_status=True),
    Resource("serviceaccounts", "ServiceAccount"),
    Resource("resourcequotas", "ResourceQuota", has_status=True),
    Resource("limitranges", "LimitRange"),
    Resource("jobs", "Job", "batch", "v1", has_status=True),
    Resource("deployments", "Deployment", "apps", "v1", has_status=True),
    Resource("priorityclasses", "PriorityClass", "scheduling.k8s.io", "v1", namespaced=False),
    Resource("storageclasses", "StorageClass", "storage.k8s.io", "v1", namespaced=False),
    Resource("roles", "Role", "rbac.authorization.k8s.io", "v1"),
    Resource("rolebindings", "RoleBinding", "rbac.authorization.k8s.io", "v1"),
    Resource("networkpolicies", "NetworkPolicy", "networking.k8s.io", "v1"),
    Resource("poddisruptionbudgets", "PodDisruptionBudget", "policy", "v1", has_status=True),
    Resource("customresourcedefinitions", "CustomResourceDefinition", "apiextensions.k8s.io", "v1", namespaced=False,
             has_status=True),
    # Argo's definitions have no status of their own: its controller writes the whole object.
    _custom("workflows", "Workflow", "argoproj.io", "v1alpha1", has_status=False),
    _custom("workflowtemplates", "WorkflowTemplate", "argoproj.io", "v1alpha1", has_status=False),
    _custom("clusterworkflowtemplates", "ClusterWorkflowTemplate", "argoproj.io", "v1alpha1", namespaced=False,
            has_status=False),
    _custom("cronworkflows", "CronWorkflow", "argoproj.io", "v1alpha1", has_status=False),
    _custom("workflowtaskresults", "WorkflowTaskResult", "argoproj.io", "v1alpha1", has_status=False),
    _custom("jobsets", "JobSet", "jobset.x-k8s.io", "v1alpha2"),
    _custom("trainjobs", "TrainJob", "trainer.kubeflow.org", "v1alpha1"),
    _custom("clustertrainingruntimes", "ClusterTrainingRuntime", "trainer.kubeflow.org", "v1alpha1", namespaced=False),
    _custom("trainingruntimes", "TrainingRuntime", "trainer.kubeflow.org", "v1alpha1"),
    _custom("pytorchjobs", "PyTorchJob", "kubeflow.org", "v1"),
    _custom("workloads", "Workload", "kueue.x-k8s.io", "v1beta1"),
    _custom("localqueues", "LocalQueue", "kueue.x-k8s.io", "v1beta1"),
    _custom("clusterqueues", "ClusterQueue", "kueue.x-k8s.io", "v1beta1", namespaced=False),
)  # fmt: skip
RESOURCES = {resource.plural: resource for resource in ALL}
