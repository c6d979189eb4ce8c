"""Where attempts run, who may drive them now, and what web asks of an engine."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now


class Mode(models.TextChoices):
    """What an operator wants of a provider."""

    ACTIVE = "active", "Active: takes new jobs"
    DRAINING = "draining", "Draining: finishes what runs, takes nothing new"
    INACTIVE = "inactive", "Inactive: takes nothing new"


class HealthState(models.TextChoices):
    """What the last probe said."""

    UNKNOWN = "unknown", "Not looked at yet"
    HEALTHY = "healthy", "Healthy"
    DEGRADED = "degraded", "Degraded"
    UNREACHABLE = "unreachable", "Unreachable"


class Strategy(models.TextChoices):
    """Which providers a job gets first."""

    SPREAD = "spread", "Spread: the emptiest first"
    PACK = "pack", "Pack: the fullest first"


class Provider(models.Model):
    """A place that runs attempts. Capacity is discovered unless an operator sets it.

    `cpu_millis` are thousandths of a core, `memory_mb` MiB.
    """

    name = models.SlugField(max_length=63)
    kind = models.CharField(max_length=24)
    options = models.JSONField(default=dict, blank=True)
    mode = models.CharField(max_length=16, choices=Mode.choices, default=Mode.ACTIVE)
    labels = models.JSONField(default=dict, blank=True)
    mount_allow_list = models.JSONField(default=list, blank=True)
    cpu_millis = models.PositiveIntegerField(null=True, blank=True)
    memory_mb = models.PositiveIntegerField(null=True, blank=True)
    gpus = models.PositiveIntegerField(default=0)
    slots = models.PositiveIntegerField(null=True, blank=True, help_text="Most attempts at once.")
    group = models.SlugField(
        max_length=63,
        default="",
        db_default="",
        blank=True,
        help_text="Providers of one group are filled alike.",
    )
    strategy = models.CharField(
        max_length=8,
        choices=Strategy.choices,
        default=Strategy.SPREAD,
        db_default=Strategy.SPREAD,
        help_text="Which provider a job gets first. Holds for all of its group.",
    )
    cost_per_hour = models.DecimalField(
        max_digits=10,
        decimal_places=4,
        null=True,
        blank=True,
        help_text="Of providers that suit a job equally the cheaper one is taken.",
    )
    lost_after_seconds = models.PositiveIntegerField(
        null=True, blank=True, help_text="Give running attempts up after this long; empty: never."
    )
    health = models.CharField(
        max_length=16, choices=HealthState.choices, default=HealthState.UNKNOWN
    )
    last_error = models.TextField(default="", blank=True)
    last_error_at = models.DateTimeField(null=True, blank=True)
    probed_at = models.DateTimeField(null=True, blank=True)
    unreachable_since = models.DateTimeField(null=True, blank=True)
    version = models.CharField(max_length=80, default="", blank=True)
    facts = models.JSONField(default=dict, blank=True)
    found_cpu_millis = models.PositiveIntegerField(null=True, blank=True)
    found_memory_mb = models.PositiveIntegerField(null=True, blank=True)
    found_gpus = models.PositiveIntegerField(default=0)
    disk_free_bytes = models.BigIntegerField(null=True, blank=True)
    disk_total_bytes = models.BigIntegerField(null=True, blank=True)
    clock_offset_ms = models.IntegerField(null=True, blank=True)
    rev = models.BigIntegerField(default=0)
    created_at = models.DateTimeField(db_default=Now())
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["name"]
        constraints = [
            # a deleted provider's name may be used again
            models.UniqueConstraint(
                fields=["name"],
                name="provider_name_once",
                condition=Q(deleted_at__isnull=True),
            ),
            models.CheckConstraint(condition=Q(mode__in=Mode.values), name="provider_mode_known"),
            models.CheckConstraint(
                condition=Q(strategy__in=Strategy.values), name="provider_strategy_known"
            ),
            models.CheckConstraint(
                condition=Q(cost_per_hour__gte=0), name="provider_cost_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(health__in=HealthState.values), name="provider_health_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def total_cpu_millis(self) -> int:
        """Thousandths of a core that may be given out: the operator's figure or the found one."""
        return self.cpu_millis if self.cpu_millis is not None else (self.found_cpu_millis or 0)

    @property
    def total_memory_mb(self) -> int:
        """MiB that may be given out: the operator's figure or the found one."""
        return self.memory_mb if self.memory_mb is not None else (self.found_memory_mb or 0)

    @property
    def packs(self) -> bool:
        """Whether it is filled up before emptier ones of its group are begun."""
        return self.strategy == Strategy.PACK

    @property
    def cost_text(self) -> str:
        """Its cost per hour, as short as it can be written."""
        return f"{self.cost_per_hour or 0:f}".rstrip("0").rstrip(".")

    @property
    def total_gpus(self) -> int:
        """GPUs that may be given out."""
        return self.gpus or self.found_gpus


