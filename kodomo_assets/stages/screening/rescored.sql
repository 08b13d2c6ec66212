-- The children of either list that were ranked at both dates, in the bands of the reference date and on the levels of the
-- date before: what contributions.sql makes of them is what the weights alone would have changed.
create or replace temp table screened_children as
select
    n.child_key,
    n.band
from screening.ranking as n
join screening.ranking as p on p.reference_date = $previous_date and p.child_key = n.child_key
where n.reference_date = $reference_date and (n.selected or p.selected);

create or replace temp table child_levels as
select
    c.child_key,
    c.band,
    l.item,
    l.level
from features.levels as l
join screened_children as c using (child_key)
where l.reference_date = $previous_date;
