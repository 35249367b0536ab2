import django.db.models.functions.text
from django.db import migrations, models

import core.models.customers
from core import addresses


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
        return addresses.normal(email)
    except addresses.NotAnAddress:  # as little as makes it a text that looks like itself
        return "".join(addresses.plain(email).split())


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
                    ("email", django.db.models.functions.text.Lower(core.models.customers.NFKC("email"))),
                    models.Q(("email__regex", core.models.customers.INVISIBLE), _negated=True),
                ),
                name="customer_email_normal",
            ),
        ),
    ]
