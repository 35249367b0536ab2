from typing import ClassVar

from django.db import migrations
from django.db.migrations.operations.base import Operation

# Frozen: as `core.words` has them when this is written.
VARIANTS = (
    "台裏綫爲衆羣峯牀衞鷄麪脚强温説舘啓秘粧盃綉鈎滙汚汙絶緑税鋭黄録内産"
    "顔眞値銹厨厦凉冲决况减净着煑烟麯糉菓燻猪猫裠塩户戸悦閲脱墻鑒葱甁盌"
)
FORMS = (
    "臺裡線為眾群峰床衛雞麵腳強溫說館啟祕妝杯繡鉤匯污污絕綠稅銳黃錄內產"
    "顏真值鏽廚廈涼沖決況減淨著煮煙麴粽果熏豬貓裙鹽戶戶悅閱脫牆鑑蔥瓶碗"
)

# A product has each term once: what becomes equal to another of its terms goes first.
REMOVE_TWINS = """
DELETE FROM core_productterm AS one USING core_productterm AS other
WHERE one.tenant_id = other.tenant_id AND one.product_id = other.product_id AND one.id > other.id
    AND translate(one.term, %(variants)s, %(forms)s) = translate(other.term, %(variants)s, %(forms)s)
"""
FOLD = """
UPDATE core_productterm SET term = translate(term, %(variants)s, %(forms)s)
WHERE term <> translate(term, %(variants)s, %(forms)s)
"""
CHARACTERS = {"variants": VARIANTS, "forms": FORMS}


class Migration(migrations.Migration):
    dependencies: ClassVar[list[tuple[str, str]]] = [("core", "0009_narrower_tokens")]
    operations: ClassVar[list[Operation]] = [
        migrations.RunSQL([(REMOVE_TWINS, CHARACTERS), (FOLD, CHARACTERS)], migrations.RunSQL.noop)
    ]
