-- The list at other lengths: places as the ranking gives them, at each per cent of list_shares (fairness.py). Reads the
-- temp tables fairness_children (fairness.sql) and household_items, and the macros of intervals.sql.

create or replace temp table new_list_lengths as
with raised as (
    select
        c.child_key,
        sum(c.contribution) as raised,
        coalesce(sum(c.contribution) filter (h.item is not null), 0) as by_household
    from screening.contributions as c
    left join household_items as h using (item)
    where
        c.reference_date = $reference_date
        and c.contribution > 0
        and c.item <> '(base)'
    group by c.child_key
),

placed as (
    select
        s.share_percent,
        r.child_key,
        r.selected,
        row_number() over (partition by s.share_percent, r.cohort, r.share_of order by r.rank) as place,
        count(*) over (partition by s.share_percent, r.cohort, r.share_of) * s.share_percent // 100 as own_places,
        r.rank <= count(*) over (partition by s.share_percent, r.cohort) * s.share_percent // 100 as within_cohort,
        r.cohort,
        r.share_of
    from screening.ranking as r
    cross join list_shares as s
    where r.reference_date = $reference_date
),

listed as (
    select
        *,
        -- children of schools without a delivery have no fewer places than the common ranking would give them
        place <= greatest(
            own_places,
            case
                when share_of = 'missing'
                    then count(*) filter (within_cohort) over (partition by share_percent, cohort, share_of)
            end
        ) as is_listed
    from placed
)

select
    $reference_date::date as reference_date,
    f.version,
    l.share_percent,
    (count(*) filter (l.is_listed))::integer as listed,
    (count(*) filter (l.is_listed and not l.selected))::integer as entered,
    (count(*) filter (l.selected and not l.is_listed))::integer as left_list,
    (count(*) filter (f.has_record))::integer as events,
    share(f.has_record, l.is_listed) as precision,
    share(not l.is_listed, f.has_record) as false_negative_rate,
    sum(r.by_household) filter (l.is_listed) / nullif(sum(r.raised) filter (l.is_listed), 0) as household_share
from listed as l
join fairness_children as f using (child_key)
left join raised as r using (child_key)
group by f.version, l.share_percent;
