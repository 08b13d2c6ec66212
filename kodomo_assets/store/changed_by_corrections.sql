-- What $request changed at the date that was the newest then: levels, scores, and who is on the list; and how many are no
-- children of that date any more, of whom nothing else is counted.
select
    any_value(b.reference_date) as reference_date,
    count(*) filter (c.child_key is not null and b.item is not null) as levels,
    count(*) filter (c.child_key is not null and b.item is not null and b.level is distinct from l.level) as other_levels,
    count(*) filter (c.child_key is not null and b.item is null) as scores,
    count(*) filter (c.child_key is not null and b.item is null and b.score is distinct from r.score) as other_scores,
    count(*) filter (c.child_key is not null and b.item is null and b.selected is distinct from r.selected) as other_places,
    count(distinct b.child_key) filter (c.child_key is null) as no_children
from rights.before_corrections as b
left join linkage.children as c using (reference_date, child_key)
left join features.levels as l using (reference_date, child_key, item)
left join screening.ranking as r on r.reference_date = b.reference_date and r.child_key = b.child_key and b.item is null
where b.request = $request
having count(*) > 0
