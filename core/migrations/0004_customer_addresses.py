from django.db import migrations, models
from django.db.models import Func
from django.db.models.functions import Lower

from core.migrations import _addresses

INVISIBLE = (
    r"[\u0001-\u0020\u007F-\u009F\u00AD\u034F\u061C\u115F\u1160\u1680\u17B4\u17B5\u180B-\u180F\u200B-\u200F\u2028-\u202E"
    r"\u2060-\u206F\u2800\uFE00-\uFE0F\uFEFF\uFFF9-\uFFFB\U000E0000-\U000E0FFF]"
)
NFKC = "normalize(%(expressions)s, NFKC)"


def unite(apps, schema_editor):
    """Give each e-mail address its one form, and all orders of an address to its oldest customer.

    That one keeps its name, and takes a telephone number from the next where it has none.
    """
    alias = schema_editor.connection.alias
    customers = apps.get_model("core", "Customer").objects.using(alias)
    orders = apps.get_model("core", "Order").objects.using(alias)
    oldest = {}
    for customer in customers.order_by("created_at", "id"):
        first = oldest.setdefault((customer.tenant_id, _form(customer.email)), customer)
        if first is not customer:
            orders.filter(customer_id=customer.id).update(customer_id=first.id)
            first.phone = first.phone or customer.phone
            customers.filter(id=customer.id).delete()
    for (_tenant, email), customer in oldest.items():
        customers.filter(id=customer.id).exclude(email=email, phone=customer.phone).update(
            email=email, phone=customer.phone
        )


def _form(email):
    try:
        return _addresses.normal(email)
    except _addresses.NotAnAddress:  # as little as makes it a text that looks like itself
        return "".join(_addresses.plain(email).split())


class Migration(migrations.Migration):
    dependencies = [("core", "0003_endpoints")]

    operations = [
        migrations.RunPython(unite, migrations.RunPython.noop),
        migrations.AlterField(
            model_name="customer",
            name="email",
            field=models.EmailField(help_text="In the form of `core.addresses.normal`.", max_length=254),
        ),
        migrations.AddConstraint(
            model_name="customer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("email", Lower(Func("email", template=NFKC))),
                    models.Q(("email__regex", INVISIBLE), _negated=True),
                ),
                name="customer_email_normal",
            ),
        ),
    ]
