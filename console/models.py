"""What the console keeps for itself: how each model did, hour by hour, so that months of decisions are a few thousand rows."""

from django.db import models


class ModelHour(models.Model):
    """One model's answers settled within one closed hour. Written once, by `rollup`; it can be made anew from the decisions.

    `replied` came with a text, `usable` became an opinion, `voted` of those stand beside a verdict, `agreed` say what it says.
    `latencies` counts answers by bucket (see `histogram`), `statuses` by decision status.
    """

    hour = models.DateTimeField()
    model = models.CharField(max_length=50)
    answers = models.IntegerField()
    replied = models.IntegerField()
    usable = models.IntegerField()
    voted = models.IntegerField()
    agreed = models.IntegerField()
    tokens_in = models.BigIntegerField()
    tokens_out = models.BigIntegerField()
    cost_usd = models.DecimalField(max_digits=20, decimal_places=8)
    priced = models.IntegerField()
    latencies = models.JSONField()
    statuses = models.JSONField()

    class Meta:
        ordering = ["hour", "model"]
        constraints = [models.UniqueConstraint(fields=["hour", "model"], name="model_hour_once")]

    def __str__(self) -> str:
        return f"{self.model} {self.hour:%Y-%m-%d %H}"
