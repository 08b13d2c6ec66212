-- What $request changed at the date that was the newest then: levels, scores, and who is on the list.
select
    any_value(b.reference_date) as reference_date,
    count(*) filter (b.item is not null) as levels,
    count(*) filter (b.item is not null and b.level is distinct from l.level) as other_levels,
    count(*) filter (b.item is null) as scores,
    count(*) filter (b.item is null and b.score is distinct from r.score) as other_scores,
    count(*) filter (b.item is null and b.selected is distinct from r.selected) as other_places
from rights.before_corrections as b
left join features.levels as l using (reference_date, child_key, item)
left join screening.ranking as r on r.reference_date = b.reference_date and r.child_key = b.child_key and b.item is null
where b.request = $request
having count(*) > 0