class ProviderImage(models.Model):
    """An image that a provider's engine had when it was looked at last, by a name of it."""

    provider = models.ForeignKey(
        Provider, on_delete=models.CASCADE, related_name="images", db_index=False
    )
    image = models.CharField(max_length=512)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["image", "provider"], name="provider_image_once")
        ]
        indexes = [models.Index(fields=["provider"], name="provider_image_by_provider")]

    def __str__(self) -> str:
        return f"{self.image} on {self.provider_id}"


class Stray(models.Model):
    """Something on a provider's engine that carries our labels and belongs to no attempt that
    we know, and that could not be removed yet. What was removed has no row.

    `job` and `attempt` are what its labels say; 0 is a provider's test.
    """

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="strays")
    uid = models.CharField(max_length=64)
    job = models.BigIntegerField()
    attempt = models.IntegerField()
    handle = models.JSONField()
    found_at = models.DateTimeField(db_default=Now())
    removal_tries = models.PositiveIntegerField(default=0)
    removal_error = models.CharField(max_length=255, default="", blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "uid"], name="stray_once")]

    def __str__(self) -> str:
        return f"job {self.job} attempt {self.attempt} on {self.provider_id}"


class RegistryCredential(models.Model):
    """A login to one image registry, for one provider. Write-only: never shown again."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="credentials")
    registry = models.CharField(max_length=255, help_text="Host, with its port if any.")
    username = models.CharField(max_length=255)
    secret = models.BinaryField(editable=False)
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["provider", "registry"], name="credential_once")
        ]

    def __str__(self) -> str:
        return f"{self.username} at {self.registry}"


class HealthSample(models.Model):
    """A provider's health and load over a stretch of time, for its history.

    `used` is what its live attempts were given, `measured` what their programs took of it;
    none where nothing was measured.
    """

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="samples")
    at = models.DateTimeField(db_default=Now())
    health = models.CharField(max_length=16, choices=HealthState.choices)
    used_cpu_millis = models.PositiveIntegerField(default=0)
    used_memory_mb = models.PositiveIntegerField(default=0)
    running = models.PositiveIntegerField(default=0)
    measured_cpu_millis = models.PositiveIntegerField(null=True)
    measured_memory_mb = models.PositiveIntegerField(null=True)

    class Meta:
        indexes = [models.Index(fields=["provider", "-at"], name="health_sample_by_provider")]

    def __str__(self) -> str:
        return f"{self.provider_id} {self.at} {self.health}"


class Lease(models.Model):
    """Who may plan the queue (`scheduler`) or drive a provider (`provider:<id>`), until when.

    Every takeover raises `term`; every engine write is fenced by it (providers/leases.py).
    Expiry is by the database's clock.
    """

    name = models.CharField(max_length=64, primary_key=True)
    holder = models.CharField(max_length=120, default="")
    term = models.BigIntegerField(default=0)
    expires_at = models.DateTimeField()
    acquired_at = models.DateTimeField()

    class Meta:
        # Makes the term part of a key: a takeover waits for writes under the term before.
        constraints = [models.UniqueConstraint(fields=["name", "term"], name="lease_term_is_key")]

    def __str__(self) -> str:
        return f"{self.name} term {self.term}"


class RequestStatus(models.TextChoices):
    """Where an engine request is."""

    WAITING = "waiting"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"
    EXPIRED = "expired"


class EngineRequest(models.Model):
    """What web wants from an engine (probe, test): asked here, answered by `orchestrate`."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="requests")
    kind = models.CharField(max_length=24)
    args = models.JSONField(default=dict)
    status = models.CharField(
        max_length=16, choices=RequestStatus.choices, default=RequestStatus.WAITING
    )
    steps = models.JSONField(default=list)
    result = models.JSONField(default=dict)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True
    )
    created_at = models.DateTimeField(db_default=Now())
    deadline = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [
            # what an engine process has to answer
            models.Index(
                fields=["provider", "id"],
                name="request_open",
                condition=Q(status__in=["waiting", "working"]),
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=RequestStatus.values), name="request_status_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.provider_id} {self.status}"
