from core.models import Product
from rls import tenant_context
def test_x(acme, globex):
    with tenant_context(acme.id):
        assert [p.name for p in Product.objects.all()] == ["Acme anvil"]
