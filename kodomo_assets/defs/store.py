"""The asset of the store: what was forgotten. No refresh makes it; a person does, with role and reason."""

import dagster as dg

from kodomo_assets.defs.house import FORGET
from kodomo_assets.defs.step import Results, Step, asset, check
from kodomo_assets.refreshing.forgetting import LEFT, forget
from kodomo_assets.store.asking import who_asks
from kodomo_assets.store.forgetting import FORGOTTEN
from kodomo_assets.store.register import note_access

ROLE, REASON = "role", "reason"


@asset(
    FORGOTTEN,
    checks=[check(FORGOTTEN, LEFT, "保存期間を過ぎたものが残っていない", blocking=True)],
    config={
        ROLE: dg.Field(str, description="役職 (rights.roles)"),
        REASON: dg.Field(str, description="理由。名前を書かないこと：実行の記録に残る"),
    },
)
def forgotten(step: Step) -> Results:
    asker = who_asks(step.settings, step.catalogue, step.given(ROLE), step.given(REASON))
    note_access(step.con, asker, FORGET, None)
    gone, outcome = forget(step.con, step.settings, step.catalogue, step.today, asker.role, asker.reason)
    step.say(f"{FORGET}: what was past retention is deleted; kodomo.duckdb was written anew without it")
    told = {"rows and files": sum(one.rows for one in gone), "tables and folders": len({one.table for one in gone})}
    yield step.made(FORGOTTEN, told)
    yield from step.checked([outcome])
