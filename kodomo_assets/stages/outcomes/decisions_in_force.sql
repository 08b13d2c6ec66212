-- What counts of all that was said: made of the rows of one reference date that `new_decisions` and `new_releases` hold.

-- The decision that counts for a child: that of the latest meeting, and of one meeting what was said last.
create or replace temp table new_decisions_in_force as
select
    reference_date,
    child_key,
    meeting_date,
    decision,
    reason,
    direction,
    assigned_to,
    decided_by
from new_decisions
qualify row_number() over (partition by child_key order by meeting_date desc, read_at desc) = 1;

-- Whether the school of a child under 支援措置 may be told of it: what was said last, with the decision or before it. A
-- decision that says nothing of it ends a release; of two words of one reading the cautious one counts.
create or replace temp table new_releases_in_force as
with said as (
    select
        reference_date,
        child_key,
        meeting_date as decided_on,
        read_at,
        release
    from new_decisions
    union all by name
    select
        reference_date,
        child_key,
        decided_on,
        read_at,
        release
    from new_releases
)

select
    reference_date,
    child_key,
    release
from said
qualify row_number() over (partition by child_key order by decided_on desc, read_at desc, release) = 1;
