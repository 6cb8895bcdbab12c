"""The part of a Platform spec about a cluster with Argo Workflows."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from hub_steps.parameters import Declared, SecretReference
from hub_steps.parameters.declared import Count, HttpUrl

DnsLabel = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=63)]
Image = Annotated[
    str,
    Field(pattern=r"^[a-z0-9][-a-z0-9._:/]*@sha256:[0-9a-f]{64}$", examples=["registry.example.com/hubc/train@sha256:..."]),
]
SecretKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9][-._A-Za-z0-9]*$", max_length=253)]
NetworkVariable = Annotated[str, Field(pattern=r"^(NCCL|GLOO|TORCH_NCCL|UCX)_[A-Z0-9_]+$", examples=["NCCL_IB_HCA"])]
NetworkValue = Annotated[str, Field(pattern=r"^[-A-Za-z0-9._,:=^/]*$", max_length=200)]
UserId = Annotated[int, Field(ge=1, le=2**31 - 1)]


class Images(Declared):
    """The step images, each pinned by digest."""

    generate: Image
    """Image with hubc's `generate` extra."""
    train: Image
    """Image with hubc's `train` extra."""
    evaluate: Image
    """Image with hubc's `evaluate` extra."""
    publish: Image
    """Image with hubc's `publish` extra; also what prepares runs and tells how they end."""


class ObjectStoreKeys(Declared):
    """The Kubernetes secret with the keys of an object store."""

    secret: DnsLabel
    """Name of the secret."""
    id_key: SecretKey = "access-key"
    """Its key with the access key's id."""
    value_key: SecretKey = "secret-key"
    """Its key with the secret access key itself."""


class Storage(Declared):
    """Where outputs, published folders and fetched models go: exactly one of `claim` and `location`."""

    claim: DnsLabel | None = None
    """Persistent volume claim, `ReadWriteMany` when steps run on several nodes."""
    location: Annotated[str, Field(pattern=r"^s3://[a-z0-9][-a-z0-9.]*(/[A-Za-z0-9][-A-Za-z0-9._/]*)?$",
                                   examples=["s3://hubc/team"])] | None = None  # fmt: skip
    """Bucket and prefix of an object store that speaks S3."""
    endpoint: HttpUrl | None = None
    """The object store's address; left out, AWS."""
    region: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")] | None = None
    """The object store's region."""
    credentials: ObjectStoreKeys | None = None
    """The object store's keys; left out, those of the pod's service account."""
    model_cache: DnsLabel | None = None
    """Persistent volume claim that keeps fetched models; left out, `claim` does, or each pod fetches its own."""

    @model_validator(mode="after")
    def _exactly_one(self) -> "Storage":
        if (self.claim is None) == (self.location is None):
            raise PydanticCustomError("one_of", "exactly one of 'claim' and 'location' is needed")
        if self.location is None and (self.endpoint or self.region or self.credentials):
            raise PydanticCustomError("one_of", "'endpoint', 'region' and 'credentials' go with 'location'")
        return self


class ArtifactRepository(Declared):
    """Where Argo itself keeps logs: an entry of a config map, so that a rendering does not depend on the object store."""

    config_map: DnsLabel = "artifact-repositories"
    """Name of the config map."""
    key: SecretKey = "default-v1"
    """Key of the entry."""


class Launcher(Declared):
    """What runs a training on several nodes."""

    kind: Literal["jobset", "trainjob", "pytorchjob", "job"] = "jobset"
    """`jobset`: JobSet; `trainjob`: Kubeflow Trainer; `pytorchjob`: Kubeflow's older operator; `job`: Kubernetes alone."""
    runtime: DnsLabel | None = None
    """With `trainjob`, the ClusterTrainingRuntime that it uses."""

    @model_validator(mode="after")
    def _has_runtime(self) -> "Launcher":
        if (self.kind == "trainjob") != (self.runtime is not None):
            raise PydanticCustomError("one_of", "'runtime' goes with 'kind: trainjob', and only with it")
        return self


class Serving(Declared):
    """What serves a teacher or judge whose weights a pipeline names: a container beside the step, gone when it ends."""

    engine: Literal["llama_cpp", "vllm"] = "llama_cpp"
    """`llama_cpp` serves GGUF files with the generate image; `vllm` needs an image of its own, and accelerators that the
    step asks for."""
    image: Image | None = None
    """Image of the engine; left out, the generate image."""

    @model_validator(mode="after")
    def _has_image(self) -> "Serving":
        if self.engine == "vllm" and self.image is None:
            raise PydanticCustomError("one_of", "'engine: vllm' needs 'image'")
        return self


class ClusterNetwork(Declared):
    """How the processes of a training reach each other."""

    interface: Annotated[str, Field(pattern=r"^[=^]?[A-Za-z0-9._,-]+$", examples=["eth0"])] | None = None
    """Network interface, for NCCL and Gloo; left out, they choose."""
    variables: dict[NetworkVariable, NetworkValue] = Field(default={})
    """Settings of NCCL, Gloo and UCX, as environment variables."""


