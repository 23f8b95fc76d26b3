"""Tables of money: what a model's tokens cost from when on, what may be spent in a day, and what has been spent and set aside.

Amounts are US dollars; a day is a day of UTC by the database's clock.
"""

from decimal import Decimal

from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models.functions import Now

NOT_NEGATIVE = [MinValueValidator(Decimal(0))]


class Price(models.Model):
    """Dollars per million tokens, from an instant on and until a later row. A judge of ours costs nothing and needs none."""

    model = models.ForeignKey("evaluation.EvaluationModel", on_delete=models.CASCADE, related_name="prices")
    valid_from = models.DateTimeField(db_default=Now())
    input_usd = models.DecimalField("per million tokens in", max_digits=12, decimal_places=6, validators=NOT_NEGATIVE)
    output_usd = models.DecimalField("per million tokens out", max_digits=12, decimal_places=6, validators=NOT_NEGATIVE)
    cached_usd = models.DecimalField(
        "per million tokens in from a cache",
        max_digits=12,
        decimal_places=6,
        null=True,
        blank=True,
        validators=NOT_NEGATIVE,
        help_text="Empty: the same as any other token in.",
    )

    class Meta:
        ordering = ["model", "-valid_from"]
        constraints = [models.UniqueConstraint(fields=["model", "valid_from"], name="price_once")]

    def __str__(self) -> str:
        return f"{self.model_id}: {self.input_usd} in, {self.output_usd} out"


class Scope(models.TextChoices):
    """Whose calls a budget counts."""

    TOTAL = "total"
    MODEL = "model"
    SOURCE = "source"


class Budget(models.Model):
    """What may be spent in one day by everybody, or for one source; a model's own is in the registry. No row, no limit."""

    scope = models.CharField(max_length=6, choices=[(scope.value, scope.label) for scope in (Scope.TOTAL, Scope.SOURCE)])
    name = models.CharField(max_length=100, blank=True, help_text="The source's name; empty for the total.")
    usd_per_day = models.DecimalField(max_digits=12, decimal_places=4, validators=NOT_NEGATIVE)

    class Meta:
        ordering = ["scope", "name"]
        constraints = [models.UniqueConstraint(fields=["scope", "name"], name="budget_once")]

    def __str__(self) -> str:
        return f"{self.scope} {self.name}".strip()

    def clean(self) -> None:
        """A source's budget says whose it is; the total has no name."""
        if (self.scope == Scope.TOTAL) != (not self.name):
            raise ValidationError({"name": "Name the source; the total has no name."})


class Spend(models.Model):
    """One budget on one day. `overrun` is what calls cost beyond what was set aside for them; the check holds without it."""

    scope = models.CharField(max_length=6, choices=Scope.choices)
    name = models.CharField(max_length=100, blank=True)
    day = models.DateField()
    cap_usd = models.DecimalField(max_digits=12, decimal_places=4)
    reserved_usd = models.DecimalField(max_digits=18, decimal_places=8, default=0)
    spent_usd = models.DecimalField(max_digits=18, decimal_places=8, default=0)
    overrun_usd = models.DecimalField(max_digits=18, decimal_places=8, default=0)

    class Meta:
        ordering = ["-day", "scope", "name"]
        verbose_name_plural = "spending"
        constraints = [
            models.UniqueConstraint(fields=["day", "scope", "name"], name="spend_once"),
            models.CheckConstraint(
                name="spend_within_its_cap",
                condition=models.Q(reserved_usd__gte=0, spent_usd__gte=0)
                & models.Q(cap_usd__gte=models.F("reserved_usd") + models.F("spent_usd") - models.F("overrun_usd")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.name} {self.day}: {self.spent_usd}"


class Reservation(models.Model):
    """Money set aside for one leased evaluation. It lives as long as the lease: past it anybody may give it back."""

    spend = models.ForeignKey(Spend, on_delete=models.CASCADE, related_name="reservations", db_index=False)
    token = models.UUIDField()
    amount_usd = models.DecimalField(max_digits=18, decimal_places=8)
    until = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["token", "spend"], name="reservation_once")]
        indexes = [models.Index(fields=["spend", "until"], name="reservation_until")]

    def __str__(self) -> str:
        return f"{self.amount_usd} until {self.until}"
