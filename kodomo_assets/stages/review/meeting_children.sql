-- The children of the meeting: who is on the list (`origin`), or was decided without being on it.
create or replace temp table meeting_children as
select
    c.*,
    l.origin,
    l.child_key is not null as on_list,
    c.child_key in (
        select h.child_key from review.listed_children as h where h.reference_date = $reference_date
    ) as was_listed,
    d.decision,
    d.direction,
    d.reason,
    d.meeting_date,
    d.decided_by,
    d.assigned_to,
    coalesce(f.release, false) as release
from numbered_children as c
left join review.meeting_list as l
    on l.reference_date = $reference_date and l.child_key = c.child_key
left join review.decisions_in_force as d
    on d.reference_date = $reference_date and d.child_key = c.child_key
left join review.releases_in_force as f
    on f.reference_date = $reference_date and f.child_key = c.child_key
where l.child_key is not null or d.child_key is not null;