class MappedSecret(Declared):
    """The Kubernetes secret behind a name that pipelines use."""

    name: DnsLabel
    """Name of the Kubernetes secret."""
    keys: dict[SecretKey, SecretKey] = Field(default={})
    """Key that pipelines use to key in the secret; the others are called the same."""


class Proxies(Declared):
    """Proxies that pods reach the outside through."""

    http: HttpUrl | None = None
    """Proxy for `http://`."""
    https: HttpUrl | None = None
    """Proxy for `https://`."""
    no_proxy: Annotated[tuple[Annotated[str, Field(pattern=r"^[-A-Za-z0-9.*:/]+$")], ...], Field(strict=False)] = ()
    """Hosts, domains and networks that need none."""


class Mirrors(Declared):
    """Services that stand in for public ones."""

    package_index: HttpUrl | None = None
    """Index that pip uses instead of PyPI."""
    model_hub: HttpUrl | None = None
    """Hub instead of huggingface.co."""


class CertificateAuthorities(Declared):
    """Certificates that pods trust: one's own and, as far as they are wanted, the public ones, in one bundle."""

    config_map: DnsLabel
    """Name of the config map."""
    key: SecretKey = "ca-bundle.crt"
    """Its key with the bundle, in PEM."""


class Security(Declared):
    """Who the processes in pods are; left out, whom the cluster or the image says, as OpenShift wants it."""

    run_as_user: UserId | None = None
    """User id."""
    run_as_group: UserId | None = None
    """Group id."""
    fs_group: UserId | None = None
    """Group that owns the files on volumes."""


class ToldGitHub(Declared):
    """GitHub, which is told how runs started from a commit go: a status, and a comment in the pull request."""

    token: SecretReference
    """Where the token is."""
    url: HttpUrl | None = None
    """API of a GitHub Enterprise server; left out, api.github.com."""


class Argo(Declared):
    """A cluster with Argo Workflows."""

    controller_version: Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")]
    """Version of the Argo Workflows controller."""
    template_referencing: Literal["unrestricted", "strict", "secure"] = "unrestricted"
    """The controller's `templateReferencing`: with `strict` and `secure`, only WorkflowTemplates run."""
    context: Annotated[str, Field(pattern=r"^[-A-Za-z0-9._:/@]+$", max_length=253)] | None = None
    """Context of the kubeconfig that `hubc submit` and the like use; left out, the current one, or the pod's own account."""
    ui_url: HttpUrl | None = None
    """Address of the Argo UI, for links."""
    namespace: DnsLabel
    """Namespace that runs live in."""
    service_account: DnsLabel
    """Service account of the step pods; it needs no rights."""
    executor_service_account: DnsLabel
    """Service account of Argo's executor: it reports results and manages training jobs."""
    images: Images
    """The step images."""
    image_pull_secrets: Annotated[tuple[DnsLabel, ...], Field(strict=False)] = ()
    """Secrets that pull the images."""
    storage: Storage
    """Where outputs go."""
    artifact_repository: ArtifactRepository | None = None
    """Where Argo archives the logs of pods; left out, nowhere: each rank's log lies in the storage all the same."""
    launcher: Launcher = Launcher.model_construct()
    """What runs a training on several nodes."""
    serving: Serving = Serving.model_construct()
    """What serves teachers and judges whose weights a pipeline names."""
    queue: DnsLabel | None = None
    """Kueue's LocalQueue that training waits in."""
    priority_class: DnsLabel | None = None
    """PriorityClass of the pods."""
    workflow_priority: Annotated[int, Field(ge=-(2**31), lt=2**31)] | None = None
    """Which of several waiting Workflows Argo starts first: the higher."""
    parallel_steps: Count = 8
    """Most steps of one run at once."""
    keep_days: Count = 7
    """Days that a Workflow stays after it has ended."""
    shared_memory_gib: Count | None = None
    """Shared memory of a training pod, in GiB; left out, half of the pod's memory at most."""
    network: ClusterNetwork = ClusterNetwork.model_construct()
    """How the processes of a training reach each other."""
    secrets: dict[DnsLabel, MappedSecret] = Field(default={})
    """Secret that pipelines refer to -> Kubernetes secret; the others are called the same."""
    proxies: Proxies = Proxies.model_construct()
    """Proxies that pods reach the outside through."""
    mirrors: Mirrors = Mirrors.model_construct()
    """Services that stand in for public ones."""
    certificate_authorities: CertificateAuthorities | None = None
    """Certificates that pods trust: one's own and, as far as they are wanted, the public ones, in one bundle."""
    security: Security = Security.model_construct()
    """Who the processes in pods are."""
    github: ToldGitHub | None = None
    """GitHub, which is told how runs started from a commit go."""
