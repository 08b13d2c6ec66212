-- The list as it would be without one item's contributions: as many places, the same order among equals, no new fit.
-- Reads the temp tables fairness_without and fairness_children (fairness.py, fairness.sql), and the macros of
-- intervals.sql.

create or replace temp table new_without_items as
with scored as (
    select
        w.item,
        r.child_key,
        r.cohort,
        r.share_of,
        r.rank,
        r.selected,
        round(r.score - coalesce(c.contribution, 0), $score_decimals) as score,
        r.own_levels - coalesce(list_contains(w.own_levels, c.level), false)::integer as own_levels
    from screening.ranking as r
    cross join fairness_without as w
    left join screening.contributions as c
        on c.reference_date = r.reference_date and c.child_key = r.child_key and c.item = w.item
    where r.reference_date = $reference_date
),

placed as (
    select
        *,
        row_number() over (
            partition by item, cohort, share_of
            order by score desc, own_levels desc, rank
        ) <= count(*) filter (selected) over (partition by item, cohort, share_of) as selected_without
    from scored
)

select
    $reference_date::date as reference_date,
    f.version,
    p.item,
    (count(*) filter (p.selected))::integer as selected,
    (count(*) filter (p.selected_without and not p.selected))::integer as entered,
    (count(*) filter (p.selected and not p.selected_without))::integer as left_list,
    share(f.has_record, p.selected) as precision,
    -- as many places
    share(f.has_record, p.selected_without) as precision_without
from placed as p
join fairness_children as f using (child_key)
group by f.version, p.item;
