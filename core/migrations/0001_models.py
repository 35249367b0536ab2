import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
import django.db.models.functions.datetime
from django.db import migrations, models

import rls.models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("rls", "0001_tenant_context"),
    ]

    operations = [
        migrations.CreateModel(
            name="Customer",
            fields=[
                (
                    "id",
                    models.UUIDField(db_default=rls.models.UUID7(), editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("email", models.EmailField(help_text="Lower case.", max_length=254)),
                ("name", models.CharField(max_length=200)),
                ("phone", models.CharField(blank=True, default="", max_length=40)),
            ],
            options={
                "default_related_name": "customers",
            },
        ),
        migrations.CreateModel(
            name="Export",
            fields=[
                (
                    "id",
                    models.UUIDField(db_default=rls.models.UUID7(), editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "format",
                    models.CharField(
                        choices=[("csv", "CSV (zip)"), ("json", "JSON"), ("jsonl", "JSON Lines"), ("xlsx", "Excel")],
                        max_length=5,
                    ),
                ),
                ("actor", models.CharField(help_text="The name of the token that asked for it.", max_length=100)),
                ("row_count", models.PositiveBigIntegerField(default=0)),
                ("byte_count", models.PositiveBigIntegerField(default=0)),
                ("finished_at", models.DateTimeField(null=True)),
                ("expires_at", models.DateTimeField()),
            ],
            options={
                "default_related_name": "exports",
            },
        ),
        migrations.CreateModel(
            name="Tenant",
            fields=[
                (
                    "id",
                    models.UUIDField(db_default=rls.models.UUID7(), editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("name", models.CharField(max_length=100)),
                (
                    "subdomain",
                    models.CharField(
                        max_length=63,
                        unique=True,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^[a-z0-9]([a-z0-9-]*[a-z0-9])?\\Z",
                                "A subdomain must consist of lower-case letters, digits and inner hyphens (a "
                                "DNS label, RFC 1035 2.3.1).",
                            )
                        ],
                    ),
                ),
                ("is_active", models.BooleanField(default=True)),
            ],
            options={
                "ordering": ["created_at", "subdomain"],
            },
        ),
        migrations.CreateModel(
            name="Order",
            fields=[
                (
                    "id",
                    models.UUIDField(db_default=rls.models.UUID7(), editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("number", models.PositiveIntegerField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("draft", "draft"),
                            ("placed", "placed"),
                            ("paid", "paid"),
                            ("shipped", "shipped"),
                            ("delivered", "delivered"),
                            ("cancelled", "cancelled"),
                        ],
                        default="draft",
                        max_length=10,
                    ),
                ),
                ("currency", models.CharField(db_default="TWD", default="TWD", help_text="ISO 4217.", max_length=3)),
                ("discount_minor", models.PositiveBigIntegerField(db_default=0, default=0)),
                ("total_minor", models.PositiveBigIntegerField(db_default=0, default=0)),
                ("note", models.TextField(blank=True, db_default="", default="")),
                ("placed_at", models.DateTimeField(help_text="When it left draft.", null=True)),
                (
                    "customer",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        to="core.customer",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_default=rls.models.CurrentTenant(),
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="core.tenant",
                    ),
                ),
            ],
            options={
                "default_related_name": "orders",
            },
        ),
        migrations.CreateModel(
            name="Product",
            fields=[
                (
                    "id",
                    models.UUIDField(db_default=rls.models.UUID7(), editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("sku", models.CharField(max_length=64)),
                ("name", models.CharField(max_length=200)),
                ("description", models.TextField(blank=True, db_default="", default="")),
                ("category", models.CharField(blank=True, db_default="", default="", max_length=100)),
                (
                    "price_minor",
                    models.PositiveBigIntegerField(help_text="In the currency's minor unit: 1999 is 19.99 EUR."),
                ),
                ("currency", models.CharField(help_text="ISO 4217.", max_length=3)),
                ("stock", models.PositiveIntegerField(default=0, help_text="Units on hand.")),
                (
                    "reorder_level",
                    models.PositiveIntegerField(
                        db_default=0, default=0, help_text="At this many units or fewer, stock is low."
                    ),
                ),
                (
                    "headroom",
                    models.GeneratedField(
                        db_persist=True,
                        expression=django.db.models.expressions.CombinedExpression(
                            models.F("stock"), "-", models.F("reorder_level")
                        ),
                        help_text="Units above the reorder level: 0 or less is low stock.",
                        output_field=models.IntegerField(),
                    ),
                ),
                ("is_active", models.BooleanField(default=True, help_text="Whether it is for sale.")),
                (
                    "tenant",
                    models.ForeignKey(
                        db_default=rls.models.CurrentTenant(),
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="core.tenant",
                    ),
                ),
            ],
            options={
                "default_related_name": "products",
            },
        ),
        migrations.CreateModel(
            name="Payment",
            fields=[
                (
                    "id",
                    models.UUIDField(db_default=rls.models.UUID7(), editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("kind", models.CharField(choices=[("payment", "payment"), ("refund", "refund")], max_length=10)),
                (
                    "method",
                    models.CharField(
                        choices=[("cash", "cash"), ("card", "card"), ("transfer", "bank transfer"), ("other", "other")],
                        max_length=10,
                    ),
                ),
                ("amount_minor", models.PositiveBigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("actor", models.CharField(help_text="The name of the token that wrote it.", max_length=100)),
                (
                    "order",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="core.order",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_default=rls.models.CurrentTenant(),
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="core.tenant",
                    ),
                ),
            ],
            options={
                "default_related_name": "payments",
            },
        ),
        migrations.CreateModel(
            name="OrderItem",
            fields=[
                (
                    "id",
                    models.UUIDField(db_default=rls.models.UUID7(), editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("quantity", models.PositiveIntegerField()),
                ("price_minor", models.PositiveBigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "order",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="items",
                        to="core.order",
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.RESTRICT,
                        to="core.product",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_default=rls.models.CurrentTenant(),
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="core.tenant",
                    ),
                ),
            ],
            options={
                "default_related_name": "order_items",
            },
        ),
        migrations.CreateModel(
            name="ExportPart",
            fields=[
                (
                    "id",
                    models.UUIDField(db_default=rls.models.UUID7(), editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("number", models.PositiveIntegerField()),
                ("content", models.BinaryField()),
                (
                    "export",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="core.export",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_default=rls.models.CurrentTenant(),
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="core.tenant",
                    ),
                ),
            ],
            options={
                "default_related_name": "parts",
            },
        ),
        migrations.AddField(
            model_name="export",
            name="tenant",
            field=models.ForeignKey(
                db_default=rls.models.CurrentTenant(),
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.CASCADE,
                to="core.tenant",
            ),
        ),
        migrations.AddField(
            model_name="customer",
            name="tenant",
            field=models.ForeignKey(
                db_default=rls.models.CurrentTenant(),
                db_index=False,
                editable=False,
                on_delete=django.db.models.deletion.CASCADE,
                to="core.tenant",
            ),
        ),
        migrations.CreateModel(
            name="TenantSettings",
            fields=[
                (
                    "id",
                    models.UUIDField(db_default=rls.models.UUID7(), editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                (
                    "locale",
                    models.CharField(
                        choices=[("zh-hant", "繁體中文"), ("en", "English")], default="zh-hant", max_length=10
                    ),
                ),
                (
                    "currency",
                    models.CharField(default="TWD", help_text="ISO 4217; of every product and order.", max_length=3),
                ),
                (
                    "time_zone",
                    models.CharField(default="Asia/Taipei", help_text="IANA name; days begin there.", max_length=64),
                ),
                (
                    "low_stock_threshold",
                    models.PositiveIntegerField(default=5, help_text="Reorder level of a product without one."),
                ),
                (
                    "max_discount_percent",
                    models.PositiveSmallIntegerField(
                        default=10, help_text="Of an order's goods; above it an assistant asks a person."
                    ),
                ),
                (
                    "max_order_minor",
                    models.PositiveBigIntegerField(
                        default=5000000,
                        help_text="Total of an order in the currency's minor unit; above it an assistant asks.",
                    ),
                ),
                (
                    "max_stock_change",
                    models.PositiveIntegerField(
                        default=1000, help_text="Units moved by one adjustment; above it an assistant asks."
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_default=rls.models.CurrentTenant(),
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="core.tenant",
                    ),
                ),
            ],
            options={
                "default_related_name": "settings",
            },
        ),
        migrations.CreateModel(
            name="TenantUser",
            fields=[
                (
                    "id",
                    models.UUIDField(db_default=rls.models.UUID7(), editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("username", models.CharField(max_length=50)),
                ("email", models.EmailField(max_length=254)),
                (
                    "role",
                    models.CharField(choices=[("owner", "owner"), ("staff", "staff")], default="staff", max_length=10),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_default=rls.models.CurrentTenant(),
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="core.tenant",
                    ),
                ),
            ],
            options={
                "ordering": ["username"],
                "default_related_name": "users",
            },
        ),
        migrations.AddField(
            model_name="order",
            name="placed_by",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.RESTRICT,
                to="core.tenantuser",
            ),
        ),
        migrations.CreateModel(
            name="StockMovement",
            fields=[
                (
                    "id",
                    models.UUIDField(db_default=rls.models.UUID7(), editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("quantity", models.IntegerField()),
                ("stock_after", models.PositiveIntegerField()),
                (
                    "reason",
                    models.CharField(
                        choices=[
                            ("opening", "opening stock"),
                            ("purchase", "purchase"),
                            ("sale", "sale"),
                            ("return", "return"),
                            ("damage", "damage or loss"),
                            ("count", "stock count"),
                        ],
                        max_length=10,
                    ),
                ),
                ("note", models.CharField(blank=True, default="", max_length=200)),
                ("actor", models.CharField(help_text="The name of the token that wrote it.", max_length=100)),
                (
                    "order",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="core.order",
                    ),
                ),
                (
                    "product",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="core.product",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_default=rls.models.CurrentTenant(),
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="core.tenant",
                    ),
                ),
            ],
            options={
                "default_related_name": "movements",
                "indexes": [
                    models.Index(
                        models.F("tenant"),
                        models.F("product"),
                        models.OrderBy(models.F("created_at"), descending=True),
                        models.OrderBy(models.F("id"), descending=True),
                        name="stockmovement_product",
                    ),
                    models.Index(fields=["tenant", "created_at"], name="stockmovement_time"),
                    models.Index(fields=["tenant", "order"], name="stockmovement_order"),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("quantity", 0), _negated=True), name="stockmovement_moves"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ProductTerm",
            fields=[
                (
                    "id",
                    models.UUIDField(db_default=rls.models.UUID7(), editable=False, primary_key=True, serialize=False),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("term", models.CharField(db_collation="C", help_text="Lower case.", max_length=64)),
                (
                    "product",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="core.product",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_default=rls.models.CurrentTenant(),
                        db_index=False,
                        editable=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        to="core.tenant",
                    ),
                ),
            ],
            options={
                "default_related_name": "terms",
                "indexes": [models.Index(fields=["tenant", "product"], name="productterm_product")],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "term", "product"), name="productterm_unique")
                ],
            },
        ),
        migrations.AddIndex(
            model_name="product",
            index=models.Index(
                models.F("tenant"),
                models.OrderBy(models.F("created_at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="product_newest",
            ),
        ),
        migrations.AddIndex(
            model_name="product",
            index=models.Index(
                models.F("tenant"),
                models.F("category"),
                models.OrderBy(models.F("created_at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="product_category",
            ),
        ),
        migrations.AddIndex(
            model_name="product",
            index=models.Index(fields=["tenant", "headroom", "id"], name="product_headroom"),
        ),
        migrations.AddConstraint(
            model_name="product",
            constraint=models.UniqueConstraint(fields=("tenant", "sku"), name="product_sku_unique"),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["tenant", "order"], name="payment_order"),
        ),
        migrations.AddIndex(
            model_name="payment",
            index=models.Index(fields=["tenant", "created_at"], name="payment_time"),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(("amount_minor__gt", 0)), name="payment_amount_positive"
            ),
        ),
        migrations.AddIndex(
            model_name="orderitem",
            index=models.Index(fields=["tenant", "product"], name="orderitem_product"),
        ),
        migrations.AddConstraint(
            model_name="orderitem",
            constraint=models.UniqueConstraint(fields=("tenant", "order", "product"), name="orderitem_product_unique"),
        ),
        migrations.AddConstraint(
            model_name="orderitem",
            constraint=models.CheckConstraint(
                condition=models.Q(("quantity__gt", 0)), name="orderitem_quantity_positive"
            ),
        ),
        migrations.AddConstraint(
            model_name="exportpart",
            constraint=models.UniqueConstraint(fields=("tenant", "export", "number"), name="exportpart_unique"),
        ),
        migrations.AddIndex(
            model_name="export",
            index=models.Index(fields=["tenant", "expires_at"], name="export_expiry"),
        ),
        migrations.AddConstraint(
            model_name="customer",
            constraint=models.UniqueConstraint(fields=("tenant", "email"), name="customer_email_unique"),
        ),
        migrations.AddConstraint(
            model_name="tenantsettings",
            constraint=models.UniqueConstraint(fields=("tenant",), name="tenantsettings_tenant_unique"),
        ),
        migrations.AddConstraint(
            model_name="tenantsettings",
            constraint=models.CheckConstraint(
                condition=models.Q(("max_discount_percent__lte", 100)), name="tenantsettings_percent"
            ),
        ),
        migrations.AddConstraint(
            model_name="tenantuser",
            constraint=models.UniqueConstraint(fields=("tenant", "username"), name="tenantuser_username_unique"),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                models.F("tenant"),
                models.OrderBy(models.F("created_at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="order_newest",
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                models.F("tenant"),
                models.F("status"),
                models.OrderBy(models.F("created_at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="order_status",
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                models.F("tenant"),
                models.F("customer"),
                models.OrderBy(models.F("created_at"), descending=True),
                models.OrderBy(models.F("id"), descending=True),
                name="order_customer",
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["tenant", "placed_at"], name="order_placed_at"),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(fields=["tenant", "placed_by"], name="order_placed_by"),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.UniqueConstraint(fields=("tenant", "number"), name="order_number_unique"),
        ),
    ]
