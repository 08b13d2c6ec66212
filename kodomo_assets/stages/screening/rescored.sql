-- The children of either list that were ranked at both dates, in the bands of the reference date and on the levels of the
-- date before: what child_levels.sql and contributions.sql make of them is what the weights alone would have changed.
create or replace temp table screened_children as
select
    n.child_key,
    n.band
from screening.ranking as n
join screening.ranking as p on p.reference_date = $previous_date and p.child_key = n.child_key
where n.reference_date = $reference_date and (n.selected or p.selected);
